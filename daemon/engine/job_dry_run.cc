// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// What a job would do.

#include <algorithm>
#include <string>
#include <utility>

#include "daemon/base/checked_math.h"
#include "daemon/engine/jobs.h"
#include "daemon/engine/observations.h"
#include "daemon/engine/scores.h"

namespace sluice {
namespace {

// Pages of the tail that a commit at `snapshot` leaves to each row.
int64_t TailPagesAfter(const Sequence& state, int64_t snapshot) {
  const int64_t page_size = state.geometry().page_size;
  const int64_t first = state.tail_start() + snapshot - state.tail_first_position();
  const int64_t last = state.used_tail_slots();
  return last > first ? (last - 1) / page_size - first / page_size + 1 : int64_t{0};
}

// Of the observation rows, which a job leaves alone.
int64_t RowBytes(const Core& core, const SequenceState& sequence) {
  const std::optional<BlockId> rings = core.cached(sequence).observations();
  if (!rings.has_value()) return 0;
  return static_cast<int64_t>(core.cache.BlockPages(*rings).size()) *
         core.cache.PageBytes(*rings);
}

}  // namespace

JobEnd Jobs::Estimate(const SequenceState& sequence, const JobFacts& facts,
                      const JobRecipe& recipe) const {
  const Sequence& state = core_.cached(sequence);
  const int64_t hot_tail = state.length() - facts.snapshot_tokens;
  const int64_t beyond = state.length() - facts.length_tokens;
  const int64_t page_size = state.geometry().page_size;
  const int64_t tail_pages = TailPagesAfter(state, facts.snapshot_tokens);
  JobEnd end;
  end.report.outcome = JobOutcome::kDryRun;
  end.report.snapshot_tokens = facts.snapshot_tokens;
  int64_t tail_pages_after = 0;
  int64_t body_pages = 0;
  for (const RecipeSegment& segment : recipe.segments) {
    for (int32_t row = segment.first_row; row < segment.first_row + segment.row_count; ++row) {
      const int64_t slots = facts.rows[static_cast<size_t>(row)].slots + beyond - hot_tail;
      const int64_t kept = std::min({slots, segment.k, recipe.at_most});
      end.kept_tokens.push_back(kept + hot_tail);
      end.report.kept_slots += kept;
      end.report.evicted_slots += slots - kept;
      body_pages += (kept + page_size - 1) / page_size;
      tail_pages_after += tail_pages;
    }
  }
  const int64_t held = core_.cache.HeldBytes(sequence.handle);
  const int64_t after =
      (tail_pages_after + body_pages) * sequence.model->model->page_bytes() +
      RowBytes(core_, sequence) + ScoreBytes(core_, sequence, tail_pages, body_pages);
  const int64_t alone = core_.cache.BytesAlone(sequence.handle);
  if (end.report.evicted_slots > 0) {
    end.freed_now_bytes = std::max<int64_t>(0, std::min(alone, held) - after);
    end.freed_later_bytes = std::max<int64_t>(0, held - after - end.freed_now_bytes);
  }
  end.report.freed_bytes = end.freed_now_bytes;
  end.report.freed_later_bytes = end.freed_later_bytes;
  return end;
}

std::optional<JobEnd> Jobs::Foresee(const SequenceState& sequence, const Policy& policy) const {
  std::vector<RowFacts> rows;
  const JobFacts facts = FactsOf(sequence, policy, sequence.settled_length(), rows);
  const JobRecipe recipe = policy.Plan(facts);
  const int64_t observed_rows = RowsFor(sequence, recipe, facts.length_tokens);
  absl::Status checked;
  if (!recipe.evicts_nothing) checked = CheckRows(recipe, observed_rows);
  JobEnd end;
  if (!checked.ok()) {
    end.status = std::move(checked);
    end.kept_tokens = core_.cache.KeptSlots(sequence.handle);
    end.report.outcome = JobOutcome::kSkipped;
    end.report.snapshot_tokens = facts.snapshot_tokens;
    end.report.detail = std::string(end.status.message());
  } else if (recipe.count_segments.empty()) {
    end = Estimate(sequence, facts, recipe);
    if (!recipe.evicts_nothing) end.report.detail = FewRows(recipe, observed_rows);
  } else {
    return std::nullopt;
  }
  end.report.preset = policy.spec().preset;
  return end;
}

void Jobs::DryRun(SequenceState& sequence, PolicyPtr policy,
                  std::function<void(const JobEnd&)> answer) {
  if (const std::optional<JobEnd> end = Foresee(sequence, *policy)) return answer(*end);
  Request(sequence, std::move(policy), std::move(answer));
  sequence.job->dry_run = true;
}

// The counts are known, and nothing has been built.
void Jobs::EndDryRun(Job& job) {
  JobEnd end = Estimate(*job.sequence, job.facts, job.recipe);
  job.evicted_slots = end.report.evicted_slots;
  job.had_slots = end.report.kept_slots + job.evicted_slots;
  End(job, JobOutcome::kDryRun, std::move(end));
}

}  // namespace sluice
