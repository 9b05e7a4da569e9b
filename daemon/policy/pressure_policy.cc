// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/pressure_policy.h"

#include <algorithm>
#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/policy/registry.h"
#include "daemon/policy/row_table.h"

namespace sluice {
namespace {

// Whether every row of the recipe competes for its own places, by scores.
bool IsByRow(const JobRecipe& recipe) {
  return recipe.scorer != Scorer::kNone && !recipe.segments.empty() &&
         recipe.combine == SegmentCombine::kNone && recipe.at_least == 0 &&
         std::all_of(recipe.segments.begin(), recipe.segments.end(),
                     [](const RecipeSegment& segment) { return segment.row_count == 1; });
}

// Whether `next` is the row after `segment` and treats positions alike.
bool Follows(const RecipeSegment& segment, const RecipeSegment& next) {
  return next.first_row == segment.first_row + segment.row_count &&
         next.protect_below_position == segment.protect_below_position &&
         next.protect_from_position == segment.protect_from_position &&
         next.drop_below_position == segment.drop_below_position;
}

}  // namespace

PressurePolicy::PressurePolicy(PolicyPtr shrunk, const ModelFacts& model)
    : Policy(shrunk->spec(), shrunk->needs(), shrunk->recent_tokens()),
      shrunk_(std::move(shrunk)),
      skipped_(RowsOfLayers(model, spec().skip_layers.value_or(std::vector<int32_t>{}))) {}

// The segments over more than one row.
std::vector<RecipeSegment> PressurePolicy::Competitions(const JobRecipe& recipe) const {
  std::vector<RecipeSegment> runs;
  bool may_grow = false;  // the last one
  for (const RecipeSegment& segment : recipe.segments) {
    const bool competes = !skipped_[static_cast<size_t>(segment.first_row)];
    if (competes && may_grow && Follows(runs.back(), segment)) {
      runs.back().row_count += 1;
      runs.back().k += segment.k;
    } else if (competes) {
      runs.push_back(segment);
    }
    may_grow = competes;
  }
  std::erase_if(runs, [](const RecipeSegment& run) { return run.row_count == 1; });
  return runs;
}

JobRecipe PressurePolicy::Plan(const JobFacts& facts) const {
  JobRecipe recipe = shrunk_->Plan(facts);
  if (recipe.evicts_nothing || !IsByRow(recipe)) return recipe;
  const int64_t hot_tokens = facts.length_tokens - facts.snapshot_tokens;
  int64_t most_places = 0;
  for (RecipeSegment& segment : recipe.segments) {
    const auto row = static_cast<size_t>(segment.first_row);
    segment.k = std::min(segment.k, facts.rows[row].slots - hot_tokens);
    if (!skipped_[row]) most_places = std::max(most_places, segment.k);
  }
  std::vector<RecipeSegment> runs = Competitions(recipe);
  if (runs.empty()) return recipe;
  recipe.segments.clear();
  recipe.count_segments = std::move(runs);
  recipe.at_least = static_cast<int64_t>(kLeastShare * static_cast<double>(most_places));
  return recipe;
}

JobRecipe PressurePolicy::Budget(const JobFacts& facts, std::span<const int32_t> counts) const {
  JobRecipe recipe = shrunk_->Plan(facts);
  if (!IsByRow(recipe)) return shrunk_->Budget(facts, counts);
  const std::vector<RecipeSegment> runs = Plan(facts).count_segments;
  for (size_t i = 0; i < runs.size(); ++i) {
    for (int32_t row = runs[i].first_row; row < runs[i].first_row + runs[i].row_count; ++row) {
      recipe.segments[static_cast<size_t>(row)].k =
          counts[i * facts.rows.size() + static_cast<size_t>(row)];
    }
  }
  return recipe;
}

absl::StatusOr<PolicyPtr> UnderPressure(const Policy& policy, int64_t budget_tokens,
                                        const ModelFacts& model, bool rows_compete) {
  SLUICE_ASSIGN_OR_RETURN(PolicyPtr shrunk, WithBudget(policy, budget_tokens, model));
  if (!rows_compete) return shrunk;
  return std::make_shared<const PressurePolicy>(std::move(shrunk), model);
}

}  // namespace sluice
