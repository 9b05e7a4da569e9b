// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// What a lane promises: order, tickets, and the other lane's tickets.

#include <algorithm>
#include <vector>

#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::ConformanceTest;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

// An append of a whole step and what reads it: key norms as scores.
class LaneConformanceTest : public ConformanceTest {
 protected:
  LaneConformanceTest()
      : batch_(PageFormat{Dtype::kBf16, KeySpace::kRotated, RopePairing::kNone, 32, 64, 64, 0}, 2,
               1),
        layer_(kernels_testing::MakeLayer(batch_.page_format(), 0, 2, 1)),
        keys_(RandomTensor(Dtype::kF32, kTokens * 2 * 64, Random({3}))) {
    batch_.AddSequence(SequenceShape{0, 0, 0, 0, kTokens});
    view_ = batch_.View();
    after_ = batch_.entries()[0];
    after_.base_length = kTokens;
    append_.view = &view_;
    append_.layer = &layer_;
    append_.k = keys_.data();
    append_.v = keys_.data();
    append_.token_count = kTokens;
    norms_.rows = RowSet{&after_, 0, 2, offsets_};
    norms_.scores = scores_.data();
  }

  // Minus the norm of each key as stored.
  void ExpectScoresOfTheAppended() {
    for (int64_t slot = 0; slot < kTokens; ++slot) {
      ASSERT_LT(scores_[slot], -1.0f) << "read before it was written";
      ASSERT_GT(scores_[slot], -20.0f);
    }
  }

  static constexpr int32_t kTokens = 256;
  TestBatch batch_;
  LayerShape layer_;
  Tensor keys_;
  StepView view_;
  ViewEntry after_;
  AppendArgs append_;
  KeyNormScoreArgs norms_;
  int64_t offsets_[3] = {0, kTokens, 2 * kTokens};
  std::vector<float> scores_ = std::vector<float>(2 * kTokens);
};

TEST_P(LaneConformanceTest, OperationsOfALaneRunInOrder) {
  const auto backend = Make(batch_);
  backend->Submit(Lane::kForeground, append_);
  backend->Submit(Lane::kForeground, norms_);
  backend->WaitIdle();
  ExpectScoresOfTheAppended();
}

TEST_P(LaneConformanceTest, ALaneWaitsForTheOthersTicket) {
  for (int i = 0; i < 20; ++i) {
    if (!TakesCase()) continue;
    TestBatch fresh = batch_;
    std::fill(scores_.begin(), scores_.end(), 0.0f);
    const auto backend = Make(fresh);
    const Ticket ticket = backend->Submit(Lane::kForeground, append_);
    backend->After(Lane::kBackground, ticket);
    backend->Submit(Lane::kBackground, norms_);
    backend->WaitIdle();
    ExpectScoresOfTheAppended();
  }
}

TEST_P(LaneConformanceTest, TicketsCountEachLaneFromOne) {
  const auto backend = Make(batch_);
  EXPECT_EQ(backend->Submitted(Lane::kForeground), 0u);
  EXPECT_EQ(backend->Submit(Lane::kForeground, append_), 1u);
  EXPECT_EQ(backend->Submit(Lane::kForeground, append_), 2u);
  EXPECT_EQ(backend->Submitted(Lane::kBackground), 0u);
  backend->WaitIdle();
  EXPECT_EQ(backend->Submit(Lane::kBackground, norms_), 1u);
  backend->WaitIdle();
  EXPECT_EQ(backend->Completed(Lane::kForeground), 2u);
  EXPECT_EQ(backend->Completed(Lane::kBackground), 1u);
}

TEST_P(LaneConformanceTest, TheSignalIsRaisedWhenATicketPasses) {
  CompletionSignal signal;
  const auto backend = GetParam().make(batch_.world(), 2, &signal);
  const Ticket ticket = backend->Submit(Lane::kForeground, append_);
  uint32_t seen = 0;
  while (backend->Completed(Lane::kForeground) < ticket) {
    signal.Wait(seen, -1);
    seen = signal.value();
  }
  EXPECT_GE(signal.value(), 1u);
}

// An operation without work passes like any other.
TEST_P(LaneConformanceTest, EmptyOperationsPass) {
  const auto backend = Make(batch_);
  append_.token_count = 0;
  backend->Submit(Lane::kForeground, append_);
  backend->Submit(Lane::kForeground, CopyPagesArgs{});
  backend->WaitIdle();
  EXPECT_EQ(backend->Completed(Lane::kForeground), 2u);
}

TEST_P(LaneConformanceTest, ALaneHoldsItsCapacity) {
  const auto backend = Make(batch_);
  for (int64_t i = 0; i < Backend::kLaneCapacity - 1; ++i) {
    backend->Submit(Lane::kBackground, norms_);
  }
  backend->WaitIdle();
  EXPECT_EQ(backend->Completed(Lane::kBackground), Backend::kLaneCapacity - 1);
}

TEST_P(LaneConformanceTest, SaysWhatItIs) {
  const auto backend = Make(batch_);
  EXPECT_EQ(backend->page_layout(), GetParam().layout);
  EXPECT_STRNE(backend->name(), "");
  EXPECT_STRNE(backend->description(), "");
}

INSTANTIATE_TEST_SUITE_P(Backends, LaneConformanceTest,
                         testing::ValuesIn(kernels_testing::LaneBackendsUnderTest()),
                         kernels_testing::NameOf);

}  // namespace
}  // namespace sluice
