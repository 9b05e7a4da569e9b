// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/slot.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/core/layout.h"
#include "kernels/core/number.h"

namespace sluice::reference {
namespace {

bool AllFinite(const Vector& values) { return std::all_of(values.begin(), values.end(), IsFinite); }

// +inf where it is beyond fp32.
float Norm(const Vector& values) {
  double sum = 0.0;
  for (const double value : values) sum += value * value;
  const double norm = std::sqrt(sum);
  return norm <= double{std::numeric_limits<float>::max()} ? static_cast<float>(norm)
                                                           : std::numeric_limits<float>::infinity();
}

}  // namespace

SlotPlace PlaceInSpan(const Span& span, int64_t slot) {
  const int64_t index = span.first_slot + slot;
  const int32_t page_size = span.format->page.page_size;
  return SlotPlace{span.format, span.Page(index / page_size),
                   static_cast<int32_t>(index % page_size)};
}

SlotPlace PlaceInRow(const Row& row, int64_t slot) {
  int32_t s = 0;
  while (slot >= row.spans[s].slots) slot -= row.spans[s++].slots;
  return PlaceInSpan(row.spans[s], slot);
}

int64_t PositionInRow(const PoolView& pool, const Row& row, int64_t slot) {
  int32_t s = 0;
  while (slot >= row.spans[s].slots) slot -= row.spans[s++].slots;
  return SlotPosition(pool, row.spans[s], slot);
}

Vector LoadVector(const void* base, Dtype dtype, int64_t first, int32_t count) {
  Vector values(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) values[i] = LoadAsFloat(base, dtype, first + i);
  return values;
}

SlotContent ReadSlot(const PoolView& pool, const SlotPlace& place) {
  const PageFormat& format = place.format->page;
  const SlabLayout& slab = place.format->slab;
  const std::byte* page = PageData(pool, slab, place.page);
  const std::byte* v_tile = page + KTileBytes(format);
  SlotContent content;
  content.k.resize(static_cast<size_t>(format.k_dim));
  for (int32_t dim = 0; dim < format.k_dim; ++dim) {
    content.k[dim] = LoadAsFloat(page, format.dtype, KOffset(format, place.slot, dim));
  }
  content.v.resize(static_cast<size_t>(format.v_dim));
  for (int32_t dim = 0; dim < format.v_dim; ++dim) {
    content.v[dim] = LoadAsFloat(v_tile, format.dtype, VOffset(format, place.slot, dim));
  }
  content.position = PagePositions(pool, slab, place.page)[place.slot];
  content.log_mass = PageLogMass(pool, slab, place.page)[place.slot];
  content.key_norm = PageKeyNorms(pool, slab, place.page)[place.slot];
  return content;
}

void WriteSlot(const PoolView& pool, const SlotPlace& place, const SlotContent& content) {
  const PageFormat& format = place.format->page;
  const SlabLayout& slab = place.format->slab;
  std::byte* page = PageData(pool, slab, place.page);
  for (int32_t dim = 0; dim < format.k_dim; ++dim) {
    StoreFloat(page, format.dtype, KOffset(format, place.slot, dim), content.k[dim]);
  }
  for (int32_t dim = 0; dim < format.v_dim; ++dim) {
    StoreFloat(page + KTileBytes(format), format.dtype, VOffset(format, place.slot, dim),
               content.v[dim]);
  }
  PagePositions(pool, slab, place.page)[place.slot] = content.position;
  PageLogMass(pool, slab, place.page)[place.slot] = content.log_mass;
  PageKeyNorms(pool, slab, place.page)[place.slot] = content.key_norm;
  if (content.log_mass != 0.0f) *PageFlags(pool, slab, place.page) |= kPageHasMass;
}

SlotContent MakeContent(const PageFormat& format, Vector k, Vector v, int64_t position,
                        float log_mass) {
  for (float& value : k) value = RoundTo(format.dtype, value);
  for (float& value : v) value = RoundTo(format.dtype, value);
  SlotContent content{std::move(k), std::move(v), static_cast<int32_t>(position), log_mass, 0.0f};
  const float infinity = std::numeric_limits<float>::infinity();
  if (AllFinite(content.k) && AllFinite(content.v) && log_mass != -infinity) {
    content.key_norm = Norm(content.k);
    return content;
  }
  std::fill(content.k.begin(), content.k.end(), 0.0f);
  std::fill(content.v.begin(), content.v.end(), 0.0f);
  content.log_mass = -infinity;
  content.key_norm = infinity;
  return content;
}

void ClearPage(const PoolView& pool, const SpanFormat& format, uint32_t page) {
  const SlabLayout& slab = format.slab;
  std::memset(PageData(pool, slab, page), 0, static_cast<size_t>(slab.page_bytes));
  std::fill_n(PagePositions(pool, slab, page), slab.page_size, 0);
  std::fill_n(PageLogMass(pool, slab, page), slab.page_size, 0.0f);
  std::fill_n(PageKeyNorms(pool, slab, page), slab.page_size, 0.0f);
  *PageFlags(pool, slab, page) = 0;
}

}  // namespace sluice::reference
