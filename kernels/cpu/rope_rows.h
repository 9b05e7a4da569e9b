// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/core/split.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Cosines and sines of a layer's rotary angles for keys at cache positions
// (core/rope.h), for all k_dim / 2 pairs in lane order; 1 and 0 where nothing
// turns.
//
// Grow is called by one thread while nothing reads; the rest is thread-safe.
class RopeRows {
 public:
  // Rows of positions 0 .. kFineRows - 1: a tile's slots, or how far the query rows
  // of a unit lie behind the first one's tile.
  static constexpr int32_t kFineRows = 2 * kTileSlots;

  RopeRows(const RopeTable& rope, int32_t k_dim);

  // Whether this is the table of `rope`.
  bool Is(const RopeTable& rope, int32_t k_dim) const;

  // Makes Coarse(index) for index < count.
  void Grow(int64_t count);

  int32_t pairs() const { return pairs_; }
  // Of a group's slots: cosines, cosines + sines, sines - cosines; [pairs, 3, 16].
  const float* key_turns() const { return key_turns_.data(); }
  const float* FineCosines(int64_t row) const { return fine_cosines_.data() + row * pairs_; }
  const float* FineSines(int64_t row) const { return fine_sines_.data() + row * pairs_; }
  // Of positions 64 * row; [pairs].
  const float* CoarseCosines(int64_t row) const { return coarse_cosines_.data() + row * pairs_; }
  const float* CoarseSines(int64_t row) const { return coarse_sines_.data() + row * pairs_; }

 private:
  void AddRow(int64_t position, std::vector<float>* cosines, std::vector<float>* sines) const;

  const int32_t pairs_;
  const std::vector<float> inv_freq_;  // [rotary_dim / 2]
  int64_t coarse_rows_ = 0;
  std::vector<float> key_turns_;
  std::vector<float> fine_cosines_;
  std::vector<float> fine_sines_;
  std::vector<float> coarse_cosines_;
  std::vector<float> coarse_sines_;
};

// The tables of the ropes that were met last; a model has few. Thread-compatible.
class RopeRowsCache {
 public:
  // The table of `rope`, for distances below `positions`. Valid until the next call.
  const RopeRows* Get(const RopeTable& rope, int32_t k_dim, int64_t positions);

 private:
  static constexpr size_t kMost = 4;

  std::vector<std::unique_ptr<RopeRows>> tables_;
  size_t oldest_ = 0;
};

}  // namespace sluice::cpu
