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

using kernels_testing::AttendResult;
using kernels_testing::MakeLayer;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// One row in an fp32 page: slot t has the key (keys[t], 0, ..) and the value
// (values[t], 0, ..); the step's one token is the last slot.
class ReferenceAttendTest : public testing::Test {
 protected:
  ReferenceAttendTest()
      : batch_(PageFormat{Dtype::kF32, KeySpace::kRotated, RopePairing::kNone, 16, 16, 16, 0}, 1, 1,
               kernels_testing::FillOptions{0.0, 0.0, true}),
        layer_(MakeLayer(batch_.page_format(), 0, 1, 1)) {
    layer_.scale = 1.0f;
  }

  void Store(const std::vector<float>& keys, const std::vector<float>& values) {
    const auto slots = static_cast<int64_t>(keys.size());
    batch_.AddSequence(SequenceShape{0, 0, 0, slots - 1, 1});
    const Row row = MakeRow(batch_.pool(), batch_.entries()[0], 0, slots);
    for (int64_t slot = 0; slot < slots; ++slot) {
      reference::Vector k(16);
      reference::Vector v(16);
      k[0] = keys[slot];
      v[0] = values[slot];
      const reference::SlotPlace place = reference::PlaceInRow(row, slot);
      reference::WriteSlot(batch_.pool(), place,
                           reference::MakeContent(place.format->page, k, v, slot, 0.0f));
    }
  }

  void SetLogMass(int32_t slot, float log_mass) {
    const Row row = MakeRow(batch_.pool(), batch_.entries()[0], 0, slot + 1);
    const reference::SlotPlace place = reference::PlaceInRow(row, slot);
    reference::SlotContent content = reference::ReadSlot(batch_.pool(), place);
    content.log_mass = log_mass;
    reference::WriteSlot(batch_.pool(), place, content);
  }

  AttendResult Attend(float query, const MassRule* rule = nullptr) {
    Tensor q(Dtype::kF32, 16 * layer_.q_heads);
    for (int32_t head = 0; head < layer_.q_heads; ++head) q.Set(16 * head, query);
    ReferenceBackend backend(batch_.pool(), nullptr);
    return RunAttend(backend, batch_, layer_, q, 0, 1, rule);
  }

  float* Scores() {
    const uint64_t list = batch_.entries()[0].score_list_offset;
    return batch_.world().Pool<float>(*batch_.world().Table<uint64_t>(list));
  }

  TestBatch batch_;
  LayerShape layer_;
};

TEST_F(ReferenceAttendTest, IsTheSoftmaxOfTheLogits) {
  Store({0.0f, std::log(2.0f), std::log(5.0f)}, {1.0f, 2.0f, 4.0f});
  const AttendResult result = Attend(1.0f);
  EXPECT_FLOAT_EQ(result.out.Get(0), (1.0f + 2.0f * 2.0f + 5.0f * 4.0f) / 8.0f);
  EXPECT_FLOAT_EQ(result.lse[0], std::log(8.0f));
}

TEST_F(ReferenceAttendTest, ScaleMultipliesTheLogits) {
  Store({0.0f, 2.0f}, {0.0f, 1.0f});
  layer_.scale = 0.5f * std::log(3.0f);
  EXPECT_FLOAT_EQ(Attend(1.0f).out.Get(0), 0.75f);
}

TEST_F(ReferenceAttendTest, LogMassIsAddedToTheLogit) {
  Store({0.0f, 0.0f}, {0.0f, 1.0f});
  SetLogMass(1, std::log(4.0f));
  const AttendResult result = Attend(1.0f);
  EXPECT_FLOAT_EQ(result.out.Get(0), 0.8f);
  EXPECT_FLOAT_EQ(result.lse[0], std::log(5.0f));
}

TEST_F(ReferenceAttendTest, SoftCapBendsTheLogitBeforeLogMass) {
  Store({0.0f, 3.0f}, {0.0f, 1.0f});
  SetLogMass(1, 0.25f);
  layer_.soft_cap = 2.0f;
  const double weight = std::exp(2.0 * std::tanh(1.5) + 0.25);
  EXPECT_FLOAT_EQ(Attend(1.0f).out.Get(0), static_cast<float>(weight / (1.0 + weight)));
}

TEST_F(ReferenceAttendTest, SinkLogitsTakeWeightWithoutAValue) {
  Store({0.0f, 0.0f}, {1.0f, 1.0f});
  const float sink = std::log(2.0f);
  layer_.sink_logits = &sink;
  const AttendResult result = Attend(1.0f);
  EXPECT_FLOAT_EQ(result.out.Get(0), 0.5f);
  EXPECT_FLOAT_EQ(result.lse[0], std::log(4.0f));
}

TEST_F(ReferenceAttendTest, TheWindowCountsTheQueryItself) {
  Store({0.0f, 0.0f, 0.0f, 0.0f}, {100.0f, 10.0f, 2.0f, 4.0f});
  layer_.window = 2;
  EXPECT_FLOAT_EQ(Attend(1.0f).out.Get(0), 3.0f);
}

TEST_F(ReferenceAttendTest, ANonFiniteQueryIsAnsweredWithNothing) {
  Store({0.0f}, {1.0f});
  const AttendResult result = Attend(std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(result.out.Get(0), 0.0f);
  EXPECT_EQ(result.lse[0], -kInfinity);
  EXPECT_EQ(result.non_finite, 1);
}

TEST_F(ReferenceAttendTest, NothingToSeeGivesNothingEvenWithSinkLogits) {
  Store({0.0f}, {1.0f});
  SetLogMass(0, -kInfinity);
  const float sink = 1.0f;
  layer_.sink_logits = &sink;
  const AttendResult result = Attend(1.0f);
  EXPECT_EQ(result.out.Get(0), 0.0f);
  EXPECT_EQ(result.lse[0], -kInfinity);
  EXPECT_EQ(result.non_finite, 0);
}

TEST_F(ReferenceAttendTest, MassIsTheDecayedScorePlusTheSoftmax) {
  Store({0.0f, std::log(3.0f)}, {1.0f, 1.0f});
  Scores()[0] = 8.0f;
  const MassRule rule{0.5f, false, GroupReduce::kMean};
  Attend(1.0f, &rule);
  EXPECT_FLOAT_EQ(Scores()[0], 4.25f);
  EXPECT_FLOAT_EQ(Scores()[1], 0.75f) << "the new slot starts at 0";
}

TEST_F(ReferenceAttendTest, MassOfAGroupIsItsSumOrItsMean) {
  Store({0.0f, std::log(3.0f)}, {1.0f, 1.0f});
  layer_.q_heads = 4;
  Scores()[0] = 1.0f;
  const MassRule sum{1.0f, false, GroupReduce::kSum};
  Attend(1.0f, &sum);
  EXPECT_FLOAT_EQ(Scores()[0], 2.0f);
  const MassRule mean_of_squares{1.0f, true, GroupReduce::kMean};
  Attend(1.0f, &mean_of_squares);
  EXPECT_FLOAT_EQ(Scores()[0], 2.0625f);
}

TEST_F(ReferenceAttendTest, WithoutDecayMemoryOnlyTheLastQueryCounts) {
  Store({0.0f, std::log(3.0f)}, {1.0f, 1.0f});
  Scores()[0] = kInfinity;
  const MassRule rule{0.0f, false, GroupReduce::kMean};
  Attend(1.0f, &rule);
  EXPECT_FLOAT_EQ(Scores()[0], 0.25f);
}

// Two queries of a chunk: the first does not see the second's slot.
TEST(ReferenceChunkTest, EachTokenSeesUpToItself) {
  const PageFormat format{Dtype::kF32, KeySpace::kRotated, RopePairing::kNone, 16, 16, 16, 0};
  TestBatch batch(format, 1, 1, kernels_testing::FillOptions{0.0, 0.0, true});
  batch.AddSequence(SequenceShape{0, 0, 0, 0, 2});
  const Row row = MakeRow(batch.pool(), batch.entries()[0], 0, 2);
  for (int64_t slot = 0; slot < 2; ++slot) {
    const reference::SlotPlace place = reference::PlaceInRow(row, slot);
    reference::WriteSlot(
        batch.pool(), place,
        reference::MakeContent(format, reference::Vector(16),
                               reference::Vector(16, 1.0f + 2.0f * static_cast<float>(slot)), slot,
                               0.0f));
  }
  LayerShape layer = MakeLayer(format, 0, 1, 1);
  ReferenceBackend backend(batch.pool(), nullptr);
  const MassRule rule{0.5f, false, GroupReduce::kMean};
  const AttendResult result =
      RunAttend(backend, batch, layer, Tensor(Dtype::kF32, 32), 0, 2, &rule);
  EXPECT_FLOAT_EQ(result.out.Get(0), 1.0f);
  EXPECT_FLOAT_EQ(result.out.Get(16), 2.0f);
  const float* scores = batch.world().Pool<float>(
      *batch.world().Table<uint64_t>(batch.entries()[0].score_list_offset));
  EXPECT_FLOAT_EQ(scores[0], 0.5f * 1.0f + 0.5f);
  EXPECT_FLOAT_EQ(scores[1], 0.5f);
}

}  // namespace
}  // namespace sluice
