// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/pressure_cut.h"

#include <algorithm>
#include <utility>

#include "daemon/base/checked_math.h"
#include "daemon/engine/job_plan.h"
#include "daemon/policy/pressure_policy.h"

namespace sluice {

PressureCut::PressureCut(const Core& core, const Jobs& jobs, SequenceState& sequence)
    : core_(core),
      sequence_(sequence),
      facts_(jobs.FactsOf(sequence, *sequence.policy, sequence.cached->length(), rows_)),
      page_size_(sequence.cached->geometry().page_size),
      page_bytes_(sequence.model->model->page_bytes()) {
  const Sequence& state = *sequence.cached;
  int64_t pages = static_cast<int64_t>(state.blocks().size()) * state.geometry().row_count;
  if (state.bodies().has_value()) {
    pages += static_cast<int64_t>(core.cache.BodiesOf(*state.bodies()).pages.size());
  }
  held_bytes_ = alone_bytes_ = pages * page_bytes_;
  if (core.cache.MayShare(sequence.handle)) {
    const int64_t of_observations = core.cache.HeldBytes(sequence.handle) - held_bytes_;
    alone_bytes_ =
        std::max<int64_t>(0, core.cache.BytesAlone(sequence.handle) - of_observations);
  }
  rows_compete_ = RowsMayCompete();
}

int64_t PressureCut::SlotsOf(int32_t row) const {
  const int64_t hot_tokens = facts_.length_tokens - facts_.snapshot_tokens;
  return rows_[static_cast<size_t>(row)].slots - hot_tokens;
}

// A segment is scored and built at once, each row into as many pages as it has: where
// that is too much at a time, each row keeps to its own budget.
bool PressureCut::RowsMayCompete() const {
  int64_t workspace_bytes = 0;
  int64_t pages = 0;
  for (int32_t row = 0; row < static_cast<int32_t>(rows_.size()); ++row) {
    workspace_bytes += WorkspaceBytes(SlotsOf(row));
    pages += CeilDivide(SlotsOf(row), page_size_);
  }
  return workspace_bytes <= core_.memory.workspace_bytes &&
         pages <= core_.cache.AvailableJobPages(sequence_.handle);
}

absl::StatusOr<PolicyPtr> PressureCut::PolicyUnder(int64_t budget_tokens) const {
  return UnderPressure(*sequence_.policy, budget_tokens, sequence_.model->facts, rows_compete_);
}

// Of the tail, what lies beyond the snapshot.
int64_t PressureCut::BlocksAfter() const {
  const Sequence& state = *sequence_.cached;
  if (facts_.snapshot_tokens == state.length() && !state.step_open()) return 0;
  const int64_t first_slot =
      state.tail_start() + facts_.snapshot_tokens - state.tail_first_position();
  return static_cast<int64_t>(state.blocks().size()) - first_slot / page_size_;
}

PressureCut::Pages PressureCut::PagesOf(const RecipeSegment& segment,
                                        const JobRecipe& recipe) const {
  int64_t slots = 0;
  int64_t least = 0;  // what each row keeps beyond the segment's places
  for (int32_t row = segment.first_row; row < segment.first_row + segment.row_count; ++row) {
    slots += SlotsOf(row);
    least += std::min(SlotsOf(row), recipe.at_least);
  }
  const bool share_a_mask = recipe.combine != SegmentCombine::kNone;
  const int64_t places = share_a_mask ? segment.k * segment.row_count : segment.k;
  const int64_t kept = std::min(slots, std::max(places, least));
  return {CeilDivide(kept, page_size_),
          (kept + segment.row_count * (page_size_ - 1)) / page_size_};
}

// A budget that depends on scores is taken for what it is on average.
PressureCut::Pages PressureCut::PagesOf(const JobRecipe& recipe, int64_t budget_tokens) const {
  Pages pages;
  const auto add = [&](const Pages& more) {
    pages.at_least += more.at_least;
    pages.at_most += more.at_most;
  };
  for (const RecipeSegment& segment : recipe.segments) add(PagesOf(segment, recipe));
  if (recipe.count_segments.empty()) return pages;
  const int64_t hot_tokens = facts_.length_tokens - facts_.snapshot_tokens;
  const auto row_count = static_cast<int32_t>(rows_.size());
  RecipeSegment all{.first_row = 0, .row_count = row_count};
  for (int32_t row = 0; row < row_count; ++row) {
    all.k += std::min(SlotsOf(row), std::max<int64_t>(0, budget_tokens - hot_tokens));
  }
  add(PagesOf(all, JobRecipe{}));
  return pages;
}

FreedBytes PressureCut::FreedUnder(int64_t budget_tokens) const {
  const absl::StatusOr<PolicyPtr> policy = PolicyUnder(budget_tokens);
  if (!policy.ok()) return {};
  const JobRecipe recipe = (*policy)->Plan(facts_);
  if (recipe.evicts_nothing) return {};
  const Pages bodies = PagesOf(recipe, budget_tokens);
  const int64_t tail =
      BlocksAfter() * sequence_.cached->geometry().row_count * page_bytes_;
  return {std::max<int64_t>(0, alone_bytes_ - tail - bodies.at_most * page_bytes_),
          std::max<int64_t>(0, held_bytes_ - tail - bodies.at_least * page_bytes_)};
}

PoolCandidate PressureCut::Candidate() const {
  const Policy& policy = *sequence_.policy;
  const bool keeps_shared = policy.spec().shared_prefix == SharedPrefix::kKeep;
  const int64_t protected_tokens = std::max(policy.protected_tokens(), sequence_.draft_tokens);
  PoolCandidate candidate;
  candidate.priority = sequence_.priority;
  candidate.tenant = sequence_.tenant;
  candidate.most_slots =
      sequence_.most_slots + facts_.length_tokens - sequence_.most_slots_length;
  // A row's last page gives nothing back.
  candidate.floor_tokens = std::max(
      page_size_, protected_tokens + (keeps_shared ? facts_.shared_tokens : 0));
  candidate.least_gain_bytes = sequence_.cached->geometry().row_count * page_bytes_;
  candidate.freed = [this](int64_t budget_tokens) { return FreedUnder(budget_tokens); };
  return candidate;
}

}  // namespace sluice
