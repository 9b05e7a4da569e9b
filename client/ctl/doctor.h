// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/admin.h"
#include "client/ctl/gpu_probe.h"

namespace sluice::client {

// Something that the doctor looked at.
struct Finding {
  enum class Kind {
    kGood,
    kNote,     // works, but one should know
    kMissing,  // something does not work
  };
  Kind kind = Kind::kGood;
  std::string topic;
  std::string text;
};

// What of this machine matters to a daemon on it.
struct MachineFacts {
  GpuDriver gpu;
  std::optional<int64_t> shared_memory_free_bytes = {};  // of /dev/shm; nullopt: there is none
  std::string memfd_problem = {};                        // empty: memfd_create works
  std::string huge_pages = {};  // what the kernel does for shared memory: "advise", ..; empty: unknown
};

// Looks at this machine. Changes nothing.
MachineFacts LookAtMachine();

// The daemon first, then the GPU, then host memory. `daemon`: its answer at `address`, or
// why there is none. Pure.
std::vector<Finding> Diagnose(const absl::StatusOr<DaemonStatus>& daemon,
                              const std::string& address, const MachineFacts& machine);

// A line each, what is missing marked; and whether anything is.
std::string DoctorReport(const std::vector<Finding>& findings);
bool AnyMissing(const std::vector<Finding>& findings);

}  // namespace sluice::client
