// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/cache/ids.h"

namespace sluice {

// What the cache has to know of a sequence's model.
struct CacheGeometry {
  int32_t row_count = 0;  // layers x kv heads
  int32_t page_size = 0;  // slots
  SizeClassId size_class;  // of the tail's pages, and of the bodies'
};

// The background work on one sequence.
struct SequenceJob {
  int64_t snapshot_length = 0;      // positions below it are the job's
  int64_t read_length = 0;          // and those below this are read; at least the snapshot
  std::vector<PageId> fresh_pages;  // reserved, until the commit takes or drops them
  // Also reserved: for the scores of the new body, a page of a class of its own.
  std::optional<PageId> fresh_scores;
  SizeClassId scores_class;
  std::vector<BlockId> held_blocks;  // replaced by a copy while the job may read them, and
                                     // its own count on the observation rows
};

// One token stream: its bodies, and its tail, the blocks since the last commit.
//
// A sequence whose body is written in place (cascade) has a list of blocks instead of
// bodies: block j has page j of every row, which all hold as many slots. Its tail is what
// has not been moved there yet, so that its blocks are those that a step asked for.
//
// The token at true position p >= tail_first_position lies in tail slot
// `tail_start + (p - tail_first_position)`; block i of the list holds the tail
// slots from `i * page_size`. The slots before tail_start are dead.
//
// The class does the arithmetic of the list only; counting and releasing what
// the list names is the caller's business (Cache).
//
// Not thread-safe: owned by the engine thread.
class Sequence {
 public:
  Sequence(SequenceId id, const CacheGeometry& geometry, TenantId tenant);

  SequenceId id() const { return id_; }
  const CacheGeometry& geometry() const { return geometry_; }
  TenantId tenant() const { return tenant_; }

  int64_t length() const { return length_; }  // tokens of closed steps
  const std::vector<BlockId>& blocks() const { return blocks_; }
  int32_t tail_start() const { return tail_start_; }
  int64_t tail_first_position() const { return tail_first_position_; }
  std::optional<BodiesId> bodies() const { return bodies_; }
  std::optional<BlockId> observations() const { return observations_; }
  // Where it keeps scores: a page for each block of its list, in their order.
  std::optional<BlockId> scores() const { return scores_; }
  // One page, for all rows; of a body that is written in place one for each of its blocks.
  std::optional<BlockId> body_scores() const { return body_scores_; }
  const std::vector<BlockId>& body_blocks() const { return body_blocks_; }  // written in place
  int64_t body_slots() const { return body_slots_; }  // of each row of such a body
  const std::optional<SequenceJob>& job() const { return job_; }

  // The smallest length it can be rolled back to: the last commit's snapshot.
  int64_t rollback_floor() const { return tail_first_position_; }

  bool step_open() const { return step_token_count_ > 0; }
  int32_t step_token_count() const { return step_token_count_; }  // 0: no step is open
  bool lost() const { return lost_; }

  // Slots of the tail that closed steps have taken, dead ones included.
  int64_t used_tail_slots() const { return tail_start_ + length_ - tail_first_position_; }

  // What a rollback to `length` would leave; its own length: what there is.
  // REQUIRES: rollback_floor() <= length <= length().
  int64_t UsedTailSlotsAt(int64_t length) const;
  int64_t BlocksAt(int64_t length) const;
  // Slots in the block that the next token goes to; 0: in a new one.
  int32_t OpenBlockSlotsAt(int64_t length) const;
  // Blocks that `token_count` tokens more need.
  int64_t NewBlocksAt(int64_t length, int64_t token_count) const;

  // True if no live slot of the block stands below `position`.
  // REQUIRES: 0 <= block < blocks().size().
  bool BlockIsFrom(int64_t block, int64_t position) const;

 private:
  friend class Cache;

  // A copy for a fork. REQUIRES: no step is open.
  Sequence ForkAs(SequenceId id) const;
  // Shortens the list to what `length` slots need; returns the blocks taken off.
  std::vector<BlockId> Truncate(int64_t length);
  // Moves the tail's start to `snapshot`; returns the blocks taken off.
  std::vector<BlockId> CutFront(int64_t snapshot);
  std::vector<BlockId> TakeBlocksFrom(int64_t first);

  SequenceId id_;
  CacheGeometry geometry_;
  TenantId tenant_;
  int64_t length_ = 0;
  std::vector<BlockId> blocks_;
  int32_t tail_start_ = 0;
  int64_t tail_first_position_ = 0;
  std::optional<BodiesId> bodies_;
  std::optional<BlockId> observations_;
  std::optional<BlockId> scores_;
  std::optional<BlockId> body_scores_;
  std::vector<BlockId> body_blocks_;
  int64_t body_slots_ = 0;
  std::optional<SequenceJob> job_;
  int32_t step_token_count_ = 0;
  int64_t step_first_block_ = 0;  // blocks from here on are the open step's
  int64_t step_first_body_block_ = 0;  // likewise
  uint64_t seen_in_step_ = 0;     // the last BeginStep that named it
  bool lost_ = false;
};

}  // namespace sluice
