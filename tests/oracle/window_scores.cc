// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/window_scores.h"

#include <algorithm>

namespace sluice::oracle {

Row Pool(const Row& row, PoolKind kind, int width) {
  if (kind == PoolKind::kNone) return row;
  Row pooled;
  for (int t = 0; t < Size(row); ++t) {
    const int first = std::max(0, t - width / 2);
    const int end = std::min(Size(row), t + width / 2 + 1);
    double sum = 0;
    double top = row[first];
    for (int i = first; i < end; ++i) {
      sum += row[i];
      top = std::max(top, row[i]);
    }
    pooled.push_back(kind == PoolKind::kMax ? top : sum / width);
  }
  return pooled;
}

Row WindowScores(const std::vector<Rows>& p, int prefix, const WindowRule& rule) {
  Row scores = UpdateMass({}, p, {.decay = 1, .squared = false, .reduce = rule.reduce});
  scores.resize(prefix);
  return Pool(scores, rule.pool, rule.pool_width);
}

Row WindowScores(const LayerTensors& tensors, int kv_head, int tokens, const Indices& held,
                 const WindowRule& rule, const AttentionOptions& options) {
  const int window_start = tokens - rule.window;
  const auto prefix_end = std::lower_bound(held.begin(), held.end(), window_start);
  return WindowScores(GroupAttention(tensors, kv_head, window_start, tokens, held, options),
                      static_cast<int>(prefix_end - held.begin()), rule);
}

Rows PromptWindowScores(const LayerTensors& tensors, int tokens, const WindowRule& rule,
                        const AttentionOptions& options) {
  Rows scores;
  for (int head = 0; head < tensors.kv_heads(); ++head) {
    scores.push_back(WindowScores(tensors, head, tokens, Range(tokens), rule, options));
  }
  return scores;
}

}  // namespace sluice::oracle
