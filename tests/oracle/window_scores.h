// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Scores from the last w query rows: related-methods.md, section 0.2 (WinAttn, GroupReduce,
// Pool), and compute.md, section 2, "Score".

#include <vector>

#include "tests/oracle/attention.h"
#include "tests/oracle/common.h"
#include "tests/oracle/mass.h"

namespace sluice::oracle {

enum class PoolKind { kNone, kAverage, kMax };

// Stride 1, width odd. At the edges an average still divides by the whole width; a maximum
// ignores what lies outside.
Row Pool(const Row& row, PoolKind kind, int width);

struct WindowRule {
  int window = 32;  // w
  GroupReduce reduce = GroupReduce::kMean;
  PoolKind pool = PoolKind::kMax;
  int pool_width = 7;
};

// From probabilities [group][w][slots]: the sum over the rows, the group's reduction, then
// pooling, over the first `prefix` slots.
Row WindowScores(const std::vector<Rows>& p, int prefix, const WindowRule& rule);

// The scores of one kv head from tensors: rows are those of the last w of the first `tokens`
// tokens, over the keys at `held` (of which the last w are the window's own); softmax over all
// that a row sees. Scores those of `held` below tokens - w.
Row WindowScores(const LayerTensors& tensors, int kv_head, int tokens, const Indices& held,
                 const WindowRule& rule, const AttentionOptions& options = {});

// The same for every kv head over a prompt that is held whole. [kv_heads][tokens - w]
Rows PromptWindowScores(const LayerTensors& tensors, int tokens, const WindowRule& rule,
                        const AttentionOptions& options = {});

}  // namespace sluice::oracle
