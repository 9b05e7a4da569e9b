// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/core/ring.h"
#include "kernels/core/view.h"
#include "kernels/ops.h"

namespace sluice::bench {

// A pool of random keys and values in huge pages where the system has them,
// with sequences laid over its pages in shuffled order. The content is what a
// pool of that size would hold; only the page tables differ between shapes.
class AttendPool {
 public:
  static constexpr int64_t kSlabBytes = int64_t{2} << 20;
  static constexpr int32_t kHeads = 8;

  // REQUIRES: bytes is a multiple of kSlabBytes.
  AttendPool(const PageFormat& format, int64_t bytes, bool with_scores);
  ~AttendPool();
  AttendPool(const AttendPool&) = delete;
  AttendPool& operator=(const AttendPool&) = delete;

  // Lays as many sequences of `slots` slots and kHeads rows over the pages as
  // fit, each with `step_tokens` of them new. Earlier entries become invalid.
  std::vector<ViewEntry> LaySequences(int64_t slots, int32_t step_tokens);

  // The same of sequences under a cascade, whose bodies are full after `inserted`
  // tokens and whose tails are one new token. Scores have one pending sum.
  std::vector<ViewEntry> LayCascades(const CascadeGeometry& geometry, int64_t inserted);

  const PoolView& view() const { return view_; }
  const std::byte* data() const { return pool_; }
  int64_t bytes() const { return bytes_; }
  // Bytes of keys and values of one slot of one row.
  int64_t slot_bytes() const;

 private:
  void FillPages();
  void ShufflePages();
  ViewEntry LayCascade(const CascadeGeometry& geometry, int64_t inserted, int64_t number,
                       int64_t blocks, int64_t words, size_t* next_page);

  SpanFormat format_;
  SpanFormat formats_[2];     // format_, and the same of keys at cache positions
  int64_t bytes_ = 0;        // slabs with pages
  int64_t score_bytes_ = 0;  // behind them
  std::byte* pool_ = nullptr;
  std::vector<uint32_t> pages_;
  std::vector<uint64_t> tables_;
  PoolView view_;
};

}  // namespace sluice::bench
