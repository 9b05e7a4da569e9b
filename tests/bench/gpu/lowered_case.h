// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/device/staging.h"
#include "tests/bench/gpu/gpu_cases.h"

namespace sluice::bench {

// Makes the launches of a case, as a lane of the backend does, with memory of its own for
// what is passed and for scratch: launches that were captured go on using it. Not thread-safe.
class LoweredCase {
 public:
  // The pool outlives the object, and what the case points to; its tables are brought to the
  // device. `bytes`: of scratch, and of what is passed, as much.
  LoweredCase(GpuPool& pool, Case made, int64_t bytes = int64_t{64} << 20);

  const Case& made() const { return made_; }

  // Launches on the runtime of the pool's device.
  void Launch();

 private:
  const Case made_;
  device::Staging staging_;
  device::Launcher launcher_;
  Ticket ticket_ = 0;
};

}  // namespace sluice::bench
