// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/sum_scores_work.h"

#include "kernels/core/number.h"

namespace sluice::cpu {
namespace {

// Partial sums, by the slot's number: one alone would wait for itself.
constexpr int64_t kParts = 4;

struct Parts {
  double all[kParts] = {};
  double kept[kParts] = {};
};

double Sum(const double (&parts)[kParts]) {
  return (parts[0] + parts[1]) + (parts[2] + parts[3]);
}

}  // namespace

void SumScoresWork::Run(int64_t item, WorkerScratch&) {
  const RowSet& rows = args_.rows;
  const Row row = MakeRow(pool_, *rows.entry, rows.first_row + static_cast<int32_t>(item),
                          rows.entry->base_length);
  const float* scores = args_.scores + rows.row_offsets[item];
  const uint32_t* mask = args_.masks + rows.row_offsets[item] / 32;
  Parts parts;
  for (int64_t slot = 0; slot < row.slots; ++slot) {
    const double score = IsFinite(scores[slot]) ? double{scores[slot]} : 0.0;
    const bool kept = (mask[slot / 32] >> (slot % 32) & 1u) != 0;
    parts.all[slot % kParts] += score;
    parts.kept[slot % kParts] += kept ? score : 0.0;
  }
  args_.sums[2 * item] = Sum(parts.all);
  args_.sums[2 * item + 1] = Sum(parts.kept);
}

}  // namespace sluice::cpu
