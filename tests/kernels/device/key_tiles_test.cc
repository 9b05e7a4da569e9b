// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/key_tiles.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/sim/sim_grid.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice {
namespace {

using device::kTileGroups;
using device::TilePlace;
using device::TileShape;
using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

constexpr int32_t kDim = 80;

// Brings a tile of the span to shared memory and gives `read(keys, place)` to the threads.
template <Dtype kDtype, class Read>
struct TileKernel {
  PoolView pool;
  Span span;
  int64_t tile;
  Read read;

  template <class Block>
  void operator()(Block& block) const {
    const SpanChunks chunks = ChunksOf(span, 256);
    auto* const place = reinterpret_cast<TilePlace*>(block.shared());
    std::byte* const keys = block.shared() + 256;
    if (block.thread() < kTileGroups) {
      LocateGroup(pool, span, chunks, tile, chunks.lead, chunks.end, block.thread(), place);
    }
    block.Sync();
    CopyTile(block, *place, device::KeyTileShape(span.format->page), keys);
    block.CommitCopies();
    block.template WaitCopies<0>();
    block.Sync();
    read(block, keys, *place);
  }
};

// The keys of every slot of a tail, by dot products with unit vectors.
template <Dtype kDtype>
std::vector<float> KeysOf(const TestBatch& batch, const Span& span) {
  std::vector<float> found(static_cast<size_t>(span.slots * kDim), -1.0f);
  std::vector<device::Float4> unit(2 * kDim / 4 * kDim);
  auto* const q = reinterpret_cast<float*>(unit.data());
  for (int32_t dim = 0; dim < kDim; ++dim) q[dim * kDim + dim] = 1.0f;
  const int32_t lead = span.first_slot % 16;
  const SwizzledTile shape = MakeSwizzledTile(kTileSlots, kDim, kDtype);
  for (int64_t tile = 0; tile * kTileSlots < lead + span.slots; ++tile) {
    const auto read = [&](sim::SimBlock& block, const std::byte* keys, const TilePlace& place) {
      const int32_t slot = block.thread();
      if (slot < place.begin || slot >= place.end) return;
      for (int32_t dim = 0; dim < kDim; dim += 2) {
        float dots[2] = {};
        device::AddDotsOfTile<kDtype, 2>(keys, shape, slot, q + dim * kDim, kDim, dots);
        const int64_t index = (tile * kTileSlots + slot - lead) * kDim + dim;
        found[index] = dots[0];
        found[index + 1] = dots[1];
      }
    };
    const TileKernel<kDtype, decltype(read)> kernel{batch.pool(), span, tile, read};
    sim::SimGrid(3).Run(kernel, {1, 64, 256 + kTileSlots * kDim * 4});
  }
  return found;
}

template <Dtype kDtype>
void ExpectKeysAsStored() {
  kernels_testing::UsePageLayout(PageLayout::kSwizzled);
  for (const int32_t page_size : {16, 32, 64}) {
    for (const int32_t tail_start : {0, 5, 15}) {
      PageFormat format{kDtype, {}, {}, page_size, kDim, 64, 0, PageLayout::kSwizzled};
      TestBatch batch(format, 1, page_size + tail_start);
      SequenceShape shape;
      shape.tail_start = tail_start;
      shape.stored_tokens = 150;
      batch.AddSequence(shape);
      const ViewEntry& entry = batch.entries()[0];
      const Row row = MakeRow(batch.pool(), entry, 0, entry.base_length);
      const Span& span = row.spans[row.span_count - 1];
      const std::vector<float> keys = KeysOf<kDtype>(batch, span);
      const SwizzledTile tile = MakeSwizzledTile(page_size, kDim, kDtype);
      for (int64_t slot = 0; slot < span.slots; ++slot) {
        const int64_t index = span.first_slot + slot;
        const std::byte* const page =
            PageData(batch.pool(), span.format->slab, span.Page(index / page_size));
        for (int32_t dim = 0; dim < kDim; ++dim) {
          const auto at = SwizzledOffset(tile, static_cast<int32_t>(index % page_size), dim);
          ASSERT_EQ(keys[slot * kDim + dim], LoadAsFloat(page, kDtype, at)) << slot << " " << dim;
        }
      }
    }
  }
}

TEST(KeyTilesTest, TilesHoldTheKeysOfTheirSlotsInFp32) { ExpectKeysAsStored<Dtype::kF32>(); }
TEST(KeyTilesTest, TilesHoldTheKeysOfTheirSlotsInBf16) { ExpectKeysAsStored<Dtype::kBf16>(); }
TEST(KeyTilesTest, TilesHoldTheKeysOfTheirSlotsInFp16) { ExpectKeysAsStored<Dtype::kF16>(); }

}  // namespace
}  // namespace sluice
