// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// The methods' worked examples through the engine, with keys that have the
// examples' norms.

#include <cmath>

#include "gtest/gtest.h"
#include "tests/golden/l2norm_examples.h"
#include "tests/golden/sink_window_examples.h"
#include "tests/testing/step_driver.h"

namespace sluice {
namespace golden {

void PrintTo(const Example& example, std::ostream* out) { *out << example.name; }

}  // namespace golden

namespace {

constexpr int32_t kDim = 16;

class EngineGoldenTest : public ::testing::TestWithParam<golden::Example> {
 protected:
  int32_t heads() const { return static_cast<int32_t>(GetParam().key_norms.size()); }

  ModelGeometry Geometry() const {
    ModelGeometry geometry = SmallGeometry();
    geometry.v_dim = kDim;
    geometry.query_heads = heads();
    geometry.layers.resize(1);
    geometry.layers[0].kv_heads = heads();
    return geometry;
  }

  // A key of the example's norm; the very key where the example gives it.
  std::vector<float> KeyOf(int32_t head, int64_t position) const {
    std::vector<float> key(kDim, 0.0f);
    const std::vector<float>& norms = GetParam().key_norms[static_cast<size_t>(head)];
    const auto index = static_cast<size_t>(position);
    if (norms == golden::kL2Norms) {
      key[0] = golden::kL2Keys[index][0];
      key[1] = golden::kL2Keys[index][1];
    } else {
      key[0] = index < norms.size() ? norms[index] : 1.0f;
    }
    return key;
  }

  // Keys of the tokens [first, first + count), [count, heads, dim].
  FloatTensor Keys(int64_t first, int64_t count) const {
    std::vector<float> all;
    for (int64_t position = first; position < first + count; ++position) {
      for (int32_t head = 0; head < heads(); ++head) {
        const std::vector<float> key = KeyOf(head, position);
        all.insert(all.end(), key.begin(), key.end());
      }
    }
    return {all, {count, heads(), kDim}};
  }
};

TEST_P(EngineGoldenTest, EveryStepHoldsExactlyTheExpectedPositions) {
  EngineDriver driver;
  const TestModel model = driver.Register(Geometry());
  TestSequence sequence = driver.Create(model, GetParam().policy);
  for (const golden::Step& step : GetParam().steps) {
    StepPart part = step.decode ? Decode(sequence, step.tokens) : Prefill(sequence, step.tokens);
    const FloatTensor keys = Keys(sequence.length(), step.tokens);
    Append append;
    append.entry = part.ToEntry();
    append.layers = {{0, keys.ref(), keys.ref()}};
    const auto result = driver.Call(append);
    ASSERT_TRUE(result.ok()) << result.status();
    sequence.tags.resize(sequence.tags.size() + static_cast<size_t>(step.tokens));
    for (int32_t head = 0; head < heads(); ++head) {
      const std::vector<int32_t>& want = step.held[static_cast<size_t>(head)];
      EXPECT_EQ(driver.Held(sequence, 0, head), std::vector<int64_t>(want.begin(), want.end()))
          << "head " << head << " at length " << sequence.length();
    }
  }
}

std::string NameOfExample(const ::testing::TestParamInfo<golden::Example>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(L2Prefill, EngineGoldenTest,
                         ::testing::ValuesIn(golden::L2PrefillExamples()), NameOfExample);
INSTANTIATE_TEST_SUITE_P(L2Decode, EngineGoldenTest,
                         ::testing::ValuesIn(golden::L2DecodeExamples()), NameOfExample);
INSTANTIATE_TEST_SUITE_P(L2Rules, EngineGoldenTest, ::testing::ValuesIn(golden::L2RuleExamples()),
                         NameOfExample);
INSTANTIATE_TEST_SUITE_P(SinkWindow, EngineGoldenTest,
                         ::testing::ValuesIn(golden::SinkWindowExamples()), NameOfExample);

}  // namespace
}  // namespace sluice
