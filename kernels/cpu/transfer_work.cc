// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/transfer_work.h"

#include <algorithm>
#include <cstring>

#include "kernels/core/layout.h"
#include "kernels/cpu/slot_store.h"

namespace sluice::cpu {
namespace {

// Page bytes that are read or written well within 0.1 ms.
constexpr int64_t kItemBytes = int64_t{256} << 10;

constexpr int64_t kWordBytes = 4;

// Slots of an item of Export, which reads with a stride.
constexpr int64_t kExportSlots = 128;

int64_t PagesPerItem(const SpanFormat& format) {
  return std::max<int64_t>(1, kItemBytes / format.slab.page_bytes);
}

// The first `slots` slots of a K tile; the others become zeros. A slot is one
// word of each line of 16, whatever the dtype.
void CopyKeys(const PageFormat& format, const std::byte* from, int32_t slots, std::byte* to) {
  const int64_t units = format.k_dim * DtypeBytes(format.dtype) / kWordBytes;
  const int64_t group_bytes = units * kGroupSlots * kWordBytes;
  const int64_t whole_bytes = slots / kGroupSlots * group_bytes;
  std::memcpy(to, from, static_cast<size_t>(whole_bytes));
  std::memset(to + whole_bytes, 0, static_cast<size_t>(KTileBytes(format) - whole_bytes));
  const auto rest_bytes = static_cast<size_t>(slots % kGroupSlots * kWordBytes);
  for (int64_t unit = 0; rest_bytes != 0 && unit < units; ++unit) {
    const int64_t line = whole_bytes + unit * kGroupSlots * kWordBytes;
    std::memcpy(to + line, from + line, rest_bytes);
  }
}

// The first `slots` slots of a V tile; the others become zeros.
void CopyValues(const PageFormat& format, const std::byte* from, int32_t slots, std::byte* to) {
  const bool in_pairs = format.dtype != Dtype::kF32;
  const int64_t row_bytes = format.v_dim * DtypeBytes(format.dtype);
  const int64_t whole_bytes = (in_pairs ? slots / 2 * 2 : slots) * row_bytes;
  std::memcpy(to, from, static_cast<size_t>(whole_bytes));
  std::memset(to + whole_bytes, 0, static_cast<size_t>(VTileBytes(format) - whole_bytes));
  if (!in_pairs || slots % 2 == 0) return;
  const auto* source = reinterpret_cast<const uint16_t*>(from + whole_bytes);
  auto* destination = reinterpret_cast<uint16_t*>(to + whole_bytes);
  for (int32_t dim = 0; dim < format.v_dim; ++dim) destination[2 * dim] = source[2 * dim];
}

// A slot's key in plain order.
template <typename T>
void ExportKey(const PageFormat& format, const std::byte* tile, int32_t slot, T* key) {
  const auto* elements = reinterpret_cast<const T*>(tile);
  for (int32_t position = 0; position < format.k_dim; ++position) {
    key[LaneDim(format, position)] = elements[KLaneOffset(format, slot, position)];
  }
}

template <typename T>
void ExportValue(const PageFormat& format, const std::byte* tile, int32_t slot, T* value) {
  const auto* elements = reinterpret_cast<const T*>(tile) + VOffset(format, slot, 0);
  const int64_t stride = VOffset(format, slot, 1) - VOffset(format, slot, 0);
  for (int32_t dim = 0; dim < format.v_dim; ++dim) value[dim] = elements[dim * stride];
}

// The key and the value of a slot to number `index` of dense arrays; null: not wanted.
template <typename T>
void ExportVectors(const PageFormat& format, const std::byte* page, int32_t slot, int64_t index,
                   void* k, void* v) {
  if (k != nullptr) ExportKey(format, page, slot, static_cast<T*>(k) + index * format.k_dim);
  if (v != nullptr) {
    ExportValue(format, page + KTileBytes(format), slot, static_cast<T*>(v) + index * format.v_dim);
  }
}

template <typename T>
void CopySide(const T* from, int32_t slots, int32_t page_size, T* to) {
  std::copy_n(from, slots, to);
  std::fill(to + slots, to + page_size, T{0});
}

}  // namespace

int64_t ImportWork::Plan() {
  const SpanFormat& format = pool_.formats[args_.format];
  pages_per_item_ = PagesPerItem(format);
  return CeilDivide(CeilDivide(args_.slots, format.page.page_size), pages_per_item_);
}

void ImportWork::Run(int64_t item, WorkerScratch& scratch) {
  const SpanFormat& format = pool_.formats[args_.format];
  const int64_t page_size = format.page.page_size;
  SlotSource source;
  source.k_dtype = source.v_dtype = format.page.dtype;
  source.k_stride_bytes = format.page.k_dim * DtypeBytes(format.page.dtype);
  source.v_stride_bytes = format.page.v_dim * DtypeBytes(format.page.dtype);
  const int64_t end = std::min(args_.slots, (item + 1) * pages_per_item_ * page_size);
  for (int64_t slot = item * pages_per_item_ * page_size; slot < end; slot += page_size) {
    source.k = static_cast<const std::byte*>(args_.k) + slot * source.k_stride_bytes;
    source.v = static_cast<const std::byte*>(args_.v) + slot * source.v_stride_bytes;
    source.positions = args_.positions + slot;
    source.log_mass = args_.log_mass == nullptr ? nullptr : args_.log_mass + slot;
    const uint32_t page = args_.page_ids[slot / page_size];
    const int64_t slots = std::min(page_size, end - slot);
    OpenPage(pool_, format, page, slots);
    StoreSlots(pool_, format, page, 0, static_cast<int32_t>(slots), source, scratch);
  }
}

int64_t ExportWork::Plan() {
  const ViewEntry& entry = *args_.rows.entry;
  row_ = MakeRow(pool_, entry, args_.rows.first_row, entry.base_length);
  return CeilDivide(args_.slots, kExportSlots);
}

void ExportWork::Run(int64_t item, WorkerScratch&) {
  const int64_t end = std::min(args_.slots, (item + 1) * kExportSlots);
  for (int64_t i = item * kExportSlots; i < end; ++i) {
    int64_t slot = args_.first_slot + i;
    const Span* span = row_.spans;
    while (slot >= span->slots) slot -= (span++)->slots;
    ExportSlot(*span, slot, i);
  }
}

void ExportWork::ExportSlot(const Span& span, int64_t span_slot, int64_t output_slot) const {
  const PageFormat& format = span.format->page;
  const SlabLayout& slab = span.format->slab;
  const int64_t index = span.first_slot + span_slot;
  const uint32_t page = span.Page(index / format.page_size);
  const auto slot = static_cast<int32_t>(index % format.page_size);
  const std::byte* data = PageData(pool_, slab, page);
  if (format.dtype == Dtype::kF32) {
    ExportVectors<uint32_t>(format, data, slot, output_slot, args_.k, args_.v);
  } else {
    ExportVectors<uint16_t>(format, data, slot, output_slot, args_.k, args_.v);
  }
  if (args_.positions != nullptr) {
    args_.positions[output_slot] = PagePositions(pool_, slab, page)[slot];
  }
  if (args_.log_mass != nullptr) args_.log_mass[output_slot] = PageLogMass(pool_, slab, page)[slot];
  if (args_.key_norms != nullptr) {
    args_.key_norms[output_slot] = PageKeyNorms(pool_, slab, page)[slot];
  }
}

int64_t CopyPagesWork::Plan() {
  pages_per_item_ = PagesPerItem(pool_.formats[args_.format]);
  return CeilDivide(args_.page_count, pages_per_item_);
}

void CopyPagesWork::Run(int64_t item, WorkerScratch&) {
  const SpanFormat& format = pool_.formats[args_.format];
  const SlabLayout& slab = format.slab;
  const int32_t page_size = format.page.page_size;
  const int64_t end = std::min(args_.page_count, (item + 1) * pages_per_item_);
  for (int64_t i = item * pages_per_item_; i < end; ++i) {
    const uint32_t from = args_.pages[i].source;
    const uint32_t to = args_.pages[i].destination;
    const std::byte* source = PageData(pool_, slab, from);
    std::byte* destination = PageData(pool_, slab, to);
    const int64_t k_bytes = KTileBytes(format.page);
    CopyKeys(format.page, source, args_.slots, destination);
    CopyValues(format.page, source + k_bytes, args_.slots, destination + k_bytes);
    CopySide(PagePositions(pool_, slab, from), args_.slots, page_size,
             PagePositions(pool_, slab, to));
    CopySide(PageKeyNorms(pool_, slab, from), args_.slots, page_size,
             PageKeyNorms(pool_, slab, to));
    float* log_mass = PageLogMass(pool_, slab, to);
    CopySide(PageLogMass(pool_, slab, from), args_.slots, page_size, log_mass);
    const bool has_mass =
        std::any_of(log_mass, log_mass + page_size, [](float mass) { return mass != 0.0f; });
    *PageFlags(pool_, slab, to) = has_mass ? kPageHasMass : 0;
  }
}

}  // namespace sluice::cpu
