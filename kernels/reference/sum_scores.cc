// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/sum_scores.h"

#include <cmath>

#include "kernels/core/rows.h"

namespace sluice::reference {

void RunSumScores(const PoolView& pool, const SumScoresArgs& args) {
  const RowSet& rows = args.rows;
  for (int32_t r = 0; r < rows.row_count; ++r) {
    const Row row = MakeRow(pool, *rows.entry, rows.first_row + r, rows.entry->base_length);
    double* sums = args.sums + 2 * r;
    sums[0] = sums[1] = 0.0;
    for (int64_t slot = 0; slot < row.slots; ++slot) {
      const int64_t place = rows.row_offsets[r] + slot;
      const double score = args.scores[place];
      if (!std::isfinite(score)) continue;
      sums[0] += score;
      if ((args.masks[place / 32] >> (place % 32) & 1u) != 0) sums[1] += score;
    }
  }
}

}  // namespace sluice::reference
