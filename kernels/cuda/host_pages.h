// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace sluice::cuda {

// Which whole pages of host memory ranges of bytes need, each page once: memory can be
// registered with the CUDA runtime only once, and ranges of bytes may share pages.
//
// Not thread-safe.
class HostPages {
 public:
  // Of runs of pages, [begin, end).
  using Change = std::function<void(uintptr_t begin, uintptr_t end)>;

  // `add` and `remove` are called for runs that begin or cease to be needed, the same runs.
  HostPages(int64_t page_bytes, Change add, Change remove)
      : page_bytes_(static_cast<uintptr_t>(page_bytes)),
        add_(std::move(add)),
        remove_(std::move(remove)) {}

  // `bytes` > 0. REQUIRES: the range has no byte in common with one that is held, or is the
  // same; it then counts again.
  void Hold(uintptr_t begin, int64_t bytes);

  // REQUIRES: the range is held.
  void Release(uintptr_t begin, int64_t bytes);

 private:
  void ForEachRun(uintptr_t begin, int64_t bytes, const Change& function) const;

  const uintptr_t page_bytes_;
  const Change add_;
  const Change remove_;
  std::map<uintptr_t, int64_t> holders_;  // by where a run begins
};

}  // namespace sluice::cuda
