// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "daemon/policy/registry.h"
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/plain_sequence.h"
#include "tests/golden/l2norm_examples.h"
#include "tests/golden/sink_window_examples.h"

namespace sluice {
namespace golden {

void PrintTo(const Example& example, std::ostream* out) { *out << example.name; }

}  // namespace golden

namespace {

class GoldenTest : public ::testing::TestWithParam<golden::Example> {};

TEST_P(GoldenTest, EveryStepHoldsExactlyTheExpectedPositions) {
  const golden::Example& example = GetParam();
  const auto heads = static_cast<int32_t>(example.key_norms.size());
  const auto policy = MakePolicy(example.policy, UniformModel(1, heads));
  ASSERT_TRUE(policy.ok()) << policy.status();
  std::vector<std::vector<float>> scores = example.key_norms;
  for (std::vector<float>& row : scores) {
    for (float& score : row) score = -score;
  }
  PlainSequence sequence(*policy, scores);
  for (size_t i = 0; i < example.steps.size(); ++i) {
    sequence.Add(example.steps[i].tokens, example.steps[i].decode);
    EXPECT_EQ(sequence.held(), example.steps[i].held) << "after step " << i;
  }
}

std::string NameOf(const ::testing::TestParamInfo<golden::Example>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(L2Prefill, GoldenTest, ::testing::ValuesIn(golden::L2PrefillExamples()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(L2Decode, GoldenTest, ::testing::ValuesIn(golden::L2DecodeExamples()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(L2Rules, GoldenTest, ::testing::ValuesIn(golden::L2RuleExamples()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(SinkWindow, GoldenTest,
                         ::testing::ValuesIn(golden::SinkWindowExamples()), NameOf);

}  // namespace
}  // namespace sluice
