// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// What the conformance suite cannot see: that answers do not depend on how
// items are dealt, and the paths that only long or wide calls take.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "kernels/cpu/attend_work.h"
#include "kernels/cpu/worker_pool.h"
#include "kernels/reference/reference_backend.h"
#include "tests/kernels/testing/operations.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice::cpu {
namespace {

using kernels_testing::AttendResult;
using kernels_testing::ExpectSamePools;
using kernels_testing::FillOptions;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

enum class ItemOrder { kForward, kBackward, kTwoThreads };

// Runs the items of a work in a given order, in memory that holds NaN.
class ItemRunner : public ReferenceBackend {
 public:
  ItemRunner(const PoolView& pool, ItemOrder order)
      : ReferenceBackend(pool, nullptr), pool_(pool), order_(order),
        work_(pool_, kWorkerScratchBytes) {}

  Ticket Submit(Lane lane, const Operation& operation) override {
    work_.Set(std::get<AttendArgs>(operation));
    for (int64_t items = work_.Plan(); items > 0; items = work_.NextPhase()) RunItems(items);
    work_.Finish();
    return ReferenceBackend::Submit(lane, CopyPagesArgs{});
  }

 private:
  void RunItems(int64_t items) {
    if (order_ != ItemOrder::kTwoThreads) return RunShare(items, 0, 1);
    std::thread other([&] { RunShare(items, 1, 2); });
    RunShare(items, 0, 2);
    other.join();
  }

  void RunShare(int64_t items, int32_t worker, int32_t workers) {
    const std::unique_ptr<void, decltype(&std::free)> memory(
        std::aligned_alloc(64, kWorkerScratchBytes), &std::free);
    auto* data = static_cast<std::byte*>(memory.get());
    std::fill_n(data, kWorkerScratchBytes, std::byte{0xff});
    WorkerScratch scratch{worker, data, kWorkerScratchBytes};
    for (int64_t i = worker; i < items; i += workers) {
      work_.Run(order_ == ItemOrder::kBackward ? items - 1 - i : i, scratch);
    }
  }

  const PoolView pool_;
  const ItemOrder order_;
  AttendWork work_;
};

PageFormat Bf16Format(int32_t page_size = 32) {
  PageFormat format;
  format.page_size = page_size;
  format.k_dim = 64;
  format.v_dim = 80;
  format.pairing = RopePairing::kHalfSplit;
  format.rotary_dim = 48;
  return format;
}

AttendResult Attend(Backend& backend, const TestBatch& batch, int32_t group,
                    const MassRule* rule = nullptr, int32_t window = 0) {
  LayerShape layer = MakeLayer(batch.page_format(), 0, batch.rows(), group);
  layer.window = window;
  const int64_t tokens = batch.View().total_tokens;
  const Tensor q = RandomTensor(Dtype::kF32, tokens * layer.q_heads * layer.k_dim, Random({5}));
  return RunAttend(backend, batch, layer, q, 0, tokens, rule);
}

AttendResult AttendInOrder(TestBatch& batch, ItemOrder order, int32_t group,
                           const MassRule* rule = nullptr, int32_t window = 0) {
  ItemRunner runner(batch.pool(), order);
  return Attend(runner, batch, group, rule, window);
}

TestBatch MakeBatch(const SequenceShape& shape, bool scores, const PageFormat& format) {
  FillOptions fill;
  fill.scores = scores;
  TestBatch batch(format, 2, 11, fill);
  batch.AddSequence(shape);
  batch.StoreStepTokens();
  if (scores) batch.FillScores();
  return batch;
}

void ExpectEqual(const AttendResult& expected, const AttendResult& actual) {
  EXPECT_EQ(expected.out.bytes, actual.out.bytes);
  EXPECT_EQ(expected.lse, actual.lse);
}

void ExpectNear(const AttendResult& expected, const AttendResult& actual) {
  ASSERT_EQ(expected.out.size(), actual.out.size());
  for (int64_t i = 0; i < expected.out.size(); ++i) {
    ASSERT_NEAR(expected.out.Get(i), actual.out.Get(i), 1e-5) << i;
  }
  for (size_t i = 0; i < expected.lse.size(); ++i) {
    ASSERT_NEAR(expected.lse[i], actual.lse[i], 1e-5) << i;
  }
}

// Shapes whose rows are cut into several segments: decode, decode of drafts,
// and a chunk of several tiles of query rows.
const SequenceShape kCutShapes[] = {
    {5000, -1, -1, 6000, 1}, {0, -1, -1, 9000, 3}, {900, -1, -1, 700, 90}};

TEST(AttendTest, CutRowsAgreeWithTheReference) {
  for (const SequenceShape& shape : kCutShapes) {
    TestBatch batch = MakeBatch(shape, false, Bf16Format());
    ReferenceBackend reference(batch.pool(), nullptr);
    ExpectNear(Attend(reference, batch, 4), AttendInOrder(batch, ItemOrder::kForward, 4));
  }
}

TEST(AttendTest, CutRowsOfWindowedLayersAgreeWithTheReference) {
  for (const SequenceShape& shape : kCutShapes) {
    TestBatch batch = MakeBatch(shape, false, Bf16Format());
    ReferenceBackend reference(batch.pool(), nullptr);
    ExpectNear(Attend(reference, batch, 2, nullptr, 1500),
               AttendInOrder(batch, ItemOrder::kForward, 2, nullptr, 1500));
  }
}

TEST(AttendTest, OrderOfItemsAndThreadsDoNotChangeABit) {
  for (const SequenceShape& shape : kCutShapes) {
    TestBatch batch = MakeBatch(shape, false, Bf16Format());
    const AttendResult forward = AttendInOrder(batch, ItemOrder::kForward, 4);
    ExpectEqual(forward, AttendInOrder(batch, ItemOrder::kBackward, 4));
    ExpectEqual(forward, AttendInOrder(batch, ItemOrder::kTwoThreads, 4));
  }
}

// Alone, a row is cut finely; among many others it is not cut at all.
TEST(AttendTest, TheCutDoesNotChangeABit) {
  TestBatch alone(Bf16Format(), 1, 12);
  alone.AddSequence({0, -1, -1, 8000, 1}, 0);
  TestBatch among(Bf16Format(), 1, 12);
  for (int64_t i = 0; i < 24; ++i) among.AddSequence({0, -1, -1, 8000, 1}, i);
  alone.StoreStepTokens();
  among.StoreStepTokens();
  const AttendResult one = AttendInOrder(alone, ItemOrder::kForward, 4);
  const AttendResult many = AttendInOrder(among, ItemOrder::kForward, 4);
  EXPECT_TRUE(std::equal(one.out.bytes.begin(), one.out.bytes.end(), many.out.bytes.begin()));
  EXPECT_TRUE(std::equal(one.lse.begin(), one.lse.end(), many.lse.begin()));
}

TEST(AttendTest, PageSizesDoNotChangeABit) {
  const SequenceShape shape{1000, 1016, 8, 3000, 2};
  TestBatch pages_of_16 = MakeBatch(shape, false, Bf16Format(16));
  const AttendResult expected = AttendInOrder(pages_of_16, ItemOrder::kForward, 4);
  for (const int32_t page_size : {32, 64}) {
    TestBatch batch = MakeBatch(shape, false, Bf16Format(page_size));
    ExpectEqual(expected, AttendInOrder(batch, ItemOrder::kForward, 4));
  }
}

// Weights of cut rows are shared; those of many rows come from the keys again.
TEST(AttendTest, MassOfCutRowsAgreesWithTheReference) {
  for (const SequenceShape& shape : kCutShapes) {
    TestBatch batch = MakeBatch(shape, true, Bf16Format());
    MassRule rule;
    rule.decay = 0.75f;
    for (const ItemOrder order : {ItemOrder::kForward, ItemOrder::kBackward}) {
      TestBatch expected = batch;
      TestBatch actual = batch;
      ReferenceBackend reference(expected.pool(), nullptr);
      Attend(reference, expected, 4, &rule);
      AttendInOrder(actual, order, 4, &rule);
      ExpectSamePools(expected.world(), actual.world());
    }
  }
}

TEST(AttendTest, MassDoesNotChangeAnswers) {
  for (const SequenceShape& shape : kCutShapes) {
    TestBatch batch = MakeBatch(shape, true, Bf16Format());
    const AttendResult without = AttendInOrder(batch, ItemOrder::kForward, 4);
    const MassRule rule;
    ExpectEqual(without, AttendInOrder(batch, ItemOrder::kForward, 4, &rule));
  }
}

}  // namespace
}  // namespace sluice::cpu
