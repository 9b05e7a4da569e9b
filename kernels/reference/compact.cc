// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/compact.h"

#include <algorithm>
#include <vector>

#include "kernels/core/mass.h"
#include "kernels/reference/mass.h"
#include "kernels/reference/slot.h"

namespace sluice::reference {
namespace {

// The slots of row `r` that a mask keeps, in order; without masks all.
std::vector<int64_t> KeptSlots(const RowSet& rows, const uint32_t* masks, int32_t r,
                               int64_t slots) {
  std::vector<int64_t> kept;
  for (int64_t slot = 0; slot < slots; ++slot) {
    const int64_t bit = rows.row_offsets[r] + slot;
    if (masks == nullptr || (masks[bit / 32] >> (bit % 32) & 1u) != 0) kept.push_back(slot);
  }
  return kept;
}

// The page that the places are, slot for slot; kNoPage: they are not one whole page.
uint32_t WholePage(const std::vector<SlotPlace>& places, const SpanFormat* format) {
  if (static_cast<int32_t>(places.size()) != format->page.page_size) return kNoPage;
  for (size_t i = 0; i < places.size(); ++i) {
    const bool matches = places[i].format == format && places[i].page == places[0].page &&
                         places[i].slot == static_cast<int32_t>(i);
    if (!matches) return kNoPage;
  }
  return places[0].page;
}

void CompactRow(const PoolView& pool, const CompactArgs& args, int32_t r) {
  const RowSet& rows = args.rows;
  const Row row = MakeRow(pool, *rows.entry, rows.first_row + r, rows.entry->base_length);
  const SpanFormat* format = pool.formats + args.destination_format;
  const std::vector<int64_t> kept = KeptSlots(rows, args.masks, r, row.slots);
  const auto page_size = static_cast<size_t>(format->page.page_size);
  for (size_t first = 0; first < kept.size(); first += page_size) {
    std::vector<SlotPlace> sources;
    for (size_t i = first; i < std::min(kept.size(), first + page_size); ++i) {
      sources.push_back(PlaceInRow(row, kept[i]));
    }
    const size_t page = static_cast<size_t>(args.destination_offsets[r]) + first / page_size;
    args.reused[page] = WholePage(sources, format);
    if (args.reused[page] != kNoPage) continue;
    ClearPage(pool, *format, args.destination_pages[page]);
    for (size_t i = 0; i < sources.size(); ++i) {
      WriteSlot(pool, SlotPlace{format, args.destination_pages[page], static_cast<int32_t>(i)},
                ReadSlot(pool, sources[i]));
    }
  }
}

}  // namespace

void RunCompact(const PoolView& pool, const CompactArgs& args) {
  for (int32_t r = 0; r < args.rows.row_count; ++r) CompactRow(pool, args, r);
}

void RunMoveScores(const PoolView& pool, const MoveScoresArgs& args) {
  const RowSet& rows = args.rows;
  for (int32_t r = 0; r < rows.row_count; ++r) {
    const Row row = MakeRow(pool, *rows.entry, rows.first_row + r, rows.entry->base_length);
    float* destination = args.destination + args.destination_offsets[r];
    for (const int64_t slot : KeptSlots(rows, args.masks, r, row.slots)) {
      const float* score = ScoreAt(pool, *rows.entry, row, slot);
      *destination = score == nullptr ? 0.0f : *score;
      if (args.seen_below > 0) {
        const int64_t rows_from = args.seen_below - PositionInRow(pool, row, slot);
        *destination /= static_cast<float>(RowsThatSaw(rows_from, args.window));
      }
      ++destination;
    }
  }
}

void RunCopyScores(const CopyScoresArgs& args) {
  for (int64_t i = 0; i < args.copy_count; ++i) {
    std::copy_n(args.copies[i].source, args.copies[i].count, args.copies[i].destination);
  }
}

void RunCopyPages(const PoolView& pool, const CopyPagesArgs& args) {
  const SpanFormat* format = pool.formats + args.format;
  for (int64_t i = 0; i < args.page_count; ++i) {
    const PageCopy& copy = args.pages[i];
    ClearPage(pool, *format, copy.destination);
    for (int32_t slot = 0; slot < args.slots; ++slot) {
      WriteSlot(pool, SlotPlace{format, copy.destination, slot},
                ReadSlot(pool, SlotPlace{format, copy.source, slot}));
    }
  }
}

}  // namespace sluice::reference
