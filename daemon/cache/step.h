// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/cache/bodies.h"
#include "daemon/cache/ids.h"

namespace sluice {

// The memory for a sequence's observation rows: one page a layer, of a class of its
// own. They are kept like a block, by count: shared by a fork, copied by the first
// step that writes them.
struct ObservationPages {
  SizeClassId size_class;
  int32_t count = 0;  // 0: the sequence keeps none

  friend bool operator==(const ObservationPages&, const ObservationPages&) = default;
};

// What a step needs of a sequence whose body it writes in place.
struct BodyWrites {
  // The pages of each row that it may write, by their number there, ascending; from the
  // body's last on without a gap.
  std::vector<int32_t> pages;
  int64_t new_tail_blocks = 0;  // beyond those that hold its tail
};

// What one sequence wants of a step.
struct StepEntryRequest {
  SequenceId sequence;
  int64_t base_length = 0;  // where it starts; what lies beyond is rolled back
  int32_t token_count = 0;  // >= 1
  // What the step writes observation rows to; those that the sequence has are of the
  // same class and count.
  ObservationPages observations = {};
  const BodyWrites* body = nullptr;  // null: its body, if any, is a job's
};

// What becomes of pages that the rollbacks of a step drop and nobody else holds.
enum class DroppedPages : uint8_t {
  kReuse,      // the step takes them before any of the pool's
  kStillRead,  // an operation that nobody waits for may read them: they go back first
};

// Copy-on-write: every page of `source` is to be copied to the page of the same
// row of `destination`, its first `slots` slots.
struct BlockCopy {
  BlockId source;
  BlockId destination;
  int32_t slots = 0;
};

// What one sequence got: its list now ends with the blocks that the step needs.
struct StepEntryGrant {
  SequenceId sequence;
  int64_t base_length = 0;
  int32_t token_count = 0;
  int32_t new_block_count = 0;    // blocks added at the end of its list, after a rollback
  std::optional<BlockCopy> copy;  // its open block was replaced by a copy
  // It had no observation rows, or others have them too: these are new.
  std::optional<BlockId> new_observations;
  std::optional<BlockId> observations_source;  // to be copied to them, whole
  std::vector<BlockCopy> body_copies;  // blocks of its body that were replaced by copies
  // Others have its scores too: those that it has now are new. Each page is to be copied
  // from the page of the same place there; the pages of new blocks have no source.
  std::optional<BlockId> scores_source;
  std::optional<BlockId> body_scores_source;
};

// What BeginStep allocated.
struct StepGrant {
  std::vector<StepEntryGrant> entries;  // in the order of the request
  std::vector<BlockId> new_blocks;      // of all entries, copies' destinations included; no
                                        // observation rows, no scores
  std::vector<SlabId> slabs_to_clear;   // before any page of them is written
};

// Destination pages of a job.
struct JobPages {
  std::vector<PageId> pages;
  std::optional<PageId> body_scores;    // where it was asked for
  std::vector<SlabId> slabs_to_clear;  // before any page of them is written
};

// What a job made of all rows of its sequence. A page is one of the job's, or one
// taken over from the sequence's body or from a tail block before the snapshot.
struct JobResult {
  std::vector<RowExtent> rows;  // [row_count], pages row by row without gaps
  std::vector<PageId> pages;
};

}  // namespace sluice
