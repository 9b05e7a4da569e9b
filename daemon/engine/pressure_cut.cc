// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/pressure_cut.h"

#include <algorithm>
#include <numeric>

#include "daemon/base/checked_math.h"
#include "daemon/engine/job_plan.h"
#include "daemon/engine/scores.h"
#include "daemon/policy/pressure_policy.h"

namespace sluice {

PressureCut::PressureCut(const Core& core, const Jobs& jobs, SequenceState& sequence)
    : core_(core),
      sequence_(sequence),
      facts_(jobs.FactsOf(sequence, *sequence.policy, sequence.settled_length(), rows_)),
      page_size_(sequence.cached->geometry().page_size),
      page_bytes_(sequence.model->model->page_bytes()) {
  const int64_t hot_tokens = facts_.length_tokens - facts_.snapshot_tokens;
  for (const RowFacts& row : rows_) slots_.push_back(row.slots - hot_tokens);
  const Sequence& state = *sequence.cached;
  int64_t pages = static_cast<int64_t>(state.blocks().size()) * state.geometry().row_count;
  if (state.bodies().has_value()) {
    pages += static_cast<int64_t>(core.cache.BodiesOf(*state.bodies()).pages.size());
  }
  held_bytes_ = alone_bytes_ = pages * page_bytes_;
  for (const auto& scores : {state.scores(), state.body_scores()}) {
    if (!scores.has_value()) continue;
    score_bytes_ += static_cast<int64_t>(core.cache.BlockPages(*scores).size()) *
                    core.cache.PageBytes(*scores);
  }
  shares_ = core.cache.MayShare(sequence.handle);
  if (shares_) {
    const int64_t other = core.cache.HeldBytes(sequence.handle) - held_bytes_;
    alone_bytes_ = std::max<int64_t>(0, core.cache.BytesAlone(sequence.handle) - other);
  }
  rows_compete_ = RowsMayCompete();
}

// Scores that compete are in the workspace together: where that is too small, each row
// keeps to its own budget.
bool PressureCut::RowsMayCompete() const {
  int64_t workspace_bytes = 0;
  for (const int64_t slots : slots_) workspace_bytes += WorkspaceBytes(slots);
  return workspace_bytes <= core_.memory.workspace_bytes;
}

absl::StatusOr<PolicyPtr> PressureCut::PolicyOf(int64_t budget_tokens, bool rows_compete) const {
  return UnderPressure(*sequence_.policy, budget_tokens, sequence_.model->facts, rows_compete);
}

absl::StatusOr<PolicyPtr> PressureCut::PolicyUnder(int64_t budget_tokens) const {
  return PolicyOf(budget_tokens, rows_compete_);
}

// Of the tail, what lies beyond the snapshot.
int64_t PressureCut::BlocksAfter() const {
  const Sequence& state = *sequence_.cached;
  if (facts_.snapshot_tokens == state.length() && !state.step_open()) return 0;
  const int64_t first_slot =
      state.tail_start() + facts_.snapshot_tokens - state.tail_first_position();
  return static_cast<int64_t>(state.blocks().size()) - first_slot / page_size_;
}

// What each row keeps below the snapshot. A budget that depends on scores is taken for
// what it is on average.
std::vector<int64_t> PressureCut::KeptOf(const JobRecipe& recipe, int64_t budget_tokens) const {
  const int64_t hot_tokens = facts_.length_tokens - facts_.snapshot_tokens;
  std::vector<int64_t> kept(slots_.size(), std::max<int64_t>(0, budget_tokens - hot_tokens));
  for (const RecipeSegment& segment : recipe.segments) {
    for (int32_t row = segment.first_row; row < segment.first_row + segment.row_count; ++row) {
      kept[static_cast<size_t>(row)] = segment.k / segment.row_count;
    }
  }
  for (size_t row = 0; row < kept.size(); ++row) kept[row] = std::min(kept[row], slots_[row]);
  return kept;
}

PressureCut::Pages PressureCut::PagesFor(const std::vector<int64_t>& kept,
                                         bool rows_are_known) const {
  Pages pages;
  if (!rows_are_known) {
    const int64_t sum = std::accumulate(kept.begin(), kept.end(), int64_t{0});
    const auto row_count = static_cast<int64_t>(kept.size());
    return {CeilDivide(sum, page_size_), (sum + row_count * (page_size_ - 1)) / page_size_};
  }
  for (const int64_t slots : kept) pages.at_least += CeilDivide(slots, page_size_);
  pages.at_most = pages.at_least;
  return pages;
}

FreedBytes PressureCut::FreedUnder(int64_t budget_tokens) const {
  const absl::StatusOr<PolicyPtr> policy = PolicyOf(budget_tokens, /*rows_compete=*/false);
  if (!policy.ok()) return {};
  const JobRecipe recipe = (*policy)->Plan(facts_);
  if (recipe.evicts_nothing) return {};
  const Pages bodies = PagesFor(KeptOf(recipe, budget_tokens),
                                !rows_compete_ && recipe.count_segments.empty());
  const int64_t blocks = BlocksAfter();
  const int64_t tail = blocks * sequence_.cached->geometry().row_count * page_bytes_;
  // Shared scores stay as they are, and the new body's come to them.
  const int64_t own_scores =
      shares_ ? ScoreBytes(core_, sequence_, blocks, 0) : score_bytes_;
  return {std::max<int64_t>(0, alone_bytes_ - tail - bodies.at_most * page_bytes_ + own_scores -
                                   ScoreBytes(core_, sequence_, blocks, bodies.at_most)),
          std::max<int64_t>(0, held_bytes_ - tail - bodies.at_least * page_bytes_ + score_bytes_ -
                                   ScoreBytes(core_, sequence_, blocks, bodies.at_least))};
}

// A policy may need more than it protects, a window one token beside its own: the first
// budget in [from, to) that it takes; `to`: none.
int64_t PressureCut::FirstTaken(int64_t from, int64_t to) const {
  while (from < to) {
    const int64_t middle = from + (to - from) / 2;
    if (PolicyOf(middle, /*rows_compete=*/false).ok()) {
      to = middle;
    } else {
      from = middle + 1;
    }
  }
  return from;
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
  const int64_t least = PoolCut::LeastBudget(candidate);
  if (!PolicyOf(least, /*rows_compete=*/false).ok()) {
    candidate.floor_tokens = FirstTaken(least, candidate.most_slots);
  }
  candidate.least_gain_bytes = sequence_.cached->geometry().row_count * page_bytes_;
  candidate.freed = [this](int64_t budget_tokens) { return FreedUnder(budget_tokens); };
  return candidate;
}

}  // namespace sluice
