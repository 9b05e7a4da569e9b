// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What the plain implementations of the methods share: their types, and the log of
// how close each decision was.
//
// They are written from the methods' specifications alone, in double precision and
// without any thought of speed, to be compared with. Nothing here depends on the
// product. Everything is a value or a pure function of its arguments.

#include <vector>

namespace sluice::oracle {

using Row = std::vector<double>;          // [slots] or [dim]
using Rows = std::vector<Row>;            // [heads or query rows][slots or dim]
using Indices = std::vector<int>;         // slots or positions, ascending
using HeadSets = std::vector<Indices>;    // [heads][kept]
using LayerSets = std::vector<HeadSets>;  // [layers][heads][kept]
using LayerScores = std::vector<Rows>;    // [layers][heads][slots]

// One choice among candidates by their scores.
struct Decision {
  int step = 0;  // slots or stream tokens seen when it was made, as the method says
  int layer = 0;
  int head = 0;  // -1: over several heads
  // Smallest relative difference between a chosen and a not chosen candidate that are
  // not exactly equal; infinity where there was nothing to choose or a side is infinite.
  // Equal scores are decided by the rule for ties, which is exact.
  double margin = 0;
  bool tied = false;  // the cut went between exactly equal scores
};

using DecisionLog = std::vector<Decision>;

// What a method that acts once leaves. Slots count within what was scored: of a prompt that is
// held whole they are positions.
struct Outcome {
  LayerSets kept;                // slots, with the window
  std::vector<Indices> budgets;  // [layers][heads] slots kept before the window
  DecisionLog decisions;
};

// What an online method holds after a step.
struct HeldStep {
  int tokens = 0;  // of the sequence so far
  HeadSets held;   // [kv_heads][held], true positions
};

struct TokenRun {
  std::vector<HeldStep> steps;  // the prompt, then every decoded token
  DecisionLog decisions;        // `step` is the number of tokens so far
};

// When an online method acts after the prompt: once so many tokens were decoded since it last did,
// and it is over its budget, by at least `hysteresis` slots (design.md, section 7).
struct Trigger {
  int every = 1;
  int hysteresis = 0;

  bool IsDue(int decoded, int held, int budget) const;
};

// |a - b| over the larger magnitude; magnitudes below what fp32 holds well count as 1e-30,
// so that scores which fp32 would flush to zero are close. Infinity if one is infinite.
double RelativeDifference(double a, double b);

// Fills in `margin` and `tied` from the scores of both sides. NaN counts as -infinity.
Decision Judge(Decision decision, const Row& chosen, const Row& not_chosen);

// The smallest margin of the log; infinity if it is empty.
double SmallestMargin(const DecisionLog& log);

// The step of the first decision whose margin is under `limit`, from where on a comparison says
// nothing (compute.md, section 3, the margin rule); the largest int if there is none.
int FirstCloseStep(const DecisionLog& log, double limit = 1e-4);

// The decisions of one head.
DecisionLog OfHead(const DecisionLog& log, int head);

// The number of a container's elements, as the type that counts here.
template <class Container>
int Size(const Container& container) {
  return static_cast<int>(container.size());
}

// 0, 1, .. count - 1
Indices Range(int count);

// Elements of `row` at `indices`.
template <class T>
std::vector<T> Gather(const std::vector<T>& row, const Indices& indices) {
  std::vector<T> gathered;
  for (int index : indices) gathered.push_back(row[index]);
  return gathered;
}

}  // namespace sluice::oracle
