// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace sluice {

// A set of numbers in [0, size) that finds its smallest member in a few steps: a
// bitmap with a bitmap of its non-zero words over it, and so on.
//
// Not thread-safe.
class FreeSet {
 public:
  explicit FreeSet(int64_t size);

  void Insert(int64_t number);
  void Erase(int64_t number);
  bool Contains(int64_t number) const;
  std::optional<int64_t> Smallest() const;

 private:
  std::vector<std::vector<uint64_t>> levels_;  // [0]: the members; the last is one word
};

}  // namespace sluice
