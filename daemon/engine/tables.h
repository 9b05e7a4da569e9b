// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "daemon/cache/bodies.h"
#include "daemon/cache/ids.h"
#include "daemon/cache/retire_list.h"
#include "daemon/memory/table_allocator.h"
#include "kernels/core/view.h"

namespace sluice {

// A range of the table segment.
struct TableRange {
  uint64_t offset = kNoOffset;
  int64_t bytes = 0;
};

// The records that kernels read (kernels/core/view.h), in the table segment: a
// mirror of what the cache decided, by its ids.
//
// Records of a sequence change only while nothing that is under way reads
// them: no open step, no named attend. A job reads its own copy of the list.
// What a change will need is allocated before anything changes, so that a full
// segment refuses a call as a whole. Every write is told, so that a backend
// whose kernels read a copy can follow (Backend::TablesChanged).
//
// Not thread-safe: owned by the engine thread. `base` outlives the object.
class Tables {
 public:
  // A sequence's block list: one word index a block.
  struct BlockList {
    TableRange range;
    int64_t count = 0;
  };

  // Called for bytes that are written now or before the next operation is submitted.
  using Told = std::function<void(const void* begin, int64_t bytes)>;

  Tables(std::byte* base, int64_t size_bytes, Told told);

  std::optional<TableRange> Allocate(int64_t bytes);
  void Free(TableRange range);
  // The same once every lane has passed `newest`: a job that was cancelled may read it.
  void FreeWhenPassed(TableRange range, const LaneTickets& newest);
  const void* At(TableRange range) const { return base_ + range.offset; }

  // The elements of a range, for writing those from `first` to `end` before the next
  // operation is submitted.
  template <class T>
  T* Write(TableRange range, int64_t first, int64_t end) {
    T* const elements = reinterpret_cast<T*>(base_ + range.offset);
    Written(elements + first, (end - first) * static_cast<int64_t>(sizeof(T)));
    return elements;
  }
  // The same for entries of views, which operations name themselves: no kernel looks for
  // them in the tables. What is put behind them is to be told with Written.
  ViewEntry* Entries(TableRange range) {
    return reinterpret_cast<ViewEntry*>(base_ + range.offset);
  }
  void Written(const void* begin, int64_t bytes) const { told_(begin, bytes); }

  // Ranges for `count` blocks of `row_count` pages, or nothing at all.
  std::optional<std::vector<TableRange>> AllocateBlocks(int64_t count, int64_t row_count);
  void SetBlock(BlockId block, TableRange range, std::span<const PageId> pages);
  // Where its page ids lie, in 4-byte words. REQUIRES: it is set.
  uint32_t WordOf(BlockId block) const;
  // Its id may be set again at once; its words stay until the lanes have passed
  // `newest`, the last operation submitted to each: a job that was cancelled may
  // still read them. Blocks that were never set, of observation rows, have none.
  void DropBlock(BlockId block, const LaneTickets& newest);

  // False, with the list as it was, if the segment is full.
  bool Reserve(BlockList& list, int64_t block_count);
  // REQUIRES: the list has room for them (Reserve), and every block is set.
  void Assign(BlockList& list, std::span<const BlockId> blocks);
  // Writes the blocks from `first` on. REQUIRES: as Assign; those before are in the list.
  void AssignFrom(BlockList& list, std::span<const BlockId> blocks, int64_t first);
  void Drop(BlockList& list);

  static int64_t BodiesBytes(int64_t row_count, int64_t page_count);
  // REQUIRES: `range` has BodiesBytes for the object.
  void SetBodies(BodiesId id, TableRange range, const Bodies& bodies);
  // As DropBlock.
  void DropBodies(BodiesId id, const LaneTickets& newest);
  uint64_t BodiesOffset(BodiesId id) const { return bodies_[id.value].offset; }
  // Slots of its fullest row.
  int64_t MostBodySlots(BodiesId id) const { return most_body_slots_[id.value]; }

  // Gives back what was dropped and every lane has passed.
  void Passed(const LaneTickets& completed);

  const std::byte* base() const { return base_; }
  int64_t size_bytes() const { return allocator_.size_bytes(); }
  int64_t used_bytes() const { return allocator_.used_bytes(); }

 private:
  std::byte* const base_;
  const Told told_;
  TableAllocator allocator_;
  std::vector<TableRange> blocks_;  // by BlockId
  std::vector<TableRange> bodies_;         // by BodiesId
  std::vector<int64_t> most_body_slots_;  // by BodiesId
  RetireList<TableRange> retired_;
};

}  // namespace sluice
