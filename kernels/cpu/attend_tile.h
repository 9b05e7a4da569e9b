// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/core/layout.h"
#include "kernels/core/rows.h"
#include "kernels/core/split.h"
#include "kernels/page_format.h"

namespace sluice::cpu {

// Groups of 16 slots in a tile.
inline constexpr int32_t kTileGroups = kTileSlots / kGroupSlots;

// Where the four groups of a tile of 64 slots lie.
//
// Slots outside [begin, end) are not to be used, whatever their bytes; groups
// past the last used one point to it, so that all four may be read.
struct AttendTile {
  const std::byte* k[kTileGroups] = {};
  const std::byte* v[kTileGroups] = {};
  const float* log_mass[kTileGroups] = {};  // [16] each; null: all 0
  int64_t first = 0;                        // number of its first slot, counted as in SpanChunks
  int32_t begin = 0;
  int32_t end = 0;  // begin < end <= 64
  bool has_mass = false;
};

// Finds the tiles of a span. Cheap to make; thread-compatible.
class TileReader {
 public:
  TileReader() = default;
  TileReader(const PoolView& pool, const Span& span, const SpanChunks& chunks)
      : pool_(&pool), span_(span), first_group_(chunks.first_group) {
    const PageFormat& format = span.format->page;
    group_mask_ = format.page_size / kGroupSlots - 1;
    page_shift_ = format.page_size == 64 ? 2 : (format.page_size == 32 ? 1 : 0);
    k_group_bytes_ = int64_t{kGroupSlots} * format.k_dim * DtypeBytes(format.dtype);
    v_group_bytes_ = int64_t{kGroupSlots} * format.v_dim * DtypeBytes(format.dtype);
    v_tile_offset_ = KTileBytes(format);
    page_count_ = (chunks.first_group * kGroupSlots + chunks.end + format.page_size - 1) /
                  format.page_size;
  }

  // Tile number `tile` of the span, for the slots [begin, end) of it.
  // REQUIRES: it holds at least one of them.
  AttendTile At(int64_t tile, int64_t begin, int64_t end) const {
    AttendTile result;
    result.first = tile * kTileSlots;
    result.begin = begin > result.first ? static_cast<int32_t>(begin - result.first) : 0;
    result.end = static_cast<int32_t>(
        end - result.first < kTileSlots ? end - result.first : int64_t{kTileSlots});
    const int32_t last = (result.end - 1) / kGroupSlots;
    for (int32_t group = 0; group < kTileGroups; ++group) {
      Locate(first_group_ + tile * kTileGroups + (group < last ? group : last), group, &result);
    }
    return result;
  }

  // Asks for the table words that lie `distance` tiles past `tile`.
  void PrefetchTable(int64_t tile, int64_t distance) const {
    if (span_.page_ids != nullptr) return;
    const int64_t page = (first_group_ + (tile + distance) * kTileGroups) >> page_shift_;
    if (page + 1 >= page_count_) return;
    __builtin_prefetch(span_.table_words + span_.block_list[page] + span_.row, 0, 2);
    __builtin_prefetch(span_.table_words + span_.block_list[page + 1] + span_.row, 0, 2);
  }

 private:
  void Locate(int64_t group, int32_t place, AttendTile* tile) const {
    const uint32_t page = span_.Page(group >> page_shift_);
    const int64_t inside = group & group_mask_;
    const SlabLayout& slab = span_.format->slab;
    const std::byte* data = PageData(*pool_, slab, page);
    tile->k[place] = data + inside * k_group_bytes_;
    tile->v[place] = data + v_tile_offset_ + inside * v_group_bytes_;
    if ((*PageFlags(*pool_, slab, page) & kPageHasMass) == 0) return;
    tile->log_mass[place] = PageLogMass(*pool_, slab, page) + inside * kGroupSlots;
    tile->has_mass = true;
  }

  const PoolView* pool_ = nullptr;
  Span span_;
  int64_t first_group_ = 0;
  int64_t group_mask_ = 0;
  int32_t page_shift_ = 0;
  int64_t k_group_bytes_ = 0;
  int64_t v_group_bytes_ = 0;
  int64_t v_tile_offset_ = 0;
  int64_t page_count_ = 0;
};

}  // namespace sluice::cpu
