// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/policy/policy.h"
#include "tests/daemon/policy/plain_select.h"
#include "tests/oracle/mass.h"

namespace sluice {

// A sequence on one layer under a policy that accumulates attention, as lists of
// positions and scores: what the engine does with triggers, scores, snapshots and
// recipes, without pages.
class MassSequence {
 public:
  MassSequence(PolicyPtr policy, int32_t kv_heads)
      : policy_(std::move(policy)),
        held_(static_cast<size_t>(kv_heads)),
        scores_(static_cast<size_t>(kv_heads)) {}

  // Adds the tokens of a step and what their rows pay, which Close acts upon.
  // paid: [kv heads][group][rows][slots held, then one new slot a row]
  void Attend(const std::vector<std::vector<oracle::Rows>>& paid) {
    const int rows = oracle::Size(paid[0][0]);
    const AccumulatedScore& score = *policy_->needs().accumulated_score;
    const oracle::MassRule rule{score.decay, score.squared,
                                score.reduce == HeadReduce::kSum ? oracle::GroupReduce::kSum
                                                                 : oracle::GroupReduce::kMean};
    for (size_t head = 0; head < held_.size(); ++head) {
      scores_[head] = oracle::UpdateMass(scores_[head], paid[head], rule);
      for (int row = 0; row < rows; ++row) {
        held_[head].push_back(static_cast<int32_t>(length_ + row));
      }
    }
    length_ += rows;
    step_tokens_ = rows;
  }

  // Does what the step's trigger asks for.
  void Close(bool decode) {
    if (decode) decoded_ += step_tokens_;
    SequenceFacts facts;
    facts.most_slots = policy_->MostSlots(Rows());
    facts.decoded_tokens = decoded_;
    if (policy_->Acts(decode ? Trigger::kEvery : Trigger::kPrefillEnd, facts)) Compress();
  }

  const std::vector<std::vector<int32_t>>& held() const { return held_; }  // [kv heads], ascending
  const oracle::Rows& scores() const { return scores_; }                   // as `held`
  int64_t jobs() const { return jobs_; }

 private:
  std::vector<RowFacts> Rows() const {
    std::vector<RowFacts> rows;
    for (const auto& row : held_) rows.push_back({.slots = static_cast<int64_t>(row.size())});
    return rows;
  }

  void Compress() {
    const std::vector<RowFacts> rows = Rows();
    const int64_t snapshot = policy_->SnapshotTokens(length_, 0, tail_first_token_);
    const JobRecipe recipe = policy_->Plan({length_, snapshot, 0, rows});
    decoded_ = 0;
    if (recipe.evicts_nothing) return;
    ++jobs_;
    for (const RecipeSegment& segment : recipe.segments) {
      const std::vector<int32_t> kept =
          PlainSelect(segment, /*at_least=*/0, {Contest(recipe, segment, snapshot)})[0];
      for (int32_t i = 0; i < segment.row_count; ++i) {
        Keep(static_cast<size_t>(segment.first_row + i), kept, snapshot);
      }
    }
    tail_first_token_ = snapshot;
  }

  // The segment's rows below the snapshot as one, scored by their mean.
  PlainRow Contest(const JobRecipe& recipe, const RecipeSegment& segment,
                   int64_t snapshot) const {
    PlainRow contest;
    const std::vector<int32_t>& row = held_[static_cast<size_t>(segment.first_row)];
    for (size_t slot = 0; slot < row.size() && row[slot] < snapshot; ++slot) {
      double sum = 0;
      for (int32_t i = 0; i < segment.row_count; ++i) {
        sum += scores_[static_cast<size_t>(segment.first_row + i)][slot];
      }
      const auto rows_seen = static_cast<double>(length_ - row[slot]);
      const double divisor = recipe.normalise == ScoreNormalise::kMean ? rows_seen : 1;
      contest.positions.push_back(row[slot]);
      contest.scores.push_back(static_cast<float>(sum / segment.row_count / divisor));
    }
    return contest;
  }

  void Keep(size_t head, const std::vector<int32_t>& kept, int64_t snapshot) {
    std::vector<int32_t> held;
    oracle::Row scores;
    for (size_t slot = 0; slot < held_[head].size(); ++slot) {
      const int32_t position = held_[head][slot];
      if (position < snapshot && !std::binary_search(kept.begin(), kept.end(), position)) continue;
      held.push_back(position);
      scores.push_back(scores_[head][slot]);
    }
    held_[head] = std::move(held);
    scores_[head] = std::move(scores);
  }

  const PolicyPtr policy_;
  std::vector<std::vector<int32_t>> held_;
  oracle::Rows scores_;
  int64_t length_ = 0;
  int64_t step_tokens_ = 0;
  int64_t tail_first_token_ = 0;
  int64_t decoded_ = 0;
  int64_t jobs_ = 0;
};

}  // namespace sluice
