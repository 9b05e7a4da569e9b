// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::client {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::Not;
using Kind = Finding::Kind;

DaemonStatus Daemon(const std::string& backend) {
  DaemonStatus status;
  status.version = SLUICE_VERSION;
  status.backend = backend;
  return status;
}

MachineFacts Machine() {
  MachineFacts machine;
  machine.gpu = ProbeGpu(SLUICE_FAKE_DRIVER);
  machine.shared_memory_free_bytes = int64_t{1} << 30;
  machine.huge_pages = "advise";
  return machine;
}

TEST(GpuProbeTest, DescribesWhatTheDriverKnows) {
  const GpuDriver driver = ProbeGpu(SLUICE_FAKE_DRIVER);
  EXPECT_EQ(driver.problem, "");
  EXPECT_EQ(driver.version, 13020);
  EXPECT_THAT(driver.devices,
              ElementsAre(AllOf(Field(&GpuDevice::name, "Fast One"),
                                Field(&GpuDevice::compute_major, 9),
                                Field(&GpuDevice::memory_bytes, int64_t{80} << 30),
                                Field(&GpuDevice::shares_memory, true)),
                          AllOf(Field(&GpuDevice::name, "Old One"),
                                Field(&GpuDevice::compute_minor, 5),
                                Field(&GpuDevice::shares_memory, false))));
}

TEST(GpuProbeTest, SaysWhyThereIsNoList) {
  EXPECT_THAT(ProbeGpu("libno-such-driver.so").problem, HasSubstr("no NVIDIA driver"));
  EXPECT_THAT(ProbeGpu("libc.so.6").problem, HasSubstr("lacks calls"));
}

TEST(DoctorTest, FindsADaemonThatLeavesTheGpuAlone) {
  const std::string report = DoctorReport(Diagnose(Daemon("cpu"), "unix:/s", Machine()));
  EXPECT_THAT(report, HasSubstr("runs CUDA up to 13.2"));
  EXPECT_THAT(report, HasSubstr("Fast One, compute capability 9.0, 80.0 GiB"));
  EXPECT_THAT(report, HasSubstr("Old One, compute capability 7.5, 16.0 GiB: too old"));
  EXPECT_THAT(report, HasSubstr("BACKEND_CUDA"));
  EXPECT_THAT(report, Not(HasSubstr("MISSING")));
}

TEST(DoctorTest, IsContentWithADaemonOnTheGpu) {
  const std::vector<Finding> findings = Diagnose(Daemon("cuda"), "unix:/s", Machine());
  EXPECT_THAT(DoctorReport(findings), Not(HasSubstr("BACKEND_CUDA")));
  EXPECT_FALSE(AnyMissing(findings));
}

TEST(DoctorTest, AMachineWithoutADriverIsNoFault) {
  MachineFacts machine = Machine();
  machine.gpu = ProbeGpu("libno-such-driver.so");
  const std::vector<Finding> findings = Diagnose(Daemon("cpu"), "unix:/s", machine);
  EXPECT_FALSE(AnyMissing(findings));
  EXPECT_THAT(DoctorReport(findings), HasSubstr("only backends that use host memory start here"));
}

TEST(DoctorTest, NamesWhatIsMissing) {
  MachineFacts machine = Machine();
  machine.memfd_problem = "Operation not permitted";
  const std::vector<Finding> findings =
      Diagnose(absl::UnavailableError("refused"), "unix:/s", machine);
  EXPECT_TRUE(AnyMissing(findings));
  EXPECT_THAT(DoctorReport(findings), HasSubstr("none answers at unix:/s: refused"));
  EXPECT_THAT(DoctorReport(findings), HasSubstr("no segment can be made: Operation not permitted"));
}

TEST(DoctorTest, NotesAnotherVersionAndADrain) {
  DaemonStatus status = Daemon("cpu");
  status.version = "0.0.9";
  EXPECT_THAT(DoctorReport(Diagnose(status, "a", Machine())), HasSubstr("this program is"));
  status.draining = true;
  EXPECT_THAT(DoctorReport(Diagnose(status, "a", Machine())), HasSubstr("shutting down"));
}

TEST(DoctorTest, LooksAtThisMachine) {
  const MachineFacts machine = LookAtMachine();
  EXPECT_EQ(machine.memfd_problem, "");
  EXPECT_TRUE(!machine.gpu.problem.empty() || machine.gpu.version > 0);
}

}  // namespace
}  // namespace sluice::client
