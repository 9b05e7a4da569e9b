// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/policy/recipe.h"

namespace sluice {

// What a job builds and commits at once: all its rows, or a part of what it is to
// do where the pages for all are not to be had together.
struct JobPass {
  int64_t snapshot_tokens = 0;  // at most the job's
  bool selects = true;          // false: every slot of every row stays
  // Of the recipe. The rows of its other segments keep their pages as they are, so
  // that with fewer than all the snapshot is where the tail starts.
  int32_t first_segment = 0;
  int32_t segment_count = 0;

  bool operator==(const JobPass&) const = default;
};

// The rows of a sequence: a body each, then the tail that they share.
struct HeldRows {
  std::vector<int64_t> body_slots;  // [rows]
  int64_t tail_first_position = 0;
  int64_t tail_start = 0;  // dead slots of the tail's first page
  int64_t page_size = 0;

  // What a row holds below a snapshot in the tail.
  int64_t SlotsBelow(size_t row, int64_t snapshot) const {
    return body_slots[row] + snapshot - tail_first_position;
  }
};

// Whether page `page` of a body that keeps every slot of the row below the snapshot
// is one full page as it lies, so that it is taken over by reference.
bool IsTakenOver(const HeldRows& held, size_t row, int64_t page, int64_t snapshot);

// How a job that does not fit goes about it (design: "Pressure"): it first takes
// the tail into the bodies, full pages by reference, so that every page belongs to
// one head; then it selects and compacts as many heads at a time as fit, at least
// one.
//
// A body that partly filled pages precede cannot take full pages by reference: the
// tail is then copied, at once or, if even that does not fit when all bodies are
// at their targets, some blocks at a time, and the heads take turns again.
//
// What stays is what the whole job keeps: the slots that it keeps of all are among
// those that it keeps of a part. That is so of scores that a slot has for itself, but
// not where they depend on its neighbours (a window's, pooled): then no head has its
// turn before the tail has been taken in whole.
//
// Pure but for what it remembers of the passes. Not thread-safe: owned by its job.
class JobPasses {
 public:
  // `recipe` outlives the object; its segments cover all rows.
  JobPasses(const JobRecipe& recipe, int64_t snapshot_tokens);

  // Whether nothing is left to do.
  bool Done(const HeldRows& held) const;

  // The next pass that takes at most `available_pages`. The tail is only taken in
  // where a head will fit after it. None: not even one head fits, or Done.
  std::optional<JobPass> Next(const HeldRows& held, int64_t available_pages) const;

  // The pass was committed, or had nothing to evict.
  void Passed(const JobPass& pass);

 private:
  bool IsPending(size_t segment, const HeldRows& held, int64_t snapshot) const;
  int64_t PagesOf(size_t segment, const HeldRows& held, int64_t snapshot) const;
  bool MayTakeIn(const HeldRows& held, int64_t snapshot, int64_t available_pages) const;
  JobPass TakeIn(int64_t snapshot) const;
  std::optional<JobPass> NextHeads(const HeldRows& held, int64_t available_pages) const;
  std::optional<JobPass> TakeInBlocks(const HeldRows& held, int64_t available_pages) const;

  const JobRecipe& recipe_;
  const int64_t snapshot_tokens_;
  std::vector<bool> passed_;  // [segments] since the tail was taken in last
};

}  // namespace sluice
