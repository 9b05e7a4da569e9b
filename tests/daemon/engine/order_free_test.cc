// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// How a prompt is divided into steps does not show in what is kept, whatever the preset.

#include <algorithm>
#include <map>
#include <string>

#include "daemon/policy/registry.h"
#include "gtest/gtest.h"
#include "tests/daemon/engine/backends.h"

namespace sluice {
namespace {

constexpr int64_t kTokens = 80;
constexpr int64_t kChunks[] = {1, 7, 64};

PolicySpec WindowSpec(const std::string& preset) {
  PolicySpec spec{.preset = preset, .budget_tokens = 40};
  spec.window_tokens = 16;
  if (preset == "dynamickv") spec.update_every_layers = 2;
  return spec;
}

// Specs by name, which begins with the preset's.
std::map<std::string, PolicySpec> Specs() {
  std::map<std::string, PolicySpec> specs;
  for (const std::string preset : {"snapkv", "pyramidkv", "adakv", "dynamickv"}) {
    specs[preset] = WindowSpec(preset);
  }
  specs["adakv_safeguard"] = WindowSpec("adakv");
  specs["adakv_safeguard"].head_budget = HeadBudget::kSafeguard;
  specs["dynamickv_reference"] = WindowSpec("dynamickv");
  specs["dynamickv_reference"].arithmetic = LayerArithmetic::kReference;
  specs["full"] = {};
  specs["sink_window"] = {.preset = "sink_window", .sink_tokens = 3, .recent_tokens = 30};
  specs["l2norm"] = {.preset = "l2norm", .budget_tokens = 40};
  specs["l2norm_ratio"] = {.preset = "l2norm", .ratio = Ratio{.value = 0.3}};
  specs["l2norm_ratio"].prune_after_tokens = 20;
  specs["h2o"] = {.preset = "h2o", .recent_tokens = 16};
  specs["h2o"].heavy_tokens = 24;
  specs["h2o_mean"] = specs["h2o"];
  specs["h2o_mean"].normalise = ScoreNormalise::kMean;
  specs["h2o_decay"] = specs["h2o"];
  specs["h2o_decay"].decay = 0.9;
  specs["tova"] = {.preset = "tova", .budget_tokens = 40};
  return specs;
}

class OrderFreeTest : public OnEveryBackend {
 protected:
  OrderFreeTest() {
    tags_ = driver_->NewTags(kTokens);
  }

  // What is held of the same prompt brought `chunk` tokens a step.
  HeldPositions HeldAfter(const PolicySpec& policy, int64_t chunk) {
    TestSequence sequence = driver_->Create(model_, policy);
    for (int64_t first = 0; first < kTokens; first += chunk) {
      const int64_t end = std::min(first + chunk, kTokens);
      StepPart part = Prefill(sequence, end - first, end == kTokens);
      part.tags.assign(tags_.begin() + first, tags_.begin() + end);
      const auto outcome = RunStep(*driver_, model_, {part});
      EXPECT_TRUE(outcome.ok()) << outcome.status();
      if (!outcome.ok()) return {};
    }
    HeldPositions held = driver_->HeldRows(model_, sequence);
    EXPECT_TRUE(driver_->Free(sequence).ok());
    return held;
  }

  std::unique_ptr<EngineDriver> driver_ = MakeDriver(GetParam());
  TestModel model_ = driver_->Register();
  std::vector<int64_t> tags_;
};

SLUICE_ON_EVERY_BACKEND(OrderFreeTest);

TEST_P(OrderFreeTest, ChunksOfAPromptDoNotShow) {
  for (const auto& [name, policy] : Specs()) {
    const HeldPositions whole = HeldAfter(policy, kTokens);
    int64_t slots = 0;
    for (const auto& row : whole) slots += static_cast<int64_t>(row.size());
    EXPECT_EQ(slots < 4 * kTokens, name != "full") << name;
    for (const int64_t chunk : kChunks) {
      EXPECT_EQ(HeldAfter(policy, chunk), whole) << name << " in chunks of " << chunk;
    }
  }
}

// The stride, and nothing else, decides what these hold: they have a test of their own.
bool GoesByStrides(absl::string_view preset) {
  return preset == "cascade" || preset == "streaming_llm";
}

TEST(OrderFreePresetsTest, EveryPresetIsAmongThem) {
  const std::map<std::string, PolicySpec> specs = Specs();
  for (const PresetInfo& preset : Presets()) {
    if (GoesByStrides(preset.name)) continue;
    EXPECT_EQ(specs.count(std::string(preset.name)), 1u) << preset.name;
  }
}

}  // namespace
}  // namespace sluice
