// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/mass.h"

#include <cmath>

#include "kernels/core/mass.h"
#include "kernels/reference/slot.h"

namespace sluice::reference {

MassSums::MassSums(const MassRule& rule, int32_t group, int64_t slots)
    : rule_(rule),
      sums_(static_cast<size_t>(group), std::vector<double>(static_cast<size_t>(slots))) {}

void MassSums::Add(int32_t g, const std::vector<double>& weights) {
  for (size_t t = 0; t < weights.size(); ++t) {
    const double weight = rule_.squared ? weights[t] * weights[t] : weights[t];
    sums_[g][t] = double{rule_.decay} * sums_[g][t] + weight;
  }
}

double MassSums::Reduced(int64_t slot) const {
  double sum = 0.0;
  for (const std::vector<double>& head : sums_) sum += head[slot];
  return rule_.reduce == GroupReduce::kMean ? sum / static_cast<double>(sums_.size()) : sum;
}

int32_t MassSums::pending_sums() const {
  return PendingSums(rule_.reduce, static_cast<int32_t>(sums_.size()));
}

double MassSums::Pending(int64_t slot, int32_t index) const {
  return pending_sums() == 1 ? Reduced(slot) : sums_[index][slot];
}

namespace {

// score <- decay * score + sum, or the sum alone.
void Add(double decay, bool fresh, double sum, float* score) {
  const double before = fresh || decay == 0.0 ? 0.0 : decay * double{*score};
  *score = static_cast<float>(before + sum);
}

void AddToPendingSums(const PoolView& pool, const ViewEntry& entry, const Row& row,
                      const MassSums& sums, double decay, int64_t first_position) {
  int64_t row_slot = 0;
  for (int32_t s = 0; s < row.span_count; ++s) {
    const Span& span = row.spans[s];
    const int32_t page_size = span.format->page.page_size;
    for (int64_t slot = 0; slot < span.slots; ++slot, ++row_slot) {
      const int64_t index = span.first_slot + slot;
      float* scores =
          CascadeScores(pool, entry, span, index / page_size, sums.pending_sums());
      if (!span.scored || scores == nullptr) continue;
      for (int32_t i = 0; i < sums.pending_sums(); ++i) {
        Add(decay, span.first_position + slot >= first_position, sums.Pending(row_slot, i),
            scores + (1 + i) * page_size + index % page_size);
      }
    }
  }
}

}  // namespace

float* ScoreAt(const PoolView& pool, const ViewEntry& entry, const Row& row, int64_t slot) {
  int32_t s = 0;
  while (slot >= row.spans[s].slots) slot -= row.spans[s++].slots;
  const Span& span = row.spans[s];
  const int32_t page_size = span.format->page.page_size;
  if (!span.contiguous) {
    if (entry.body_scores_offset == kNoOffset) return nullptr;
    const auto* bodies = reinterpret_cast<const BodiesRecord*>(pool.tables + entry.bodies_offset);
    const auto* rows = reinterpret_cast<const BodyRow*>(bodies + 1);
    return reinterpret_cast<float*>(pool.pool + entry.body_scores_offset) +
           int64_t{rows[span.row].first_page} * page_size + slot;
  }
  if (entry.score_list_offset == kNoOffset) return nullptr;
  const auto* list = reinterpret_cast<const uint64_t*>(pool.tables + entry.score_list_offset);
  const int64_t index = span.first_slot + slot;
  return reinterpret_cast<float*>(pool.pool + list[index / page_size]) +
         int64_t{span.row} * page_size + index % page_size;
}

void AddToScores(const PoolView& pool, const ViewEntry& entry, const Row& row, const MassSums& sums,
                 int64_t query_rows, int64_t first_position) {
  const double decay = std::pow(double{sums.rule().decay}, static_cast<double>(query_rows));
  if (CascadeOf(pool, entry) != nullptr) {
    return AddToPendingSums(pool, entry, row, sums, decay, first_position);
  }
  for (int64_t slot = 0; slot < row.slots; ++slot) {
    float* score = ScoreAt(pool, entry, row, slot);
    if (score == nullptr) continue;
    Add(decay, PositionInRow(pool, row, slot) >= first_position, sums.Reduced(slot), score);
  }
}

}  // namespace sluice::reference
