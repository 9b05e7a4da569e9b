// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "tests/daemon/engine/score_streams.h"
#include "tests/oracle/cascade.h"

namespace sluice {

// A token stream and the cascade that it is kept by, anything random.
class CascadeStream {
 public:
  static constexpr int kTokens = 120;
  static constexpr int kDim = 16;

  explicit CascadeStream(uint64_t seed) : CascadeStream(seed, seed % 2 == 0) {}

  CascadeStream(uint64_t seed, bool arrives_rotated) : arrives_rotated_(arrives_rotated) {
    std::mt19937_64 random(seed);
    const oracle::TensorShape shape{.tokens = kTokens, .q_heads = 4, .kv_heads = 2, .dim = kDim};
    for (int layer = 0; layer < 2; ++layer) {
      tensors.layers.push_back(oracle::RandomTensors(random, shape));
    }
    const int rings = 1 + oracle::RandomBelow(random, 4);
    rule.cache = {.total = rings * (1 + oracle::RandomBelow(random, 8)),
                  .rings = rings,
                  .sinks = oracle::RandomBelow(random, 20),
                  .eager = oracle::RandomBelow(random, 3) > 0};
    rule.beta = oracle::RandomBelow(random, 2) == 0 ? 0.9999 : 0.9;
    const oracle::GroupReduce reduces[] = {oracle::GroupReduce::kMax, oracle::GroupReduce::kMean,
                                           oracle::GroupReduce::kMedian};
    rule.reduce = reduces[oracle::RandomBelow(random, 3)];
    rule.rope = oracle::MakeRope(10000, kDim, oracle::RopePairing::kHalfSplit);
    // As a kernel has them.
    for (double& frequency : rule.rope.inverse_frequencies) {
      frequency = double{static_cast<float>(frequency)};
    }
    stride = 1 + oracle::RandomBelow(random, 40);
  }

  ModelGeometry Geometry() const {
    ModelGeometry geometry = GeometryOf(tensors);
    geometry.name = arrives_rotated_ ? "rotated" : "unrotated";
    RopeAngles angles;
    for (const double frequency : rule.rope.inverse_frequencies) {
      angles.inv_freq.push_back(static_cast<float>(frequency));
    }
    angles.rotary_dim = kDim;
    geometry.rope_tables = {angles};
    for (LayerGeometry& layer : geometry.layers) layer.rope_table = 0;
    geometry.keys_rotated = arrives_rotated_;
    return geometry;
  }

  PolicySpec Policy() const {
    PolicySpec spec{.preset = "cascade", .sink_tokens = rule.cache.sinks};
    spec.group_reduce = rule.reduce == oracle::GroupReduce::kMax    ? HeadReduce::kMax
                        : rule.reduce == oracle::GroupReduce::kMean ? HeadReduce::kMean
                                                                    : HeadReduce::kMedian;
    spec.decay = rule.beta;
    spec.cascade_tokens = rule.cache.total;
    spec.cascades = rule.cache.rings;
    spec.eager_fill = rule.cache.eager;
    spec.stride_tokens = stride;
    return spec;
  }

  const oracle::CascadeRun& Expected(size_t layer, int prompt) const {
    const auto found = runs_.find(layer);
    if (found != runs_.end()) return found->second;
    return runs_[layer] = oracle::RunCascade(tensors.layers[layer], prompt, stride, rule);
  }

  // A row as it arrives.
  oracle::Row Arriving(const oracle::Row& row, int64_t position) const {
    return arrives_rotated_ ? oracle::Rotate(row, static_cast<int>(position), rule.rope) : row;
  }

  ScoreStream tensors;  // un-rotated
  oracle::CascadeLayerRule rule;
  int stride = 1;

 private:
  const bool arrives_rotated_;
  mutable std::map<size_t, oracle::CascadeRun> runs_;
};

// A sequence that goes along a stream.
struct CascadePart {
  TestSequence* sequence = nullptr;
  const CascadeStream* stream = nullptr;
  int64_t tokens = 1;
  Phase phase = Phase::kDecode;
  bool prefill_end = false;
};

// The tokens [first, end) of a step of the parts, of q where `queries`, else of k.
inline FloatTensor ArrivingTensor(const std::vector<CascadePart>& parts, size_t layer,
                                  bool queries, int64_t first, int64_t end) {
  std::vector<float> values;
  int64_t token = 0;
  int64_t heads = 0;
  for (const CascadePart& part : parts) {
    const oracle::LayerTensors& tensors = part.stream->tensors.layers[layer];
    const std::vector<oracle::Rows>& of_heads = queries ? tensors.q : tensors.k;
    heads = oracle::Size(of_heads);
    for (int64_t i = 0; i < part.tokens; ++i, ++token) {
      if (token < first || token >= end) continue;
      const int64_t position = part.sequence->length() + i;
      for (const oracle::Rows& head : of_heads) {
        for (const double value :
             part.stream->Arriving(head[static_cast<size_t>(position)], position)) {
          values.push_back(static_cast<float>(value));
        }
      }
    }
  }
  return {values, {end - first, heads, CascadeStream::kDim}};
}

inline int64_t TokensOf(const std::vector<CascadePart>& parts) {
  int64_t tokens = 0;
  for (const CascadePart& part : parts) tokens += part.tokens;
  return tokens;
}

// A layer's tokens in one call, or with `cut_seed` >= 0 in calls of any length.
inline absl::Status AttendCascade(EngineDriver& driver, uint64_t step,
                                  const std::vector<CascadePart>& parts, int32_t layer,
                                  int cut_seed = -1, AttendResult* result = nullptr) {
  std::mt19937_64 random(static_cast<uint64_t>(cut_seed));
  const int64_t tokens = TokensOf(parts);
  for (int64_t first = 0; first < tokens;) {
    const auto rest = static_cast<int>(tokens - first);
    const int64_t end = cut_seed < 0 ? tokens : first + 1 + oracle::RandomBelow(random, rest);
    const FloatTensor q = ArrivingTensor(parts, static_cast<size_t>(layer), true, first, end);
    const FloatTensor k = ArrivingTensor(parts, static_cast<size_t>(layer), false, first, end);
    Attend attend;
    attend.step = step;
    attend.layer = layer;
    attend.first_token = first;
    attend.q = q.ref();
    attend.k = k.ref();
    attend.v = k.ref();
    SLUICE_ASSIGN_OR_RETURN(AttendResult answer, driver.Call(std::move(attend)));
    if (result != nullptr) *result = std::move(answer);
    first = end;
  }
  return absl::OkStatus();
}

// A whole step.
inline absl::Status RunCascadeStep(EngineDriver& driver, const std::vector<CascadePart>& parts,
                                   int cut_seed = -1) {
  std::vector<StepPart> begun;
  for (const CascadePart& part : parts) {
    begun.push_back({.sequence = part.sequence, .tokens = part.tokens, .phase = part.phase,
                     .prefill_end = part.prefill_end});
  }
  SLUICE_ASSIGN_OR_RETURN(const StepBegun step, driver.Begin(begun));
  const auto layers = static_cast<int32_t>(parts[0].stream->tensors.layers.size());
  for (int32_t layer = 0; layer < layers; ++layer) {
    SLUICE_RETURN_IF_ERROR(AttendCascade(driver, step.step, parts, layer, cut_seed));
  }
  for (const CascadePart& part : parts) {
    part.sequence->tags.resize(part.sequence->tags.size() + static_cast<size_t>(part.tokens));
  }
  return absl::OkStatus();
}

}  // namespace sluice
