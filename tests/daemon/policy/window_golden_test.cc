// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/plain_sequence.h"
#include "tests/daemon/policy/window_presets.h"
#include "tests/golden/window_examples.h"

namespace sluice {
namespace golden {

void PrintTo(const WindowExample& example, std::ostream* out) { *out << example.name; }

}  // namespace golden

namespace {

class WindowGoldenTest : public ::testing::TestWithParam<golden::WindowExample> {};

TEST_P(WindowGoldenTest, PrefillHoldsExactlyTheExpectedPositions) {
  const golden::WindowExample& example = GetParam();
  const PolicyPtr policy =
      WindowPreset(example.policy, UniformModel(example.layers, example.kv_heads));
  PlainSequence sequence(policy, example.scores);
  sequence.Add(example.tokens(), /*decode=*/false);
  EXPECT_EQ(sequence.held(), example.held);
}

std::string NameOf(const ::testing::TestParamInfo<golden::WindowExample>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(SnapKv, WindowGoldenTest,
                         ::testing::ValuesIn(golden::SnapKvExamples()), NameOf);
INSTANTIATE_TEST_SUITE_P(PyramidKv, WindowGoldenTest,
                         ::testing::ValuesIn(golden::PyramidKvExamples()), NameOf);
INSTANTIATE_TEST_SUITE_P(AdaKv, WindowGoldenTest, ::testing::ValuesIn(golden::AdaKvExamples()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(DynamicKv, WindowGoldenTest,
                         ::testing::ValuesIn(golden::DynamicKvExamples()), NameOf);

TEST(WindowGoldenTest, PoolsAreThoseOfTheExamples) {
  const std::vector<float> row = {0, 0, 6, 0, 0, 0, 3};
  EXPECT_EQ(PlainPool(row, {.pool = ScorePool::kMax, .pool_width = 3}),
            (std::vector<float>{0, 6, 6, 6, 0, 3, 3}));
  EXPECT_EQ(PlainPool(row, {.pool = ScorePool::kAverage, .pool_width = 3}),
            (std::vector<float>{0, 2, 2, 2, 0, 1, 1}));
}

}  // namespace
}  // namespace sluice
