// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/transfer.h"

#include <utility>

#include "kernels/core/number.h"
#include "kernels/reference/slot.h"

namespace sluice::reference {
namespace {

// Vector number `index` of a dense array of `dim` elements each.
void StoreVector(void* base, Dtype dtype, int64_t index, const Vector& values) {
  if (base == nullptr) return;
  const auto dim = static_cast<int64_t>(values.size());
  for (int64_t i = 0; i < dim; ++i) StoreFloat(base, dtype, index * dim + i, values[i]);
}

}  // namespace

void RunExport(const PoolView& pool, const ExportArgs& args) {
  const ViewEntry& entry = *args.rows.entry;
  const Row row = MakeRow(pool, entry, args.rows.first_row, entry.base_length);
  for (int64_t i = 0; i < args.slots; ++i) {
    const SlotPlace place = PlaceInRow(row, args.first_slot + i);
    const SlotContent content = ReadSlot(pool, place);
    StoreVector(args.k, place.format->page.dtype, i, content.k);
    StoreVector(args.v, place.format->page.dtype, i, content.v);
    if (args.positions != nullptr) args.positions[i] = content.position;
    if (args.log_mass != nullptr) args.log_mass[i] = content.log_mass;
    if (args.key_norms != nullptr) args.key_norms[i] = content.key_norm;
  }
}

void RunImport(const PoolView& pool, const ImportArgs& args) {
  const SpanFormat* format = pool.formats + args.format;
  const PageFormat& page = format->page;
  for (int64_t i = 0; i < args.slots; ++i) {
    const SlotPlace place{format, args.page_ids[i / page.page_size],
                          static_cast<int32_t>(i % page.page_size)};
    if (place.slot == 0) ClearPage(pool, *format, place.page);
    Vector k = LoadVector(args.k, page.dtype, i * page.k_dim, page.k_dim);
    Vector v = LoadVector(args.v, page.dtype, i * page.v_dim, page.v_dim);
    const float log_mass = args.log_mass != nullptr ? args.log_mass[i] : 0.0f;
    WriteSlot(pool, place,
              MakeContent(page, std::move(k), std::move(v), args.positions[i], log_mass));
  }
}

}  // namespace sluice::reference
