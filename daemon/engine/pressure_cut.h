// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/engine/core.h"
#include "daemon/engine/jobs.h"
#include "daemon/policy/pool_budget.h"

namespace sluice {

// A sequence that may give some of its budget, as it is now: what a job under pressure
// would leave of it, from counts alone. Where its rows may compete only bounds are
// known, since scores decide how many pages each keeps.
//
// Not thread-safe: owned by the engine thread, for one turn, in which the sequence does
// not change.
class PressureCut {
 public:
  // O(rows), and O(pages) where others may hold some of them.
  PressureCut(const Core& core, const Jobs& jobs, SequenceState& sequence);
  PressureCut(const PressureCut&) = delete;
  PressureCut& operator=(const PressureCut&) = delete;

  SequenceState& sequence() const { return sequence_; }

  // The policy of a job that brings it to the budget. Errors: as WithBudget
  // (registry.h).
  absl::StatusOr<PolicyPtr> PolicyUnder(int64_t budget_tokens) const;

  // What such a job gives back: nothing if the budget is refused. O(rows).
  FreedBytes FreedUnder(int64_t budget_tokens) const;

  // For the choice between sequences. The object outlives what it returns.
  PoolCandidate Candidate() const;

 private:
  // Pages of the bodies that a recipe makes of the rows: bounds.
  struct Pages {
    int64_t at_least = 0;
    int64_t at_most = 0;
  };

  bool RowsMayCompete() const;
  int64_t BlocksAfter() const;
  std::vector<int64_t> KeptOf(const JobRecipe& recipe, int64_t budget_tokens) const;
  Pages PagesFor(const std::vector<int64_t>& kept, bool rows_are_known) const;
  int64_t FirstTaken(int64_t from, int64_t to) const;
  absl::StatusOr<PolicyPtr> PolicyOf(int64_t budget_tokens, bool rows_compete) const;

  const Core& core_;
  SequenceState& sequence_;
  std::vector<RowFacts> rows_;
  const JobFacts facts_;  // names rows_
  std::vector<int64_t> slots_;  // [rows] below the snapshot
  const int64_t page_size_;
  const int64_t page_bytes_;
  int64_t held_bytes_ = 0;   // of keys and values
  int64_t alone_bytes_ = 0;  // of these, those that nobody else holds
  int64_t score_bytes_ = 0;
  bool shares_ = false;      // somebody else may hold some of all that
  bool rows_compete_ = false;
};

}  // namespace sluice
