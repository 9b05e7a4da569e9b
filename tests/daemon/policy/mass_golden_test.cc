// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/policy/mass_presets.h"
#include "tests/daemon/policy/mass_sequence.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/golden/mass_examples.h"

namespace sluice {
namespace golden {

void PrintTo(const MassExample& example, std::ostream* out) { *out << example.name; }

}  // namespace golden

namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

class MassGoldenTest : public ::testing::TestWithParam<golden::MassExample> {};

TEST_P(MassGoldenTest, EveryStepHasExactlyTheExpectedScoresAndPositions) {
  const golden::MassExample& example = GetParam();
  const auto heads = static_cast<int32_t>(example.steps[0].paid.size());
  MassSequence sequence(MassPreset(example.policy, UniformModel(1, heads)), heads);
  for (const golden::MassStep& step : example.steps) {
    std::vector<std::vector<oracle::Rows>> paid;
    for (const golden::Payments& head : step.paid) paid.push_back({head});
    sequence.Attend(paid);
    for (size_t head = 0; head < paid.size(); ++head) {
      EXPECT_THAT(sequence.scores()[head], Pointwise(DoubleNear(1e-12), step.scores[head]));
    }
    sequence.Close(step.decode);
    EXPECT_EQ(sequence.held(), step.held);
  }
}

std::string NameOf(const ::testing::TestParamInfo<golden::MassExample>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(H2o, MassGoldenTest, ::testing::ValuesIn(golden::H2oExamples()), NameOf);
INSTANTIATE_TEST_SUITE_P(Tova, MassGoldenTest, ::testing::ValuesIn(golden::TovaExamples()),
                         NameOf);

}  // namespace
}  // namespace sluice
