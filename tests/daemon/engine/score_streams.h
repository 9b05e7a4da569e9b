// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "absl/status/status.h"
#include "daemon/base/status_macros.h"
#include "tests/oracle/random_tensors.h"
#include "tests/testing/step_driver.h"

namespace sluice {

// Queries and keys of a token stream, by layer; the keys are the values too.
struct ScoreStream {
  std::vector<oracle::LayerTensors> layers;
};

inline ScoreStream RandomStream(uint64_t seed, int layers, const oracle::TensorShape& shape) {
  std::mt19937_64 random(seed);
  ScoreStream stream;
  for (int layer = 0; layer < layers; ++layer) {
    stream.layers.push_back(oracle::RandomTensors(random, shape));
  }
  return stream;
}

inline ModelGeometry GeometryOf(const ScoreStream& stream) {
  const oracle::LayerTensors& first = stream.layers[0];
  ModelGeometry geometry = SmallGeometry();
  geometry.query_heads = first.q_heads();
  geometry.k_dim = geometry.v_dim = oracle::Size(first.k[0][0]);
  LayerGeometry layer;
  layer.kv_heads = first.kv_heads();
  geometry.layers.assign(stream.layers.size(), layer);
  return geometry;
}

// A sequence that goes along a stream.
struct StreamPart {
  TestSequence* sequence = nullptr;
  const ScoreStream* stream = nullptr;
  int64_t tokens = 1;
  Phase phase = Phase::kDecode;
  bool prefill_end = false;

  StepPart ToStep() const {
    return {.sequence = sequence, .tokens = tokens, .phase = phase, .prefill_end = prefill_end};
  }
};

// The next tokens of all parts, of q where `queries`, else of k: [tokens, heads, dim].
inline FloatTensor TensorOf(const std::vector<StreamPart>& parts, size_t layer, bool queries) {
  std::vector<float> values;
  int64_t tokens = 0;
  int64_t heads = 0, dim = 0;
  for (const StreamPart& part : parts) {
    const oracle::LayerTensors& tensors = part.stream->layers[layer];
    const std::vector<oracle::Rows>& of_heads = queries ? tensors.q : tensors.k;
    const auto first = static_cast<size_t>(part.sequence->length());
    for (size_t token = first; token < first + static_cast<size_t>(part.tokens); ++token) {
      for (const oracle::Rows& head : of_heads) {
        for (const double value : head[token]) values.push_back(static_cast<float>(value));
      }
    }
    tokens += part.tokens;
    heads = oracle::Size(of_heads);
    dim = oracle::Size(of_heads[0][0]);
  }
  return {values, {tokens, heads, dim}};
}

inline absl::Status AttendLayer(EngineDriver& driver, uint64_t step,
                                const std::vector<StreamPart>& parts, int32_t layer) {
  const FloatTensor q = TensorOf(parts, static_cast<size_t>(layer), true);
  const FloatTensor k = TensorOf(parts, static_cast<size_t>(layer), false);
  Attend attend;
  attend.step = step;
  attend.layer = layer;
  attend.q = q.ref();
  attend.k = k.ref();
  attend.v = k.ref();
  return driver.Call(std::move(attend)).status();
}

// A whole step.
inline absl::Status RunStreams(EngineDriver& driver, const std::vector<StreamPart>& parts) {
  std::vector<StepPart> begun;
  for (const StreamPart& part : parts) begun.push_back(part.ToStep());
  SLUICE_ASSIGN_OR_RETURN(const StepBegun step, driver.Begin(begun));
  for (size_t layer = 0; layer < parts[0].stream->layers.size(); ++layer) {
    SLUICE_RETURN_IF_ERROR(AttendLayer(driver, step.step, parts, static_cast<int32_t>(layer)));
  }
  for (const StreamPart& part : parts) {
    part.sequence->tags.resize(part.sequence->tags.size() + static_cast<size_t>(part.tokens));
  }
  return absl::OkStatus();
}

}  // namespace sluice
