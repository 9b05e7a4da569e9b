// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of Compact (ops.h).

#include "kernels/core/kept.h"
#include "kernels/core/number.h"
#include "kernels/core/swizzle.h"
#include "kernels/core/view.h"
#include "kernels/device/block.h"
#include "kernels/device/block_math.h"
#include "kernels/device/job_rows.h"
#include "kernels/device/slot_store.h"
#include "kernels/ops.h"

namespace sluice::device {

// What a destination page holds: the next `slots` kept slots of a row from `first_slot` on.
struct CompactPage {
  int64_t first_slot = 0;
  int32_t row = 0;  // of the RowSet
  int32_t slots = 0;
};

// Finds what the destination pages [first_page, first_page + page_count) hold. A warp a row,
// which goes over the words of its mask.
struct FindPagesKernel {
  static constexpr int32_t kLaneWords = 4;  // of a lane at a time

  CompactArgs args;  // arrays: of the device
  const JobRow* job_rows = nullptr;
  int32_t page_size = 0;
  int64_t first_page = 0;
  int64_t page_count = 0;
  CompactPage* pages = nullptr;  // [page_count]

  // REQUIRES: blocks of one warp.
  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t r = block.index(); r < args.rows.row_count; r += block.count()) {
      const bool elsewhere = args.destination_offsets[r + 1] <= first_page ||
                             args.destination_offsets[r] >= first_page + page_count;
      if (!elsewhere) FindPages(block, static_cast<int32_t>(r));
    }
  }

 private:
  template <class Block>
  SLUICE_HD void FindPages(Block& block, int32_t r) const {
    const int64_t slots = job_rows[r].slots;
    const uint32_t* const mask =
        args.masks == nullptr ? nullptr : args.masks + args.rows.row_offsets[r] / 32;
    const int64_t words = RoundUp(slots, 32) / 32;
    int64_t kept = 0;
    for (int64_t first = 0; first < words; first += kLaneWords * kWarpThreads) {
      const int64_t own = first + block.lane() * kLaneWords;
      uint32_t bits[kLaneWords] = {};
      int32_t count = 0;
      Unrolled<kLaneWords>([&](int32_t i) {
        if (own + i < words) bits[i] = MaskWord(mask, own + i, slots);
        count += CountBits(bits[i]);
      });
      const int32_t upto = PrefixOfWarp(block, count);
      int64_t before = kept + upto - count;
      Unrolled<kLaneWords>([&](int32_t i) {
        StartPages(r, before, own + i, bits[i]);
        before += CountBits(bits[i]);
      });
      kept += block.Shuffle(upto, kWarpThreads - 1);
    }
    CountSlots(block, r, kept);
  }

  // Of a word with `before` kept slots before it: where pages begin in it.
  SLUICE_HD void StartPages(int32_t r, int64_t before, int64_t word, uint32_t bits) const {
    for (int64_t n = RoundUp(before, page_size); n < before + CountBits(bits); n += page_size) {
      const int64_t page = args.destination_offsets[r] + n / page_size - first_page;
      if (page < 0 || page >= page_count) continue;
      pages[page].first_slot = word * 32 + NthBitIndex(bits, static_cast<int32_t>(n - before));
    }
  }

  template <class Block>
  SLUICE_HD void CountSlots(Block& block, int32_t r, int64_t kept) const {
    const int64_t begin = args.destination_offsets[r];
    ForEachOfBlock(block, args.destination_offsets[r + 1] - begin, [&](int64_t i) {
      const int64_t page = begin + i - first_page;
      if (page < 0 || page >= page_count) return;
      const int64_t left = kept - i * page_size;
      pages[page].row = r;
      pages[page].slots =
          static_cast<int32_t>(left < 0 ? 0 : (left < page_size ? left : page_size));
    });
  }
};

// A block writes a destination page, unless a source page is the same.
struct CompactKernel {
  // A slot that is gathered, in shared memory.
  struct Source {
    const SpanFormat* format;
    uint32_t page;
    int32_t slot;  // of the page
  };
  static constexpr int32_t kMostSlots = 64;  // of a page
  static constexpr int32_t kSharedBytes =
      kMostSlots * static_cast<int32_t>(sizeof(Source) + sizeof(int64_t));

  PoolView pool;
  CompactArgs args;  // arrays: of the device
  const JobRow* job_rows = nullptr;
  const CompactPage* pages = nullptr;  // [page_count], as FindPagesKernel wrote them
  int64_t first_page = 0;
  int64_t page_count = 0;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t i = block.index(); i < page_count; i += block.count()) {
      if (pages[i].slots > 0) WritePage(block, pages[i], first_page + i);
    }
  }

 private:
  template <class Block>
  SLUICE_HD void WritePage(Block& block, const CompactPage& page, int64_t index) const {
    auto* const sources = reinterpret_cast<Source*>(block.shared());
    auto* const kept = reinterpret_cast<int64_t*>(sources + kMostSlots);
    block.Sync();  // the page before is done with shared memory
    if (block.thread() < kWarpThreads) ListKeptSlots(block, page, kept);
    block.Sync();
    ForEachOfBlock(block, page.slots,
                   [&](int64_t i) { sources[i] = SourceOf(job_rows[page.row], kept[i]); });
    block.Sync();
    const SpanFormat& format = pool.formats[args.destination_format];
    const bool whole = IsWholePage(format, sources, page.slots);
    if (block.thread() == 0 && args.reused != nullptr) {
      args.reused[index] = whole ? sources[0].page : kNoPage;
    }
    if (whole && args.reused != nullptr) return;
    const uint32_t to = args.destination_pages[index];
    OpenPage(block, pool, format, to, page.slots);
    CopyKeysAndValues(block, format, sources, page.slots, to);
    CopySides(block, format, sources, page.slots, to);
  }

  // The first warp.
  template <class Block>
  SLUICE_HD void ListKeptSlots(Block& block, const CompactPage& page, int64_t* kept) const {
    const int64_t slots = job_rows[page.row].slots;
    const uint32_t* const mask =
        args.masks == nullptr ? nullptr : args.masks + args.rows.row_offsets[page.row] / 32;
    int32_t found = 0;
    for (int64_t first = page.first_slot / 32; found < page.slots; first += kWarpThreads) {
      const int64_t word = first + block.lane();
      uint32_t bits = word * 32 < slots ? MaskWord(mask, word, slots) : 0u;
      if (word * 32 < page.first_slot) bits &= ~((1u << (page.first_slot % 32)) - 1u);
      const int32_t upto = PrefixOfWarp(block, CountBits(bits));
      int32_t n = found + upto - CountBits(bits);
      for (; bits != 0 && n < page.slots; bits &= bits - 1) {
        kept[n++] = word * 32 + LowestBitIndex(bits);
      }
      found += block.Shuffle(upto, kWarpThreads - 1);
    }
  }

  SLUICE_HD Source SourceOf(const JobRow& row, int64_t slot) const {
    const JobSlot place = JobSlotAt(row, slot);
    const int64_t index = place.span->first_slot + place.slot;
    const int32_t page_size = place.span->format->page.page_size;
    return {place.span->format, place.span->Page(index / page_size),
            static_cast<int32_t>(index % page_size)};
  }

  // Whether the slots are a source page, slot for slot. They ascend in their row, so the
  // first and the last say it.
  SLUICE_HD bool IsWholePage(const SpanFormat& format, const Source* sources, int32_t slots) const {
    const int32_t last = format.page.page_size - 1;
    return slots == format.page.page_size && sources[0].format == &format &&
           sources[last].format == &format && sources[0].page == sources[last].page &&
           sources[0].slot == 0 && sources[last].slot == last;
  }

  template <class Block>
  SLUICE_HD void CopyKeysAndValues(Block& block, const SpanFormat& format, const Source* sources,
                                   int32_t slots, uint32_t page) const {
    const PageFormat& shape = format.page;
    std::byte* const data = PageData(pool, format.slab, page);
    const SwizzledTile k_tile = MakeSwizzledTile(shape.page_size, shape.k_dim, shape.dtype);
    const SwizzledTile v_tile = MakeSwizzledTile(shape.page_size, shape.v_dim, shape.dtype);
    CopyTile(block, k_tile, shape.dtype, sources, slots, false, data);
    CopyTile(block, v_tile, shape.dtype, sources, slots, true, data + KTileBytes(shape));
  }

  template <class Block>
  SLUICE_HD void CopyTile(Block& block, const SwizzledTile& tile, Dtype dtype,
                          const Source* sources, int32_t slots, bool of_values,
                          std::byte* to) const {
    const int32_t chunks = ChunksOfRow(tile);
    ForEachOfBlock(block, int64_t{slots} * chunks, [&](int64_t i) {
      const auto slot = static_cast<int32_t>(i / chunks);
      const auto chunk = static_cast<int32_t>(i % chunks);
      const Source& source = sources[slot];
      const PageFormat& shape = source.format->page;
      const std::byte* const from = PageData(pool, source.format->slab, source.page) +
                                    (of_values ? KTileBytes(shape) : 0);
      const SwizzledTile from_tile =
          MakeSwizzledTile(shape.page_size, of_values ? shape.v_dim : shape.k_dim, shape.dtype);
      if (shape.dtype == dtype) {
        *reinterpret_cast<Vector16*>(to + SwizzledChunk(tile, slot, chunk)) =
            *reinterpret_cast<const Vector16*>(from + SwizzledChunk(from_tile, source.slot, chunk));
        return;
      }
      const int32_t elements = kChunkBytes / tile.element_bytes;
      for (int32_t dim = chunk * elements; dim < (chunk + 1) * elements; ++dim) {
        StoreFloat(to, dtype, SwizzledOffset(tile, slot, dim),
                   LoadAsFloat(from, shape.dtype, SwizzledOffset(from_tile, source.slot, dim)));
      }
    });
  }

  template <class Block>
  SLUICE_HD void CopySides(Block& block, const SpanFormat& format, const Source* sources,
                           int32_t slots, uint32_t page) const {
    ForEachOfBlock(block, slots, [&](int64_t i) {
      const Source& source = sources[i];
      const SlabLayout& slab = source.format->slab;
      const float log_mass = PageLogMass(pool, slab, source.page)[source.slot];
      PagePositions(pool, format.slab, page)[i] =
          PagePositions(pool, slab, source.page)[source.slot];
      PageLogMass(pool, format.slab, page)[i] = log_mass;
      PageKeyNorms(pool, format.slab, page)[i] = PageKeyNorms(pool, slab, source.page)[source.slot];
      if (log_mass != 0.0f) block.AtomicOr(PageFlags(pool, format.slab, page), kPageHasMass);
    });
  }
};

}  // namespace sluice::device
