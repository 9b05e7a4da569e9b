// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// The worked examples of the window-score methods through the engine, with a backend
// that returns their scores.

#include <memory>

#include "gtest/gtest.h"
#include "tests/daemon/engine/scripted_backend.h"
#include "tests/golden/window_examples.h"
#include "tests/testing/step_driver.h"

namespace sluice {
namespace golden {

void PrintTo(const WindowExample& example, std::ostream* out) { *out << example.name; }

}  // namespace golden

namespace {

class WindowEngineGoldenTest : public ::testing::TestWithParam<golden::WindowExample> {
 protected:
  std::unique_ptr<EngineDriver> Driver() const {
    EngineOptions options = SmallOptions();
    options.make_backend = [scores = GetParam().scores](const BackendOptions& backend) {
      return std::make_unique<ScriptedBackend>(backend, scores);
    };
    return std::make_unique<EngineDriver>(std::move(options));
  }

  ModelGeometry Geometry() const {
    ModelGeometry geometry = SmallGeometry();
    geometry.query_heads = GetParam().kv_heads;
    geometry.layers.resize(static_cast<size_t>(GetParam().layers), geometry.layers[0]);
    for (LayerGeometry& layer : geometry.layers) layer.kv_heads = GetParam().kv_heads;
    return geometry;
  }

  HeldPositions Wanted() const {
    HeldPositions wanted;
    for (const auto& row : GetParam().held) wanted.emplace_back(row.begin(), row.end());
    return wanted;
  }
};

TEST_P(WindowEngineGoldenTest, APrefillHoldsExactlyTheExpectedPositions) {
  const auto driver = Driver();
  const TestModel model = driver->Register(Geometry());
  TestSequence sequence = driver->Create(model, GetParam().policy);
  const int64_t window = *GetParam().policy.window_tokens;
  // Scores are scripted: only the last step need attend.
  ASSERT_TRUE(
      AppendStep(*driver, model, Prefill(sequence, GetParam().tokens() - window, false)).ok());
  const auto last = RunStep(*driver, model, {Prefill(sequence, window)});
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(driver->HeldRows(model, sequence), Wanted());
}

std::string NameOfExample(const ::testing::TestParamInfo<golden::WindowExample>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(SnapKv, WindowEngineGoldenTest,
                         ::testing::ValuesIn(golden::SnapKvExamples()), NameOfExample);
INSTANTIATE_TEST_SUITE_P(PyramidKv, WindowEngineGoldenTest,
                         ::testing::ValuesIn(golden::PyramidKvExamples()), NameOfExample);
INSTANTIATE_TEST_SUITE_P(AdaKv, WindowEngineGoldenTest,
                         ::testing::ValuesIn(golden::AdaKvExamples()), NameOfExample);
INSTANTIATE_TEST_SUITE_P(DynamicKv, WindowEngineGoldenTest,
                         ::testing::ValuesIn(golden::DynamicKvExamples()), NameOfExample);

}  // namespace
}  // namespace sluice
