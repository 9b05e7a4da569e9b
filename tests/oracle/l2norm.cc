// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/l2norm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/oracle/select.h"

namespace sluice::oracle {
namespace {

L2NormChoice KeepAll(const Row& norms) { return KeepLowestNorms(norms, Size(norms)); }

// `compress` takes the norms held and says which of them stay.
template <class Compress>
L2Stream Stream(const Row& norms, const Compress& compress) {
  L2Stream stream;
  Indices held;
  for (int token = 0; token < Size(norms); ++token) {
    held.push_back(token);
    L2NormChoice choice = compress(Gather(norms, held), token + 1);
    held = Gather(held, choice.kept);
    choice.decision.step = token + 1;
    stream.held.push_back(held);
    stream.decisions.push_back(choice.decision);
  }
  return stream;
}

}  // namespace

Row KeyNorms(const Rows& keys) {
  Row norms;
  for (const Row& key : keys) {
    double squares = 0;
    for (double value : key) squares += value * value;
    const double norm = std::sqrt(squares);
    norms.push_back(std::isfinite(norm) ? norm : std::numeric_limits<double>::infinity());
  }
  return norms;
}

L2NormChoice KeepLowestNorms(const Row& norms, int keep, int protect_first, int protect_last) {
  const int slots = Size(norms);
  SelectRequest request;
  request.k = keep;
  request.scores.resize(1);
  request.is_protected.resize(1);
  for (int slot = 0; slot < slots; ++slot) {
    request.scores[0].push_back(-norms[slot]);
    request.is_protected[0].push_back(slot < protect_first || slot >= slots - protect_last);
  }
  const Selection selection = Select(request);
  return {selection.chosen[0], selection.best_first[0], selection.decisions.back()};
}

int AuthorCount(int slots, double keep_ratio) {
  return static_cast<int>(std::ceil(keep_ratio * slots));
}

L2NormChoice L2Compress(const Row& norms, int layer, const L2CompressRule& rule) {
  const bool skipped = std::count(rule.skip_layers.begin(), rule.skip_layers.end(), layer) > 0;
  if (Size(norms) < rule.prune_after || skipped) {
    L2NormChoice unchanged = KeepAll(norms);
    unchanged.stored = unchanged.kept;
    return unchanged;
  }
  return KeepLowestNorms(norms, AuthorCount(Size(norms), rule.keep_ratio));
}

int KnormPressCount(int slots, double ratio) {
  const double kept_ratio = 1.0 - ratio;
  return std::max(1, static_cast<int>(slots * kept_ratio));
}

L2NormChoice KnormPress(const Row& norms, double ratio) {
  return KeepLowestNorms(norms, KnormPressCount(Size(norms), ratio));
}

L2Stream StreamL2Compress(const Row& norms, int layer, const L2CompressRule& rule) {
  return Stream(norms, [&](const Row& held, int) { return L2Compress(held, layer, rule); });
}

L2Stream StreamFixedBudget(const Row& norms, int budget) {
  return Stream(norms, [&](const Row& held, int) { return KeepLowestNorms(held, budget); });
}

L2Stream StreamEvery(const Row& norms, int interval, int target) {
  return Stream(norms, [&](const Row& held, int tokens) {
    return tokens % interval == 0 ? KeepLowestNorms(held, target) : KeepAll(held);
  });
}

}  // namespace sluice::oracle
