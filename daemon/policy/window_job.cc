// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/window_job.h"

#include <algorithm>

#include "daemon/policy/flat_budget.h"
#include "daemon/policy/window_parameters.h"

namespace sluice {

WindowJob::WindowJob(const PolicySpec& spec, const RowTable& rows, const JobFacts& facts)
    : spec_(spec),
      snapshot_{.tokens = facts.snapshot_tokens, .length_tokens = facts.length_tokens},
      rows_(rows.StatesOf(facts, *spec.shared_prefix)),
      window_below_(*spec.window_tokens - snapshot_.hot_tokens()) {}

int64_t WindowJob::PrefixSlots(size_t row) const {
  return std::max<int64_t>(VisibleSlots(rows_[row], snapshot_) - window_below_, 0);
}

int64_t WindowJob::PrefixSlotsOf(const LayerRows& layer) const {
  int64_t slots = 0;
  for (int32_t row = layer.first_row; row < layer.end_row(); ++row) {
    slots += PrefixSlots(static_cast<size_t>(row));
  }
  return slots;
}

JobRecipe WindowJob::Recipe() const {
  JobRecipe recipe;
  recipe.scorer = Scorer::kWindow;
  recipe.window_score = WindowScoreOf(spec_);
  return recipe;
}

JobRecipe WindowJob::KeepAll() const {
  JobRecipe recipe = Recipe();
  recipe.evicts_nothing = true;
  for (const RowState& row : rows_) {
    recipe.segments.push_back(KeepWhole(row, snapshot_));
    if (MayEvict(recipe.segments.back(), row)) recipe.evicts_nothing = false;
  }
  return recipe;
}

JobRecipe WindowJob::KeepBestOf(std::span<const int64_t> prefix_slots) const {
  JobRecipe recipe = Recipe();
  recipe.evicts_nothing = true;
  const TopKRetention retention{.last_tokens = *spec_.window_tokens};
  for (size_t row = 0; row < rows_.size(); ++row) {
    const FlatBudget budget(prefix_slots[row] + *spec_.window_tokens);
    recipe.segments.push_back(KeepBest(rows_[row], snapshot_, budget, retention));
    if (MayEvict(recipe.segments.back(), rows_[row])) recipe.evicts_nothing = false;
  }
  return recipe;
}

RecipeSegment WindowJob::Competition(int32_t first_row, int32_t end_row,
                                     int64_t prefix_slots) const {
  const TopKRetention retention{.last_tokens = *spec_.window_tokens};
  RecipeSegment segment =
      KeepBest(rows_[static_cast<size_t>(first_row)], snapshot_, FlatBudget(0), retention);
  segment.row_count = end_row - first_row;
  segment.k = std::max<int64_t>(prefix_slots + segment.row_count * window_below_, 0);
  return segment;
}

int64_t WindowJob::PrefixWinners(int32_t count) const {
  return std::max<int64_t>(count - window_below_, 0);
}

int64_t WindowJob::BelowSnapshot(int64_t tokens) const {
  return std::max<int64_t>(tokens - snapshot_.hot_tokens(), 0);
}

}  // namespace sluice
