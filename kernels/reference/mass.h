// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Accumulated attention mass and where it is kept. Not thread-safe.

#include <cstdint>
#include <vector>

#include "kernels/core/rows.h"
#include "kernels/ops.h"

namespace sluice::reference {

// sum_j decay^(q-1-j) * f(p[g, j, t]) for one row, built query row by query row.
class MassSums {
 public:
  MassSums(const MassRule& rule, int32_t group, int64_t slots);

  // Adds the softmax of head `g`'s next query row: [slots], zeros where not seen.
  void Add(int32_t g, const std::vector<double>& weights);

  // reduce_g of the sums of slot `slot`: their mean or sum.
  double Reduced(int64_t slot) const;

  // What pending sum `index` of a slot under a cascade gets, and how many there are.
  double Pending(int64_t slot, int32_t index) const;
  int32_t pending_sums() const;

  const MassRule& rule() const { return rule_; }

 private:
  MassRule rule_;
  std::vector<std::vector<double>> sums_;  // [group][slots]
};

// Where the accumulated score of slot `slot` of the row lies; null: the entry
// has no score memory there.
float* ScoreAt(const PoolView& pool, const ViewEntry& entry, const Row& row, int64_t slot);

// Puts the sums of `query_rows` query rows into an entry's scores, or under a
// cascade into its pending sums; slots at or beyond position `first_position` of
// the row start from 0.
void AddToScores(const PoolView& pool, const ViewEntry& entry, const Row& row, const MassSums& sums,
                 int64_t query_rows, int64_t first_position);

}  // namespace sluice::reference
