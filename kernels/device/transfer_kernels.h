// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of Export and Import (ops.h).

#include "kernels/core/swizzle.h"
#include "kernels/core/view.h"
#include "kernels/device/block.h"
#include "kernels/device/slot_store.h"
#include "kernels/ops.h"

namespace sluice::device {

// Slots of one page, side by side in dense arrays too.
struct PageRun {
  uint32_t page = kNoPage;
  int32_t first_slot = 0;  // of the page
  int32_t slots = 0;
  uint16_t format = 0;
  int64_t index = 0;  // of the dense arrays' slots: the first one's
};

// A block copies the slots of a run.
struct ExportKernel {
  PoolView pool;
  const PageRun* runs = nullptr;  // [run_count]
  int64_t run_count = 0;
  std::byte* k = nullptr;  // these as in ExportArgs
  std::byte* v = nullptr;
  int32_t* positions = nullptr;
  float* log_mass = nullptr;
  float* key_norms = nullptr;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t i = block.index(); i < run_count; i += block.count()) ExportRun(block, runs[i]);
  }

 private:
  template <class Block>
  SLUICE_HD void ExportRun(Block& block, const PageRun& run) const {
    const SpanFormat& format = pool.formats[run.format];
    const PageFormat& shape = format.page;
    const std::byte* const data = PageData(pool, format.slab, run.page);
    ExportTile(block, MakeSwizzledTile(shape.page_size, shape.k_dim, shape.dtype), run, data, k);
    ExportTile(block, MakeSwizzledTile(shape.page_size, shape.v_dim, shape.dtype), run,
               data + KTileBytes(shape), v);
    ExportSide(block, run, PagePositions(pool, format.slab, run.page), positions);
    ExportSide(block, run, PageLogMass(pool, format.slab, run.page), log_mass);
    ExportSide(block, run, PageKeyNorms(pool, format.slab, run.page), key_norms);
  }

  template <class Block>
  SLUICE_HD static void ExportTile(Block& block, const SwizzledTile& tile, const PageRun& run,
                                   const std::byte* from, std::byte* to) {
    if (to == nullptr) return;
    const int32_t chunks = ChunksOfRow(tile);
    auto* const vectors = reinterpret_cast<Vector16*>(to) + run.index * chunks;
    ForEachOfBlock(block, int64_t{run.slots} * chunks, [&](int64_t i) {
      const int32_t slot = run.first_slot + static_cast<int32_t>(i / chunks);
      const int32_t offset = SwizzledChunk(tile, slot, static_cast<int32_t>(i % chunks));
      vectors[i] = *reinterpret_cast<const Vector16*>(from + offset);
    });
  }

  template <class Block, class T>
  SLUICE_HD static void ExportSide(Block& block, const PageRun& run, const T* from, T* to) {
    if (to == nullptr) return;
    ForEachOfBlock(block, run.slots,
                   [&](int64_t i) { to[run.index + i] = from[run.first_slot + i]; });
  }
};

// A block fills a page, a warp one of its slots at a time.
struct ImportKernel {
  PoolView pool;
  ImportArgs args;  // arrays: of the device

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int64_t page_size = pool.formats[args.format].page.page_size;
    const int64_t pages = (args.slots + page_size - 1) / page_size;
    for (int64_t i = block.index(); i < pages; i += block.count()) {
      const int64_t first = i * page_size;
      const int64_t left = args.slots - first;
      ImportPage(block, args.page_ids[i], first,
                 static_cast<int32_t>(left < page_size ? left : page_size));
    }
  }

 private:
  template <class Block>
  SLUICE_HD void ImportPage(Block& block, uint32_t page, int64_t first, int32_t slots) const {
    const SpanFormat& format = pool.formats[args.format];
    OpenPage(block, pool, format, page, slots);
    const int32_t warps = block.threads() / kWarpThreads;
    for (int32_t slot = block.thread() / kWarpThreads; slot < slots; slot += warps) {
      StoreSlot(block, pool, format, page, slot, SourceOf(format.page, first + slot));
    }
  }

  SLUICE_HD SlotSource SourceOf(const PageFormat& format, int64_t index) const {
    SlotSource source;
    const int64_t element_bytes = DtypeBytes(format.dtype);
    source.k = static_cast<const std::byte*>(args.k) + index * format.k_dim * element_bytes;
    source.v = static_cast<const std::byte*>(args.v) + index * format.v_dim * element_bytes;
    source.k_dtype = source.v_dtype = format.dtype;
    source.position = args.positions[index];
    if (args.log_mass != nullptr) source.log_mass = args.log_mass[index];
    return source;
  }
};

}  // namespace sluice::device
