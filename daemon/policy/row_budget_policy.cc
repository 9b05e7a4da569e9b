// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/row_budget_policy.h"

#include <algorithm>
#include <utility>

#include "daemon/policy/accumulated_parameters.h"

namespace sluice {
namespace {

PolicyNeeds NeedsOfRoles(const RowBudgetPolicy::Roles& roles) {
  if (roles.scorer == Scorer::kAccumulated) return NeedsOf(roles.accumulated_score);
  PolicyNeeds needs;
  if (roles.scorer == Scorer::kWindow) {
    needs.observation_window_tokens = roles.window_score.window_tokens;
  }
  return needs;
}

}  // namespace

RowBudgetPolicy::RowBudgetPolicy(PolicySpec spec, Roles roles, const ModelFacts& model)
    : Policy(std::move(spec), NeedsOfRoles(roles), roles.retention.last_tokens),
      roles_(std::move(roles)),
      rows_(model),
      skipped_(RowsOfLayers(
          model, this->spec().skip_layers.value_or(std::vector<int32_t>{}))) {}

int64_t RowBudgetPolicy::MostSlots(std::span<const RowFacts> rows) const {
  rows_.Check(rows);
  int64_t most = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (!skipped_[row]) most = std::max(most, rows[row].slots);
  }
  return most;
}

bool RowBudgetPolicy::Acts(Trigger trigger, const SequenceFacts& facts) const {
  return ActsOver(*roles_.budget, trigger, facts);
}

JobRecipe RowBudgetPolicy::Plan(const JobFacts& facts) const {
  const Snapshot snapshot{.tokens = facts.snapshot_tokens, .length_tokens = facts.length_tokens};
  JobRecipe recipe;
  recipe.scorer = roles_.scorer;
  recipe.window_score = roles_.window_score;
  recipe.normalise = roles_.normalise;
  recipe.evicts_nothing = true;
  recipe.segments.reserve(rows_.row_count());
  const SharedPrefix shared_prefix = spec().shared_prefix.value_or(SharedPrefix::kCompress);
  for (const RowState& state : rows_.StatesOf(facts, shared_prefix)) {
    recipe.segments.push_back(
        skipped_[static_cast<size_t>(state.row)]
            ? KeepWhole(state, snapshot)
            : KeepBest(state, snapshot, *roles_.budget, roles_.retention));
    if (MayEvict(recipe.segments.back(), state)) recipe.evicts_nothing = false;
  }
  return recipe;
}

}  // namespace sluice
