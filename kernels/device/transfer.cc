// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/transfer.h"

#include <algorithm>
#include <vector>

#include "kernels/core/rows.h"
#include "kernels/device/parts.h"
#include "kernels/device/transfer_kernels.h"

namespace sluice::device {
namespace {

// The pages that the wanted slots of a row lie in.
std::vector<PageRun> RunsOf(const PoolView& pool, const ExportArgs& args) {
  const ViewEntry& entry = *args.rows.entry;
  const Row row = MakeRow(pool, entry, args.rows.first_row, entry.base_length);
  std::vector<PageRun> runs;
  const Span* span = row.spans;
  int64_t slot = args.first_slot;  // of the span
  for (int64_t index = 0; index < args.slots;) {
    while (slot >= span->slots) slot -= (span++)->slots;
    const int32_t page_size = span->format->page.page_size;
    const int64_t place = span->first_slot + slot;
    PageRun run;
    run.page = span->Page(place / page_size);
    run.first_slot = static_cast<int32_t>(place % page_size);
    run.slots = static_cast<int32_t>(std::min(
        {int64_t{page_size} - run.first_slot, span->slots - slot, args.slots - index}));
    run.format = static_cast<uint16_t>(span->format - pool.formats);
    run.index = index;
    runs.push_back(run);
    slot += run.slots;
    index += run.slots;
  }
  return runs;
}

int64_t KBytes(const PageFormat& format) { return format.k_dim * DtypeBytes(format.dtype); }
int64_t VBytes(const PageFormat& format) { return format.v_dim * DtypeBytes(format.dtype); }

// The format of a row's slots; null: it has none.
const PageFormat* FormatOf(const PoolView& pool, const RowSet& rows) {
  const Row row = MakeRow(pool, *rows.entry, rows.first_row, rows.entry->base_length);
  return row.span_count == 0 ? nullptr : &row.spans[0].format->page;
}

void LowerPart(const ExportArgs& args, const PageFormat& format, Launcher& launcher) {
  const std::vector<PageRun> runs = RunsOf(launcher.host_pool(), args);
  ExportKernel kernel;
  kernel.pool = launcher.pool();
  kernel.run_count = static_cast<int64_t>(runs.size());
  kernel.runs = launcher.In(runs.data(), kernel.run_count);
  kernel.k = static_cast<std::byte*>(launcher.OutBytes(args.k, args.slots * KBytes(format)));
  kernel.v = static_cast<std::byte*>(launcher.OutBytes(args.v, args.slots * VBytes(format)));
  kernel.positions = launcher.Out(args.positions, args.slots);
  kernel.log_mass = launcher.Out(args.log_mass, args.slots);
  kernel.key_norms = launcher.Out(args.key_norms, args.slots);
  launcher.Launch(kernel, {kernel.run_count, 128, 0});
}

void LowerPart(const ImportArgs& args, const PageFormat& format, Launcher& launcher) {
  const int64_t pages = (args.slots + format.page_size - 1) / format.page_size;
  ImportKernel kernel{launcher.pool(), args};
  kernel.args.page_ids = launcher.In(args.page_ids, pages);
  kernel.args.k = launcher.InBytes(args.k, args.slots * KBytes(format));
  kernel.args.v = launcher.InBytes(args.v, args.slots * VBytes(format));
  kernel.args.positions = launcher.In(args.positions, args.slots);
  kernel.args.log_mass = launcher.In(args.log_mass, args.slots);
  launcher.Launch(kernel, {pages, 128, 0});
}

// Slots of a part, at least one.
int64_t SlotsOfPart(const PageFormat& format, int64_t slot_bytes, const Launcher& launcher) {
  const int64_t bytes = KBytes(format) + VBytes(format) + slot_bytes;
  return std::max<int64_t>(1, launcher.part_bytes() / bytes);
}

}  // namespace

void LowerExport(const ExportArgs& args, Launcher& launcher) {
  const PageFormat* const format = FormatOf(launcher.host_pool(), args.rows);
  if (format == nullptr) return;
  const int64_t most = SlotsOfPart(*format, 3 * 4 + sizeof(PageRun), launcher);
  for (int64_t slot = 0; slot < args.slots; slot += most) {
    if (slot > 0) launcher.NextPart();
    ExportArgs part = args;
    part.first_slot += slot;
    part.slots = std::min(most, args.slots - slot);
    part.k = From(args.k, slot * KBytes(*format));
    part.v = From(args.v, slot * VBytes(*format));
    part.positions = From(args.positions, slot);
    part.log_mass = From(args.log_mass, slot);
    part.key_norms = From(args.key_norms, slot);
    LowerPart(part, *format, launcher);
  }
}

void LowerImport(const ImportArgs& args, Launcher& launcher) {
  const PageFormat& format = launcher.host_pool().formats[args.format].page;
  const int64_t pages = SlotsOfPart(format, 3 * 4, launcher) / format.page_size;
  const int64_t most = std::max<int64_t>(1, pages) * format.page_size;
  for (int64_t slot = 0; slot < args.slots; slot += most) {
    if (slot > 0) launcher.NextPart();
    ImportArgs part = args;
    part.page_ids += slot / format.page_size;
    part.slots = std::min(most, args.slots - slot);
    part.k = From(args.k, slot * KBytes(format));
    part.v = From(args.v, slot * VBytes(format));
    part.positions += slot;
    part.log_mass = From(args.log_mass, slot);
    LowerPart(part, format, launcher);
  }
}

}  // namespace sluice::device
