// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/logits.h"

#include <algorithm>
#include <cmath>

namespace sluice::reference {
namespace {

bool Sees(const LayerShape& layer, int64_t query_position, int64_t key_position) {
  if (key_position > query_position) return false;
  return layer.window == 0 || key_position > query_position - layer.window;
}

double Logit(const LayerShape& layer, const Numbers& q, const Key& key) {
  double dot = 0.0;
  for (int32_t dim = 0; dim < layer.k_dim; ++dim) dot += q[dim] * key.k[dim];
  double logit = dot * double{layer.scale};
  if (layer.soft_cap != 0.0f) {
    logit = double{layer.soft_cap} * std::tanh(logit / double{layer.soft_cap});
  }
  return logit + double{key.content.log_mass};
}

}  // namespace

std::vector<Key> ReadRow(const PoolView& pool, const Row& row, const RopeTable& rope) {
  std::vector<Key> keys(static_cast<size_t>(row.slots));
  for (int64_t slot = 0; slot < row.slots; ++slot) {
    const SlotPlace place = PlaceInRow(row, slot);
    Key& key = keys[slot];
    key.content = ReadSlot(pool, place);
    key.position = PositionInRow(pool, row, slot);
    key.k = place.format->page.key_space == KeySpace::kCachePosition
                ? TurnedKey(rope, key.content.k, key.position)
                : Plain(key.content.k);
  }
  return keys;
}

std::vector<double> Logits(const LayerShape& layer, const std::vector<Key>& keys, const Numbers& q,
                           int64_t position) {
  std::vector<double> logits(keys.size(), -kInfinity);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (Sees(layer, position, keys[i].position)) logits[i] = Logit(layer, q, keys[i]);
  }
  return logits;
}

double SinkLogit(const LayerShape& layer, int32_t head) {
  return layer.sink_logits != nullptr ? double{layer.sink_logits[head]} : -kInfinity;
}

double LogSumExp(const std::vector<double>& logits, double sink) {
  double largest = -kInfinity;
  for (const double logit : logits) largest = std::max(largest, logit);
  if (largest == -kInfinity) return -kInfinity;
  const double top = std::max(largest, sink);
  double sum = std::exp(sink - top);
  for (const double logit : logits) sum += std::exp(logit - top);
  return top + std::log(sum);
}

}  // namespace sluice::reference
