// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/cache/cache.h"
#include "tests/daemon/cache/paged_memory.h"

namespace sluice {

struct ModelBlock {
  std::vector<PageId> pages;
};
using ModelBlockPtr = std::shared_ptr<ModelBlock>;

struct ModelBody {
  std::vector<std::vector<PageId>> rows;
};

struct ModelToken {
  int64_t position = 0;
  TokenUid uid = 0;
  friend bool operator==(const ModelToken&, const ModelToken&) = default;
};
using ModelRow = std::vector<ModelToken>;

struct ModelJob {
  int64_t snapshot = 0;
  std::vector<ModelRow> tokens;                 // by row, below the snapshot
  std::vector<std::vector<SlotAddress>> slots;  // where they were at the plan
  std::vector<PageId> fresh_pages;
  std::vector<ModelBlockPtr> held;
  ModelBlockPtr observations;  // that it reads
  std::optional<PageId> body_scores;  // reserved
  std::set<uint64_t> read_tickets;
};

// A step of a sequence whose body is written in place.
struct ModelBodyStep {
  struct Run {
    int64_t first_position = 0;
    int64_t count = 0;
    Cache::TailMove at;  // where its chunk lies
  };
  std::vector<Run> runs;
  BodyWrites writes;
  Cache::TailMove end;
  std::set<int64_t> slots;  // of the body that it writes
  int64_t old_slots = 0;    // that the body had
};

// One sequence as the design states it, over plain containers.
struct ModelSequence {
  CacheGeometry geometry;
  TenantId tenant;
  int64_t length = 0;
  int64_t tail_first = 0;
  int64_t tail_start = 0;
  std::vector<ModelBlockPtr> tail;
  std::shared_ptr<ModelBody> body;
  std::vector<ModelRow> rows;  // what is kept, closed steps only
  ModelBlockPtr observations;
  TokenUid observed = 0;  // what its pages' first slots hold
  ModelBlockPtr scores;       // a page a block of the tail; null: it keeps none
  ModelBlockPtr body_scores;  // one page; of a body in place one a block
  TokenUid scored = 0;        // what the first slots of both hold
  bool is_in_place = false;   // steps write its body, which has no jobs then
  std::vector<ModelBlockPtr> body_blocks;
  std::vector<TokenUid> body_slots;  // what they hold, in every row
  ModelBodyStep body_step;
  int64_t step_first_body_block = 0;
  int64_t step_tokens = 0;
  int64_t step_first_block = 0;
  std::vector<TokenUid> step_uids;
  bool lost = false;
  std::optional<ModelJob> job;

  int64_t used() const { return tail_start + length - tail_first; }
  int64_t BlocksFor(int64_t slots) const {
    return (slots + geometry.page_size - 1) / geometry.page_size;
  }
  SlotAddress TailSlot(size_t row, int64_t position) const;
  // Where each kept token of the row lies.
  std::vector<SlotAddress> SlotsOf(size_t row) const;
  void DropEmptyTail();
  void RollBack(int64_t to_length);
};

// The sequences, and what must be in use on their account.
class CacheModel {
 public:
  std::map<SequenceId, ModelSequence> sequences;

  // True if the open block may be written by this sequence only.
  bool MustCopyOpenBlock(SequenceId id) const;
  // True if others have its observation rows too.
  bool SharesObservations(SequenceId id) const;
  // True if others have some of its scores too.
  bool SharesScores(SequenceId id) const;
  // Pages that blocks, bodies and running jobs account for; without `but`, if given,
  // what it holds itself, its job's count on its observation rows included.
  std::set<PageId> UsedPages(std::optional<SequenceId> but = std::nullopt) const;
  std::set<PageId> PagesOf(SequenceId id) const;
  int64_t ReservedPages() const;

  // Empty, or how the cache differs from the model in this sequence.
  std::string Compare(SequenceId id, const Cache& cache, const PagedMemory& memory) const;

 private:
  static std::string CompareBody(const ModelSequence& model, const Sequence& real,
                                 const Cache& cache, const PagedMemory& memory);
  std::string CompareRows(const ModelSequence& model, const PagedMemory& memory) const;
  static std::string CompareObservations(const ModelSequence& model, const Sequence& real,
                                         const Cache& cache, const PagedMemory& memory);
  static std::string CompareScores(const ModelSequence& model, const Sequence& real,
                                   const Cache& cache, const PagedMemory& memory);
};

}  // namespace sluice
