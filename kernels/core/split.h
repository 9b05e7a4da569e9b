// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Canonical chunks: where the softmax reduction of a row may be cut.
//
// A row is reduced chunk by chunk, each from the empty state, and the chunks
// fold from the left. Chunks depend on the row's own length alone, so results
// do not depend on the batch, the threads or the page size. Stateless,
// thread-safe.

#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/core/rows.h"

namespace sluice {

// Slots that a kernel works on at a time; chunks are whole tiles.
inline constexpr int32_t kTileSlots = 64;

// Slots of a chunk, for a row of `slots` slots.
SLUICE_HD constexpr int64_t ChunkSlots(int64_t slots) {
  const int64_t tiles = (slots + 4095) / 4096;
  return kTileSlots * (tiles < 4 ? 4 : tiles);
}

// Chunks of a row of `slots` slots: at most 64 when they start on a boundary,
// and one more for each span.
inline constexpr int32_t kMaxChunks = 64 + kMaxSpans;

// Slot numbers of a span counted from its first group of 16 slots, which is
// where its chunks are counted from: slot i of the span is `lead + i`.
struct SpanChunks {
  int64_t first_group = 0;  // groups of 16 before it in the span's first page
  int32_t lead = 0;         // dead slots before the span in its first group
  int64_t end = 0;          // lead + slots
  int32_t count = 0;        // chunks
};

SLUICE_HD inline SpanChunks ChunksOf(const Span& span, int64_t chunk_slots) {
  SpanChunks chunks;
  chunks.first_group = span.first_slot / 16;
  chunks.lead = span.first_slot % 16;
  chunks.end = chunks.lead + span.slots;
  chunks.count = static_cast<int32_t>((chunks.end + chunk_slots - 1) / chunk_slots);
  return chunks;
}

}  // namespace sluice
