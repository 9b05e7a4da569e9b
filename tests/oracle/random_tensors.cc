// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/random_tensors.h"

#include <utility>

namespace sluice::oracle {
namespace {

Rows RandomRows(std::mt19937_64& random, int rows, int dim, double factor) {
  Rows result;
  for (int i = 0; i < rows; ++i) {
    Row row = RandomRow(random, dim);
    for (double& value : row) value *= factor;
    result.push_back(row);
  }
  return result;
}

}  // namespace

double RandomValue(std::mt19937_64& random) { return (RandomBelow(random, 256) - 128) / 128.0; }

int RandomBelow(std::mt19937_64& random, int limit) {
  return static_cast<int>(random() % static_cast<uint64_t>(limit));
}

Row RandomRow(std::mt19937_64& random, int length) {
  Row row;
  for (int i = 0; i < length; ++i) row.push_back(RandomValue(random));
  return row;
}

LayerTensors RandomTensors(std::mt19937_64& random, const TensorShape& shape, double sharpness) {
  LayerTensors tensors;
  for (int head = 0; head < shape.q_heads; ++head) {
    tensors.q.push_back(RandomRows(random, shape.tokens, shape.dim, sharpness));
  }
  for (int head = 0; head < shape.kv_heads; ++head) {
    tensors.k.push_back(RandomRows(random, shape.tokens, shape.dim, 1));
  }
  return tensors;
}

LayerScores RandomScores(std::mt19937_64& random, int layers, int heads, int slots) {
  Row values;
  for (int i = 0; i < layers * heads * slots; ++i) values.push_back(i + 1);
  for (int i = Size(values) - 1; i > 0; --i) {
    std::swap(values[i], values[RandomBelow(random, i + 1)]);
  }
  LayerScores scores(layers, Rows(heads));
  for (int i = 0; i < Size(values); ++i) {
    scores[i / (heads * slots)][i / slots % heads].push_back(values[i]);
  }
  return scores;
}

}  // namespace sluice::oracle
