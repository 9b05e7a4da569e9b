// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/row_budget_policy.h"

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"

namespace sluice {

RowBudgetPolicy::RowBudgetPolicy(PolicySpec spec, Roles roles, const ModelFacts& model)
    : Policy(std::move(spec), PolicyNeeds{}, roles.retention.last_tokens),
      roles_(std::move(roles)) {
  for (const LayerFacts& layer : model.layers) {
    const auto end = static_cast<size_t>(layer.first_row + layer.kv_heads);
    if (layer.kv_heads > 0 && rows_.size() < end) rows_.resize(end);
    for (int32_t head = 0; head < layer.kv_heads; ++head) {
      rows_[static_cast<size_t>(layer.first_row + head)].window_tokens = layer.window_tokens;
    }
  }
  if (!this->spec().skip_layers) return;
  for (const int32_t index : *this->spec().skip_layers) {
    const LayerFacts& layer = model.layers[static_cast<size_t>(index)];
    for (int32_t head = 0; head < layer.kv_heads; ++head) {
      rows_[static_cast<size_t>(layer.first_row + head)].skipped = true;
    }
  }
}

int64_t RowBudgetPolicy::MostSlots(std::span<const RowFacts> rows) const {
  SLUICE_CHECK(rows.size() == rows_.size()) << rows.size() << " rows, not " << rows_.size();
  int64_t most = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (!rows_[row].skipped) most = std::max(most, rows[row].slots);
  }
  return most;
}

bool RowBudgetPolicy::Acts(Trigger trigger, const SequenceFacts& facts) const {
  switch (trigger) {
    case Trigger::kPrefillEnd:
      return triggers().prefill_end && !(triggers().once && facts.earlier_prefill_ends > 0) &&
             facts.most_slots >= roles_.budget->ActsFromSlots(0);
    case Trigger::kEvery:
      return triggers().every_tokens && facts.decoded_tokens >= *triggers().every_tokens &&
             facts.most_slots >=
                 roles_.budget->ActsFromSlots(triggers().hysteresis_tokens.value_or(0));
    case Trigger::kPressure:
      return triggers().pressure;
    case Trigger::kRequest:
      return true;
  }
  return false;
}

RowState RowBudgetPolicy::StateOf(size_t row, const JobFacts& facts) const {
  const int64_t hot_tokens = facts.length_tokens - facts.snapshot_tokens;
  RowState state;
  state.row = static_cast<int32_t>(row);
  state.slots = facts.rows[row].slots - hot_tokens;
  state.window_tokens = rows_[row].window_tokens;
  SLUICE_CHECK(state.slots >= 0) << "row " << row << " holds " << facts.rows[row].slots
                                 << " slots, but its hot tail has " << hot_tokens;
  if (spec().shared_prefix == SharedPrefix::kKeep) {
    state.shared_slots = facts.rows[row].shared_slots;
    state.shared_tokens = facts.shared_tokens;
  }
  return state;
}

JobRecipe RowBudgetPolicy::Plan(const JobFacts& facts) const {
  SLUICE_CHECK(facts.rows.size() == rows_.size())
      << facts.rows.size() << " rows, not " << rows_.size();
  const Snapshot snapshot{.tokens = facts.snapshot_tokens, .length_tokens = facts.length_tokens};
  JobRecipe recipe;
  recipe.scorer = roles_.scorer;
  recipe.evicts_nothing = true;
  recipe.segments.reserve(rows_.size());
  for (size_t row = 0; row < rows_.size(); ++row) {
    const RowState state = StateOf(row, facts);
    recipe.segments.push_back(
        rows_[row].skipped ? KeepWhole(state, snapshot)
                           : KeepBest(state, snapshot, *roles_.budget, roles_.retention));
    if (MayEvict(recipe.segments.back(), state)) recipe.evicts_nothing = false;
  }
  return recipe;
}

}  // namespace sluice
