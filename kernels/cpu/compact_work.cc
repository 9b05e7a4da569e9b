// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/compact_work.h"

#include <algorithm>

#include "kernels/core/kept.h"
#include "kernels/core/layout.h"
#include "kernels/core/number.h"
#include "kernels/cpu/gather.h"

namespace sluice::cpu {
namespace {

constexpr int64_t kItemBytes = int64_t{256} << 10;
constexpr int64_t kItemMaskWords = 16384;

int64_t CeilDivide(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

bool SameBytes(const PageFormat& a, const PageFormat& b) {
  return a.dtype == b.dtype && a.pairing == b.pairing && a.rotary_dim == b.rotary_dim &&
         a.k_dim == b.k_dim && a.v_dim == b.v_dim;
}

void ConvertSlot(const PageFormat& from, const SlotPlace& source, const PageFormat& to,
                 int32_t slot, std::byte* page) {
  for (int32_t dim = 0; dim < to.k_dim; ++dim) {
    StoreFloat(page, to.dtype, KOffset(to, slot, dim),
               LoadAsFloat(source.page, from.dtype, KOffset(from, source.slot, dim)));
  }
  for (int32_t dim = 0; dim < to.v_dim; ++dim) {
    StoreFloat(page + KTileBytes(to), to.dtype, VOffset(to, slot, dim),
               LoadAsFloat(source.page + KTileBytes(from), from.dtype,
                           VOffset(from, source.slot, dim)));
  }
}

}  // namespace

struct CompactWork::Source {
  const SpanFormat* format = nullptr;
  uint32_t page = kNoPage;
  int32_t slot = 0;
};

Row CompactWork::MakeSourceRow(int32_t r) const {
  const ViewEntry& entry = *args_.rows.entry;
  return MakeRow(pool_, entry, args_.rows.first_row + r, entry.base_length);
}

const uint32_t* CompactWork::MaskOf(int32_t r) const {
  return args_.masks == nullptr ? nullptr : args_.masks + args_.rows.row_offsets[r] / 32;
}

int64_t CompactWork::Plan() {
  const RowSet& rows = args_.rows;
  format_ = pool_.formats + args_.destination_format;
  pages_.assign(static_cast<size_t>(args_.destination_offsets[rows.row_count]), Page());
  pages_per_item_ = std::max<int64_t>(1, kItemBytes / format_->slab.page_bytes);
  const int64_t words = rows.row_offsets[rows.row_count] / 32;
  rows_per_item_ =
      std::max<int64_t>(1, kItemMaskWords * rows.row_count / std::max<int64_t>(1, words));
  finding_ = true;
  return pages_.empty() ? 0 : CeilDivide(rows.row_count, rows_per_item_);
}

int64_t CompactWork::NextPhase() {
  if (!finding_) return 0;
  finding_ = false;
  return CeilDivide(static_cast<int64_t>(pages_.size()), pages_per_item_);
}

void CompactWork::Run(int64_t item, WorkerScratch&) {
  if (finding_) {
    const int64_t end =
        std::min<int64_t>(args_.rows.row_count, (item + 1) * rows_per_item_);
    for (int64_t r = item * rows_per_item_; r < end; ++r) FindPages(static_cast<int32_t>(r));
    return;
  }
  const auto pages = static_cast<int64_t>(pages_.size());
  const int64_t end = std::min(pages, (item + 1) * pages_per_item_);
  for (int64_t page = item * pages_per_item_; page < end; ++page) WritePage(page);
}

void CompactWork::FindPages(int32_t r) {
  const int64_t slots = MakeSourceRow(r).slots;
  const uint32_t* mask = MaskOf(r);
  const int32_t page_size = format_->page.page_size;
  Page* page = pages_.data() + args_.destination_offsets[r];
  int64_t kept = 0;
  for (int64_t word = 0; word * 32 < slots; ++word) {
    const uint32_t bits = MaskWord(mask, word, slots);
    const int32_t count = CountBits(bits);
    // At most two pages of 16 begin in a word of 32.
    for (int64_t first = RoundUp(kept, page_size); first < kept + count; first += page_size) {
      page[first / page_size].row = r;
      page[first / page_size].first_slot =
          word * 32 + NthBitIndex(bits, static_cast<int32_t>(first - kept));
    }
    kept += count;
  }
  for (int64_t first = 0; first < kept; first += page_size) {
    (page++)->slots = static_cast<int32_t>(std::min<int64_t>(page_size, kept - first));
  }
}

CompactWork::Source CompactWork::FindSource(const Row& row, int64_t slot) const {
  const Span* span = row.spans;
  while (slot >= span->slots) slot -= (span++)->slots;
  const int64_t index = span->first_slot + slot;
  const int32_t page_size = span->format->page.page_size;
  return {span->format, span->Page(index / page_size), static_cast<int32_t>(index % page_size)};
}

// The source page that the slots are, slot for slot; kNoPage: they are not one.
uint32_t CompactWork::WholePage(const Source* sources, int32_t count) const {
  if (count != format_->page.page_size) return kNoPage;
  for (int32_t i = 0; i < count; ++i) {
    const Source& source = sources[i];
    if (source.format != format_ || source.page != sources[0].page || source.slot != i) {
      return kNoPage;
    }
  }
  return sources[0].page;
}

void CompactWork::WritePage(int64_t index) const {
  const Page& page = pages_[index];
  if (page.slots == 0) return;
  const Row row = MakeSourceRow(page.row);
  int64_t kept[kMaxPageSlots];
  Source sources[kMaxPageSlots];
  ListKept(MaskOf(page.row), row.slots, page.first_slot, page.slots, kept);
  for (int32_t i = 0; i < page.slots; ++i) sources[i] = FindSource(row, kept[i]);
  if (args_.reused != nullptr) {
    args_.reused[index] = WholePage(sources, page.slots);
    if (args_.reused[index] != kNoPage) return;
  }
  const uint32_t id = args_.destination_pages[index];
  CopySlots(sources, page.slots, PageData(pool_, format_->slab, id));
  CopySides(sources, page.slots, id);
}

void CompactWork::CopySlots(const Source* sources, int32_t count, std::byte* page) const {
  SlotPlace places[kMaxPageSlots];
  bool same = true;
  for (int32_t i = 0; i < count; ++i) {
    places[i] = {PageData(pool_, sources[i].format->slab, sources[i].page), sources[i].slot};
    same = same && SameBytes(sources[i].format->page, format_->page);
  }
  if (same) {
    GatherSlots(format_->page, places, count, page);
    return;
  }
  std::fill_n(page, PageBytes(format_->page), std::byte{0});
  for (int32_t i = 0; i < count; ++i) {
    ConvertSlot(sources[i].format->page, places[i], format_->page, i, page);
  }
}

void CompactWork::CopySides(const Source* sources, int32_t count, uint32_t page) const {
  const SlabLayout& slab = format_->slab;
  int32_t* positions = PagePositions(pool_, slab, page);
  float* log_mass = PageLogMass(pool_, slab, page);
  float* norms = PageKeyNorms(pool_, slab, page);
  bool has_mass = false;
  for (int32_t i = 0; i < slab.page_size; ++i) {
    if (i >= count) {
      positions[i] = 0;
      log_mass[i] = norms[i] = 0.0f;
      continue;
    }
    const Source& source = sources[i];
    positions[i] = PagePositions(pool_, source.format->slab, source.page)[source.slot];
    log_mass[i] = PageLogMass(pool_, source.format->slab, source.page)[source.slot];
    norms[i] = PageKeyNorms(pool_, source.format->slab, source.page)[source.slot];
    has_mass = has_mass || log_mass[i] != 0.0f;
  }
  *PageFlags(pool_, slab, page) = has_mass ? kPageHasMass : 0;
}

}  // namespace sluice::cpu
