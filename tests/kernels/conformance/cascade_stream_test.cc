// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// Whole streams under a cascade, held against the plain implementation of the method.

#include <algorithm>
#include <random>
#include <vector>

#include "kernels/core/mass.h"
#include "tests/kernels/conformance/backends.h"
#include "tests/oracle/cascade.h"
#include "tests/oracle/random_tensors.h"

namespace sluice {
namespace {

using kernels_testing::BackendUnderTest;
using kernels_testing::FillOptions;
using kernels_testing::RunCascadeInsert;
using kernels_testing::RunOperation;
using kernels_testing::TakesCase;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;
using oracle::RandomBelow;

constexpr int kPrompt = 90;
constexpr int kTokens = 120;
constexpr int kDim = 16;
constexpr int kKvHeads = 2;

// One stream's tensors and rules, anything random.
struct StreamCase {
  oracle::LayerTensors tensors;
  oracle::CascadeLayerRule rule;
  int stride = 1;
  bool arrives_rotated = false;
  PageFormat format;

  explicit StreamCase(uint64_t seed) {
    std::mt19937_64 random(seed);
    const int group = 1 + RandomBelow(random, 4);
    tensors = oracle::RandomTensors(random, {.tokens = kTokens,
                                             .q_heads = kKvHeads * group,
                                             .kv_heads = kKvHeads,
                                             .dim = kDim});
    const int rings = 1 + RandomBelow(random, 4);
    rule.cache = {.total = rings * (1 + RandomBelow(random, 8)),
                  .rings = rings,
                  .sinks = RandomBelow(random, 6),
                  .eager = RandomBelow(random, 3) > 0};
    rule.beta = RandomBelow(random, 2) == 0 ? 0.9999 : 0.9;
    const oracle::GroupReduce reduces[] = {oracle::GroupReduce::kMax, oracle::GroupReduce::kMean,
                                           oracle::GroupReduce::kMedian};
    rule.reduce = reduces[RandomBelow(random, 3)];
    const bool half_split = RandomBelow(random, 2) == 0;
    rule.rope = oracle::MakeRope(10000, kDim, half_split ? oracle::RopePairing::kHalfSplit
                                                         : oracle::RopePairing::kInterleaved);
    // As a kernel has them.
    for (double& frequency : rule.rope.inverse_frequencies) {
      frequency = double{static_cast<float>(frequency)};
    }
    stride = 1 + RandomBelow(random, 40);
    arrives_rotated = RandomBelow(random, 2) == 0;
    format.dtype = Dtype::kF32;
    format.key_space = KeySpace::kCachePosition;
    format.pairing = half_split ? RopePairing::kHalfSplit : RopePairing::kInterleaved;
    format.page_size = 16;
    format.k_dim = format.v_dim = format.rotary_dim = kDim;
  }

  int q_heads() const { return tensors.q_heads(); }

  CascadeGeometry Geometry() const {
    std::vector<int64_t> periods;
    for (const int period : oracle::AcceptancePeriods("pow2", rule.cache.rings)) {
      periods.push_back(period);
    }
    return MakeCascadeGeometry(rule.cache.sinks, rule.cache.rings, rule.cache.ring_size(), stride,
                               rule.cache.eager, periods.data());
  }

  MassRule Mass() const {
    MassRule mass;
    mass.decay = static_cast<float>(rule.beta);
    mass.reduce = rule.reduce == oracle::GroupReduce::kMax
                      ? GroupReduce::kMax
                      : (rule.reduce == oracle::GroupReduce::kMean ? GroupReduce::kMean
                                                                   : GroupReduce::kMedian);
    return mass;
  }
};

// The stream of a case in a backend.
class Stream {
 public:
  Stream(const StreamCase& stream_case, const BackendUnderTest& backend)
      : case_(stream_case),
        geometry_(stream_case.Geometry()),
        batch_(stream_case.format, kKvHeads, 1, FillOptions{0.0, 0.0, true}) {
    const int group = case_.q_heads() / kKvHeads;
    kernels_testing::CascadeShape shape;
    shape.geometry = geometry_;
    shape.step_tokens = kTokens;
    shape.score_sums = PendingSums(case_.Mass().reduce, group);
    batch_.AddCascade(shape);
    layer_ = kernels_testing::MakeLayer(case_.format, 0, kKvHeads, group);
    for (const double frequency : case_.rule.rope.inverse_frequencies) {
      inv_freq_.push_back(static_cast<float>(frequency));
    }
    layer_.rope.inv_freq = inv_freq_.data();
    layer_.rope.arrives_rotated = case_.arrives_rotated;
    backend_ = backend.make(batch_.world(), 2, nullptr);
  }

  // Takes `count` tokens in calls of any length, then inserts them.
  void Take(int count, std::mt19937_64& random) {
    const int64_t inserted = length_;
    for (int done = 0, part = 0; done < count; done += part) {
      part = 1 + RandomBelow(random, count - done);
      batch_.AdvanceCascade(0, inserted, length_, part);
      Append(part);
      Attend(part);
      length_ += part;
    }
    batch_.AdvanceCascade(0, inserted, length_, 0);
    RunCascadeInsert(*backend_, batch_, layer_, case_.Mass());
    batch_.AdvanceCascade(0, length_, length_, 0);
  }

  // True positions of a head in the order of its cache, and the rings' scores.
  oracle::Indices InCacheOrder(int head) const {
    oracle::Indices order;
    ForEachSlot(head, [&](const Span& span, int64_t page, int64_t slot) {
      order.push_back(PagePositions(batch_.pool(), span.format->slab, span.Page(page))[slot]);
    });
    return order;
  }
  std::vector<double> Scores(int head) const {
    std::vector<double> scores;
    const int32_t sums = PendingSums(case_.Mass().reduce, layer_.q_heads / kKvHeads);
    ForEachSlot(head, [&](const Span& span, int64_t page, int64_t slot) {
      if (!span.scored) return;
      scores.push_back(double{
          CascadeScores(batch_.pool(), batch_.entries()[0], span, page, sums)[slot]});
    });
    return scores;
  }

 private:
  template <class Function>
  void ForEachSlot(int head, const Function& function) const {
    const Row row = MakeRow(batch_.pool(), batch_.entries()[0], head, length_);
    for (int32_t s = 0; s < row.span_count; ++s) {
      const Span& span = row.spans[s];
      const int32_t page_size = span.format->page.page_size;
      for (int64_t i = span.first_slot; i < span.first_slot + span.slots; ++i) {
        function(span, i / page_size, i % page_size);
      }
    }
  }

  // Rows of tokens [length, length + count), as they arrive: [count, heads, dim].
  Tensor Arriving(const std::vector<oracle::Rows>& heads, int count) const {
    const auto head_count = static_cast<int64_t>(heads.size());
    Tensor tensor(Dtype::kF32, count * head_count * kDim);
    for (int token = 0; token < count; ++token) {
      for (int64_t head = 0; head < head_count; ++head) {
        const int position = static_cast<int>(length_) + token;
        oracle::Row row = heads[head][position];
        if (case_.arrives_rotated) row = oracle::Rotate(row, position, case_.rule.rope);
        for (int dim = 0; dim < kDim; ++dim) {
          tensor.Set((token * head_count + head) * kDim + dim, static_cast<float>(row[dim]));
        }
      }
    }
    return tensor;
  }

  void Append(int count) {
    const StepView view = batch_.View();
    const Tensor k = Arriving(case_.tensors.k, count);
    AppendArgs args;
    args.view = &view;
    args.layer = &layer_;
    args.k = k.data();
    args.v = k.data();
    args.token_count = count;
    RunOperation(*backend_, args);
  }

  void Attend(int count) {
    const MassRule mass = case_.Mass();
    RunAttend(*backend_, batch_, layer_, Arriving(case_.tensors.q, count), 0, count, &mass);
  }

  const StreamCase& case_;
  const CascadeGeometry geometry_;
  TestBatch batch_;
  LayerShape layer_;
  std::vector<float> inv_freq_;
  std::unique_ptr<Backend> backend_;
  int64_t length_ = 0;
};

// The part of the oracle's run that can be compared with: up to the first fight
// that is too close to call (compute.md 3, the margin rule).
class CascadeStreamTest : public testing::TestWithParam<BackendUnderTest> {
 protected:
  // Returns how many steps were compared.
  static int Compare(const StreamCase& stream_case, std::mt19937_64& random) {
    const oracle::CascadeRun expected =
        RunCascade(stream_case.tensors, kPrompt, stream_case.stride, stream_case.rule);
    const int close = oracle::FirstCloseStep(expected.run.decisions);
    Stream stream(stream_case, GetParam());
    int taken = 0;
    for (; taken < kPrompt; taken += std::min(stream_case.stride, kPrompt - taken)) {
      stream.Take(std::min(stream_case.stride, kPrompt - taken), random);
    }
    int compared = 0;
    for (size_t step = 0; step < expected.run.steps.size(); ++step) {
      if (expected.run.steps[step].tokens > close) break;
      if (step > 0) stream.Take(1, random);
      for (int head = 0; head < kKvHeads; ++head) {
        EXPECT_EQ(stream.InCacheOrder(head), expected.cache_order[step][head]);
        const std::vector<double> scores = stream.Scores(head);
        EXPECT_EQ(scores.size(), expected.scores[step][head].size());
        for (size_t i = 0; i < scores.size(); ++i) {
          EXPECT_NEAR(scores[i], expected.scores[step][head][i],
                      1e-4 * (1e-3 + expected.scores[step][head][i]));
        }
      }
      if (testing::Test::HasFailure()) return compared;
      ++compared;
    }
    return compared;
  }
};

TEST_P(CascadeStreamTest, HoldsWhatThePlainImplementationHolds) {
  int streams = 0;
  int compared = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    if (!TakesCase(GetParam(), static_cast<int64_t>(seed), 10)) continue;
    ++streams;
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed + 1000);
    compared += Compare(StreamCase(seed), random);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(compared, streams * 31 / 2);  // of the steps, most have no close fight before them
}

SLUICE_CONFORMANCE_SUITE(CascadeStreamTest);

}  // namespace
}  // namespace sluice
