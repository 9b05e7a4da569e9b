// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// The two matrix products of attend over a tile of 64 slots, from page bytes.

#if defined(SLUICE_CPU_ATTEND_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_CPU_ATTEND_PRODUCTS_INL_H_
#undef SLUICE_CPU_ATTEND_PRODUCTS_INL_H_
#else
#define SLUICE_CPU_ATTEND_PRODUCTS_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/attend_math-inl.h"
#include "kernels/cpu/attend_tile.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu::HWY_NAMESPACE {

// Query rows of one register block; rows are dealt into blocks of at most this.
inline constexpr int kMaxBlockRows = 8;

// Vectors of columns (slots, or value dims) of a block of `rows` rows, so that
// the sums fill the registers and leave room for what is read.
constexpr int BlockColumns(int rows) {
  if (kManyRegisters) return rows <= 6 ? 4 : 2;
  return rows <= 3 ? 4 : (rows <= 6 ? 2 : 1);
}

// Into the L2 cache: 1.7 times as fast here as into L1.
HWY_INLINE void PrefetchToL2(const std::byte* p) { __builtin_prefetch(p, 0, 2); }

// The pair stored at `p`, whose cache line's counterpart `ahead` is asked for.
template <Dtype kDtype>
HWY_INLINE VectorPair LoadAhead(const std::byte* HWY_RESTRICT p, int64_t odd_bytes,
                                const std::byte* ahead, bool starts_line) {
  if (starts_line) {
    PrefetchToL2(ahead);
    if (kDtype == Dtype::kF32) PrefetchToL2(ahead + odd_bytes);
  }
  return Stored<kDtype>::Load(p, odd_bytes);
}

// logits[r, first ..] = q[r] . k for kRows rows and kColumns vectors of slots.
// q: [k_dim, kRows]. logits: rows 64 apart.
template <Dtype kDtype, int kRows, int kColumns>
HWY_INLINE void KeyProducts(const float* HWY_RESTRICT q, int32_t k_dim, const AttendTile& tile,
                            const AttendTile& next, int first, float* HWY_RESTRICT logits) {
  const DF d;
  constexpr int64_t kPairBytes = 2 * kGroupSlots * Stored<kDtype>::kBytes;
  const std::byte* k[kColumns];
  const std::byte* ahead[kColumns];
  VF sums[kRows][kColumns];
  HWY_UNROLL(8) for (int c = 0; c < kColumns; ++c) {
    const int slot = first + c * kLanes;
    k[c] = tile.k[slot / kGroupSlots] + slot % kGroupSlots * 4;
    ahead[c] = next.k[slot / kGroupSlots] + slot % kGroupSlots * 4;
    HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) sums[r][c] = hn::Zero(d);
  }
  for (int64_t pair = 0; pair < k_dim / 2; ++pair) {
    HWY_UNROLL(8) for (int c = 0; c < kColumns; ++c) {
      const int64_t offset = pair * kPairBytes;
      const bool starts_line = kLanes >= kGroupSlots || (c * kLanes) % kGroupSlots == 0;
      const VectorPair key =
          LoadAhead<kDtype>(k[c] + offset, kGroupSlots * 4, ahead[c] + offset, starts_line);
      HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) {
        sums[r][c] = hn::MulAdd(hn::Set(d, q[r]), key.even, sums[r][c]);
        sums[r][c] = hn::MulAdd(hn::Set(d, q[kRows + r]), key.odd, sums[r][c]);
      }
    }
    q += 2 * kRows;
  }
  HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8) for (int c = 0; c < kColumns; ++c) {
      hn::StoreU(sums[r][c], d, logits + r * kTileSlots + first + c * kLanes);
    }
  }
}

// All 64 logits of kRows rows.
template <Dtype kDtype, int kRows>
HWY_INLINE void TileLogits(const float* HWY_RESTRICT q, int32_t k_dim, const AttendTile& tile,
                           const AttendTile& next, float* HWY_RESTRICT logits) {
  constexpr int kColumns = BlockColumns(kRows);
  for (int first = 0; first < kTileSlots; first += kColumns * kLanes) {
    KeyProducts<kDtype, kRows, kColumns>(q, k_dim, tile, next, first, logits);
  }
}

// What ValueProducts adds up: kRows rows of weights, and their sums so far.
struct ValueBlock {
  const float* weights;  // [kRows, 64]
  const float* scales;   // [kRows]: multiply the sums first
  float* out;            // [kRows, v_dim]
  int32_t v_dim;
};

// out[r, dim ..] = out * scale + weights[r] . v, over the pairs of slots [first, last)
// of the tile, for kColumns vectors of dims.
template <Dtype kDtype, int kRows, int kColumns>
HWY_INLINE void ValueProducts(const ValueBlock& block, const AttendTile& tile,
                              const AttendTile& next, int dim, int first, int last) {
  const DF d;
  constexpr int kGroupPairs = kGroupSlots / 2;
  // Two slots: a pair's row of 2-byte elements, or two rows of fp32.
  const int64_t row_bytes = int64_t{block.v_dim} * 2 * Stored<kDtype>::kBytes;
  VF sums[kRows][kColumns];
  HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) {
    const VF scale = hn::Set(d, block.scales[r]);
    HWY_UNROLL(8) for (int c = 0; c < kColumns; ++c) {
      const float* out = block.out + int64_t{r} * block.v_dim + dim + c * kLanes;
      sums[r][c] = hn::Mul(hn::LoadU(d, out), scale);
    }
  }
  for (int group = first / kGroupPairs; group * kGroupPairs < last; ++group) {
    const int group_first = HWY_MAX(first - group * kGroupPairs, 0);
    const int group_last = HWY_MIN(last - group * kGroupPairs, kGroupPairs);
    const float* HWY_RESTRICT weights = block.weights + group * kGroupSlots;
    const std::byte* HWY_RESTRICT v = tile.v[group] + dim * 4;
    const std::byte* ahead = next.v[group] + dim * 4;
    for (int pair = group_first; pair < group_last; ++pair) {
      HWY_UNROLL(8) for (int c = 0; c < kColumns; ++c) {
        const int64_t offset = pair * row_bytes + c * kLanes * 4;
        const bool starts_line = kLanes >= 16 || (dim + c * kLanes) % 16 == 0;
        const VectorPair value =
            LoadAhead<kDtype>(v + offset, row_bytes / 2, ahead + offset, starts_line);
        HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) {
          const float* w = weights + r * kTileSlots + 2 * pair;
          sums[r][c] = hn::MulAdd(hn::Set(d, w[0]), value.even, sums[r][c]);
          sums[r][c] = hn::MulAdd(hn::Set(d, w[1]), value.odd, sums[r][c]);
        }
      }
    }
  }
  HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(8) for (int c = 0; c < kColumns; ++c) {
      float* out = block.out + int64_t{r} * block.v_dim + dim + c * kLanes;
      hn::StoreU(sums[r][c], d, out);
    }
  }
}

// The same for one slot of a tile, over all dims; the bytes of the other slot of its
// pair may be anything.
template <Dtype kDtype>
HWY_NOINLINE void SlotValues(const ValueBlock& block, int rows, const AttendTile& tile, int slot) {
  const DF d;
  const int64_t row_bytes = int64_t{block.v_dim} * 2 * Stored<kDtype>::kBytes;
  const std::byte* v = tile.v[slot / kGroupSlots] + slot % kGroupSlots / 2 * row_bytes;
  for (int dim = 0; dim < block.v_dim; dim += kLanes) {
    const VectorPair values = Stored<kDtype>::Load(v + dim * 4, row_bytes / 2);
    const VF value = slot % 2 == 0 ? values.even : values.odd;
    for (int r = 0; r < rows; ++r) {
      float* out = block.out + int64_t{r} * block.v_dim + dim;
      const VF sum = hn::Mul(hn::LoadU(d, out), hn::Set(d, block.scales[r]));
      const VF weight = hn::Set(d, block.weights[r * kTileSlots + slot]);
      hn::StoreU(hn::MulAdd(weight, value, sum), d, out);
    }
  }
}

// ValueProducts over all dims: whole blocks of columns, then what is left.
template <Dtype kDtype, int kRows>
HWY_INLINE void PairValues(const ValueBlock& block, const AttendTile& tile,
                           const AttendTile& next, int first, int last) {
  constexpr int kColumns = BlockColumns(kRows);
  int dim = 0;
  for (; dim + kColumns * kLanes <= block.v_dim; dim += kColumns * kLanes) {
    ValueProducts<kDtype, kRows, kColumns>(block, tile, next, dim, first, last);
  }
  for (; dim < block.v_dim; dim += kLanes) {
    ValueProducts<kDtype, kRows, 1>(block, tile, next, dim, first, last);
  }
}

// Asks for the values of a tile.
template <Dtype kDtype>
HWY_NOINLINE void PrefetchValues(const AttendTile& tile, int32_t v_dim) {
  for (const std::byte* group : tile.v) {
    for (int64_t byte = 0; byte < kGroupSlots * v_dim * Stored<kDtype>::kBytes; byte += 64) {
      PrefetchToL2(group + byte);
    }
  }
}

// out = out * scale + weights . v over the used slots of the tile, in order.
template <Dtype kDtype, int kRows>
HWY_INLINE void TileValues(ValueBlock block, const AttendTile& tile, const AttendTile& next) {
  static constexpr float kOnes[kMaxBlockRows] = {1, 1, 1, 1, 1, 1, 1, 1};
  const int first = (tile.begin + 1) / 2;  // whole pairs: [first, last)
  const int last = tile.end / 2;
  // Products ask for as much of the next tile as they read of this one.
  if (last - first < kTileSlots / 2 && &next != &tile) PrefetchValues<kDtype>(next, block.v_dim);
  if (tile.begin < 2 * first) {
    SlotValues<kDtype>(block, kRows, tile, tile.begin);
    block.scales = kOnes;
  }
  if (first < last) {
    PairValues<kDtype, kRows>(block, tile, next, first, last);
    block.scales = kOnes;
  }
  if (2 * last < tile.end && last >= first) SlotValues<kDtype>(block, kRows, tile, 2 * last);
}

}  // namespace sluice::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
