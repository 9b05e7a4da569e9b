// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/transfer.h"

#include <algorithm>
#include <vector>

#include "kernels/core/rows.h"
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

}  // namespace

void LowerExport(const ExportArgs& args, Launcher& launcher) {
  const std::vector<PageRun> runs = RunsOf(launcher.host_pool(), args);
  if (runs.empty()) return;
  const PageFormat& format = launcher.host_pool().formats[runs[0].format].page;
  const int64_t element_bytes = DtypeBytes(format.dtype);
  ExportKernel kernel;
  kernel.pool = launcher.pool();
  kernel.run_count = static_cast<int64_t>(runs.size());
  kernel.runs = launcher.In(runs.data(), kernel.run_count);
  kernel.k = static_cast<std::byte*>(
      launcher.OutBytes(args.k, args.slots * format.k_dim * element_bytes));
  kernel.v = static_cast<std::byte*>(
      launcher.OutBytes(args.v, args.slots * format.v_dim * element_bytes));
  kernel.positions = launcher.Out(args.positions, args.slots);
  kernel.log_mass = launcher.Out(args.log_mass, args.slots);
  kernel.key_norms = launcher.Out(args.key_norms, args.slots);
  launcher.Launch(kernel, {kernel.run_count, 128, 0});
}

void LowerImport(const ImportArgs& args, Launcher& launcher) {
  const PageFormat& format = launcher.host_pool().formats[args.format].page;
  const int64_t element_bytes = DtypeBytes(format.dtype);
  const int64_t pages = (args.slots + format.page_size - 1) / format.page_size;
  ImportKernel kernel{launcher.pool(), args};
  kernel.args.page_ids = launcher.In(args.page_ids, pages);
  kernel.args.k = launcher.InBytes(args.k, args.slots * format.k_dim * element_bytes);
  kernel.args.v = launcher.InBytes(args.v, args.slots * format.v_dim * element_bytes);
  kernel.args.positions = launcher.In(args.positions, args.slots);
  kernel.args.log_mass = launcher.In(args.log_mass, args.slots);
  launcher.Launch(kernel, {pages, 128, 0});
}

}  // namespace sluice::device
