// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/compact_work.h"

#include <algorithm>
#include <utility>

#include "hwy/cache_control.h"
#include "kernels/core/kept.h"
#include "kernels/core/layout.h"
#include "kernels/core/number.h"
#include "kernels/cpu/gather.h"

namespace sluice::cpu {
namespace {

constexpr int64_t kItemBytes = int64_t{256} << 10;
constexpr int64_t kItemMaskWords = 16384;

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
  const int32_t* positions = nullptr;  // of the page, as are the others
  const float* log_mass = nullptr;
  const float* norms = nullptr;
};

struct CompactWork::Sources {
  Source pages[kMaxPageSlots];  // a slot each
  SlotPlaces places;
  bool same_format = true;  // as the destination's
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
  stream_ = static_cast<int64_t>(pages_.size()) * format_->slab.page_bytes >= kStreamBytes;
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
  Sources sources[2];
  Sources* current = &sources[0];
  Sources* next = &sources[1];
  FindSources(item * pages_per_item_, current);
  for (int64_t page = item * pages_per_item_; page < end; ++page) {
    next->places.count = 0;
    if (page + 1 < end) FindSources(page + 1, next);
    if (current->places.count > 0) WritePage(page, *current, *next);
    std::swap(current, next);
  }
  if (stream_) hwy::FlushStream();
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

void CompactWork::FindSources(int64_t index, Sources* sources) const {
  const Page& page = pages_[index];
  sources->places.count = page.slots;
  sources->same_format = true;
  if (page.slots == 0) return;
  const Row row = MakeSourceRow(page.row);
  int64_t kept[kMaxPageSlots];
  ListKept(MaskOf(page.row), row.slots, page.first_slot, page.slots, kept);
  const Span* span = row.spans;
  int64_t span_start = 0;
  int64_t page_start = 0;  // of the row's slots, as is the end
  int64_t page_end = 0;
  Source source;
  const std::byte* data = nullptr;
  for (int32_t i = 0; i < page.slots; ++i) {
    for (; kept[i] >= span_start + span->slots; ++span) span_start += span->slots;
    if (kept[i] >= page_end || source.format != span->format) {
      const SlabLayout& slab = span->format->slab;
      const int64_t place = span->first_slot + kept[i] - span_start;
      source.format = span->format;
      source.page = span->Page(place / slab.page_size);
      page_start = kept[i] - place % slab.page_size;
      page_end = std::min(page_start + slab.page_size, span_start + span->slots);
      data = PageData(pool_, slab, source.page);
      source.positions = PagePositions(pool_, slab, source.page);
      source.log_mass = PageLogMass(pool_, slab, source.page);
      source.norms = PageKeyNorms(pool_, slab, source.page);
      sources->same_format = sources->same_format && SameBytes(span->format->page, format_->page);
    }
    const auto slot = static_cast<int32_t>(kept[i] - page_start);
    __builtin_prefetch(source.positions + slot);
    __builtin_prefetch(source.log_mass + slot);
    __builtin_prefetch(source.norms + slot);
    sources->pages[i] = source;
    sources->places.slots[i] = {data, slot};
  }
}

// The source page that the slots are, slot for slot; kNoPage: they are not one.
uint32_t CompactWork::WholePage(const Sources& sources) const {
  if (sources.places.count != format_->page.page_size) return kNoPage;
  for (int32_t i = 0; i < sources.places.count; ++i) {
    const Source& source = sources.pages[i];
    if (source.format != format_ || source.page != sources.pages[0].page ||
        sources.places.slots[i].slot != i) {
      return kNoPage;
    }
  }
  return sources.pages[0].page;
}

void CompactWork::WritePage(int64_t index, const Sources& sources, const Sources& next) const {
  if (args_.reused != nullptr) {
    args_.reused[index] = WholePage(sources);
    if (args_.reused[index] != kNoPage) return;
  }
  const uint32_t id = args_.destination_pages[index];
  CopySlots(sources, next, PageData(pool_, format_->slab, id));
  CopySides(sources, id);
}

void CompactWork::CopySlots(const Sources& sources, const Sources& next, std::byte* page) const {
  const SlotPlaces& places = sources.places;
  if (sources.same_format) {
    static constexpr SlotPlaces kNone;
    GatherSlots(format_->page, places, next.same_format ? next.places : kNone, stream_, page);
    return;
  }
  std::fill_n(page, PageBytes(format_->page), std::byte{0});
  for (int32_t i = 0; i < places.count; ++i) {
    ConvertSlot(sources.pages[i].format->page, places.slots[i], format_->page, i, page);
  }
}

void CompactWork::CopySides(const Sources& sources, uint32_t page) const {
  const SlabLayout& slab = format_->slab;
  const int32_t count = sources.places.count;
  int32_t* positions = PagePositions(pool_, slab, page);
  float* log_mass = PageLogMass(pool_, slab, page);
  float* norms = PageKeyNorms(pool_, slab, page);
  bool has_mass = false;
  for (int32_t i = 0; i < count; ++i) {
    const Source& source = sources.pages[i];
    const int32_t slot = sources.places.slots[i].slot;
    positions[i] = source.positions[slot];
    log_mass[i] = source.log_mass[slot];
    norms[i] = source.norms[slot];
    has_mass = has_mass || log_mass[i] != 0.0f;
  }
  std::fill(positions + count, positions + slab.page_size, 0);
  std::fill(log_mass + count, log_mass + slab.page_size, 0.0f);
  std::fill(norms + count, norms + slab.page_size, 0.0f);
  *PageFlags(pool_, slab, page) = has_mass ? kPageHasMass : 0;
}

}  // namespace sluice::cpu
