// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The records that tell a kernel where the rows of a step lie.
//
// The engine writes them into a table segment (host memory, or device memory
// behind the same offsets); kernels only read them. All offsets are bytes from
// the segment's or the pool's start, so that another process can map both. A
// record never changes while an operation that names it is in flight.

#include <cstddef>
#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/page_format.h"

namespace sluice {

inline constexpr uint64_t kNoOffset = ~uint64_t{0};

// One (layer, kv head) of a bodies object: `slots` kept slots in ascending
// position, in pages `page_ids[first_page ..]`, every page full but the last.
struct BodyRow {
  uint32_t first_page = 0;
  int32_t slots = 0;
};

// What past jobs kept of a sequence, for all its rows. In the segment it is
// followed by `BodyRow[row_count]` and then `uint32_t page_ids[page_count]`.
struct BodiesRecord {
  int32_t row_count = 0;
  uint32_t page_count = 0;
};

// One sequence of a step.
//
// The tail is the blocks since the last job: block i has the pages
// `tables[4 * block_list[i] ..]`, one uint32 a row of the model. The token at
// true position p >= tail_first_position lies in tail slot
// `tail_start + (p - tail_first_position)`. Every body slot's position is
// smaller than tail_first_position.
struct ViewEntry {
  uint64_t bodies_offset = kNoOffset;      // in tables: BodiesRecord; kNoOffset: the body is empty
  uint64_t block_list_offset = kNoOffset;  // in tables: uint32_t[], a 4-byte word index each
  uint64_t body_scores_offset = kNoOffset;  // in the pool: fp32, row r starts at first_page * page_size
  uint64_t score_list_offset = kNoOffset;   // in tables: uint64_t[], a pool offset each: fp32 [rows, page_size]
  int64_t base_length = 0;                  // true position of the step's first token
  int64_t tail_first_position = 0;          // true position of the tail's first live slot
  int32_t tail_start = 0;                   // slots before it in the first block are dead
  int32_t token_count = 0;                  // tokens that the step adds to the sequence
  int64_t first_token = 0;                  // of the sequence, among the step's tokens
  uint16_t tail_format = 0;                 // index into PoolView::formats
  uint16_t body_format = 0;
  // In tables: uint64_t[layers of the model], a pool offset each, of the ring of
  // its observation rows (core/observation.h); kNoOffset: none are kept.
  uint64_t observation_list_offset = kNoOffset;
  int32_t observation_capacity = 0;  // rows of each ring
  // In tables: CascadeGeometry (core/ring.h); kNoOffset: none. Under a cascade
  // - the body is the cascade's, after the tokens below tail_first_position were
  //   inserted. It is a list of blocks like the tail's, each with page number j of every
  //   row, up to the last page that the view's tokens reach; bodies_offset is not read;
  // - the tail is the pending chunk;
  // - both formats are the same one, of keys at cache positions;
  // - scores are planes (core/mass.h), and the body has a list of them as the tail has;
  //   body_scores_offset is not read.
  uint64_t cascade_offset = kNoOffset;
  uint64_t body_list_offset = kNoOffset;        // as block_list_offset
  uint64_t body_score_list_offset = kNoOffset;  // as score_list_offset
};

// One step: its sequences in order; their tokens are the step's tokens
// `[0, total_tokens)`, sequence by sequence.
struct StepView {
  const ViewEntry* entries = nullptr;  // [entry_count]
  int32_t entry_count = 0;
  int64_t total_tokens = 0;
};

// Where pages and tables lie. One for the life of a backend; formats are added
// at the end of a fixed array and never change.
struct PoolView {
  std::byte* pool = nullptr;        // [slabs * slab_bytes], 128-byte aligned
  int64_t slab_bytes = 0;
  const std::byte* tables = nullptr;
  const SpanFormat* formats = nullptr;
};

SLUICE_HD inline std::byte* SlabOf(const PoolView& pool, uint32_t page) {
  return pool.pool + static_cast<int64_t>(page >> kPageIndexBits) * pool.slab_bytes;
}

SLUICE_HD inline int64_t PageIndex(uint32_t page) { return page & (kMaxPagesPerSlab - 1); }

SLUICE_HD inline std::byte* PageData(const PoolView& pool, const SlabLayout& slab, uint32_t page) {
  return SlabOf(pool, page) + PageIndex(page) * slab.page_bytes;
}

SLUICE_HD inline int32_t* PagePositions(const PoolView& pool, const SlabLayout& slab, uint32_t page) {
  return reinterpret_cast<int32_t*>(SlabOf(pool, page) + slab.position_offset) +
         PageIndex(page) * slab.page_size;
}

SLUICE_HD inline float* PageLogMass(const PoolView& pool, const SlabLayout& slab, uint32_t page) {
  return reinterpret_cast<float*>(SlabOf(pool, page) + slab.log_mass_offset) +
         PageIndex(page) * slab.page_size;
}

SLUICE_HD inline float* PageKeyNorms(const PoolView& pool, const SlabLayout& slab, uint32_t page) {
  return reinterpret_cast<float*>(SlabOf(pool, page) + slab.key_norm_offset) +
         PageIndex(page) * slab.page_size;
}

SLUICE_HD inline uint32_t* PageFlags(const PoolView& pool, const SlabLayout& slab, uint32_t page) {
  return reinterpret_cast<uint32_t*>(SlabOf(pool, page) + slab.flags_offset) + PageIndex(page);
}

}  // namespace sluice
