// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/observation.h"
#include "kernels/reference/slot.h"
#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::ConformanceTest;
using kernels_testing::FillOptions;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::RunOperation;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

// Of fp32 scores, relative to their own size.
constexpr double kScoreError = 1e-5;

// What is scored besides the batch's first sequence.
struct ScoreRule {
  int32_t window = 8;
  int64_t hot_tokens = 8;  // tokens at the end that lie beyond the snapshot
  GroupReduce reduce = GroupReduce::kMean;
  WindowPool pool = WindowPool::kNone;
  int32_t pool_width = 1;
};

// Scores row by row, only of the slots below the snapshot.
using RowScores = std::vector<std::vector<float>>;

class WindowScoreConformanceTest : public ConformanceTest {
 protected:
  PageFormat SmallFormat() {
    PageFormat format = AnyFormat();
    format.k_dim = random().Of({16, 64});
    format.v_dim = 16;
    format.rotary_dim = format.pairing == RopePairing::kNone ? 0 : format.k_dim;
    return format;
  }

  // One sequence with a ragged body and a tail, its tokens written.
  TestBatch OneSequence(const PageFormat& format, int64_t slots, int32_t step_tokens,
                        FillOptions fill = {}) {
    TestBatch batch(format, 3, NextSeed(), fill);
    SequenceShape shape;
    shape.body_slots = random().Below(slots + 1);
    shape.stored_tokens = slots - shape.body_slots;
    shape.step_tokens = step_tokens;
    if (random().Chance(0.5)) shape.tail_start = static_cast<int32_t>(random().Below(16));
    batch.AddSequence(shape);
    batch.StoreStepTokens();
    return batch;
  }

  // Keeps the step's queries in rings of `capacity` rows: by the reference, with
  // what it attended or without.
  void Observe(TestBatch& batch, const LayerShape& layer, int32_t capacity, bool with_lse,
               float non_finite = 0.0f) {
    const int64_t tokens = batch.View().total_tokens;
    const int64_t count = tokens * layer.q_heads * layer.k_dim;
    Tensor q = RandomTensor(batch.page_format().dtype, count, Random({NextSeed()}), 1.5f);
    for (int64_t row = 0; row < tokens * layer.q_heads; ++row) {
      if (random().Chance(non_finite)) q.Set(row * layer.k_dim, std::nanf(""));
    }
    batch.AddObservations(layer, capacity);
    std::vector<float> lse;
    if (with_lse) lse = RunAttend(*MakeReference(batch), batch, layer, q, 0, tokens).lse;
    RunObserve(*MakeReference(batch), batch, layer, q, lse, 0, tokens);
  }

  static RowScores Score(Backend& backend, const TestBatch& batch, const LayerShape& layer,
                         const ScoreRule& rule, int32_t first_row, int32_t row_count) {
    const ViewEntry& entry = batch.entries()[0];
    ViewEntry job = entry;
    job.token_count = 0;
    job.base_length = std::max(entry.tail_first_position,
                               entry.base_length + entry.token_count - rule.hot_tokens);
    const std::vector<int64_t> offsets = RowOffsets(batch, job, first_row, row_count);
    std::vector<float> scores(static_cast<size_t>(offsets.back()), std::nanf(""));
    WindowScoreArgs args;
    args.rows = RowSet{&job, first_row, row_count, offsets.data()};
    args.layer = &layer;
    args.length = entry.base_length + entry.token_count;
    args.observation = batch.Ring(0, layer);
    args.layout = batch.RingLayout(0, layer);
    args.window = rule.window;
    args.reduce = rule.reduce;
    args.pool = rule.pool;
    args.pool_width = rule.pool_width;
    args.scores = scores.data();
    RunOperation(backend, args);
    RowScores rows;
    for (int32_t r = 0; r < row_count; ++r) {
      const int64_t slots = MakeRow(batch.pool(), job, first_row + r, job.base_length).slots;
      rows.emplace_back(scores.begin() + offsets[r], scores.begin() + offsets[r] + slots);
      for (int64_t i = offsets[r] + slots; i < offsets[r + 1]; ++i) {
        EXPECT_TRUE(std::isnan(scores[i]) || scores[i] == 0.0f);
      }
    }
    return rows;
  }

  static RowScores ScoreLayer(Backend& backend, const TestBatch& batch, const LayerShape& layer,
                              const ScoreRule& rule) {
    return Score(backend, batch, layer, rule, layer.first_row, layer.kv_heads);
  }

  static void ExpectNear(const RowScores& expected, const RowScores& actual) {
    ASSERT_EQ(expected.size(), actual.size());
    for (size_t r = 0; r < expected.size(); ++r) {
      ASSERT_EQ(expected[r].size(), actual[r].size());
      for (size_t i = 0; i < expected[r].size(); ++i) {
        ASSERT_NEAR(expected[r][i], actual[r][i], kScoreError * double{expected[r][i]} + 1e-30)
            << "row " << r << " slot " << i << " of " << expected[r].size();
      }
    }
  }

  void ExpectSameScores(const TestBatch& batch, const LayerShape& layer, const ScoreRule& rule) {
    ExpectNear(ScoreLayer(*MakeReference(batch), batch, layer, rule),
               ScoreLayer(*Make(batch), batch, layer, rule));
  }
};

TEST_P(WindowScoreConformanceTest, EveryHeadDimPageSizeAndDtype) {
  for (const int32_t dim : {16, 64, 80, 128, 256}) {
    for (const int32_t page_size : {16, 32, 64}) {
      for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
        if (!TakesCase()) continue;
        SCOPED_TRACE(testing::Message() << dim << " page " << page_size << DtypeName(dtype));
        PageFormat format = SmallFormat();
        format.k_dim = dim;
        format.rotary_dim = format.pairing == RopePairing::kNone ? 0 : dim;
        format.page_size = page_size;
        format.dtype = dtype;
        TestBatch batch = OneSequence(format, 120, 8);
        const LayerShape layer = MakeLayer(format, 1, 2, 2);
        Observe(batch, layer, 8, random().Chance(0.5));
        ExpectSameScores(batch, layer, ScoreRule{4, 4});
      }
    }
  }
}

TEST_P(WindowScoreConformanceTest, EveryGroupSizeAndReduction) {
  for (int32_t group = 1; group <= 16; ++group) {
    if (!TakesCase()) continue;
    TestBatch batch = OneSequence(SmallFormat(), 90, 10);
    const LayerShape layer = MakeLayer(batch.page_format(), 1, 2, group);
    Observe(batch, layer, 10, group % 2 == 0);
    for (const GroupReduce reduce : {GroupReduce::kMean, GroupReduce::kMax, GroupReduce::kSum}) {
      SCOPED_TRACE(testing::Message() << group << " reduce " << static_cast<int>(reduce));
      ExpectSameScores(batch, layer, ScoreRule{9, 10, reduce});
    }
  }
}

TEST_P(WindowScoreConformanceTest, EveryPoolAndWidth) {
  for (const int64_t slots : {1, 20, 200}) {
    TestBatch batch = OneSequence(SmallFormat(), slots, 6);
    const LayerShape layer = MakeLayer(batch.page_format(), 0, 3, 2);
    Observe(batch, layer, 6, true);
    for (const WindowPool pool : {WindowPool::kAverage, WindowPool::kMax}) {
      for (const int32_t width : {1, 3, 5, 7, 63, 5001}) {
        if (!TakesCase()) continue;
        SCOPED_TRACE(testing::Message() << slots << " pool " << static_cast<int>(pool) << width);
        ExpectSameScores(batch, layer, ScoreRule{6, 6, GroupReduce::kMean, pool, width});
      }
    }
  }
}

TEST_P(WindowScoreConformanceTest, SlidingWindowsSoftCapsAndSinkLogits) {
  for (int i = 0; i < 24; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch batch = OneSequence(SmallFormat(), random().Between(1, 300), 20);
    LayerShape layer = MakeLayer(batch.page_format(), 1, 2, 2);
    const Tensor sinks = RandomTensor(Dtype::kF32, layer.q_heads, Random({NextSeed()}), 3.0f);
    if (i % 3 != 0) layer.window = static_cast<int32_t>(random().Between(1, 150));
    if (i % 4 >= 2) layer.soft_cap = 5.0f;
    if (i % 5 != 0) layer.sink_logits = static_cast<const float*>(sinks.data());
    Observe(batch, layer, 20, i % 2 == 0);
    ExpectSameScores(batch, layer, ScoreRule{16, random().Below(24)});
  }
}

TEST_P(WindowScoreConformanceTest, TheKeptLogSumExpIsTheOneItComputes) {
  for (int i = 0; i < 10; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch kept = OneSequence(SmallFormat(), 400, 12, FillOptions{0.1, 0.1, false});
    LayerShape layer = MakeLayer(kept.page_format(), 1, 2, 3);
    layer.window = i % 3 == 0 ? 100 : 0;
    layer.soft_cap = i % 4 == 0 ? 8.0f : 0.0f;
    Observe(kept, layer, 12, true);
    TestBatch unknown = kept;
    const ObservationLayout layout = kept.RingLayout(0, layer);
    auto* lse = reinterpret_cast<float*>(const_cast<std::byte*>(unknown.Ring(0, layer)) +
                                         layout.lse_offset);
    std::fill_n(lse, 12 * layer.q_heads, std::nanf(""));
    const ScoreRule rule{12, 12};
    ExpectNear(ScoreLayer(*Make(kept), kept, layer, rule),
               ScoreLayer(*Make(unknown), unknown, layer, rule));
  }
}

TEST_P(WindowScoreConformanceTest, SlotsThatWereNotFiniteScoreNothing) {
  for (const bool with_lse : {false, true}) {
    TestBatch batch = OneSequence(SmallFormat(), 200, 8, FillOptions{0.2, 0.2, false});
    const LayerShape layer = MakeLayer(batch.page_format(), 0, 3, 2);
    Observe(batch, layer, 8, with_lse);
    ExpectSameScores(batch, layer, ScoreRule{});
    const RowScores scores = ScoreLayer(*Make(batch), batch, layer, ScoreRule{8, 0});
    int64_t nothing = 0;
    for (int32_t r = 0; r < 3; ++r) {
      const Row row = MakeRow(batch.pool(), batch.entries()[0], r, INT32_MAX);
      for (size_t i = 0; i < scores[r].size(); ++i) {
        const auto place = reference::PlaceInRow(row, static_cast<int64_t>(i));
        const float log_mass = reference::ReadSlot(batch.pool(), place).log_mass;
        if (log_mass != -std::numeric_limits<float>::infinity()) continue;
        EXPECT_EQ(scores[r][i], 0.0f);
        ++nothing;
      }
    }
    EXPECT_GT(nothing, 10);
  }
}

TEST_P(WindowScoreConformanceTest, FewerRowsThanTheWindow) {
  for (int i = 0; i < 12; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    // A step of 5 tokens, a short sequence, or rows that were not finite.
    const int64_t slots = i % 3 == 1 ? 3 : 100;
    TestBatch batch = OneSequence(SmallFormat(), slots, i % 3 == 0 ? 5 : 20);
    const LayerShape layer = MakeLayer(batch.page_format(), 1, 2, 2);
    Observe(batch, layer, 40, i % 2 == 0, i % 3 == 2 ? 0.4f : 0.0f);
    ExpectSameScores(batch, layer, ScoreRule{40, 0});
  }
}

TEST_P(WindowScoreConformanceTest, WithoutRowsEveryScoreIsZero) {
  TestBatch batch = OneSequence(SmallFormat(), 100, 1);
  const LayerShape layer = MakeLayer(batch.page_format(), 0, 3, 2);
  batch.AddObservations(layer, 8);
  for (const WindowPool pool : {WindowPool::kNone, WindowPool::kAverage, WindowPool::kMax}) {
    const ScoreRule rule{8, 0, GroupReduce::kMean, pool, 3};
    for (const auto& row : ScoreLayer(*Make(batch), batch, layer, rule)) {
      EXPECT_EQ(row, std::vector<float>(row.size()));
    }
  }
}

TEST_P(WindowScoreConformanceTest, WideWindows) {
  for (const int32_t window : {64, 65, 130}) {
    if (!TakesCase(3)) continue;
    SCOPED_TRACE(window);
    TestBatch batch = OneSequence(SmallFormat(), 70, 150);
    const LayerShape layer = MakeLayer(batch.page_format(), 1, 2, 2);
    Observe(batch, layer, 140, window == 65);
    ExpectSameScores(batch, layer, ScoreRule{window, window});
  }
}

TEST_P(WindowScoreConformanceTest, LongRows) {
  for (const bool with_lse : {false, true}) {
    if (!TakesCase(2)) continue;
    PageFormat format = SmallFormat();
    format.k_dim = 16;
    format.rotary_dim = 0;
    format.pairing = RopePairing::kNone;
    TestBatch batch = OneSequence(format, 6000, 4);
    const LayerShape layer = MakeLayer(format, 1, 2, 2);
    Observe(batch, layer, 4, with_lse);
    ExpectSameScores(batch, layer, ScoreRule{4, 4, GroupReduce::kMean, WindowPool::kMax, 7});
  }
}

// 1024 observation rows a kv head: a tile is more than one item's work.
TEST_P(WindowScoreConformanceTest, TilesThatAreSharedByWorkers) {
  PageFormat format = SmallFormat();
  format.k_dim = 128;
  format.rotary_dim = format.pairing == RopePairing::kNone ? 0 : 128;
  TestBatch batch = OneSequence(format, 100, 64);
  const LayerShape layer = MakeLayer(format, 1, 1, 16);
  Observe(batch, layer, 64, false);
  ExpectSameScores(batch, layer, ScoreRule{64, 64});
}

TEST_P(WindowScoreConformanceTest, AnyNumberOfThreadsGivesTheSameBits) {
  for (const bool with_lse : {false, true}) {
    TestBatch batch = OneSequence(SmallFormat(), 2000, 16);
    const LayerShape layer = MakeLayer(batch.page_format(), 1, 2, 4);
    Observe(batch, layer, 16, with_lse);
    const ScoreRule rule{16, 16, GroupReduce::kMean, WindowPool::kAverage, 5};
    const RowScores expected = ScoreLayer(*Make(batch, 1), batch, layer, rule);
    for (const int32_t threads : {2, 4}) {
      EXPECT_EQ(expected, ScoreLayer(*Make(batch, threads), batch, layer, rule)) << threads;
    }
  }
}

TEST_P(WindowScoreConformanceTest, ARowScoresTheSameAloneAndAmongOthers) {
  for (const int32_t window : {3, 40}) {
    if (!TakesCase(2)) continue;
    TestBatch batch = OneSequence(SmallFormat(), 900, 40);
    const LayerShape layer = MakeLayer(batch.page_format(), 0, 3, 3);
    Observe(batch, layer, 40, false);
    const ScoreRule rule{window, 40, GroupReduce::kMean, WindowPool::kMax, 7};
    const RowScores together = ScoreLayer(*Make(batch), batch, layer, rule);
    for (int32_t r = 0; r < 3; ++r) {
      EXPECT_EQ(together[r], Score(*Make(batch), batch, layer, rule, r, 1).front()) << r;
    }
  }
}

TEST_P(WindowScoreConformanceTest, AnyPageSizeGivesTheSameBits) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    if (!TakesCase(3)) continue;
    PageFormat format = SmallFormat();
    format.dtype = dtype;
    format.page_size = 16;
    const int64_t seed = NextSeed();
    const Tensor q = RandomTensor(dtype, 12 * 4 * format.k_dim, Random({NextSeed()}), 1.5f);
    RowScores expected;
    for (const int32_t page_size : {16, 32, 64}) {
      format.page_size = page_size;
      TestBatch batch(format, 2, seed, FillOptions{0.05, 0.05, false});
      batch.AddSequence(SequenceShape{500, -1, -1, 700, 12}, 0);
      batch.StoreStepTokens();
      const LayerShape layer = MakeLayer(format, 0, 2, 2);
      batch.AddObservations(layer, 12);
      RunObserve(*MakeReference(batch), batch, layer, q, {}, 0, 12);
      const RowScores scores = ScoreLayer(*Make(batch), batch, layer, ScoreRule{12, 12});
      if (page_size == 16) expected = scores;
      EXPECT_EQ(expected, scores) << page_size;
    }
  }
}

SLUICE_CONFORMANCE_SUITE(WindowScoreConformanceTest);

}  // namespace
}  // namespace sluice
