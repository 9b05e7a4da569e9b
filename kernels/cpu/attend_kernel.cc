// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attend_kernel.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attend_kernel.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#include "hwy/cache_control.h"
#include "kernels/cpu/attend_math-inl.h"
#include "kernels/cpu/attend_products-inl.h"
#include "kernels/cpu/attend_turn-inl.h"
#include "kernels/cpu/attend_unit-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu::HWY_NAMESPACE {

// logits[r, 64] for all rows of a unit. `next` is prefetched by the first block.
template <Dtype kDtype, bool kTurns>
HWY_INLINE void UnitLogits(const PackedRows& queries, int32_t k_dim, const AttendTile& tile,
                           const AttendTile& next, float* logits) {
  for (int index = 0; index < BlockCount(queries.rows); ++index) {
    const RowBlock block = BlockAt(queries.rows, index);
    const float* q = queries.q + int64_t{block.first} * k_dim;
    float* out = logits + block.first * kTileSlots;
    const AttendTile& ahead = index == 0 ? next : tile;
    if constexpr (kTurns) {
      const TileTurn& turn = *queries.turn;
      TurnToTile(q, block.count, turn, tile.first / kTileSlots, turn.turned);
      WithRows(block.count, [&](auto rows) HWY_ATTR {
        TurnedLogits<kDtype, decltype(rows)::value>(turn.turned, turn.tables->key_turns(), k_dim,
                                                    tile, ahead, out);
      });
    } else {
      WithRows(block.count, [&](auto rows) HWY_ATTR {
        TileLogits<kDtype, decltype(rows)::value>(q, k_dim, tile, ahead, out);
      });
    }
  }
}

template <Dtype kDtype>
HWY_INLINE void AnyLogits(const PackedRows& queries, int32_t k_dim, const AttendTile& tile,
                          const AttendTile& next, float* logits) {
  if (queries.turn == nullptr) {
    UnitLogits<kDtype, false>(queries, k_dim, tile, next, logits);
  } else {
    UnitLogits<kDtype, true>(queries, k_dim, tile, next, logits);
  }
}

template <Dtype kDtype>
HWY_INLINE void UnitValues(const float* weights, const float* scales, int rows_in_unit,
                           int32_t v_dim, const AttendTile& tile, const AttendTile& next,
                           float* out) {
  for (int index = 0; index < BlockCount(rows_in_unit); ++index) {
    const RowBlock block = BlockAt(rows_in_unit, index);
    const ValueBlock values = {weights + block.first * kTileSlots, scales + block.first,
                               out + int64_t{block.first} * v_dim, v_dim};
    WithRows(block.count, [&](auto rows) HWY_ATTR {
      TileValues<kDtype, decltype(rows)::value>(values, tile, index == 0 ? next : tile);
    });
  }
}

// Where the logits of a tile are made weights: where they are kept, or in scratch.
HWY_INLINE float* TileWeights(const WeightRows& weights, int rows, int64_t tile) {
  if (weights.kept == nullptr || weights.past_caches) return weights.logits;
  return weights.kept + tile * rows * kTileSlots;
}

// Asks for the lines that the weights of a tile will be written to.
HWY_INLINE void PrefetchWeights(const float* weights, int rows) {
  for (int i = 0; i < rows * kTileSlots; i += 16) __builtin_prefetch(weights + i, 1, 3);
}

// Writes a tile's weights past the caches.
HWY_INLINE void StreamWeights(const float* HWY_RESTRICT values, int rows,
                              float* HWY_RESTRICT kept) {
  const DF d;
  for (int i = 0; i < rows * kTileSlots; i += kLanes) {
    hn::Stream(hn::LoadU(d, values + i), d, kept + i);
  }
}

template <Dtype kDtype>
HWY_INLINE void AttendTiles(const PackedRows& queries, const TileRange& range,
                            const WeightRows& weights, const AttendState& state) {
  HWY_ALIGN float scales[kMaxUnitRows];
  HWY_ALIGN float scratch_bases[kMaxUnitRows];
  const int rows = queries.rows;
  AttendTile tile = range.reader->At(range.first_tile, range.begin, range.end);
  for (int64_t index = range.first_tile; index < range.last_tile; ++index) {
    const bool last = index + 1 == range.last_tile;
    const int64_t number = index - range.first_tile;
    range.reader->PrefetchTable(index);
    const bool known = range.after != nullptr && range.after->end > 0;
    const AttendTile next = !last ? range.reader->At(index + 1, range.begin, range.end)
                                  : (known ? *range.after : tile);
    float* logits = TileWeights(weights, rows, number);
    float* bases = weights.kept == nullptr ? scratch_bases : weights.bases + number * kMaxKeptRows;
    if (logits != weights.logits && !last) PrefetchWeights(logits + rows * kTileSlots, rows);
    AnyLogits<kDtype>(queries, range.format->k_dim, tile, next, logits);
    for (int row = 0; row < rows; ++row) {
      float* row_logits = logits + row * kTileSlots;
      FinishLogits(queries, row, tile, row_logits);
      scales[row] = SoftmaxRow(row_logits, state.max + row, state.sum + row, bases + row);
    }
    UnitValues<kDtype>(logits, scales, rows, range.format->v_dim, tile, next, state.out);
    if (weights.past_caches) {
      StreamWeights(logits, rows, weights.kept + number * rows * kTileSlots);
    }
    tile = next;
  }
  if (weights.past_caches) hwy::FlushStream();
}

void ClearStateImpl(int32_t rows, int32_t v_dim, const AttendState& state) {
  const DF d;
  for (int row = 0; row < rows; ++row) {
    state.max[row] = -std::numeric_limits<float>::infinity();
    state.sum[row] = 0.0f;
  }
  for (int64_t i = 0; i < int64_t{rows} * v_dim; i += kLanes) {
    hn::StoreU(hn::Zero(d), d, state.out + i);
  }
}

void AttendChunkImpl(const PackedRows& queries, const TileRange& range, const WeightRows& weights,
                     const AttendState& state) {
  ClearStateImpl(queries.rows, range.format->v_dim, state);
  WithDtype(range.format->dtype, [&](auto dtype) HWY_ATTR {
    AttendTiles<decltype(dtype)::value>(queries, range, weights, state);
  });
}

void FoldChunkImpl(const AttendState& chunk, int32_t rows, int32_t v_dim,
                   const AttendState& state) {
  const DF d;
  const VF lowest = hn::Set(d, std::numeric_limits<float>::lowest());
  for (int64_t row = 0; row < rows; ++row) {
    const VF left_max = hn::Set(d, state.max[row]);
    const VF right_max = hn::Set(d, chunk.max[row]);
    const VF max = hn::Max(left_max, right_max);
    const VF origin = hn::IfThenElseZero(hn::Ge(max, lowest), max);
    const VF left = Exp2(hn::Sub(left_max, origin));
    const VF right = Exp2(hn::Sub(right_max, origin));
    float* out = state.out + row * v_dim;
    const float* added = chunk.out + row * v_dim;
    for (int32_t dim = 0; dim < v_dim; dim += kLanes) {
      const VF kept = hn::Mul(hn::LoadU(d, out + dim), left);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, added + dim), right, kept), d, out + dim);
    }
    state.sum[row] =
        state.sum[row] * hn::GetLane(left) + chunk.sum[row] * hn::GetLane(right);
    state.max[row] = hn::GetLane(max);
  }
}

// fp32 elements of a row of any dtype, times a factor. True if all are finite.
template <Dtype kDtype>
HWY_INLINE bool WidenRow(const void* row, int32_t dims, float factor, float* HWY_RESTRICT out) {
  const DF d;
  const DI di;
  const DU du;
  // All ones in an element's exponent: infinite or not a number.
  const auto exponent = hn::Set(di, kDtype == Dtype::kF16 ? 0x7c00 : 0x7f800000);
  auto finite = hn::Lt(hn::Zero(di), exponent);
  for (int32_t i = 0; i < dims; i += kLanes) {
    VF x;
    auto bits = hn::Zero(di);
    if constexpr (kDtype == Dtype::kF32) {
      x = hn::LoadU(d, static_cast<const float*>(row) + i);
      bits = hn::BitCast(di, x);
    } else if constexpr (kDtype == Dtype::kBf16) {
      const hn::Rebind<uint16_t, DF> d16;
      const auto half = hn::LoadU(d16, static_cast<const uint16_t*>(row) + i);
      x = hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, half)));
      bits = hn::BitCast(di, x);
    } else {
      const hn::Rebind<uint16_t, DF> d16;
      const auto half = hn::LoadU(d16, static_cast<const uint16_t*>(row) + i);
      bits = hn::BitCast(di, hn::PromoteTo(du, half));
      x = Stored<Dtype::kF16>::Widen(hn::ShiftLeft<16>(bits));
    }
    finite = hn::And(finite, hn::Lt(hn::And(bits, exponent), exponent));
    hn::StoreU(hn::Mul(x, hn::Set(d, factor)), d, out + i);
  }
  return hn::AllTrue(di, finite);
}

// A packed row of a block of `rows`: where its dim at a lane position goes.
HWY_INLINE int64_t PackedPlace(int32_t lane, int row, int rows, bool turns) {
  if (!turns) return int64_t{lane} * rows + row;
  const int32_t pair = lane / 2;
  const int64_t line = int64_t{pair / kTurnPairs} * rows + row;
  return (line * 2 + lane % 2) * kTurnPairs + pair % kTurnPairs;
}

void PackQueriesImpl(const PackArgs& args) {
  HWY_ALIGN float wide[256];
  for (int index = 0; index < BlockCount(args.row_count); ++index) {
    const RowBlock block = BlockAt(args.row_count, index);
    float* packed = args.packed + int64_t{block.first} * args.dims;
    for (int row = 0; row < block.count; ++row) {
      bool finite = false;
      WithDtype(args.dtype, [&](auto dtype) HWY_ATTR {
        finite = WidenRow<decltype(dtype)::value>(args.rows[block.first + row], args.dims,
                                                  args.factor, wide);
      });
      args.finite[block.first + row] = finite;
      for (int32_t lane = 0; lane < args.dims; ++lane) {
        packed[PackedPlace(lane, row, block.count, args.turns)] =
            finite ? wide[args.lane_dims[lane]] : 0.0f;
      }
    }
  }
}

void TurnQueriesImpl(const float* packed, const QueryTurn* turns, int32_t rows, float* out) {
  const DP d;
  const VP one = hn::Set(d, 1.0f);
  for (int index = 0; index < BlockCount(rows); ++index) {
    const RowBlock block = BlockAt(rows, index);
    int64_t place = int64_t{block.first} * 2 * turns[0].pairs;
    for (int32_t pair = 0; pair < turns[0].pairs; pair += kTurnPairs) {
      for (int row = block.first; row < block.first + block.count; ++row) {
        for (int i = 0; i < kTurnPairs; i += kPairLanes) {
          const Angle<VP> angle =
              LoadAngles(turns[row].cosines + pair + i, turns[row].sines + pair + i, one);
          StorePairs(LoadPairs(packed + place + i).Turned(angle), out + place + i);
        }
        place += 2 * kTurnPairs;
      }
    }
  }
}

void StoreOutputImpl(const float* values, float factor, int32_t v_dim, Dtype dtype, void* out) {
  const DF d;
  const DU du;
  for (int32_t i = 0; i < v_dim; i += kLanes) {
    const VF x = hn::Mul(hn::LoadU(d, values + i), hn::Set(d, factor));
    if (dtype == Dtype::kF32) {
      hn::StoreU(x, d, static_cast<float*>(out) + i);
    } else if (dtype == Dtype::kF16) {
      const hn::Rebind<hwy::float16_t, DF> d16;
      hn::StoreU(hn::DemoteTo(d16, x), d16, static_cast<hwy::float16_t*>(out) + i);
    } else {
      const hn::Rebind<uint16_t, DF> d16;
      const VU bits = hn::BitCast(du, x);
      const VU odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
      const VU rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fff)));
      hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(rounded)), d16,
                 static_cast<uint16_t*>(out) + i);
    }
  }
}

// sums[0 .. 64) += factors[r] * f(values[r, slot]) for every `stride`-th row from `first`.
HWY_INLINE void AddRows(const MassTile& tile, const float* HWY_RESTRICT factors, int first,
                        int stride, float* HWY_RESTRICT sums) {
  const DF d;
  for (int slot = 0; slot < kTileSlots; slot += kLanes) {
    VF sum = hn::LoadU(d, sums + slot);
    for (int row = first; row < tile.rows; row += stride) {
      VF p = hn::LoadU(d, tile.values + row * kTileSlots + slot);
      if (tile.squared) p = hn::Mul(p, p);
      sum = hn::MulAdd(p, hn::Set(d, factors[row]), sum);
    }
    hn::StoreU(sum, d, sums + slot);
  }
}

// The first row that counts in sum `sum`.
HWY_INLINE int FirstRowOfSum(const MassTile& tile, int sum) {
  return (sum + tile.sum_count - tile.first_row % tile.sum_count) % tile.sum_count;
}

void AddMassImpl(const MassTile& tile, float* HWY_RESTRICT sums) {
  const DF d;
  // sum += weight * f(value * scale) = f(value) * (weight * f(scale)).
  HWY_ALIGN float factors[kMaxUnitRows];
  for (int row = 0; row < tile.rows; row += kLanes) {
    const VF bases = hn::LoadU(d, tile.bases + row);
    VF scale = Exp2(hn::Sub(bases, hn::LoadU(d, tile.log_sums + row)));
    if (tile.squared) scale = hn::Mul(scale, scale);
    hn::StoreU(hn::Mul(scale, hn::LoadU(d, tile.weights + row)), d, factors + row);
  }
  if (tile.sum_count == 1) return AddRows(tile, factors, 0, 1, sums);
  for (int i = 0; i < tile.sum_count; ++i, sums += kTileSlots) {
    AddRows(tile, factors, FirstRowOfSum(tile, i), tile.sum_count, sums);
  }
}

// sums[0 .. 64) += weights[r] * f(p[r, slot]) for every sum_count-th row from `first`.
HWY_INLINE void AddProbabilities(const float* HWY_RESTRICT logits, const MassTile& mass, int first,
                                 float* HWY_RESTRICT sums) {
  const DF d;
  for (int slot = 0; slot < kTileSlots; slot += kLanes) {
    VF sum = hn::LoadU(d, sums + slot);
    for (int row = first; row < mass.rows; row += mass.sum_count) {
      if (mass.weights[row] == 0.0f) continue;
      const VF x = hn::LoadU(d, logits + row * kTileSlots + slot);
      VF p = Exp2(hn::Sub(x, hn::Set(d, mass.log_sums[row])));
      if (mass.squared) p = hn::Mul(p, p);
      sum = hn::MulAdd(p, hn::Set(d, mass.weights[row]), sum);
    }
    hn::StoreU(sum, d, sums + slot);
  }
}

void AddMassOfKeysImpl(const PackedRows& queries, const PageFormat& format,
                       const AttendTile& tile, const MassTile& mass, float* logits, float* sums) {
  WithDtype(format.dtype, [&](auto dtype) HWY_ATTR {
    AnyLogits<decltype(dtype)::value>(queries, format.k_dim, tile, tile, logits);
  });
  for (int row = 0; row < queries.rows; ++row) {
    if (mass.weights[row] != 0.0f) FinishLogits(queries, row, tile, logits + row * kTileSlots);
  }
  for (int i = 0; i < mass.sum_count; ++i) {
    AddProbabilities(logits, mass, FirstRowOfSum(mass, i), sums + i * kTileSlots);
  }
}

void UpdateScoresImpl(const ScoreTile& tile, float decay, const float* sums) {
  const DF d;
  for (int group = 0; group < kTileGroups; ++group) {
    float* scores = tile.scores[group];
    if (scores == nullptr) continue;
    const int first = group * kGroupSlots;
    if (tile.begin <= first && first + kGroupSlots <= HWY_MIN(tile.end, tile.fresh)) {
      for (int i = 0; i < kGroupSlots; i += kLanes) {
        const VF kept = hn::Mul(hn::LoadU(d, scores + i), hn::Set(d, decay));
        hn::StoreU(hn::Add(kept, hn::LoadU(d, sums + first + i)), d, scores + i);
      }
      continue;
    }
    for (int slot = HWY_MAX(first, tile.begin); slot < HWY_MIN(first + kGroupSlots, tile.end);
         ++slot) {
      const float kept = slot >= tile.fresh ? 0.0f : decay * scores[slot - first];
      scores[slot - first] = kept + sums[slot];
    }
  }
}

}  // namespace sluice::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::cpu {

HWY_EXPORT(PackQueriesImpl);
HWY_EXPORT(TurnQueriesImpl);
HWY_EXPORT(AttendChunkImpl);
HWY_EXPORT(FoldChunkImpl);
HWY_EXPORT(ClearStateImpl);
HWY_EXPORT(StoreOutputImpl);
HWY_EXPORT(AddMassImpl);
HWY_EXPORT(AddMassOfKeysImpl);
HWY_EXPORT(UpdateScoresImpl);

void PackQueries(const PackArgs& args) { HWY_DYNAMIC_DISPATCH(PackQueriesImpl)(args); }

void TurnQueries(const float* packed, const QueryTurn* turns, int32_t rows, float* out) {
  HWY_DYNAMIC_DISPATCH(TurnQueriesImpl)(packed, turns, rows, out);
}

void AttendChunk(const PackedRows& queries, const TileRange& range, const WeightRows& weights,
                 const AttendState& state) {
  HWY_DYNAMIC_DISPATCH(AttendChunkImpl)(queries, range, weights, state);
}

void FoldChunk(const AttendState& chunk, int32_t rows, int32_t v_dim, const AttendState& state) {
  HWY_DYNAMIC_DISPATCH(FoldChunkImpl)(chunk, rows, v_dim, state);
}

void ClearState(int32_t rows, int32_t v_dim, const AttendState& state) {
  HWY_DYNAMIC_DISPATCH(ClearStateImpl)(rows, v_dim, state);
}

void StoreOutput(const float* values, float factor, int32_t v_dim, Dtype dtype, void* out) {
  HWY_DYNAMIC_DISPATCH(StoreOutputImpl)(values, factor, v_dim, dtype, out);
}

void AddMass(const MassTile& tile, float* sums) { HWY_DYNAMIC_DISPATCH(AddMassImpl)(tile, sums); }

void AddMassOfKeys(const PackedRows& queries, const PageFormat& format, const AttendTile& tile,
                   const MassTile& mass, float* logits, float* sums) {
  HWY_DYNAMIC_DISPATCH(AddMassOfKeysImpl)(queries, format, tile, mass, logits, sums);
}

void UpdateScores(const ScoreTile& tile, float decay, const float* sums) {
  HWY_DYNAMIC_DISPATCH(UpdateScoresImpl)(tile, decay, sums);
}

}  // namespace sluice::cpu
#endif  // HWY_ONCE
