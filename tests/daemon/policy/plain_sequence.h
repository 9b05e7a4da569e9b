// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/policy/policy.h"
#include "tests/daemon/policy/plain_pool.h"
#include "tests/daemon/policy/plain_select.h"

namespace sluice {

// A sequence under a policy, as lists of positions: what the engine does with
// triggers, snapshots and recipes, without pages.
class PlainSequence {
 public:
  // `scores[row][position]`, of the window before pooling; an empty row has none.
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
    const int64_t snapshot = policy_->SnapshotTokens(length_, draft_tokens_, tail_first_token_);
    const JobFacts facts{length_, snapshot, shared_tokens_, rows};
    JobRecipe recipe = policy_->Plan(facts);
    decoded_ = 0;
    ++jobs_;
    if (recipe.evicts_nothing) return;
    if (!recipe.count_segments.empty()) {
      recipe = policy_->Budget(facts, Counts(recipe, snapshot));
      if (recipe.evicts_nothing) return;
    }
    for (const RecipeSegment& segment : recipe.segments) Run(recipe, segment, snapshot);
    tail_first_token_ = snapshot;
  }

  // Takes the newest tokens back; they must lie beyond the last job's snapshot.
  void RollBack(int64_t tokens) {
    for (std::vector<int32_t>& row : held_) row.resize(row.size() - static_cast<size_t>(tokens));
    length_ -= tokens;
  }

  void set_policy(PolicyPtr policy) { policy_ = std::move(policy); }
  void set_draft_tokens(int64_t tokens) { draft_tokens_ = tokens; }
  void set_shared_tokens(int64_t tokens) { shared_tokens_ = tokens; }
  int64_t draft_tokens() const { return draft_tokens_; }
  int64_t jobs() const { return jobs_; }
  const std::vector<std::vector<int32_t>>& held() const { return held_; }

 private:
  std::vector<RowFacts> Rows() const {
    std::vector<RowFacts> rows;
    for (const std::vector<int32_t>& row : held_) {
      const auto shared = std::lower_bound(row.begin(), row.end(), shared_tokens_);
      rows.push_back({static_cast<int64_t>(row.size()), shared - row.begin()});
    }
    return rows;
  }

  // The rows of a segment below the snapshot, scored.
  std::vector<PlainRow> RowsOf(const JobRecipe& recipe, const RecipeSegment& segment,
                               int64_t snapshot) const {
    std::vector<PlainRow> rows;
    for (int32_t i = 0; i < segment.row_count; ++i) {
      const auto index = static_cast<size_t>(segment.first_row + i);
      const std::vector<int32_t>& row = held_[index];
      PlainRow plain;
      plain.positions = {row.begin(), std::lower_bound(row.begin(), row.end(), snapshot)};
      if (recipe.scorer != Scorer::kNone) {
        for (const int32_t p : plain.positions) {
          plain.scores.push_back(scores_[index][static_cast<size_t>(p)]);
        }
      }
      if (recipe.scorer == Scorer::kWindow) {
        plain.scores = PlainPool(plain.scores, recipe.window_score);
      }
      rows.push_back(std::move(plain));
    }
    return rows;
  }

  std::vector<int32_t> Counts(const JobRecipe& recipe, int64_t snapshot) const {
    std::vector<int32_t> counts;
    for (const RecipeSegment& segment : recipe.count_segments) {
      std::vector<int32_t> of_rows(held_.size());
      const auto kept =
          PlainSelect(segment, recipe.at_least, RowsOf(recipe, segment, snapshot));
      for (size_t i = 0; i < kept.size(); ++i) {
        of_rows[static_cast<size_t>(segment.first_row) + i] = static_cast<int32_t>(kept[i].size());
      }
      counts.insert(counts.end(), of_rows.begin(), of_rows.end());
    }
    return counts;
  }

  void Run(const JobRecipe& recipe, const RecipeSegment& segment, int64_t snapshot) {
    const auto kept = PlainSelect(segment, recipe.at_least, RowsOf(recipe, segment, snapshot));
    for (size_t i = 0; i < kept.size(); ++i) {
      std::vector<int32_t>& row = held_[static_cast<size_t>(segment.first_row) + i];
      std::vector<int32_t> stays = kept[i];
      stays.insert(stays.end(), std::lower_bound(row.begin(), row.end(), snapshot), row.end());
      row = std::move(stays);
    }
  }

  PolicyPtr policy_;
  const std::vector<std::vector<float>> scores_;
  std::vector<std::vector<int32_t>> held_;  // [rows], ascending
  int64_t length_ = 0;
  int64_t draft_tokens_ = 0;
  int64_t shared_tokens_ = 0;
  int64_t tail_first_token_ = 0;
  int64_t decoded_ = 0;
  int64_t prefill_ends_ = 0;
  int64_t jobs_ = 0;
};

}  // namespace sluice
