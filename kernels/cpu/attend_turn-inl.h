// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Query rows and keys that turn by rotary angles.

#if defined(SLUICE_CPU_ATTEND_TURN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_CPU_ATTEND_TURN_INL_H_
#undef SLUICE_CPU_ATTEND_TURN_INL_H_
#else
#define SLUICE_CPU_ATTEND_TURN_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/attend_kernel.h"
#include "kernels/cpu/attend_math-inl.h"
#include "kernels/cpu/attend_products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu::HWY_NAMESPACE {

// Vectors of the pairs of a row that lie side by side.
using DP = hn::CappedTag<float, kTurnPairs>;
inline constexpr int kPairLanes = HWY_MIN(kTurnPairs, HWY_LANES(float));

// An angle as a turn by it needs it.
template <class V>
struct Angle {
  V cosine;
  V sum;         // cosine + sine
  V difference;  // sine - cosine
};

// Two dims that turn together.
template <class V>
struct Pair {
  V x;
  V y;

  // (x cos - y sin, y cos + x sin) with three multiplications: their ports are what
  // attend waits for, and those of additions idle.
  HWY_INLINE Pair Turned(const Angle<V>& by) const {
    const V both = hn::Mul(hn::Add(x, y), by.cosine);
    return {hn::NegMulAdd(y, by.sum, both), hn::MulAdd(x, by.difference, both)};
  }
};
using VP = hn::Vec<DP>;

HWY_INLINE Pair<VP> LoadPairs(const float* from) {
  const DP d;
  return {hn::LoadU(d, from), hn::LoadU(d, from + kTurnPairs)};
}

HWY_INLINE void StorePairs(const Pair<VP>& pairs, float* to) {
  const DP d;
  hn::StoreU(pairs.x, d, to);
  hn::StoreU(pairs.y, d, to + kTurnPairs);
}

HWY_INLINE Angle<VP> LoadAngles(const float* cosines, const float* sines, VP sign) {
  const DP d;
  const VP cosine = hn::LoadU(d, cosines);
  const VP sine = hn::Mul(hn::LoadU(d, sines), sign);
  return {cosine, hn::Add(cosine, sine), hn::Sub(sine, cosine)};
}

// Turns the rows of a block, [pairs / 8, rows, 2, 8], for the four groups of a tile:
// `out` is [pairs / 8, 4, rows, 2, 8].
HWY_INLINE void TurnToTile(const float* HWY_RESTRICT q, int rows, const TileTurn& turn,
                           int64_t tile, float* HWY_RESTRICT out) {
  const DP d;
  const RopeRows& tables = *turn.tables;
  const int64_t distance = turn.first_tile - tile;
  const int64_t tiles = distance < 0 ? -distance : distance;
  const int64_t next_tiles = distance <= 0 ? tiles + 1 : tiles - 1;
  const VP back = hn::Set(d, -1.0f);
  const VP sign = distance < 0 ? back : hn::Set(d, 1.0f);
  const int group_floats = rows * 2 * kTurnPairs;
  for (int32_t pair = 0; pair < tables.pairs(); pair += kPairLanes) {
    const auto fine = [&](int group) HWY_ATTR {
      return LoadAngles(tables.FineCosines(group * kGroupSlots) + pair,
                        tables.FineSines(group * kGroupSlots) + pair, back);
    };
    const Angle<VP> to_tile = LoadAngles(tables.CoarseCosines(tiles) + pair,
                                         tables.CoarseSines(tiles) + pair, sign);
    const Angle<VP> to_group1 = fine(1);
    const Angle<VP> to_group2 = fine(2);
    const Angle<VP> to_group3 = fine(3);
    // Between two tiles the keys and values push these out of the caches.
    if (pair % kGroupSlots == 0) {
      __builtin_prefetch(tables.CoarseCosines(next_tiles) + pair, 0, 3);
      __builtin_prefetch(tables.CoarseSines(next_tiles) + pair, 0, 3);
    }
    const int64_t block = pair / kTurnPairs;
    const float* from = q + block * group_floats + pair % kTurnPairs;
    float* to = out + block * kTileGroups * group_floats + pair % kTurnPairs;
    for (int r = 0; r < rows; ++r, from += 2 * kTurnPairs, to += 2 * kTurnPairs) {
      const Pair<VP> turned = LoadPairs(from).Turned(to_tile);
      StorePairs(turned, to);
      StorePairs(turned.Turned(to_group1), to + group_floats);
      StorePairs(turned.Turned(to_group2), to + 2 * group_floats);
      StorePairs(turned.Turned(to_group3), to + 3 * group_floats);
    }
  }
}

// logits[r, first ..] = q[r] . R(i) k for kRows rows and kColumns vectors of slots i,
// counted in each group of 16. q: from TurnToTile; key_turns: as RopeRows has them.
//
// Turning makes this longer than the products of the values, which then wait for memory:
// the first pass asks for a part of the next tile's values too.
template <Dtype kDtype, int kRows, int kColumns>
HWY_INLINE void TurnedProducts(const float* HWY_RESTRICT q, const float* HWY_RESTRICT key_turns,
                               int32_t k_dim, const AttendTile& tile, const AttendTile& next,
                               int first, float* HWY_RESTRICT logits) {
  const DF d;
  constexpr int64_t kPairBytes = 2 * kGroupSlots * Stored<kDtype>::kBytes;
  constexpr int kGroupFloats = kRows * 2 * kTurnPairs;
  const std::byte* k[kColumns];
  const std::byte* ahead[kColumns];
  const std::byte* values_ahead = first == 0 && &next != &tile ? next.v[0] : nullptr;
  VF sums[kRows][kColumns];
  HWY_UNROLL(8) for (int c = 0; c < kColumns; ++c) {
    const int slot = first + c * kLanes;
    k[c] = tile.k[slot / kGroupSlots] + slot % kGroupSlots * 4;
    ahead[c] = next.k[slot / kGroupSlots] + slot % kGroupSlots * 4;
    HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) sums[r][c] = hn::Zero(d);
  }
  // Columns are whole groups or lie in one.
  q += first / kGroupSlots * kGroupFloats;
  key_turns += first % kGroupSlots;
  for (int64_t pair = 0; pair < k_dim / 2; ++pair) {
    HWY_UNROLL(8) for (int c = 0; c < kColumns; ++c) {
      const int64_t offset = pair * kPairBytes;
      const bool starts_line = kLanes >= kGroupSlots || (c * kLanes) % kGroupSlots == 0;
      const VectorPair stored =
          LoadAhead<kDtype>(k[c] + offset, kGroupSlots * 4, ahead[c] + offset, starts_line);
      const float* turns = key_turns + c * kLanes % kGroupSlots;
      const Angle<VF> angle = {hn::LoadU(d, turns), hn::LoadU(d, turns + kGroupSlots),
                               hn::LoadU(d, turns + 2 * kGroupSlots)};
      const Pair<VF> key = Pair<VF>{stored.even, stored.odd}.Turned(angle);
      const float* q_group = q + c * kLanes / kGroupSlots * kGroupFloats;
      HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) {
        const float* q_row = q_group + r * 2 * kTurnPairs;
        sums[r][c] = hn::MulAdd(hn::Set(d, q_row[0]), key.x, sums[r][c]);
        sums[r][c] = hn::MulAdd(hn::Set(d, q_row[kTurnPairs]), key.y, sums[r][c]);
      }
    }
    if (values_ahead != nullptr) PrefetchToL2(values_ahead + pair * 64);
    key_turns += 3 * kGroupSlots;
    q += pair % kTurnPairs == kTurnPairs - 1 ? kTileGroups * kGroupFloats - (kTurnPairs - 1) : 1;
  }
  HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8) for (int c = 0; c < kColumns; ++c) {
      hn::StoreU(sums[r][c], d, logits + r * kTileSlots + first + c * kLanes);
    }
  }
}

// All 64 logits of kRows rows.
template <Dtype kDtype, int kRows>
HWY_INLINE void TurnedLogits(const float* q, const float* key_turns, int32_t k_dim,
                             const AttendTile& tile, const AttendTile& next, float* logits) {
  constexpr int kColumns = BlockColumns(kRows);
  for (int first = 0; first < kTileSlots; first += kColumns * kLanes) {
    TurnedProducts<kDtype, kRows, kColumns>(q, key_turns, k_dim, tile, next, first, logits);
  }
}

}  // namespace sluice::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
