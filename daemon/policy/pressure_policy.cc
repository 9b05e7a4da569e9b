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

JobRecipe PressurePolicy::Plan(const JobFacts& facts) const {
  JobRecipe recipe = shrunk_->Plan(facts);
  if (!IsByRow(recipe)) return recipe;
  std::vector<RecipeSegment> merged;
  bool may_grow = false;  // the last one
  int64_t most_places = 0;
  const int64_t hot_tokens = facts.length_tokens - facts.snapshot_tokens;
  for (RecipeSegment& segment : recipe.segments) {
    const auto row = static_cast<size_t>(segment.first_row);
    segment.k = std::min(segment.k, facts.rows[row].slots - hot_tokens);
    const bool competes = !skipped_[row];
    if (competes) most_places = std::max(most_places, segment.k);
    if (competes && may_grow && Follows(merged.back(), segment)) {
      merged.back().row_count += 1;
      merged.back().k += segment.k;
    } else {
      merged.push_back(segment);
    }
    may_grow = competes;
  }
  recipe.segments = std::move(merged);
  recipe.at_least = static_cast<int64_t>(kLeastShare * static_cast<double>(most_places));
  return recipe;
}

absl::StatusOr<PolicyPtr> UnderPressure(const Policy& policy, int64_t budget_tokens,
                                        const ModelFacts& model, bool rows_compete) {
  SLUICE_ASSIGN_OR_RETURN(PolicyPtr shrunk, WithBudget(policy, budget_tokens, model));
  if (!rows_compete) return shrunk;
  return std::make_shared<const PressurePolicy>(std::move(shrunk), model);
}

}  // namespace sluice
