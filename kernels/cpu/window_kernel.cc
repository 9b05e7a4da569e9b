// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/window_kernel.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/window_kernel.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#include "kernels/cpu/attend_math-inl.h"
#include "kernels/cpu/attend_products-inl.h"
#include "kernels/cpu/attend_unit-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu::HWY_NAMESPACE {

// The logits of kRows rows in the columns [first, last) of a tile. A logit does not
// depend on the columns and rows that are worked on with it.
template <Dtype kDtype, int kRows>
HWY_INLINE void BlockLogits(const float* HWY_RESTRICT q, int32_t k_dim, const AttendTile& tile,
                            const AttendTile& next, int first, int last,
                            float* HWY_RESTRICT logits) {
  constexpr int kColumns = BlockColumns(kRows);
  for (; first + kColumns * kLanes <= last; first += kColumns * kLanes) {
    KeyProducts<kDtype, kRows, kColumns>(q, k_dim, tile, next, first, logits);
  }
  for (; first < last; first += kLanes) {
    KeyProducts<kDtype, kRows, 1>(q, k_dim, tile, next, first, logits);
  }
}

// logits[r, first .. last) for all rows of a unit; what they become before softmax.
template <Dtype kDtype>
HWY_INLINE void ColumnLogits(const PackedRows& queries, int32_t k_dim, const AttendTile& tile,
                             const AttendTile& next, int first, int last, float* logits) {
  for (int index = 0; index < BlockCount(queries.rows); ++index) {
    const RowBlock block = BlockAt(queries.rows, index);
    const float* q = queries.q + int64_t{block.first} * k_dim;
    float* out = logits + block.first * kTileSlots;
    WithRows(block.count, [&](auto rows) HWY_ATTR {
      BlockLogits<kDtype, decltype(rows)::value>(q, k_dim, tile, index == 0 ? next : tile, first,
                                                 last, out);
    });
  }
  for (int row = 0; row < queries.rows; ++row) {
    FinishLogits(queries, row, tile, logits + row * kTileSlots);
  }
}

template <Dtype kDtype>
HWY_INLINE void SumTiles(const PackedRows& queries, const TileRange& range, float* logits,
                         ChunkSums* sums) {
  AttendTile tile = range.reader->At(range.first_tile, range.begin, range.end);
  for (int64_t index = range.first_tile; index < range.last_tile; ++index) {
    const bool last = index + 1 == range.last_tile;
    const AttendTile next = last ? tile : range.reader->At(index + 1, range.begin, range.end);
    ColumnLogits<kDtype>(queries, range.format->k_dim, tile, next, 0, kTileSlots, logits);
    for (int row = 0; row < queries.rows; ++row) {
      float base = 0.0f;
      SoftmaxRow(logits + row * kTileSlots, sums->max + row, sums->sum + row, &base);
    }
    tile = next;
  }
}

void ClearSums(ChunkSums* sums) {
  const DF d;
  for (int row = 0; row < kMaxUnitRows; row += kLanes) {
    hn::StoreU(hn::Set(d, -std::numeric_limits<float>::infinity()), d, sums->max + row);
    hn::StoreU(hn::Zero(d), d, sums->sum + row);
  }
}

void SumChunkImpl(const PackedRows& queries, const TileRange& range, float* logits,
                  ChunkSums* sums) {
  ClearSums(sums);
  if (range.first_tile >= range.last_tile) return;
  WithDtype(range.format->dtype, [&](auto dtype) HWY_ATTR {
    SumTiles<decltype(dtype)::value>(queries, range, logits, sums);
  });
}

void FoldSumsImpl(const ChunkSums* chunks, int64_t count, ChunkSums* state) {
  const DF d;
  ClearSums(state);
  const VF lowest = hn::Set(d, std::numeric_limits<float>::lowest());
  for (int64_t i = 0; i < count; ++i) {
    for (int row = 0; row < kMaxUnitRows; row += kLanes) {
      const VF left_max = hn::LoadU(d, state->max + row);
      const VF right_max = hn::LoadU(d, chunks[i].max + row);
      const VF max = hn::Max(left_max, right_max);
      // While nothing was seen the maximum is -inf; 0 stands for it in differences.
      const VF origin = hn::IfThenElseZero(hn::Ge(max, lowest), max);
      const VF left = hn::Mul(hn::LoadU(d, state->sum + row), Exp2(hn::Sub(left_max, origin)));
      const VF right = Exp2(hn::Sub(right_max, origin));
      hn::StoreU(hn::MulAdd(hn::LoadU(d, chunks[i].sum + row), right, left), d, state->sum + row);
      hn::StoreU(max, d, state->max + row);
    }
  }
}

void AddColumnsImpl(const PackedRows& queries, const WindowColumns& columns, float* logits,
                    float* HWY_RESTRICT sums) {
  const DF d;
  WithDtype(columns.format->dtype, [&](auto dtype) HWY_ATTR {
    ColumnLogits<decltype(dtype)::value>(queries, columns.format->k_dim, *columns.tile,
                                         *columns.next, columns.first, columns.last, logits);
  });
  for (int slot = columns.first; slot < columns.last; slot += kLanes) {
    VF sum = hn::LoadU(d, sums + slot);
    for (int row = 0; row < queries.rows; ++row) {
      const VF logit = hn::LoadU(d, logits + row * kTileSlots + slot);
      sum = hn::Add(sum, Exp2(hn::Sub(logit, hn::Set(d, columns.log_sums[row]))));
    }
    hn::StoreU(sum, d, sums + slot);
  }
}

}  // namespace sluice::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::cpu {

HWY_EXPORT(SumChunkImpl);
HWY_EXPORT(FoldSumsImpl);
HWY_EXPORT(AddColumnsImpl);

void SumChunk(const PackedRows& queries, const TileRange& range, float* logits, ChunkSums* sums) {
  HWY_DYNAMIC_DISPATCH(SumChunkImpl)(queries, range, logits, sums);
}

void FoldSums(const ChunkSums* chunks, int64_t count, ChunkSums* state) {
  HWY_DYNAMIC_DISPATCH(FoldSumsImpl)(chunks, count, state);
}

void AddColumns(const PackedRows& queries, const WindowColumns& columns, float* logits,
                float* sums) {
  HWY_DYNAMIC_DISPATCH(AddColumnsImpl)(queries, columns, logits, sums);
}

}  // namespace sluice::cpu
#endif  // HWY_ONCE
