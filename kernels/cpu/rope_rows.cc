// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/rope_rows.h"

#include <algorithm>

#include "kernels/core/layout.h"
#include "kernels/core/rope.h"

namespace sluice::cpu {
namespace {

std::vector<float> Frequencies(const RopeTable& rope) {
  return std::vector<float>(rope.inv_freq, rope.inv_freq + rope.rotary_dim / 2);
}

}  // namespace

RopeRows::RopeRows(const RopeTable& rope, int32_t k_dim)
    : pairs_(k_dim / 2), inv_freq_(Frequencies(rope)) {
  for (int64_t row = 0; row < kFineRows; ++row) AddRow(row, &fine_cosines_, &fine_sines_);
  for (int32_t pair = 0; pair < pairs_; ++pair) {
    for (int32_t part = 0; part < 3; ++part) {
      for (int32_t slot = 0; slot < kGroupSlots; ++slot) {
        const float cosine = FineCosines(slot)[pair];
        const float sine = FineSines(slot)[pair];
        key_turns_.push_back(part == 0 ? cosine : part == 1 ? cosine + sine : sine - cosine);
      }
    }
  }
}

bool RopeRows::Is(const RopeTable& rope, int32_t k_dim) const {
  return k_dim / 2 == pairs_ && rope.rotary_dim / 2 == static_cast<int32_t>(inv_freq_.size()) &&
         std::equal(inv_freq_.begin(), inv_freq_.end(), rope.inv_freq);
}

void RopeRows::Grow(int64_t count) {
  for (; coarse_rows_ < count; ++coarse_rows_) {
    AddRow(coarse_rows_ * kTileSlots, &coarse_cosines_, &coarse_sines_);
  }
}

void RopeRows::AddRow(int64_t position, std::vector<float>* cosines,
                      std::vector<float>* sines) const {
  for (size_t pair = 0; pair < static_cast<size_t>(pairs_); ++pair) {
    const Turn turn = pair < inv_freq_.size() ? CacheTurn(inv_freq_[pair], position) : Turn();
    cosines->push_back(turn.cosine);
    sines->push_back(turn.sine);
  }
}

const RopeRows* RopeRowsCache::Get(const RopeTable& rope, int32_t k_dim, int64_t positions) {
  // Query rows stand up to two tiles from where their unit's first one is reckoned from.
  const int64_t coarse_rows = positions / kTileSlots + 4;
  for (const std::unique_ptr<RopeRows>& table : tables_) {
    if (!table->Is(rope, k_dim)) continue;
    table->Grow(coarse_rows);
    return table.get();
  }
  auto table = std::make_unique<RopeRows>(rope, k_dim);
  table->Grow(coarse_rows);
  if (tables_.size() < kMost) return tables_.emplace_back(std::move(table)).get();
  oldest_ = (oldest_ + 1) % kMost;
  return (tables_[oldest_] = std::move(table)).get();
}

}  // namespace sluice::cpu
