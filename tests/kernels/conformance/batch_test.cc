// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// What is promised bit for bit: an answer depends on neither the batch around
// it, nor the threads, nor the page size.

#include <cstring>
#include <vector>

#include "kernels/reference/mass.h"
#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::AttendResult;
using kernels_testing::ConformanceTest;
using kernels_testing::ExpectSameBits;
using kernels_testing::FillOptions;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

constexpr MassRule kRule{0.9f, false, GroupReduce::kMean};

class BatchConformanceTest : public ConformanceTest {
 protected:
  static constexpr int32_t kRows = 2;

  LayerShape Layer(const PageFormat& format) {
    LayerShape layer = kernels_testing::MakeLayer(format, 0, kRows, 3);
    layer.window = window_;
    return layer;
  }

  std::vector<SequenceShape> AnyShapes(int32_t step_tokens) {
    std::vector<SequenceShape> shapes;
    for (int i = 0; i < 5; ++i) {
      SequenceShape shape;
      shape.body_slots = i == 0 ? 0 : random().Between(1, 900);
      shape.stored_tokens = random().Between(0, 700);
      shape.step_tokens = static_cast<int32_t>(random().Between(1, step_tokens));
      shapes.push_back(shape);
    }
    return shapes;
  }

  // The sequences `which` of the shapes, each with its own content and scores.
  static TestBatch BatchOf(const PageFormat& format, int64_t seed,
                           const std::vector<SequenceShape>& shapes, std::vector<int64_t> which) {
    TestBatch batch(format, kRows, seed, FillOptions{0.05, 0.05, true});
    for (const int64_t i : which) batch.AddSequence(shapes[i], i);
    batch.StoreStepTokens();
    batch.FillScores();
    return batch;
  }

  // Attends with queries that depend on the sequence's number alone.
  AttendResult Attend(TestBatch& batch, const std::vector<int64_t>& which, int32_t threads) {
    const LayerShape layer = Layer(batch.page_format());
    const int64_t width = int64_t{layer.q_heads} * layer.k_dim;
    Tensor q(Dtype::kF32, batch.View().total_tokens * width);
    for (size_t e = 0; e < which.size(); ++e) {
      const ViewEntry& entry = batch.entries()[e];
      const Tensor own =
          RandomTensor(Dtype::kF32, entry.token_count * width, Random({which[e], 9}));
      std::memcpy(q.bytes.data() + entry.first_token * width * 4, own.data(), own.bytes.size());
    }
    return RunAttend(*Make(batch, threads), batch, layer, q, 0, batch.View().total_tokens, &kRule);
  }

  // The scores of an entry, row by row, slot by slot.
  static std::vector<float> Scores(const TestBatch& batch, size_t entry) {
    const ViewEntry& e = batch.entries()[entry];
    std::vector<float> scores;
    for (int32_t r = 0; r < kRows; ++r) {
      const Row row = MakeRow(batch.pool(), e, r, e.base_length + e.token_count);
      for (int64_t slot = 0; slot < row.slots; ++slot) {
        scores.push_back(*reference::ScoreAt(batch.pool(), e, row, slot));
      }
    }
    return scores;
  }

  int32_t window_ = 0;
};

TEST_P(BatchConformanceTest, ASequenceGetsTheSameAnswerAloneAndInABatch) {
  const std::vector<int64_t> all = {0, 1, 2, 3, 4};
  for (const int32_t step_tokens : {1, 40}) {
    const PageFormat format = AnyFormat();
    const int64_t seed = NextSeed();
    const std::vector<SequenceShape> shapes = AnyShapes(step_tokens);
    TestBatch batch = BatchOf(format, seed, shapes, all);
    const AttendResult together = Attend(batch, all, 2);
    const int64_t width = int64_t{Layer(format).q_heads} * format.v_dim * 4;
    for (const int64_t i : all) {
      SCOPED_TRACE(i);
      TestBatch alone = BatchOf(format, seed, shapes, {i});
      const AttendResult result = Attend(alone, {i}, 2);
      const std::byte* same = together.out.bytes.data() + batch.entries()[i].first_token * width;
      EXPECT_EQ(std::memcmp(same, result.out.data(), result.out.bytes.size()), 0);
      EXPECT_EQ(Scores(batch, i), Scores(alone, 0));
    }
  }
}

// Values so wide that a device with the scratch of several threads cuts the work otherwise.
TEST_P(BatchConformanceTest, AnyNumberOfThreadsGivesTheSameAnswer) {
  const std::vector<int64_t> all = {0, 1, 2, 3, 4};
  for (const int32_t step_tokens : {1, 40}) {
    PageFormat format = AnyFormat();
    format.v_dim = 128;
    const TestBatch batch = BatchOf(format, NextSeed(), AnyShapes(step_tokens), all);
    TestBatch first = batch;
    const AttendResult expected = Attend(first, all, 1);
    for (const int32_t threads : {4, 2}) {
      if (threads == 2 && !TakesCase(2)) continue;
      SCOPED_TRACE(threads);
      TestBatch other = batch;
      ExpectSameBits(expected, Attend(other, all, threads));
      ExpectSamePools(first.world(), other.world(), kernels_testing::kBitForBit);
    }
  }
}

TEST_P(BatchConformanceTest, AnyPageSizeGivesTheSameAnswer) {
  const std::vector<int64_t> all = {0, 1, 2, 3, 4};
  for (const int32_t step_tokens : {1, 40}) {
    for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
      if (!TakesCase(6)) continue;
      SCOPED_TRACE(testing::Message() << step_tokens << DtypeName(dtype));
      PageFormat format = AnyFormat();
      format.dtype = dtype;
      format.page_size = 16;
      window_ = random().Of({0, 300});
      const int64_t seed = NextSeed();
      const std::vector<SequenceShape> shapes = AnyShapes(step_tokens);
      TestBatch first = BatchOf(format, seed, shapes, all);
      const AttendResult expected = Attend(first, all, 2);
      for (const int32_t page_size : {32, 64}) {
        format.page_size = page_size;
        TestBatch other = BatchOf(format, seed, shapes, all);
        ExpectSameBits(expected, Attend(other, all, 2));
        for (size_t e = 0; e < all.size(); ++e) EXPECT_EQ(Scores(first, e), Scores(other, e));
      }
    }
  }
}

SLUICE_ATTEND_CONFORMANCE_SUITE(BatchConformanceTest);

}  // namespace
}  // namespace sluice
