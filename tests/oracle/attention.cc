// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::oracle {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

bool IsFinite(const Row& row) {
  return std::all_of(row.begin(), row.end(), [](double value) { return std::isfinite(value); });
}

double Logit(const Row& q, const Row& key, const AttentionOptions& options) {
  if (!IsFinite(q) || !IsFinite(key)) return kNothing;
  double dot = 0;
  for (int c = 0; c < Size(q); ++c) dot += q[c] * key[c];
  const double scale = options.scale != 0 ? options.scale : 1 / std::sqrt(Size(q));
  const double logit = dot * scale;
  return options.soft_cap > 0 ? options.soft_cap * std::tanh(logit / options.soft_cap) : logit;
}

Row Softmax(const Row& logits, const AttentionOptions& options) {
  double top = *std::max_element(logits.begin(), logits.end());
  if (top == kNothing) return Row(logits.size(), 0.0);
  if (options.has_sink_logit) top = std::max(top, options.sink_logit);
  double sum = options.has_sink_logit ? std::exp(options.sink_logit - top) : 0;
  for (double logit : logits) sum += std::exp(logit - top);
  Row p;
  for (double logit : logits) p.push_back(std::exp(logit - top) / sum);
  return p;
}

}  // namespace

Rows AttentionRows(const Rows& q, const Rows& keys, const std::vector<std::vector<bool>>& visible,
                   const Row& log_mass, const AttentionOptions& options) {
  Rows p;
  for (int row = 0; row < Size(q); ++row) {
    Row logits;
    for (int slot = 0; slot < Size(keys); ++slot) {
      const double bias = log_mass.empty() ? 0 : log_mass[slot];
      logits.push_back(visible[row][slot] ? Logit(q[row], keys[slot], options) + bias : kNothing);
    }
    p.push_back(logits.empty() ? Row{} : Softmax(logits, options));
  }
  return p;
}

Rows AttentionRows(const QueryRows& q, const HeadKeys& keys, const AttentionOptions& options) {
  std::vector<std::vector<bool>> visible;
  for (int row_position : q.positions) {
    std::vector<bool> sees;
    for (int position : keys.positions) {
      const bool in_window = options.window == 0 || position > row_position - options.window;
      sees.push_back(position <= row_position && in_window);
    }
    visible.push_back(sees);
  }
  return AttentionRows(q.rows, keys.keys, visible, keys.log_mass, options);
}

QueryRows LayerTensors::Queries(int q_head, int first, int end) const {
  QueryRows queries;
  for (int token = first; token < end; ++token) {
    queries.positions.push_back(token);
    queries.rows.push_back(q[q_head][token]);
  }
  return queries;
}

HeadKeys LayerTensors::Keys(int kv_head, const Indices& positions) const {
  return {positions, Gather(k[kv_head], positions), {}};
}

LayerTensors WithGroupsExpanded(const LayerTensors& tensors) {
  LayerTensors expanded{tensors.q, {}};
  for (const Rows& head : tensors.k) expanded.k.insert(expanded.k.end(), tensors.group(), head);
  return expanded;
}

std::vector<Rows> GroupAttention(const LayerTensors& tensors, int kv_head, int first, int end,
                                 const Indices& held, const AttentionOptions& options) {
  std::vector<Rows> p;
  for (int g = 0; g < tensors.group(); ++g) {
    const int q_head = kv_head * tensors.group() + g;
    p.push_back(
        AttentionRows(tensors.Queries(q_head, first, end), tensors.Keys(kv_head, held), options));
  }
  return p;
}

}  // namespace sluice::oracle
