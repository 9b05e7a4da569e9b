// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/policy/policy.h"
#include "tests/daemon/policy/plain_select.h"

namespace sluice {

// A sequence under a policy, as lists of positions: what the engine does with
// triggers, snapshots and recipes, without pages.
class PlainSequence {
 public:
  // `scores[row][position]`; an empty row has none.
  PlainSequence(PolicyPtr policy, std::vector<std::vector<float>> scores)
      : policy_(std::move(policy)), scores_(std::move(scores)), held_(scores_.size()) {}

  // Closes a step of `tokens`, and does what its trigger asks for.
  void Add(int64_t tokens, bool decode) {
    for (std::vector<int32_t>& row : held_) {
      for (int64_t i = 0; i < tokens; ++i) row.push_back(static_cast<int32_t>(length_ + i));
    }
    length_ += tokens;
    if (decode) decoded_ += tokens;
    SequenceFacts facts;
    facts.most_slots = policy_->MostSlots(Rows());
    facts.decoded_tokens = decoded_;
    facts.earlier_prefill_ends = prefill_ends_;
    if (!decode) ++prefill_ends_;
    if (policy_->Acts(decode ? Trigger::kEvery : Trigger::kPrefillEnd, facts)) Compress();
  }

  void Compress() {
    const std::vector<RowFacts> rows = Rows();
    const int64_t snapshot = policy_->SnapshotTokens(length_, 0, tail_first_token_);
    const JobRecipe recipe = policy_->Plan({length_, snapshot, 0, rows});
    decoded_ = 0;
    ++jobs_;
    if (recipe.evicts_nothing) return;
    for (const RecipeSegment& segment : recipe.segments) Run(recipe, segment, snapshot);
    tail_first_token_ = snapshot;
  }

  void set_policy(PolicyPtr policy) { policy_ = std::move(policy); }
  int64_t jobs() const { return jobs_; }
  const std::vector<std::vector<int32_t>>& held() const { return held_; }

 private:
  std::vector<RowFacts> Rows() const {
    std::vector<RowFacts> rows;
    for (const std::vector<int32_t>& row : held_) {
      rows.push_back({.slots = static_cast<int64_t>(row.size())});
    }
    return rows;
  }

  void Run(const JobRecipe& recipe, const RecipeSegment& segment, int64_t snapshot) {
    const auto index = static_cast<size_t>(segment.first_row);
    std::vector<int32_t>& row = held_[index];
    const auto hot = std::lower_bound(row.begin(), row.end(), snapshot);
    const bool scored = recipe.scorer == Scorer::kKeyNorm;
    std::vector<int32_t> kept =
        PlainSelect(segment, {row.begin(), hot}, scored ? scores_[index] : std::vector<float>());
    kept.insert(kept.end(), hot, row.end());
    row = std::move(kept);
  }

  PolicyPtr policy_;
  const std::vector<std::vector<float>> scores_;
  std::vector<std::vector<int32_t>> held_;  // [rows], ascending
  int64_t length_ = 0;
  int64_t tail_first_token_ = 0;
  int64_t decoded_ = 0;
  int64_t prefill_ends_ = 0;
  int64_t jobs_ = 0;
};

}  // namespace sluice
