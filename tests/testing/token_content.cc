// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/testing/token_content.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/core/number.h"
#include "tests/kernels/testing/random.h"

namespace sluice {
namespace {

int32_t SourceOf(const ModelGeometry& geometry, int32_t layer) {
  const int32_t source = geometry.layers[static_cast<size_t>(layer)].source_layer;
  return source < 0 ? layer : source;
}

int32_t FirstRowOf(const ModelGeometry& geometry, int32_t layer) {
  int32_t row = 0;
  for (int32_t i = 0; i < layer; ++i) {
    const LayerGeometry& before = geometry.layers[static_cast<size_t>(i)];
    if (before.source_layer < 0) row += before.kv_heads;
  }
  return row;
}

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<int64_t> Visible(const ModelGeometry& geometry, int32_t layer, int32_t kv_head,
                             int64_t position, const HeldPositions& held) {
  const int64_t window = geometry.layers[static_cast<size_t>(layer)].window_tokens;
  std::vector<int64_t> positions;
  if (held.empty()) {
    positions.resize(static_cast<size_t>(position + 1));
    std::iota(positions.begin(), positions.end(), 0);
  } else {
    const int32_t row = FirstRowOf(geometry, SourceOf(geometry, layer)) + kv_head;
    positions = held[static_cast<size_t>(row)];
  }
  std::erase_if(positions, [&](int64_t p) {
    return p > position || (window > 0 && p <= position - window);
  });
  return positions;
}

}  // namespace

std::vector<float> TokenVector(int64_t tag, int32_t layer, VectorKind kind, int32_t head,
                               int32_t dim) {
  std::vector<float> vector(static_cast<size_t>(dim), 0.0f);
  if (tag < kFirstRandomTag && kind == VectorKind::kKey) {
    vector[0] = static_cast<float>(tag + 1);
    return vector;
  }
  kernels_testing::Random random({tag, layer, static_cast<int64_t>(kind), head});
  for (float& value : vector) value = Bf16ToFloat(FloatToBf16(random.Normal()));
  return vector;
}

std::vector<float> TokenVectors(const std::vector<int64_t>& tags, int32_t layer, VectorKind kind,
                                int32_t heads, int32_t dim) {
  std::vector<float> all;
  for (const int64_t tag : tags) {
    for (int32_t head = 0; head < heads; ++head) {
      const std::vector<float> one = TokenVector(tag, layer, kind, head, dim);
      all.insert(all.end(), one.begin(), one.end());
    }
  }
  return all;
}

PlainAttention AttendPlainly(const ModelGeometry& geometry, int32_t layer,
                             const std::vector<int64_t>& tags, int64_t position,
                             const HeldPositions& held) {
  const LayerGeometry& shape = geometry.layers[static_cast<size_t>(layer)];
  const int32_t group = geometry.query_heads / shape.kv_heads;
  const int32_t source = SourceOf(geometry, layer);
  const double scale = geometry.scale.value_or(1.0f / std::sqrt(static_cast<float>(geometry.k_dim)));
  PlainAttention result;
  for (int32_t head = 0; head < geometry.query_heads; ++head) {
    const std::vector<float> q = TokenVector(tags[static_cast<size_t>(position)], layer,
                                             VectorKind::kQuery, head, geometry.k_dim);
    std::vector<double> sum(static_cast<size_t>(geometry.v_dim), 0.0);
    double total = shape.sink_logits.empty()
                       ? 0.0
                       : std::exp(double{shape.sink_logits[static_cast<size_t>(head)]});
    for (const int64_t p : Visible(geometry, layer, head / group, position, held)) {
      const int64_t tag = tags[static_cast<size_t>(p)];
      const double cap = geometry.logit_soft_cap;
      double logit = scale * Dot(q, TokenVector(tag, source, VectorKind::kKey, head / group,
                                                geometry.k_dim));
      if (cap > 0) logit = cap * std::tanh(logit / cap);
      total += std::exp(logit);
      const auto v = TokenVector(tag, source, VectorKind::kValue, head / group, geometry.v_dim);
      for (size_t d = 0; d < v.size(); ++d) sum[d] += std::exp(logit) * double{v[d]};
    }
    for (const double value : sum) result.out.push_back(total > 0 ? value / total : 0.0);
    result.lse.push_back(total > 0 ? std::log(total) : -std::numeric_limits<double>::infinity());
  }
  return result;
}

}  // namespace sluice
