// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/engine/command.h"
#include "daemon/policy/recipe.h"
#include "kernels/ops.h"

namespace sluice {

class Model;

// What a job took from the rows of its sequence, over all its passes: how many slots, and
// what share of the scores of all slots below its snapshot they had, where scores are
// attention. Not thread-safe.
class JobLosses {
 public:
  // Starts a pass of a job over `row_count` rows. What it takes counts once Take is called.
  void StartPass(const JobRecipe& recipe, size_t row_count);

  // Whether scores of the pass are attention, so that their sums tell something.
  bool measures() const { return !sums_.empty(); }

  // The operation that adds up the scores of rows, `masks` of which stay, for Take.
  // REQUIRES: measures().
  SumScoresArgs SumsOf(const RowSet& rows, const float* scores, const uint32_t* masks);

  // The pass was committed: row r held slots[r] below its snapshot, and kept[r] of them.
  void Take(const std::vector<int64_t>& slots, const std::vector<int32_t>& kept);

  // Writes what was taken, in all and by layer, into the report.
  void Report(const Model& model, JobReport& report) const;

 private:
  struct RowLoss {
    int64_t evicted_slots = 0;
    double evicted_mass = 0;
    double mass = 0;  // of what it held, before it lost any
  };

  std::vector<double> sums_;   // [rows, 2] of the pass under way; empty: not measured
  std::vector<RowLoss> rows_;  // [rows] of the passes taken
};

}  // namespace sluice
