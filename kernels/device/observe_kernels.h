// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of Observe and CarryObservations (ops.h).

#include "kernels/core/number.h"
#include "kernels/core/observation.h"
#include "kernels/core/swizzle.h"
#include "kernels/device/block.h"
#include "kernels/device/item_search.h"
#include "kernels/ops.h"

namespace sluice::device {

// Tokens of an entry whose query rows are kept.
struct ObservedTokens {
  std::byte* ring = nullptr;
  ObservationLayout layout;
  const void* q = nullptr;     // [tokens, q_heads, k_dim]
  const float* lse = nullptr;  // [tokens, q_heads]; null: not known
  int64_t position = 0;        // of the first token
  int64_t tokens = 0;
  int64_t first_item = 0;      // query heads of the tokens before
};

// A warp keeps one query head of a token.
struct ObserveKernel {
  const ObservedTokens* runs = nullptr;  // [run_count], of the device
  int32_t run_count = 0;
  int64_t items = 0;
  Dtype dtype = Dtype::kF32;  // of q

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    ForEachOfWarp(block, items, [&](int64_t item) {
      const ObservedTokens& run =
          RecordOf(runs, run_count, item, [](const ObservedTokens& r) { return r.first_item; });
      KeepHead(block, run, item - run.first_item);
    });
  }

 private:
  template <class Block>
  SLUICE_HD void KeepHead(Block& block, const ObservedTokens& run, int64_t row) const {
    const ObservationLayout& layout = run.layout;
    const int64_t position = run.position + row / layout.q_heads;
    const auto head = static_cast<int32_t>(row % layout.q_heads);
    bool finite = true;
    for (int32_t dim = block.lane(); dim < layout.k_dim; dim += kWarpThreads) {
      const float value = LoadAsFloat(run.q, dtype, row * layout.k_dim + dim);
      finite = finite && IsFinite(RoundTo(layout.dtype, value));
    }
    const bool kept = block.Ballot(!finite) == 0;
    std::byte* const place = run.ring + ObservedQueryOffset(layout, position, head);
    for (int32_t dim = block.lane(); dim < layout.k_dim; dim += kWarpThreads) {
      const float value = LoadAsFloat(run.q, dtype, row * layout.k_dim + dim);
      StoreFloat(place, layout.dtype, dim, kept ? value : 0.0f);
    }
    if (block.lane() != 0) return;
    float lse = run.lse != nullptr ? run.lse[row] : FloatFromBits(kUnknownLseBits);
    if (!kept) lse = -__builtin_huge_valf();
    reinterpret_cast<float*>(run.ring + ObservedLseOffset(layout, position))[head] = lse;
    if (head != 0) return;
    *reinterpret_cast<int32_t*>(run.ring + ObservedPositionOffset(layout, position)) =
        static_cast<int32_t>(position);
  }
};

// A block makes a piece of a ring ready, as CarryObservation does: of the first piece the
// positions, and of every one its bytes behind them.
struct CarryObservationsKernel {
  static constexpr int64_t kPieceBytes = 16384;

  const RingCarry* rings = nullptr;  // [ring_count], of the device
  int64_t ring_count = 0;
  ObservationLayout layout;
  int64_t length = 0;

  SLUICE_HD int64_t pieces() const { return (layout.bytes + kPieceBytes - 1) / kPieceBytes; }

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t item = block.index(); item < ring_count * pieces(); item += block.count()) {
      const RingCarry& carry = rings[item / pieces()];
      const int64_t piece = item % pieces();
      if (piece == 0) CarryPositions(block, carry);
      if (carry.source != nullptr && carry.source != carry.ring) CopyPiece(block, carry, piece);
    }
  }

 private:
  template <class Block>
  SLUICE_HD void CarryPositions(Block& block, const RingCarry& carry) const {
    auto* const to = reinterpret_cast<int32_t*>(carry.ring + layout.position_offset);
    ForEachOfBlock(block, layout.capacity, [&](int64_t row) {
      int32_t position = -1;
      if (carry.source != nullptr) {
        position = reinterpret_cast<const int32_t*>(carry.source + layout.position_offset)[row];
      }
      to[row] = position < length ? position : -1;
    });
  }

  template <class Block>
  SLUICE_HD void CopyPiece(Block& block, const RingCarry& carry, int64_t piece) const {
    const int64_t piece_begin = piece * kPieceBytes;
    const int64_t begin = piece_begin > layout.lse_offset ? piece_begin : layout.lse_offset;
    const int64_t piece_end = (piece + 1) * kPieceBytes;
    const int64_t end = piece_end < layout.bytes ? piece_end : layout.bytes;
    const auto* const from = reinterpret_cast<const Vector16*>(carry.source + begin);
    auto* const to = reinterpret_cast<Vector16*>(carry.ring + begin);
    ForEachOfBlock(block, (end - begin) / kChunkBytes, [&](int64_t i) { to[i] = from[i]; });
  }
};

}  // namespace sluice::device
