// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/host_pages.h"

namespace sluice::cuda {

// The first page and the last one are runs of their own: only those may be of other ranges
// too, so that no run outlives a part of what it holds.
void HostPages::ForEachRun(uintptr_t begin, int64_t bytes, const Change& function) const {
  const uintptr_t first = begin / page_bytes_ * page_bytes_;
  const uintptr_t last = (begin + static_cast<uintptr_t>(bytes) - 1) / page_bytes_ * page_bytes_;
  function(first, first + page_bytes_);
  if (last > first + page_bytes_) function(first + page_bytes_, last);
  if (last > first) function(last, last + page_bytes_);
}

void HostPages::Hold(uintptr_t begin, int64_t bytes) {
  ForEachRun(begin, bytes, [this](uintptr_t run_begin, uintptr_t run_end) {
    if (holders_[run_begin]++ == 0) add_(run_begin, run_end);
  });
}

void HostPages::Release(uintptr_t begin, int64_t bytes) {
  ForEachRun(begin, bytes, [this](uintptr_t run_begin, uintptr_t run_end) {
    const auto held = holders_.find(run_begin);
    if (--held->second > 0) return;
    holders_.erase(held);
    remove_(run_begin, run_end);
  });
}

}  // namespace sluice::cuda
