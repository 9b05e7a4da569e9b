// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>

#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/plain_sequence.h"
#include "tests/daemon/policy/window_presets.h"

namespace sluice {
namespace {

// Random sequences under every window preset; each test prints its seed.
class WindowRandomTest : public ::testing::TestWithParam<std::string> {
 protected:
  WindowRandomTest() : trace_(__FILE__, __LINE__, seed_) {}

  int64_t Below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
  }

  // Few values, so that ties are frequent; a head's level sets heads and layers apart.
  std::vector<std::vector<float>> Scores(size_t rows, int64_t tokens) {
    std::vector<std::vector<float>> scores(rows);
    for (std::vector<float>& row : scores) {
      const auto level = static_cast<float>(1 + Below(20));
      for (int64_t i = 0; i < tokens; ++i) row.push_back(level * static_cast<float>(Below(50)));
    }
    return scores;
  }

  PolicySpec RandomSpec() {
    PolicySpec spec{.preset = GetParam()};
    spec.window_tokens = 1 + Below(12);
    spec.budget_tokens = *spec.window_tokens + 1 + Below(40);
    spec.pool = static_cast<ScorePool>(Below(3));
    if (*spec.pool != ScorePool::kNone) spec.pool_width = 1 + 2 * Below(4);
    if (GetParam() == "pyramidkv") spec.beta = 1 + Below(20);
    if (GetParam() == "adakv") spec.alpha = static_cast<double>(Below(11)) / 10;
    if (GetParam() == "adakv") spec.head_budget = static_cast<HeadBudget>(Below(2));
    if (GetParam() == "dynamickv") spec.arithmetic = static_cast<LayerArithmetic>(Below(2));
    if (GetParam() == "dynamickv") spec.update_every_layers = 1 + Below(6);
    return spec;
  }

  const uint32_t seed_ = std::random_device{}();
  ::testing::ScopedTrace trace_;
  std::mt19937 random_{seed_};
};

int64_t HeldBy(const std::vector<std::vector<int32_t>>& held) {
  int64_t slots = 0;
  for (const std::vector<int32_t>& row : held) slots += static_cast<int64_t>(row.size());
  return slots;
}

TEST_P(WindowRandomTest, APrefillSpendsTheBudgetAndKeepsTheWindow) {
  for (int round = 0; round < 300; ++round) {
    const auto layers = static_cast<int32_t>(1 + Below(7));
    const auto heads = static_cast<int32_t>(1 + Below(4));
    const PolicySpec spec = RandomSpec();
    const int64_t tokens = 1 + Below(200);
    const auto rows = static_cast<size_t>(layers * heads);
    PlainSequence sequence(WindowPreset(spec, UniformModel(layers, heads)), Scores(rows, tokens));
    sequence.Add(tokens, /*decode=*/false);
    const int64_t budget = static_cast<int64_t>(rows) * std::min(tokens, *spec.budget_tokens);
    // DynamicKV does not give again what its clamps took.
    if (GetParam() == "dynamickv") {
      EXPECT_LE(HeldBy(sequence.held()), budget) << round;
    } else {
      EXPECT_EQ(HeldBy(sequence.held()), budget) << round;
    }
    for (const std::vector<int32_t>& row : sequence.held()) {
      const int64_t window = std::min(*spec.window_tokens, tokens);
      ASSERT_GE(static_cast<int64_t>(row.size()), window) << round;
      ASSERT_EQ(row[row.size() - static_cast<size_t>(window)], tokens - window) << round;
    }
  }
}

TEST_P(WindowRandomTest, DecodingStaysWithinTheBudgetAndItsHysteresis) {
  for (int round = 0; round < 20; ++round) {
    PolicySpec spec = RandomSpec();
    spec.triggers =
        TriggerSpec{.prefill_end = true, .every_tokens = 1, .hysteresis_tokens = 1 + Below(10)};
    PlainSequence sequence(WindowPreset(spec, UniformModel(4, 2)), Scores(8, 300));
    sequence.Add(150, /*decode=*/false);
    const int64_t most = 8 * (*spec.budget_tokens + *spec.triggers->hysteresis_tokens);
    for (int i = 0; i < 150; ++i) {
      sequence.Add(1, /*decode=*/true);
      ASSERT_LT(HeldBy(sequence.held()), most) << "round " << round << ", token " << i;
    }
    EXPECT_GT(sequence.jobs(), 1) << round;
  }
}

// With drafts the tail is wider than the window, after a rollback narrower.
TEST_P(WindowRandomTest, AWiderTailCostsNoMoreThanItself) {
  for (int round = 0; round < 200; ++round) {
    const PolicySpec spec = RandomSpec();
    PlainSequence sequence(WindowPreset(spec, UniformModel(3, 2)), Scores(6, 300));
    sequence.set_draft_tokens(Below(*spec.budget_tokens));
    const int64_t tail = std::max(sequence.draft_tokens(), *spec.window_tokens);
    const int64_t most = 6 * (*spec.budget_tokens + tail - *spec.window_tokens);
    sequence.Add(150, /*decode=*/false);
    EXPECT_LE(HeldBy(sequence.held()), most) << round;
    const int64_t taken_back = Below(tail);
    const int64_t added = 1 + Below(3);
    sequence.RollBack(taken_back);
    sequence.Add(added, /*decode=*/false);
    EXPECT_LE(HeldBy(sequence.held()), most) << round;
    // Of the window, all that the first job left.
    const int64_t length = 150 - taken_back + added;
    const int64_t first = std::max(150 - tail, length - *spec.window_tokens);
    for (const std::vector<int32_t>& row : sequence.held()) {
      ASSERT_EQ(row.end() - std::lower_bound(row.begin(), row.end(), first), length - first);
    }
  }
}

TEST_P(WindowRandomTest, AKeptSharedPrefixStaysWhole) {
  for (int round = 0; round < 100; ++round) {
    PolicySpec spec = RandomSpec();
    spec.shared_prefix = SharedPrefix::kKeep;
    PlainSequence sequence(WindowPreset(spec, UniformModel(3, 2)), Scores(6, 150));
    const int64_t shared = Below(100);
    sequence.set_shared_tokens(shared);
    sequence.Add(150, /*decode=*/false);
    for (const std::vector<int32_t>& row : sequence.held()) {
      const auto end = std::lower_bound(row.begin(), row.end(), shared);
      ASSERT_EQ(end - row.begin(), shared) << round;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, WindowRandomTest, ::testing::ValuesIn(WindowPresetNames()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace sluice
