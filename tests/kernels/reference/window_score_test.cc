// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/reference/reference_backend.h"
#include "kernels/reference/slot.h"
#include "tests/kernels/testing/operations.h"

namespace sluice {
namespace {

using kernels_testing::MakeLayer;
using kernels_testing::RunOperation;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

// Six tokens of one kv head with two query heads, fp32: slot t has the key
// (log weight[t], 0, ..), so that a query (1, 0, ..) pays it weight[t] / (the sum
// of the weights it sees), and a query (0, ..) pays all the same. Of tokens 4 and
// 5 the queries are kept: of head 0 ones, of head 1 zeros. Four slots are scored.
class ReferenceWindowScoreTest : public testing::Test {
 protected:
  ReferenceWindowScoreTest()
      : batch_(PageFormat{Dtype::kF32, KeySpace::kRotated, RopePairing::kNone, 16, 16, 16, 0}, 1,
               1),
        layer_(MakeLayer(batch_.page_format(), 0, 1, 2)) {
    layer_.scale = 1.0f;
    batch_.AddSequence(SequenceShape{0, 0, 0, 4, 2});
    batch_.AddObservations(layer_, 2);
    const float weights[] = {1, 2, 4, 1, 2, 6};
    const Row row = MakeRow(batch_.pool(), batch_.entries()[0], 0, 6);
    for (int64_t slot = 0; slot < 6; ++slot) {
      reference::Vector k(16);
      k[0] = std::log(weights[slot]);
      reference::WriteSlot(batch_.pool(), reference::PlaceInRow(row, slot),
                           reference::MakeContent(batch_.page_format(), k, reference::Vector(16),
                                                  slot, 0.0f));
    }
  }

  // Scores after keeping the queries, with log-sum-exps or without.
  std::vector<float> Score(WindowScoreArgs args, const std::vector<float>& lse = {}) {
    Tensor q(Dtype::kF32, 2 * 2 * 16);
    q.Set(0, 1.0f);
    q.Set(2 * 16, 1.0f);
    ReferenceBackend backend(batch_.pool(), nullptr);
    RunObserve(backend, batch_, layer_, q, lse, 0, 2);
    const std::vector<int64_t> offsets = RowOffsets(batch_, batch_.entries()[0], 0, 1);
    std::vector<float> scores(static_cast<size_t>(offsets.back()), -1.0f);
    args.rows = RowSet{&batch_.entries()[0], 0, 1, offsets.data()};
    args.layer = &layer_;
    args.length = 6;
    args.observation = batch_.Ring(0, layer_);
    args.layout = batch_.RingLayout(0, layer_);
    args.scores = scores.data();
    RunOperation(backend, args);
    EXPECT_EQ(scores[4], -1.0f);  // only the slots below the snapshot
    scores.resize(4);
    return scores;
  }

  static WindowScoreArgs Args(int32_t window, GroupReduce reduce) {
    WindowScoreArgs args;
    args.window = window;
    args.reduce = reduce;
    return args;
  }

  static void ExpectNear(const std::vector<float>& actual, const std::vector<float>& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-6f) << i;
  }

  TestBatch batch_;
  LayerShape layer_;
};

// Head 0: w / 10 from token 4 (it sees weights 1 2 4 1 2), w / 16 from token 5.
// Head 1: 1 / 5 and 1 / 6 for each.
TEST_F(ReferenceWindowScoreTest, SumsOverRowsThenReducesOverHeads) {
  const float ones = 1.0f / 10 + 1.0f / 16;
  const float same = 1.0f / 5 + 1.0f / 6;
  ExpectNear(Score(Args(2, GroupReduce::kSum)),
             {ones + same, 2 * ones + same, 4 * ones + same, ones + same});
  ExpectNear(Score(Args(2, GroupReduce::kMean)), {(ones + same) / 2, ones + same / 2,
                                                  2 * ones + same / 2, (ones + same) / 2});
  ExpectNear(Score(Args(2, GroupReduce::kMax)), {same, same, 4 * ones, same});
}

TEST_F(ReferenceWindowScoreTest, AWindowOfOneUsesTheLastRow) {
  ExpectNear(Score(Args(1, GroupReduce::kMax)), {1.0f / 6, 1.0f / 6, 0.25f, 1.0f / 6});
}

// A kept log-sum-exp stands for the softmax's own, whatever it says.
TEST_F(ReferenceWindowScoreTest, UsesTheKeptLogSumExp) {
  const float nothing = -std::numeric_limits<float>::infinity();
  ExpectNear(Score(Args(2, GroupReduce::kSum), {std::log(20.0f), nothing, nothing, nothing}),
             {0.05f, 0.1f, 0.2f, 0.05f});
}

TEST_F(ReferenceWindowScoreTest, PoolsAfterReducing) {
  WindowScoreArgs args = Args(1, GroupReduce::kMax);
  args.pool = WindowPool::kMax;
  args.pool_width = 3;
  ExpectNear(Score(args), {1.0f / 6, 0.25f, 0.25f, 0.25f});
  args.pool = WindowPool::kAverage;
  ExpectNear(Score(args), {1.0f / 9, 7.0f / 36, 7.0f / 36, 5.0f / 36});
}

TEST_F(ReferenceWindowScoreTest, ALayersWindowAndSinksCount) {
  layer_.window = 3;  // token 5 sees tokens 3, 4, 5
  const std::vector<float> sinks = {std::log(1.0f), std::log(2.0f)};
  layer_.sink_logits = sinks.data();
  ExpectNear(Score(Args(1, GroupReduce::kSum)), {0, 0, 0, 1.0f / 10 + 1.0f / 5});
}

}  // namespace
}  // namespace sluice
