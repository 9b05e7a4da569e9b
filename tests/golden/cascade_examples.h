// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Worked examples of the Cascading KV cache: core methods 3(i), A to E. Kept positions are
// in the order of the cache: what is at index i of them stands at position i.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/policy/policy_spec.h"

namespace sluice::golden {

struct CascadeExample {
  std::string name;
  PolicySpec policy;
  std::vector<float> scores;                      // [tokens], each as it is when it comes
  std::map<int64_t, std::vector<int64_t>> held;   // by the newest token
};

inline PolicySpec CascadeSpec(int64_t sinks, int64_t ring_slots, int64_t rings, bool eager) {
  PolicySpec spec;
  spec.preset = "cascade";
  spec.sink_tokens = sinks;
  spec.cascade_tokens = ring_slots * rings;
  spec.cascades = rings;
  spec.eager_fill = eager;
  spec.stride_tokens = 1;
  spec.decay = 1.0;
  spec.group_reduce = HeadReduce::kMean;
  return spec;
}

// Of example A; token 0 is the sink.
inline std::vector<float> FixedScores() {
  return {0, .5f, .1f, .9f, .3f, .2f, .8f, .4f, .6f, .05f, .7f, .15f, .35f};
}

// Of 40 tokens: all equal, or newer ones lower.
inline std::vector<float> FortyScores(bool falling) {
  std::vector<float> scores(40, 1.0f);
  for (size_t i = 0; falling && i < scores.size(); ++i) scores[i] = 40.0f - static_cast<float>(i);
  return scores;
}

inline std::vector<CascadeExample> CascadeExamples() {
  return {
      {"EagerFill",
       CascadeSpec(1, 2, 2, true),
       FixedScores(),
       {{1, {0, 1}},
        {2, {0, 1, 2}},
        {3, {0, 1, 2, 3}},
        {4, {0, 1, 2, 3, 4}},
        {5, {0, 2, 3, 4, 5}},
        {6, {0, 2, 3, 5, 6}},
        {7, {0, 3, 5, 6, 7}},
        {8, {0, 3, 6, 7, 8}},
        {9, {0, 6, 7, 8, 9}},
        {10, {0, 6, 8, 9, 10}},
        {11, {0, 8, 9, 10, 11}},
        {12, {0, 8, 10, 11, 12}}}},
      {"WithoutEagerFill",
       CascadeSpec(1, 2, 2, false),
       FixedScores(),
       {{4, {0, 1, 3, 4}},
        {5, {0, 1, 3, 4, 5}},
        {6, {0, 1, 3, 5, 6}},
        {7, {0, 3, 5, 6, 7}},
        {8, {0, 3, 6, 7, 8}},
        {9, {0, 6, 7, 8, 9}},
        {12, {0, 8, 10, 11, 12}}}},
      {"EqualScores",
       CascadeSpec(2, 2, 3, true),
       FortyScores(false),
       {{39, {0, 1, 31, 33, 35, 37, 38, 39}}}},
      {"NewerAlwaysLoses",
       CascadeSpec(2, 2, 3, true),
       FortyScores(true),
       {{39, {0, 1, 28, 32, 34, 36, 38, 39}}}},
      {"OneRing",
       CascadeSpec(2, 6, 1, true),
       FortyScores(true),
       {{39, {0, 1, 34, 35, 36, 37, 38, 39}}}},
  };
}

}  // namespace sluice::golden
