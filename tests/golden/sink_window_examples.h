// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Worked examples of sinks and a recent window (StreamingLLM without its rolled
// positions: true ones are kept).

#include <vector>

#include "tests/golden/example.h"

namespace sluice::golden {

inline PolicySpec SinkWindow(int64_t sink_tokens, int64_t recent_tokens) {
  PolicySpec spec;
  spec.preset = "sink_window";
  spec.sink_tokens = sink_tokens;
  spec.recent_tokens = recent_tokens;
  spec.triggers =
      TriggerSpec{.prefill_end = true, .every_tokens = 1, .hysteresis_tokens = 0};
  return spec;
}

inline std::vector<Example> SinkWindowExamples() {
  return {
      {"PrefillOfTen", SinkWindow(2, 3), {{}}, {{false, 10, {{0, 1, 7, 8, 9}}}}},
      {"ACacheOfFiveTakesTwo", SinkWindow(2, 3), {{}},
       {{false, 5, {{0, 1, 2, 3, 4}}}, {true, 2, {{0, 1, 4, 5, 6}}}}},
      {"ACutCacheTakesTwo", SinkWindow(2, 3), {{}},
       {{false, 10, {{0, 1, 7, 8, 9}}}, {true, 2, {{0, 1, 9, 10, 11}}}}},
      {"OneByOne", SinkWindow(2, 3), {{}},
       {{true, 4, {{0, 1, 2, 3}}},
        {true, 1, {{0, 1, 2, 3, 4}}},
        {true, 1, {{0, 1, 3, 4, 5}}},
        {true, 1, {{0, 1, 4, 5, 6}}}}},
      {"WithoutSinks", SinkWindow(0, 3), {{}}, {{false, 5, {{2, 3, 4}}}}},
      {"BothHeadsAlike", SinkWindow(1, 1), {{}, {}}, {{false, 4, {{0, 3}, {0, 3}}}}},
  };
}

}  // namespace sluice::golden
