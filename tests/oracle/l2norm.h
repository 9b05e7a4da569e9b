// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// L2-norm eviction: core-methods.md, section 2. The lowest norms stay; a norm that is not finite
// goes first; ties: the lower slot stays.

#include <vector>

#include "tests/oracle/common.h"

namespace sluice::oracle {

Row KeyNorms(const Rows& keys);

struct L2NormChoice {
  Indices kept;    // ascending
  Indices stored;  // the same in ascending norm, as the author's code stores them
  Decision decision;
};

// A fixed count (2(c), KCF's variant); `keep` or fewer slots all stay. The first and the last
// slots named are kept whatever their norm, and count.
L2NormChoice KeepLowestNorms(const Row& norms, int keep, int protect_first = 0,
                             int protect_last = 0);

// The author's l2_compress, steps 1 to 4.
struct L2CompressRule {
  double keep_ratio = 1.0;
  int prune_after = 2048;
  Indices skip_layers = {};
};
int AuthorCount(int slots, double keep_ratio);  // ceil(keep_ratio * slots), in double
L2NormChoice L2Compress(const Row& norms, int layer, const L2CompressRule& rule);

// KnormPress: max(1, int(slots * (1.0 - ratio))), `ratio` being what goes.
int KnormPressCount(int slots, double ratio);
L2NormChoice KnormPress(const Row& norms, double ratio);

// One head over a stream. Norms [tokens]; what is held after each token, oldest first.
struct L2Stream {
  std::vector<Indices> held;
  DecisionLog decisions;  // `step` is the number of tokens so far
};
// l2_compress after every token (the saw-tooth).
L2Stream StreamL2Compress(const Row& norms, int layer, const L2CompressRule& rule);
// "Drop the highest while over budget" after every token.
L2Stream StreamFixedBudget(const Row& norms, int budget);
// To `target` every `interval` tokens (KVP's DecodingPress with Knorm).
L2Stream StreamEvery(const Row& norms, int interval, int target);

}  // namespace sluice::oracle
