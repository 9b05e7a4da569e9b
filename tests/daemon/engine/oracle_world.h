// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Random runs of a method through an engine, to be compared with the plain
// implementations of tests/oracle.

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/score_streams.h"
#include "tests/oracle/common.h"
#include "tests/oracle/random_tensors.h"
#include "tests/testing/sanitizers.h"

namespace sluice {

// Sanitizers slow a run down twentyfold; what they look for shows in few.
inline constexpr uint64_t kOracleSeeds =
    kUnderAddressSanitizer || kUnderThreadSanitizer ? 50 : 1000;

inline EngineOptions OracleOptions() {
  EngineOptions options = SmallOptions();
  options.backend = BackendKind::kCpu;
  options.worker_threads = 1;
  return options;
}

// low .. high
inline int Between(std::mt19937_64& random, int low, int high) {
  return low + oracle::RandomBelow(random, high - low + 1);
}

inline ScoreStream DrawStream(std::mt19937_64& random, int layers, int tokens, int most_kv_heads,
                              int most_group = 3) {
  oracle::TensorShape shape{.tokens = tokens};
  shape.kv_heads = Between(random, 1, most_kv_heads);
  shape.q_heads = shape.kv_heads * Between(random, 1, most_group);
  return RandomStream(random(), layers, shape);
}

// One engine over the cpu backend, for many short sequences.
class OracleWorld {
 public:
  TestSequence Create(const ScoreStream& stream, const PolicySpec& policy) {
    ModelGeometry geometry = GeometryOf(stream);
    geometry.name = absl::StrCat(stream.layers.size(), " layers of ", geometry.query_heads, " on ",
                                 geometry.layers[0].kv_heads, " heads");
    return driver_.Create(driver_.Register(geometry), policy);
  }

  void Step(TestSequence& sequence, const ScoreStream& stream, int64_t tokens, Phase phase,
            bool prefill_end = false) {
    const absl::Status done =
        RunStreams(driver_, {{&sequence, &stream, tokens, phase, prefill_end}});
    ASSERT_TRUE(done.ok()) << done;
  }

  // A prompt of `tokens`, in chunks of at most `chunk`.
  void Prefill(TestSequence& sequence, const ScoreStream& stream, int64_t tokens, int64_t chunk) {
    while (sequence.length() < tokens) {
      const int64_t now = std::min(chunk, tokens - sequence.length());
      Step(sequence, stream, now, Phase::kPrefill, sequence.length() + now == tokens);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }

  // [kv heads] of a layer
  oracle::HeadSets Held(const TestSequence& sequence, const ScoreStream& stream, int layer) {
    oracle::HeadSets held;
    for (int head = 0; head < stream.layers[0].kv_heads(); ++head) {
      const std::vector<int64_t> positions = driver_.Held(sequence, layer, head);
      held.emplace_back(positions.begin(), positions.end());
    }
    return held;
  }

  // [layers][kv heads]
  oracle::LayerSets Held(const TestSequence& sequence, const ScoreStream& stream) {
    oracle::LayerSets held;
    for (int layer = 0; layer < oracle::Size(stream.layers); ++layer) {
      held.push_back(Held(sequence, stream, layer));
    }
    return held;
  }

  void Free(const TestSequence& sequence) { ASSERT_TRUE(driver_.Free(sequence).ok()); }

 private:
  EngineDriver driver_{OracleOptions()};
};

}  // namespace sluice
