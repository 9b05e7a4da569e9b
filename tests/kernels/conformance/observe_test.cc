// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/core/number.h"
#include "kernels/core/observation.h"
#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::ConformanceTest;
using kernels_testing::kBitForBit;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::RunOperation;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class ObserveConformanceTest : public ConformanceTest {
 protected:
  // The middle one of a model's three layers.
  LayerShape Layer(const PageFormat& format, int32_t group = 3) {
    LayerShape layer = MakeLayer(format, 0, 2, group);
    layer.layer = 1;
    return layer;
  }

  TestBatch BatchWithRings(Dtype dtype, int32_t capacity) {
    PageFormat format = AnyFormat();
    format.dtype = dtype;
    TestBatch batch = AnyBatch(format, 2, 4, 60, 50);
    batch.AddObservations(Layer(format), capacity);
    return batch;
  }

  Tensor AnyQueries(const TestBatch& batch, Dtype dtype) {
    const LayerShape layer = Layer(batch.page_format());
    const int64_t count = batch.View().total_tokens * layer.q_heads * layer.k_dim;
    Tensor q = RandomTensor(dtype, count, Random({NextSeed()}), 2.0f);
    for (int i = 0; i < 5; ++i) {
      q.Set(random().Below(count), i % 2 == 0 ? kInfinity : std::nanf(""));
    }
    return q;
  }

  std::vector<float> AnyLse(const TestBatch& batch) {
    const int64_t heads = Layer(batch.page_format()).q_heads;
    std::vector<float> lse(static_cast<size_t>(batch.View().total_tokens * heads));
    for (float& value : lse) value = random().Chance(0.1) ? -kInfinity : random().Normal();
    return lse;
  }

  void Observe(TestBatch& batch, const Tensor& q, const std::vector<float>& lse, int64_t first,
               int64_t count) {
    RunObserve(*Make(batch), batch, Layer(batch.page_format()), q, lse, first, count);
  }
};

TEST_P(ObserveConformanceTest, RingsHoldWhatTheReferenceKeeps) {
  for (const Dtype stored : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const Dtype given : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
      for (const int32_t capacity : {1, 7, 32}) {
        if (!TakesCase()) continue;
        SCOPED_TRACE(testing::Message() << DtypeName(given) << DtypeName(stored) << capacity);
        TestBatch expected = BatchWithRings(stored, capacity);
        const Tensor q = AnyQueries(expected, given);
        const std::vector<float> lse =
            random().Chance(0.5) ? AnyLse(expected) : std::vector<float>();
        TestBatch actual = expected;
        const int64_t first = random().Below(expected.View().total_tokens);
        const int64_t count = expected.View().total_tokens - first;
        RunObserve(*MakeReference(expected), expected, Layer(expected.page_format()), q, lse, first,
                   count);
        Observe(actual, q, lse, first, count);
        ExpectSamePools(expected.world(), actual.world(), kBitForBit);
      }
    }
  }
}

TEST_P(ObserveConformanceTest, ARingHoldsTheNewestRowsOfTheStep) {
  for (const int32_t capacity : {1, 5, 16, 100}) {
    SCOPED_TRACE(capacity);
    TestBatch batch(PageFormat{Dtype::kBf16, {}, {}, 32, 16, 16, 0}, 2, NextSeed());
    batch.AddSequence(SequenceShape{0, 0, 0, 1000, 40});
    const LayerShape layer = Layer(batch.page_format());
    batch.AddObservations(layer, capacity);
    const Tensor q = RandomTensor(Dtype::kBf16, 40 * layer.q_heads * 16, Random({NextSeed()}));
    const std::vector<float> lse = AnyLse(batch);
    Observe(batch, q, lse, 0, 40);
    const ObservationLayout layout = batch.RingLayout(0, layer);
    const std::byte* ring = batch.Ring(0, layer);
    for (int64_t position = 900; position < 1040; ++position) {
      const bool kept = position >= 1000 && position >= 1040 - capacity;
      ASSERT_EQ(HoldsObservation(ring, layout, position), kept) << position;
      if (!kept) continue;
      const int64_t row = (position - 1000) * layer.q_heads;
      EXPECT_EQ(std::memcmp(ring + ObservedQueryOffset(layout, position, 0),
                            q.bytes.data() + row * 32, static_cast<size_t>(layer.q_heads) * 32),
                0);
      EXPECT_EQ(std::memcmp(ring + ObservedLseOffset(layout, position), lse.data() + row,
                            static_cast<size_t>(layer.q_heads) * 4),
                0);
    }
  }
}

TEST_P(ObserveConformanceTest, CallsOverPartsOfAStepKeepTheSameRows) {
  for (int i = 0; i < 10; ++i) {
    if (!TakesCase()) continue;
    TestBatch whole = BatchWithRings(random().Of({Dtype::kF32, Dtype::kBf16, Dtype::kF16}), 9);
    const Tensor q = AnyQueries(whole, Dtype::kF32);
    const std::vector<float> lse = AnyLse(whole);
    TestBatch parts = whole;
    const int64_t tokens = whole.View().total_tokens;
    Observe(whole, q, lse, 0, tokens);
    for (int64_t first = 0; first < tokens;) {
      const int64_t count = random().Between(1, tokens - first);
      Observe(parts, q, lse, first, count);
      first += count;
    }
    ExpectSamePools(whole.world(), parts.world(), kBitForBit);
  }
}

TEST_P(ObserveConformanceTest, SeveralStepsKeepTheSameRowsAsOne) {
  for (const int32_t capacity : {3, 16, 64}) {
    TestBatch whole(PageFormat{Dtype::kF16, {}, {}, 16, 16, 16, 0}, 2, NextSeed());
    whole.AddSequence(SequenceShape{0, 0, 0, 30, 60});
    const LayerShape layer = Layer(whole.page_format());
    whole.AddObservations(layer, capacity);
    const int64_t width = layer.q_heads * layer.k_dim;
    const Tensor q = AnyQueries(whole, Dtype::kF16);
    const std::vector<float> lse = AnyLse(whole);
    TestBatch steps = whole;
    Observe(whole, q, lse, 0, 60);
    for (int64_t done = 0; done < 60;) {
      const int64_t count = random().Between(1, std::min<int64_t>(25, 60 - done));
      steps.SetStep(0, 30 + done, static_cast<int32_t>(count));
      Tensor own(q.dtype, count * width);
      std::memcpy(own.data(), q.bytes.data() + done * width * 2, own.bytes.size());
      const auto own_lse = lse.begin() + done * layer.q_heads;
      Observe(steps, own, {own_lse, own_lse + count * layer.q_heads}, 0, count);
      done += count;
    }
    ExpectSamePools(whole.world(), steps.world(), kBitForBit);
  }
}

// 1e30 is finite in fp32, but not in fp16.
TEST_P(ObserveConformanceTest, RowsThatAreNotFiniteAreKeptAsOnesThatSawNothing) {
  for (const float bad : {kInfinity, -kInfinity, std::nanf(""), 1e30f}) {
    TestBatch batch(PageFormat{Dtype::kF16, {}, {}, 16, 16, 16, 0}, 2, NextSeed());
    batch.AddSequence(SequenceShape{0, 0, 0, 0, 3});
    const LayerShape layer = Layer(batch.page_format(), 1);
    batch.AddObservations(layer, 3);
    Tensor q = RandomTensor(Dtype::kF32, 3 * 2 * 16, Random({NextSeed()}));
    q.Set(3 * 16 + 5, bad);  // token 1, head 1
    RunObserve(*Make(batch), batch, layer, q, std::vector<float>(6, 0.5f), 0, 3);
    const ObservationLayout layout = batch.RingLayout(0, layer);
    const std::byte* ring = batch.Ring(0, layer);
    EXPECT_TRUE(HoldsObservation(ring, layout, 1));
    const auto* lse = reinterpret_cast<const float*>(ring + ObservedLseOffset(layout, 1));
    EXPECT_EQ(lse[0], 0.5f);
    EXPECT_EQ(lse[1], -kInfinity);
    for (int64_t dim = 0; dim < 16; ++dim) {
      EXPECT_EQ(LoadAsFloat(ring + ObservedQueryOffset(layout, 1, 1), Dtype::kF16, dim), 0.0f);
      EXPECT_EQ(LoadAsFloat(ring + ObservedQueryOffset(layout, 1, 0), Dtype::kF16, dim),
                RoundTo(Dtype::kF16, q.Get(2 * 16 + dim)));
    }
  }
}

TEST_P(ObserveConformanceTest, AnLseThatIsNotGivenIsUnknown) {
  TestBatch batch(PageFormat{Dtype::kF32, {}, {}, 16, 16, 16, 0}, 2, NextSeed());
  batch.AddSequence(SequenceShape{0, 0, 0, 5, 2});
  const LayerShape layer = Layer(batch.page_format(), 1);
  batch.AddObservations(layer, 4);
  const Tensor q = RandomTensor(Dtype::kF32, 2 * 2 * 16, Random({NextSeed()}));
  RunObserve(*Make(batch), batch, layer, q, std::vector<float>(4, 1.0f), 0, 2);
  RunObserve(*Make(batch), batch, layer, q, {}, 0, 2);
  const ObservationLayout layout = batch.RingLayout(0, layer);
  for (int64_t position = 5; position < 7; ++position) {
    const auto* lse = reinterpret_cast<const float*>(batch.Ring(0, layer) +
                                                     ObservedLseOffset(layout, position));
    EXPECT_FALSE(LseIsKnown(lse[0]));
    EXPECT_FALSE(LseIsKnown(lse[1]));
  }
}

TEST_P(ObserveConformanceTest, NothingIsWrittenWithoutARing) {
  TestBatch without = AnyBatch(AnyFormat(), 2, 3, 40, 20);
  const TestBatch before = without;
  Observe(without, AnyQueries(without, Dtype::kF32), {}, 0, without.View().total_tokens);
  ExpectSamePools(before.world(), without.world(), kBitForBit);

  TestBatch other = BatchWithRings(Dtype::kBf16, 8);
  const TestBatch rings = other;
  LayerShape last = Layer(other.page_format());
  last.layer = 2;
  RunObserve(*Make(other), other, last, AnyQueries(other, Dtype::kF32), {}, 0,
             other.View().total_tokens);
  ExpectSamePools(rings.world(), other.world(), kBitForBit);
}

// A source that is the ring itself, one elsewhere, and none.
TEST_P(ObserveConformanceTest, CarriedRingsHoldTheRowsBelowTheLengthAndNoOthers) {
  TestBatch batch(PageFormat{Dtype::kBf16, {}, {}, 16, 16, 16, 0}, 2, NextSeed());
  for (int i = 0; i < 2; ++i) batch.AddSequence(SequenceShape{0, 0, 0, 20, 12});
  const LayerShape layer = Layer(batch.page_format());
  batch.AddObservations(layer, 7);
  Observe(batch, AnyQueries(batch, Dtype::kBf16), AnyLse(batch), 0, 24);
  const ObservationLayout layout = batch.RingLayout(0, layer);
  const auto size = static_cast<size_t>(layout.bytes);
  const std::vector<std::byte> source(batch.Ring(0, layer), batch.Ring(0, layer) + size);
  std::vector<std::byte> same = source;
  std::vector<std::byte> copy(size, std::byte{0x1b});
  std::vector<std::byte> fresh(size, std::byte{0});  // as row 0 would look
  const std::vector<RingCarry> rings = {
      {same.data(), same.data()}, {source.data(), copy.data()}, {nullptr, fresh.data()}};
  RunOperation(*Make(batch), CarryObservationsArgs{rings.data(), 3, layout, 29});
  for (int64_t position = 0; position < 40; ++position) {
    const bool kept = position >= 25 && position < 29;
    ASSERT_EQ(HoldsObservation(same.data(), layout, position), kept) << position;
    ASSERT_EQ(HoldsObservation(copy.data(), layout, position), kept) << position;
    ASSERT_FALSE(HoldsObservation(fresh.data(), layout, position)) << position;
  }
  const auto rows = static_cast<std::ptrdiff_t>(layout.lse_offset);
  EXPECT_TRUE(std::equal(copy.begin() + rows, copy.end(), source.begin() + rows));
  EXPECT_TRUE(std::equal(same.begin() + rows, same.end(), source.begin() + rows));
}

SLUICE_CONFORMANCE_SUITE(ObserveConformanceTest);

}  // namespace
}  // namespace sluice
