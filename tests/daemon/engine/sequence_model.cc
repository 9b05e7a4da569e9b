// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/daemon/engine/sequence_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/daemon/policy/plain_select.h"

namespace sluice {

SequenceModel::SequenceModel(TestSequence sequence, PolicyPtr policy,
                             const ModelGeometry& geometry)
    : sequence_(std::move(sequence)), policy_(std::move(policy)), geometry_(geometry) {
  for (const LayerGeometry& layer : geometry.layers) {
    held_.resize(held_.size() + static_cast<size_t>(layer.kv_heads));
  }
}

ModelFacts SequenceModel::FactsOf(const ModelGeometry& geometry) {
  ModelFacts facts;
  facts.page_size = geometry.page_size_tokens;
  int32_t row = 0;
  for (const LayerGeometry& layer : geometry.layers) {
    facts.layers.push_back({row, layer.kv_heads, layer.window_tokens});
    row += layer.kv_heads;
  }
  return facts;
}

std::vector<RowFacts> SequenceModel::Rows() const {
  std::vector<RowFacts> rows;
  for (const auto& row : held_) rows.push_back({static_cast<int64_t>(row.size()), 0});
  return rows;
}

std::vector<float> SequenceModel::ScoresOf(size_t row) const {
  const auto heads = static_cast<size_t>(geometry_.layers[0].kv_heads);
  std::vector<float> scores;
  for (const int64_t tag : sequence_.tags) {
    double sum = 0;
    for (const float value :
         TokenVector(tag, static_cast<int32_t>(row / heads), VectorKind::kKey,
                     static_cast<int32_t>(row % heads), geometry_.k_dim)) {
      sum += double{value} * double{value};
    }
    scores.push_back(-static_cast<float>(std::sqrt(sum)));
  }
  return scores;
}

void SequenceModel::LookAt(Trigger trigger) {
  SequenceFacts facts;
  facts.most_slots = policy_->MostSlots(Rows());
  facts.decoded_tokens = decoded_;
  facts.earlier_prefill_ends = prefill_ends_;
  const bool acts = policy_->Acts(trigger, facts);
  if (trigger == Trigger::kPrefillEnd) ++prefill_ends_;
  if (!acts) return;
  decoded_ = 0;
  Compress(*policy_);
}

void SequenceModel::Begin(const StepPart& part) {
  if (part.rollback_to) {
    const int64_t dropped = sequence_.length() - *part.rollback_to;
    decoded_ -= std::min(decoded_, dropped);
    sequence_.tags.resize(static_cast<size_t>(*part.rollback_to));
    for (auto& row : held_) std::erase_if(row, [&](int64_t p) { return p >= *part.rollback_to; });
  }
  if (part.phase == Phase::kPrefill) return;
  if (std::exchange(in_prefill_, false)) LookAt(Trigger::kPrefillEnd);
}

void SequenceModel::Close(const StepPart& part, const std::vector<int64_t>& tags) {
  for (auto& row : held_) {
    for (size_t i = 0; i < tags.size(); ++i) {
      row.push_back(sequence_.length() + static_cast<int64_t>(i));
    }
  }
  sequence_.tags.insert(sequence_.tags.end(), tags.begin(), tags.end());
  if (part.phase == Phase::kPrefill) {
    in_prefill_ = !part.prefill_end;
    if (part.prefill_end) LookAt(Trigger::kPrefillEnd);
  } else {
    decoded_ += part.tokens;
    LookAt(Trigger::kEvery);
  }
}

void SequenceModel::Compress(const Policy& policy) {
  const std::vector<RowFacts> rows = Rows();
  const int64_t snapshot = policy.SnapshotTokens(sequence_.length(), 0, floor_);
  const JobRecipe recipe = policy.Plan({sequence_.length(), snapshot, 0, rows});
  if (recipe.evicts_nothing) return;
  HeldPositions after = held_;
  for (const RecipeSegment& segment : recipe.segments) {
    const auto index = static_cast<size_t>(segment.first_row);
    const std::vector<int64_t>& row = held_[index];
    const auto hot = std::lower_bound(row.begin(), row.end(), snapshot);
    const bool scored = recipe.scorer == Scorer::kKeyNorm;
    const std::vector<int32_t> kept =
        PlainSelect(segment, std::vector<int32_t>(row.begin(), hot),
                    scored ? ScoresOf(index) : std::vector<float>());
    after[index].assign(kept.begin(), kept.end());
    after[index].insert(after[index].end(), hot, row.end());
  }
  if (after == held_) return;  // a job that evicts nothing commits nothing
  held_ = std::move(after);
  floor_ = snapshot;
}

}  // namespace sluice
