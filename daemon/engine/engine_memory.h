// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/engine/core.h"
#include "daemon/memory/host_segment.h"
#include "daemon/memory/pool_segment.h"

namespace sluice {

// The engine's memory: the pool, its tables and the jobs' workspace, taken and
// touched at start. The pool and the workspace lie where the backend computes.
//
// The job reserve of the options is divided: a part is the workspace, the rest
// stays in the pool as pages that only jobs may take.
class EngineMemory {
 public:
  // INVALID_ARGUMENT naming the option; RESOURCE_EXHAUSTED: the memory cannot be had;
  // UNAVAILABLE, UNIMPLEMENTED: there is no GPU for a backend that needs one.
  static absl::StatusOr<EngineMemory> Create(
      const EngineOptions& options, const std::function<void(int64_t touched_bytes)>& progress);

  const Core::Memory& view() const { return view_; }

 private:
  EngineMemory(PoolSegment pool, HostSegment tables);

  PoolSegment pool_;    // slabs, then the workspace
  HostSegment tables_;
  std::vector<SpanFormat> formats_;
  Core::Memory view_;
};

}  // namespace sluice
