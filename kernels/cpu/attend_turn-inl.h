// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Turning packed query rows by rotary angles.

#if defined(SLUICE_CPU_ATTEND_TURN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_CPU_ATTEND_TURN_INL_H_
#undef SLUICE_CPU_ATTEND_TURN_INL_H_
#else
#define SLUICE_CPU_ATTEND_TURN_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/attend_kernel.h"
#include "kernels/cpu/attend_math-inl.h"
#include "kernels/cpu/attend_unit-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu::HWY_NAMESPACE {

// Turns all kRows rows of a block, [k_dim, kRows], by the same angles: rows in
// vectors of four, the rest one by one.
template <int kRows>
HWY_INLINE void TurnBlock(const float* HWY_RESTRICT q, const QueryTurn& turn, float sign,
                          float* HWY_RESTRICT out) {
  const hn::CappedTag<float, 4> d;
  constexpr int kInVectors = kRows / 4 * 4;
  for (int32_t pair = 0; pair < turn.pairs; ++pair) {
    const float cosine = turn.cosines[pair];
    const float sine = sign * turn.sines[pair];
    HWY_UNROLL(2) for (int r = 0; r < kInVectors; r += 4) {
      const auto x = hn::LoadU(d, q + r);
      const auto y = hn::LoadU(d, q + kRows + r);
      const auto c = hn::Set(d, cosine);
      const auto s = hn::Set(d, sine);
      hn::StoreU(hn::NegMulAdd(y, s, hn::Mul(x, c)), d, out + r);
      hn::StoreU(hn::MulAdd(x, s, hn::Mul(y, c)), d, out + kRows + r);
    }
    HWY_UNROLL(4) for (int r = kInVectors; r < kRows; ++r) {
      const float x = q[r];
      const float y = q[kRows + r];
      out[r] = x * cosine - y * sine;
      out[kRows + r] = y * cosine + x * sine;
    }
    q += 2 * kRows;
    out += 2 * kRows;
  }
}

// Turns row `row` of a block of `rows` rows.
HWY_INLINE void TurnRow(const float* HWY_RESTRICT q, int rows, const QueryTurn& turn,
                        float* HWY_RESTRICT out) {
  for (int32_t pair = 0; pair < turn.pairs; ++pair) {
    const float x = q[0];
    const float y = q[rows];
    out[0] = x * turn.cosines[pair] - y * turn.sines[pair];
    out[rows] = y * turn.cosines[pair] + x * turn.sines[pair];
    q += 2 * rows;
    out += 2 * rows;
  }
}

// All rows of a unit by the same angles, or by the opposite ones.
HWY_INLINE void TurnUnit(const float* q, int rows_in_unit, const QueryTurn& turn, bool back,
                         float* out) {
  for (int index = 0; index < BlockCount(rows_in_unit); ++index) {
    const RowBlock block = BlockAt(rows_in_unit, index);
    const int64_t offset = int64_t{block.first} * 2 * turn.pairs;
    WithRows(block.count, [&](auto rows) HWY_ATTR {
      TurnBlock<decltype(rows)::value>(q + offset, turn, back ? -1.0f : 1.0f, out + offset);
    });
  }
}

// Turns the rows to a tile. Returns them as they are then.
HWY_INLINE PackedRows TurnToTile(const PackedRows& queries, const AttendTile& tile) {
  const TileTurn& turn = *queries.turn;
  const int64_t distance = turn.first_tile - tile.first / kTileSlots;
  const bool back = distance < 0;
  const int64_t row = back ? -distance : distance;
  const QueryTurn angles = {turn.tables->CoarseCosines(row), turn.tables->CoarseSines(row),
                            turn.tables->pairs()};
  TurnUnit(queries.q, queries.rows, angles, back, turn.turned);
  PackedRows turned = queries;
  turned.q = turn.turned;
  return turned;
}

}  // namespace sluice::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
