// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Plain attention probabilities: compute.md, sections 2 ("Attend") and 3 (what is not finite).

#include <vector>

#include "tests/oracle/common.h"

namespace sluice::oracle {

// What one kv head holds of one layer.
struct HeadKeys {
  Indices positions;  // [slots], ascending
  Rows keys;          // [slots][dim]
  Row log_mass;       // [slots]; empty: 0

  int slots() const { return Size(positions); }
};

// Rows of one query head.
struct QueryRows {
  Indices positions;  // [rows]
  Rows rows;          // [rows][dim]
};

struct AttentionOptions {
  double scale = 0;     // 0: 1 / sqrt(dim)
  double soft_cap = 0;  // 0: none; else logits become cap * tanh(logit / cap)
  int window = 0;       // 0: none; else a row at p sees positions above p - window
  bool has_sink_logit = false;
  double sink_logit = 0;  // a weight beside the keys that goes nowhere
};

// p[row][slot] = softmax over what the row sees. A key that is not finite has weight 0; a
// query row that is not finite, or that sees nothing, gives zeros.
Rows AttentionRows(const QueryRows& q, const HeadKeys& keys, const AttentionOptions& options = {});

// The same with the cut between "sees" and "does not" given by the caller instead of positions.
// visible: [rows][slots]
Rows AttentionRows(const Rows& q, const Rows& keys, const std::vector<std::vector<bool>>& visible,
                   const Row& log_mass, const AttentionOptions& options = {});

// One layer's tensors of a whole sequence; token t stands at position t.
struct LayerTensors {
  std::vector<Rows> q;  // [q_heads][tokens][dim]
  std::vector<Rows> k;  // [kv_heads][tokens][dim]

  int tokens() const { return Size(k[0]); }
  int q_heads() const { return Size(q); }
  int kv_heads() const { return Size(k); }
  int group() const { return q_heads() / kv_heads(); }

  // Query rows of tokens [first, end).
  QueryRows Queries(int q_head, int first, int end) const;
  // Keys of the tokens at `positions`.
  HeadKeys Keys(int kv_head, const Indices& positions) const;
};

// The same with every kv head repeated for each of its query heads: the layout of papers whose
// query heads choose for themselves.
LayerTensors WithGroupsExpanded(const LayerTensors& tensors);

// p of the query heads that read `kv_head`: rows of tokens [first, end) over the keys of the
// tokens at `held`. [group][rows][held]
std::vector<Rows> GroupAttention(const LayerTensors& tensors, int kv_head, int first, int end,
                                 const Indices& held, const AttentionOptions& options = {});

}  // namespace sluice::oracle
