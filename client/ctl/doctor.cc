// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/doctor.h"

#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/ctl/format.h"

namespace sluice::client {
namespace {

// What the kernels for GPUs are compiled for at least.
constexpr int kLeastComputeMajor = 8;
constexpr int kLeastDriverVersion = 13000;

using Kind = Finding::Kind;

std::string MemfdProblem() {
  const int fd = ::memfd_create("sluice-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return std::strerror(errno);
  ::close(fd);
  return "";
}

// The word in brackets: what is in force.
std::string HugePages() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
  std::string text;
  std::getline(file, text);
  const size_t begin = text.find('[');
  const size_t end = text.find(']');
  if (begin == std::string::npos || end == std::string::npos) return "";
  return text.substr(begin + 1, end - begin - 1);
}

std::string VersionText(int version) {
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
}

Finding OnDaemon(const absl::StatusOr<DaemonStatus>& daemon, const std::string& address) {
  if (!daemon.ok()) {
    return {Kind::kMissing, "daemon",
            absl::StrCat("none answers at ", address, ": ", daemon.status().message())};
  }
  const std::string text = absl::StrCat("sluiced ", Printable(daemon->version), " at ", address,
                                        ", backend ", Printable(daemon->backend));
  if (daemon->draining) return {Kind::kNote, "daemon", text + ", shutting down"};
  if (daemon->version != SLUICE_VERSION) {
    return {Kind::kNote, "daemon", absl::StrCat(text, "; this program is ", SLUICE_VERSION)};
  }
  return {Kind::kGood, "daemon", text};
}

Finding OnDevice(const GpuDevice& device, size_t number) {
  const std::string topic = absl::StrCat("gpu ", number);
  const std::string text = absl::StrFormat(
      "%s, compute capability %d.%d, %s", Printable(device.name), device.compute_major,
      device.compute_minor, FormatBytes(device.memory_bytes));
  if (device.compute_major < kLeastComputeMajor) {
    return {Kind::kNote, topic, text + ": too old for the kernels, which need 8.0"};
  }
  if (!device.shares_memory) {
    return {Kind::kNote, topic, text + ": its memory cannot be shared by file descriptors"};
  }
  return {Kind::kGood, topic, text};
}

void OnGpu(const absl::StatusOr<DaemonStatus>& daemon, const GpuDriver& gpu,
           std::vector<Finding>* findings) {
  if (!gpu.problem.empty()) {
    findings->push_back({Kind::kNote, "gpu driver",
                         gpu.problem + ": only backends that use host memory start here"});
    return;
  }
  const bool is_old = gpu.version < kLeastDriverVersion;
  findings->push_back({is_old ? Kind::kNote : Kind::kGood, "gpu driver",
                       absl::StrCat("runs CUDA up to ", VersionText(gpu.version),
                                    is_old ? "; BACKEND_CUDA needs 13.0 and does not start" : "")});
  if (gpu.devices.empty()) findings->push_back({Kind::kNote, "gpu", "the driver knows no device"});
  for (size_t i = 0; i < gpu.devices.size(); ++i) {
    findings->push_back(OnDevice(gpu.devices[i], i));
  }
  if (!gpu.devices.empty() && daemon.ok() && !absl::StrContains(daemon->backend, "cuda")) {
    findings->push_back({Kind::kNote, "backend",
                         "the daemon does not use the GPU: \"backend\": \"BACKEND_CUDA\" in its "
                         "configuration would"});
  }
}

void OnMemory(const MachineFacts& machine, std::vector<Finding>* findings) {
  if (machine.memfd_problem.empty()) {
    findings->push_back({Kind::kGood, "memfd", "sealed segments can be made"});
  } else {
    findings->push_back({Kind::kMissing, "memfd",
                         absl::StrCat("no segment can be made: ", machine.memfd_problem)});
  }
  if (machine.shared_memory_free_bytes.has_value()) {
    findings->push_back({Kind::kGood, "shared memory",
                         absl::StrCat(FormatBytes(*machine.shared_memory_free_bytes),
                                      " free in /dev/shm")});
  } else {
    findings->push_back({Kind::kNote, "shared memory", "there is no /dev/shm"});
  }
  if (machine.huge_pages == "never" || machine.huge_pages == "deny") {
    findings->push_back({Kind::kNote, "huge pages",
                         "not used for shared memory: attention over long contexts is slower "
                         "(/sys/kernel/mm/transparent_hugepage/shmem_enabled: advise)"});
  } else if (!machine.huge_pages.empty()) {
    findings->push_back({Kind::kGood, "huge pages",
                         absl::StrCat("for shared memory: ", machine.huge_pages)});
  }
}

}  // namespace

MachineFacts LookAtMachine() {
  MachineFacts facts;
  facts.gpu = ProbeGpu();
  facts.memfd_problem = MemfdProblem();
  facts.huge_pages = HugePages();
  struct statvfs info = {};
  if (::statvfs("/dev/shm", &info) == 0) {
    facts.shared_memory_free_bytes = static_cast<int64_t>(info.f_bavail * info.f_frsize);
  }
  return facts;
}

std::vector<Finding> Diagnose(const absl::StatusOr<DaemonStatus>& daemon,
                              const std::string& address, const MachineFacts& machine) {
  std::vector<Finding> findings = {OnDaemon(daemon, address)};
  OnGpu(daemon, machine.gpu, &findings);
  OnMemory(machine, &findings);
  return findings;
}

std::string DoctorReport(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    const char* const mark = finding.kind == Kind::kGood   ? "ok       "
                             : finding.kind == Kind::kNote ? "note     "
                                                           : "MISSING  ";
    absl::StrAppend(&text, mark, NamedLine(finding.topic, finding.text));
  }
  return text;
}

bool AnyMissing(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    if (finding.kind == Kind::kMissing) return true;
  }
  return false;
}

}  // namespace sluice::client
