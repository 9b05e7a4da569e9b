// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// DynamicKV: core-methods.md, section 1, with the guards of 1(h) and compute.md, section 8.
// Its scores are those of window_scores.h with GroupReduce kMean (kv-head mode), or those of a
// model whose query heads are all kv heads (query-head mode).

#include <vector>

#include "tests/oracle/common.h"

namespace sluice::oracle {

enum class DynamicKvArithmetic { kReference, kExact };

struct DynamicKvRule {
  int window = 8;      // ws
  int capacity = 512;  // cap: mean slots of a head, with the window
  double r_max = 10;
  int update_every = 4;  // m
  DynamicKvArithmetic arithmetic = DynamicKvArithmetic::kExact;

  int base() const { return capacity - window; }
};

// One reallocation over layers [0, layers).
struct DynamicKvUpdate {
  int layers = 0;   // c
  Indices raw;      // [c] winners of each layer among the best base * heads * c
  Indices budgets;  // [c] B_j, before it is clamped to what the layer has
  Indices lengths;  // [c] r_j
};

struct DynamicKvOutcome {
  // Its decisions: first the counts of every update (`step` is c, `head` -1), then the kept slots
  // of every layer and head.
  Outcome outcome;
  std::vector<DynamicKvUpdate> updates;
  // [layers][heads] as the paper stores them: descending score, then the window.
  LayerSets stored;
};

// Steps 2 to 6 on counts alone: B_j of the `raw` counts of the layers seen, for a model of
// `layers` layers and `heads` heads. prefix: [layers seen] P_j. The reference falls back to the
// exact arithmetic where it would divide by zero.
Indices DynamicKvBudgets(const Indices& raw, int layers, int heads, const Indices& prefix,
                         const DynamicKvRule& rule);

// scores: [layers][heads][slots before the window], pooled; the heads of a layer alike in length.
// Where `capacity` is not exceeded all stay and there are no updates.
DynamicKvOutcome DynamicKv(const LayerScores& scores, const DynamicKvRule& rule);

// Python's a // b of two floats, as the reference divides.
double FloorDivide(double a, double b);

}  // namespace sluice::oracle
