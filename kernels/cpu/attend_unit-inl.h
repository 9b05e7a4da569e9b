// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// The query rows of a unit: how they are dealt into register blocks, and what
// becomes of their logits.

#if defined(SLUICE_CPU_ATTEND_UNIT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_CPU_ATTEND_UNIT_INL_H_
#undef SLUICE_CPU_ATTEND_UNIT_INL_H_
#else
#define SLUICE_CPU_ATTEND_UNIT_INL_H_
#endif

#include <limits>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/cpu/attend_kernel.h"
#include "kernels/cpu/attend_math-inl.h"
#include "kernels/cpu/attend_products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu::HWY_NAMESPACE {

// Rows [first, first + count) of a unit are block `index` of `BlockCount`.
struct RowBlock {
  int first;
  int count;
};

// Deals rows into blocks of equal size, so that none is much smaller.
HWY_INLINE RowBlock BlockAt(int rows, int index) {
  const int blocks = (rows + kMaxBlockRows - 1) / kMaxBlockRows;
  const int first = rows * index / blocks;
  return {first, rows * (index + 1) / blocks - first};
}

HWY_INLINE int BlockCount(int rows) { return (rows + kMaxBlockRows - 1) / kMaxBlockRows; }

// Calls `function` with the row count as a compile-time constant.
template <class Function>
HWY_INLINE void WithRows(int rows, const Function& function) {
  static_assert(kMaxBlockRows == 8);
  switch (rows) {
    case 1: return function(std::integral_constant<int, 1>());
    case 2: return function(std::integral_constant<int, 2>());
    case 3: return function(std::integral_constant<int, 3>());
    case 4: return function(std::integral_constant<int, 4>());
    case 5: return function(std::integral_constant<int, 5>());
    case 6: return function(std::integral_constant<int, 6>());
    case 7: return function(std::integral_constant<int, 7>());
    default: return function(std::integral_constant<int, 8>());
  }
}

template <class Function>
HWY_INLINE void WithDtype(Dtype dtype, const Function& function) {
  switch (dtype) {
    case Dtype::kF32: return function(std::integral_constant<Dtype, Dtype::kF32>());
    case Dtype::kBf16: return function(std::integral_constant<Dtype, Dtype::kBf16>());
    case Dtype::kF16: return function(std::integral_constant<Dtype, Dtype::kF16>());
  }
}

// Soft cap, log_mass and visibility: what a row's logits become before softmax.
HWY_INLINE void FinishLogits(const PackedRows& queries, int row, const AttendTile& tile,
                             float* HWY_RESTRICT logits) {
  const DF d;
  const DI di;
  const int64_t begin = HWY_MAX(queries.begin[row] - tile.first, tile.begin);
  const int64_t end = HWY_MIN(queries.end[row] - tile.first, tile.end);
  const bool masked = begin > 0 || end < kTileSlots;
  if (!masked && !tile.has_mass && queries.soft_cap == 0.0f) return;
  const auto before = hn::Set(di, static_cast<int32_t>(HWY_MIN(begin, kTileSlots)) - 1);
  const auto high = hn::Set(di, static_cast<int32_t>(HWY_MAX(end, 0)));
  for (int slot = 0; slot < kTileSlots; slot += kLanes) {
    VF x = hn::LoadU(d, logits + slot);
    if (queries.soft_cap != 0.0f) x = hn::Mul(Tanh(x), hn::Set(d, queries.soft_cap));
    const float* log_mass = tile.log_mass[slot / kGroupSlots];
    if (log_mass != nullptr) {
      const VF mass = hn::LoadU(d, log_mass + slot % kGroupSlots);
      x = hn::MulAdd(mass, hn::Set(d, 1.44269504f), x);
    }
    const auto number = hn::Iota(di, slot);
    const auto seen = hn::And(hn::Gt(number, before), hn::Lt(number, high));
    const VF nothing = hn::Set(d, -std::numeric_limits<float>::infinity());
    hn::StoreU(hn::IfThenElse(hn::RebindMask(d, seen), x, nothing), d, logits + slot);
  }
}

// Turns a row's logits into weights relative to its maximum so far.
// Returns what the row's sums must be multiplied by; `*base` is the maximum used.
HWY_INLINE float SoftmaxRow(float* HWY_RESTRICT logits, float* max, float* sum, float* base) {
  const DF d;
  VF largest = hn::LoadU(d, logits);
  for (int slot = kLanes; slot < kTileSlots; slot += kLanes) {
    largest = hn::Max(largest, hn::LoadU(d, logits + slot));
  }
  const VF old_max = hn::Set(d, *max);
  const VF new_max = hn::Max(hn::MaxOfLanes(d, largest), old_max);
  // While nothing was seen the maximum is -inf; 0 stands for it in differences.
  const VF lowest = hn::Set(d, std::numeric_limits<float>::lowest());
  const VF origin = hn::IfThenElseZero(hn::Ge(new_max, lowest), new_max);
  const VF scale = Exp2(hn::Sub(old_max, origin));
  VF total = hn::Zero(d);
  for (int slot = 0; slot < kTileSlots; slot += kLanes) {
    const VF weight = Exp2(hn::Sub(hn::LoadU(d, logits + slot), origin));
    total = hn::Add(total, weight);
    hn::StoreU(weight, d, logits + slot);
  }
  *max = hn::GetLane(new_max);
  *base = hn::GetLane(origin);
  const float factor = hn::GetLane(scale);
  *sum = *sum * factor + hn::GetLane(hn::SumOfLanes(d, total));
  return factor;
}

}  // namespace sluice::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
