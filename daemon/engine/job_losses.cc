// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/job_losses.h"

#include <algorithm>
#include <optional>

#include "daemon/engine/model.h"

namespace sluice {
namespace {

// Nothing where there is no mass of which it could be a share.
std::optional<double> ShareOf(double evicted, double all) {
  if (!(all > 0)) return std::nullopt;
  return std::clamp(evicted / all, 0.0, 1.0);
}

}  // namespace

void JobLosses::StartPass(const JobRecipe& recipe, size_t row_count) {
  const bool by_attention =
      recipe.scorer == Scorer::kWindow || recipe.scorer == Scorer::kAccumulated;
  sums_.assign(by_attention ? 2 * row_count : 0, 0.0);
  rows_.resize(row_count);
}

SumScoresArgs JobLosses::SumsOf(const RowSet& rows, const float* scores, const uint32_t* masks) {
  SumScoresArgs args;
  args.rows = rows;
  args.scores = scores;
  args.masks = masks;
  args.sums = sums_.data() + 2 * rows.first_row;
  return args;
}

// A row that an earlier pass took from still had what that left, and what came to it.
void JobLosses::Take(const std::vector<int64_t>& slots, const std::vector<int32_t>& kept) {
  for (size_t row = 0; row < rows_.size(); ++row) {
    RowLoss& loss = rows_[row];
    loss.evicted_slots += slots[row] - kept[row];
    if (sums_.empty() || sums_[2 * row] <= 0) continue;
    loss.mass = loss.evicted_mass + sums_[2 * row];
    loss.evicted_mass += sums_[2 * row] - sums_[2 * row + 1];
  }
}

void JobLosses::Report(const Model& model, JobReport& report) const {
  if (rows_.empty()) return;
  RowLoss all;
  for (int32_t index = 0; index < model.layer_count(); ++index) {
    if (!model.owns_cache(index)) continue;
    const LayerShape& shape = model.shape(index);
    RowLoss layer;
    for (int32_t row = shape.first_row; row < shape.first_row + shape.kv_heads; ++row) {
      const RowLoss& loss = rows_[static_cast<size_t>(row)];
      layer.evicted_slots += loss.evicted_slots;
      layer.evicted_mass += loss.evicted_mass;
      layer.mass += loss.mass;
    }
    report.layers.push_back(
        {index, layer.evicted_slots, ShareOf(layer.evicted_mass, layer.mass)});
    all.evicted_mass += layer.evicted_mass;
    all.mass += layer.mass;
  }
  report.evicted_mass_share = ShareOf(all.evicted_mass, all.mass);
}

}  // namespace sluice
