// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace sluice::cuda {

// Which whole pages of host memory ranges of bytes need, each page once: memory can be
// registered with the CUDA runtime only once, and ranges of bytes may share pages.
//
// Not thread-safe.
class HostPages {
 public:
  // Of runs of pages, [begin, end). False: it cannot be added.
  using Add = std::function<bool(uintptr_t begin, uintptr_t end)>;
  using Remove = std::function<void(uintptr_t begin, uintptr_t end)>;

  // `add` and `remove` are called for runs that begin or cease to be needed, the same runs.
  HostPages(int64_t page_bytes, Add add, Remove remove)
      : page_bytes_(static_cast<uintptr_t>(page_bytes)),
        add_(std::move(add)),
        remove_(std::move(remove)) {}

  // `bytes` > 0. REQUIRES: the range has no byte in common with one that is held, or is the
  // same; it then counts again. False: a run cannot be added, and nothing is held.
  bool Hold(uintptr_t begin, int64_t bytes);

  // REQUIRES: the range is held.
  void Release(uintptr_t begin, int64_t bytes);

 private:
  using Run = std::pair<uintptr_t, uintptr_t>;

  std::vector<Run> RunsOf(uintptr_t begin, int64_t bytes) const;
  void ReleaseRun(const Run& run);

  const uintptr_t page_bytes_;
  const Add add_;
  const Remove remove_;
  std::map<uintptr_t, int64_t> holders_;  // by where a run begins
};

}  // namespace sluice::cuda
