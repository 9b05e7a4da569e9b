// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
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
    Place place;
    for (int32_t group = 0; group < kTileGroups; ++group) {
      const int64_t number = first_group_ + tile * kTileGroups + (group < last ? group : last);
      const int64_t page = number >> page_shift_;
      if (group == 0 || page != place.page) place = PlaceOf(page);
      Locate(place, number & group_mask_, group, &result);
    }
    return result;
  }

  // Asks for what says where the tiles some way past `tile` lie, and for their flags.
  void PrefetchTable(int64_t tile) const {
    constexpr int64_t kTableDistance = 6;
    constexpr int64_t kFlagsDistance = 3;
    const int64_t flags_page = PageOf(tile + kFlagsDistance);
    for (int64_t page = flags_page; page < std::min(flags_page + 2, page_count_); ++page) {
      __builtin_prefetch(PageFlags(*pool_, span_.format->slab, span_.Page(page)), 0, 2);
    }
    if (span_.page_ids != nullptr) return;
    const int64_t page = PageOf(tile + kTableDistance);
    if (page + 1 >= page_count_) return;
    __builtin_prefetch(span_.table_words + span_.block_list[page] + span_.row, 0, 2);
    __builtin_prefetch(span_.table_words + span_.block_list[page + 1] + span_.row, 0, 2);
  }

 private:
  // The page of a tile's first group.
  int64_t PageOf(int64_t tile) const {
    return (first_group_ + tile * kTileGroups) >> page_shift_;
  }

  // Where a page of the span lies.
  struct Place {
    int64_t page = 0;
    const std::byte* data = nullptr;
    const float* log_mass = nullptr;  // null: all 0
  };

  Place PlaceOf(int64_t index) const {
    const uint32_t page = span_.Page(index);
    const SlabLayout& slab = span_.format->slab;
    const bool has_mass = (*PageFlags(*pool_, slab, page) & kPageHasMass) != 0;
    return {index, PageData(*pool_, slab, page),
            has_mass ? PageLogMass(*pool_, slab, page) : nullptr};
  }

  void Locate(const Place& place, int64_t inside, int32_t group, AttendTile* tile) const {
    tile->k[group] = place.data + inside * k_group_bytes_;
    tile->v[group] = place.data + v_tile_offset_ + inside * v_group_bytes_;
    if (place.log_mass == nullptr) return;
    tile->log_mass[group] = place.log_mass + inside * kGroupSlots;
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
