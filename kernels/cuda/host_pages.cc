// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/host_pages.h"

namespace sluice::cuda {

// The first page and the last one are runs of their own: only those may be of other ranges
// too, so that no run outlives a part of what it holds.
std::vector<HostPages::Run> HostPages::RunsOf(uintptr_t begin, int64_t bytes) const {
  const uintptr_t first = begin / page_bytes_ * page_bytes_;
  const uintptr_t last = (begin + static_cast<uintptr_t>(bytes) - 1) / page_bytes_ * page_bytes_;
  std::vector<Run> runs = {{first, first + page_bytes_}};
  if (last > first + page_bytes_) runs.push_back({first + page_bytes_, last});
  if (last > first) runs.push_back({last, last + page_bytes_});
  return runs;
}

bool HostPages::Hold(uintptr_t begin, int64_t bytes) {
  std::vector<Run> held;
  for (const Run& run : RunsOf(begin, bytes)) {
    if (holders_[run.first] == 0 && !add_(run.first, run.second)) {
      holders_.erase(run.first);
      for (const Run& before : held) ReleaseRun(before);
      return false;
    }
    ++holders_[run.first];
    held.push_back(run);
  }
  return true;
}

void HostPages::Release(uintptr_t begin, int64_t bytes) {
  for (const Run& run : RunsOf(begin, bytes)) ReleaseRun(run);
}

void HostPages::ReleaseRun(const Run& run) {
  const auto held = holders_.find(run.first);
  if (--held->second > 0) return;
  holders_.erase(held);
  remove_(run.first, run.second);
}

}  // namespace sluice::cuda
