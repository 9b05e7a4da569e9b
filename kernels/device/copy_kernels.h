// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of CopyPages and CopyScores (ops.h).

#include "kernels/core/swizzle.h"
#include "kernels/core/view.h"
#include "kernels/device/block.h"
#include "kernels/ops.h"

namespace sluice::device {

// A block copies a page: the slots' chunks, zeros behind them, and the side arrays.
struct CopyPagesKernel {
  PoolView pool;
  CopyPagesArgs args;  // pages: of the device

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t i = block.index(); i < args.page_count; i += block.count()) {
      CopyPage(block, args.pages[i]);
    }
  }

 private:
  template <class Block>
  SLUICE_HD void CopyPage(Block& block, const PageCopy& copy) const {
    const SpanFormat& format = pool.formats[args.format];
    const std::byte* const from = PageData(pool, format.slab, copy.source);
    std::byte* const to = PageData(pool, format.slab, copy.destination);
    const PageFormat& page = format.page;
    CopyTile(block, MakeSwizzledTile(page.page_size, page.k_dim, page.dtype), from, to);
    CopyTile(block, MakeSwizzledTile(page.page_size, page.v_dim, page.dtype),
             from + KTileBytes(page), to + KTileBytes(page));
    CopySides(block, format.slab, copy);
  }

  template <class Block>
  SLUICE_HD void CopyTile(Block& block, const SwizzledTile& tile, const std::byte* from,
                          std::byte* to) const {
    const int32_t chunks = ChunksOfRow(tile);
    ForEachOfBlock(block, int64_t{tile.slots} * chunks, [&](int64_t i) {
      const auto slot = static_cast<int32_t>(i / chunks);
      const int32_t offset = SwizzledChunk(tile, slot, static_cast<int32_t>(i % chunks));
      Vector16 chunk;
      if (slot < args.slots) chunk = *reinterpret_cast<const Vector16*>(from + offset);
      *reinterpret_cast<Vector16*>(to + offset) = chunk;
    });
  }

  template <class Block>
  SLUICE_HD void CopySides(Block& block, const SlabLayout& slab, const PageCopy& copy) const {
    uint32_t* const flags = PageFlags(pool, slab, copy.destination);
    if (block.thread() == 0) *flags = 0;
    block.Sync();
    ForEachOfBlock(block, slab.page_size, [&](int64_t slot) {
      const bool copied = slot < args.slots;
      const float log_mass = copied ? PageLogMass(pool, slab, copy.source)[slot] : 0.0f;
      PagePositions(pool, slab, copy.destination)[slot] =
          copied ? PagePositions(pool, slab, copy.source)[slot] : 0;
      PageLogMass(pool, slab, copy.destination)[slot] = log_mass;
      PageKeyNorms(pool, slab, copy.destination)[slot] =
          copied ? PageKeyNorms(pool, slab, copy.source)[slot] : 0.0f;
      if (log_mass != 0.0f) block.AtomicOr(flags, kPageHasMass);
    });
  }
};

// A block copies the scores of a place: a piece of what is to be copied, so that a large copy
// is many blocks'.
struct CopyScoresKernel {
  static constexpr int64_t kPieceScores = 4096;

  CopyScoresArgs args;  // copies: of the device

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t i = block.index(); i < args.copy_count; i += block.count()) {
      const ScoreCopy& copy = args.copies[i];
      ForEachOfBlock(block, copy.count, [&](int64_t j) { copy.destination[j] = copy.source[j]; });
    }
  }
};

}  // namespace sluice::device
