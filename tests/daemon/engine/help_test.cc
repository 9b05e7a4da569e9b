// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// How a thread that has posted a call runs its operations: alone, together with
// the backend's threads, or not at all.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "kernels/make_backend.h"
#include "tests/testing/step_driver.h"

namespace sluice {
namespace {

// The CPU's backend with one thread, which counts offers of help.
class CountingBackend final : public Backend {
 public:
  struct Counts {
    std::atomic<int64_t> alone{0};
    std::atomic<int64_t> together{0};
  };

  CountingBackend(const BackendOptions& options, Counts* counts)
      : counts_(counts),
        inner_(MakeBackend({BackendKind::kCpu, options.pool, 1, options.signal})) {}

  Ticket Submit(Lane lane, const Operation& operation) override {
    return inner_->Submit(lane, operation);
  }
  void After(Lane lane, Ticket ticket) override { inner_->After(lane, ticket); }
  Ticket Submitted(Lane lane) const override { return inner_->Submitted(lane); }
  Ticket Completed(Lane lane) const override { return inner_->Completed(lane); }
  void SetQuiet(bool quiet) override {
    quiet_ = quiet;
    inner_->SetQuiet(quiet);
  }
  void Help() override {
    ++(quiet_ ? counts_->alone : counts_->together);
    inner_->Help();
  }
  void WaitIdle() override { inner_->WaitIdle(); }

  const char* name() const override { return "counting"; }
  PageLayout page_layout() const override { return inner_->page_layout(); }
  void Clear(std::byte* memory, int64_t bytes) override { inner_->Clear(memory, bytes); }
  const char* description() const override { return inner_->description(); }

 private:
  Counts* const counts_;
  const std::unique_ptr<Backend> inner_;
  bool quiet_ = false;
};

class HelpTest : public ::testing::Test {
 protected:
  HelpTest() {
    EngineOptions options = SmallOptions();
    options.make_backend = [this](const BackendOptions& backend) {
      return std::make_unique<CountingBackend>(backend, &counts_);
    };
    driver_ = std::make_unique<EngineDriver>(std::move(options));
    model_ = driver_->Register();
  }

  // A sequence whose decode calls read about `bytes` a layer. Nothing is counted yet.
  TestSequence Reading(int64_t bytes) {
    const ModelGeometry& geometry = model_.geometry;
    const int64_t slot_bytes = geometry.layers[0].kv_heads * (geometry.k_dim + geometry.v_dim) *
                               static_cast<int64_t>(sizeof(float));
    TestSequence sequence = driver_->Create(model_);
    EXPECT_TRUE(AppendStep(*driver_, model_, Prefill(sequence, bytes / slot_bytes)).ok());
    counts_.alone = counts_.together = 0;
    return sequence;
  }

  void Decode(TestSequence& sequence) {
    ASSERT_TRUE(RunStep(*driver_, model_, {sluice::Decode(sequence)}).ok());
  }

  CountingBackend::Counts counts_;
  std::unique_ptr<EngineDriver> driver_;
  TestModel model_;
};

TEST_F(HelpTest, SmallOperationsAreRunWithoutWakingAnybody) {
  TestSequence sequence = Reading(64 << 10);
  while (counts_.alone == 0) Decode(sequence);
  EXPECT_EQ(counts_.together, 0);
}

TEST_F(HelpTest, LargerOnesAreRunTogetherWithTheBackendsThreads) {
  TestSequence sequence = Reading(2 << 20);
  while (counts_.together == 0) Decode(sequence);
  EXPECT_EQ(counts_.alone, 0);
}

TEST_F(HelpTest, LargeOnesAreLeftToThem) {
  TestSequence sequence = Reading(6 << 20);
  for (int step = 0; step < 20; ++step) Decode(sequence);
  EXPECT_EQ(counts_.alone + counts_.together, 0);
}

}  // namespace
}  // namespace sluice
