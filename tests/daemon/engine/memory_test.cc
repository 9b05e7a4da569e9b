// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Steps that find no room.

#include "tests/daemon/engine/refusal_matcher.h"
#include "gtest/gtest.h"
#include "tests/golden/l2norm_examples.h"
#include "tests/testing/step_driver.h"

namespace sluice {
namespace {

constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

// A model whose blocks of 64 tokens are near 4 MiB: the pool has room for six.
class MemoryTest : public ::testing::Test {
 protected:
  static ModelGeometry Large() {
    ModelGeometry geometry = SmallGeometry();
    geometry.name = "large";
    geometry.query_heads = 8;
    geometry.k_dim = geometry.v_dim = 128;
    geometry.page_size_tokens = 64;
    geometry.layers.assign(7, geometry.layers[0]);
    for (LayerGeometry& layer : geometry.layers) layer.kv_heads = 8;
    return geometry;
  }

  explicit MemoryTest(EngineOptions options = SmallOptions()) : driver_(std::move(options)) {}

  int64_t FreeBlocks() {
    driver_.Settled();
    const auto refused = driver_.Begin({Blocks(c_, 1000)});
    const int64_t missing = DetailsOf(refused.status()).room->missing_bytes;
    return 1000 - (missing + model_.block_bytes - 1) / model_.block_bytes;
  }
  StepPart Blocks(TestSequence& sequence, int64_t blocks) { return Prefill(sequence, 64 * blocks); }

  Answer<StepBegun> Waiting(const std::vector<StepPart>& parts) {
    BeginStep begin;
    for (const StepPart& part : parts) begin.entries.push_back(part.ToEntry());
    begin.max_wait = absl::Seconds(10);
    return driver_.Send(begin);
  }

  EngineDriver driver_;
  TestModel model_ = driver_.Register(Large());
  TestSequence a_ = driver_.Create(model_), b_ = driver_.Create(model_);
  TestSequence c_ = driver_.Create(model_);
};

TEST_F(MemoryTest, AStepWithoutRoomIsRefusedWithNumbersAndChangesNothing) {
  const PoolBytes before = driver_.Settled().pool;
  const auto refused = driver_.Begin({Blocks(a_, 2), Blocks(b_, 50)});
  EXPECT_THAT(refused, Refused(kExhausted, Reason::kPoolFull, "entries"));
  EXPECT_GT(RefusalOf(refused.status())->retry_after_ms, 0);
  const Room room = *DetailsOf(refused.status()).room;
  EXPECT_EQ(room.block_bytes, model_.block_bytes);
  EXPECT_GT(room.missing_bytes, 40 * model_.block_bytes);
  EXPECT_GT(room.free_bytes, model_.block_bytes);
  EXPECT_EQ(driver_.Settled().pool, before);
  EXPECT_EQ(driver_.Status().open_steps, 0);
  EXPECT_TRUE(driver_.Begin({Blocks(a_, 2)}).ok());
}

TEST_F(MemoryTest, FreeBytesAreThoseOfTheModelsOwnPages) {
  const TestModel small = driver_.Register();
  TestSequence brief = driver_.Create(small), other = driver_.Create(small);
  // Each leaves most of a slab to pages of its own size alone.
  ASSERT_TRUE(AppendStep(driver_, small, Prefill(brief, 1)).ok());
  ASSERT_TRUE(AppendStep(driver_, model_, Prefill(a_, 1)).ok());
  const auto accounted_blocks = [&](TestSequence& sequence, int64_t block_bytes) {
    const auto refused = driver_.Begin({Prefill(sequence, 64 * 1000)});
    const Room room = *DetailsOf(refused.status()).room;
    EXPECT_EQ((room.free_bytes + room.missing_bytes) % block_bytes, 0);
    return (room.free_bytes + room.missing_bytes) / block_bytes;
  };
  EXPECT_EQ(accounted_blocks(c_, model_.block_bytes), 1000);
  EXPECT_EQ(accounted_blocks(other, small.block_bytes), 4 * 1000);
}

TEST_F(MemoryTest, WhoWaitsGetsWhatIsGivenBackInOrder) {
  const int64_t blocks = FreeBlocks();
  const auto all = driver_.Begin({Blocks(a_, blocks)});
  ASSERT_TRUE(all.ok()) << all.status();
  const auto first = Waiting({Blocks(b_, blocks)});
  const auto second = Waiting({Blocks(c_, 1)});
  driver_.Status();
  EXPECT_FALSE(first.ready() || second.ready());
  ASSERT_TRUE(driver_.Abort(all->step).ok());
  EXPECT_TRUE(first.Wait().ok());
  driver_.Status();
  EXPECT_FALSE(second.ready());
  ASSERT_TRUE(driver_.Abort(first.Wait()->step).ok());
  EXPECT_TRUE(second.Wait().ok());
}

TEST_F(MemoryTest, ASmallerStepDoesNotOvertakeOneOfItsTenantThatWaits) {
  const int64_t blocks = FreeBlocks();
  ASSERT_TRUE(driver_.Begin({Blocks(a_, blocks - 1)}).ok());
  const auto first = Waiting({Blocks(b_, 2)});
  const auto second = Waiting({Blocks(c_, 1)});
  driver_.Settled();
  EXPECT_FALSE(first.ready());
  EXPECT_FALSE(second.ready());
  driver_.Advance(absl::Seconds(11));
  EXPECT_THAT(first.Wait(), RefusedFor(Reason::kPoolFull));
  EXPECT_TRUE(second.Wait().ok());
}

TEST_F(MemoryTest, LeaveOutBeginsWithWhatFindsRoomInOrder) {
  const int64_t blocks = FreeBlocks();
  BeginStep begin;
  begin.leave_out = true;
  const auto begun = driver_.Begin({Blocks(a_, 2), Blocks(b_, blocks), Blocks(c_, 1)}, begin);
  ASSERT_TRUE(begun.ok()) << begun.status();
  ASSERT_EQ(begun->entries.size(), 2u);
  EXPECT_EQ(begun->entries[1].sequence, c_.id);
  ASSERT_EQ(begun->left_out.size(), 1u);
  EXPECT_EQ(begun->left_out[0].entry_index, 1);
  EXPECT_EQ(begun->left_out[0].sequence, b_.id);
  EXPECT_EQ(begun->left_out[0].reason, Reason::kPoolFull);
}

TEST_F(MemoryTest, LeaveOutIsRefusedIfNothingIsLeft) {
  BeginStep begin;
  begin.leave_out = true;
  EXPECT_THAT(driver_.Begin({Blocks(a_, 50), Blocks(b_, 50)}, begin),
              RefusedFor(Reason::kPoolFull));
}

TEST_F(MemoryTest, AWaiterIsAnsweredWhenItsSequenceGoes) {
  ASSERT_TRUE(driver_.Begin({Blocks(a_, FreeBlocks())}).ok());
  const auto waiting = Waiting({Blocks(b_, 1)});
  ASSERT_TRUE(driver_.Free(b_).ok());
  EXPECT_THAT(waiting.Wait(), RefusedFor(Reason::kUnknownSequence));
}

TEST_F(MemoryTest, AStepThatMayNotWaitDoesNotOvertakeOneThatDoes) {
  ASSERT_TRUE(driver_.Begin({Blocks(a_, FreeBlocks() - 1)}).ok());
  const auto first = Waiting({Blocks(b_, 2)});
  EXPECT_THAT(driver_.Begin({Blocks(c_, 1)}), RefusedFor(Reason::kPoolFull));
  EXPECT_FALSE(first.ready());
  BeginStep begin;
  begin.leave_out = true;
  EXPECT_TRUE(driver_.Begin({Blocks(c_, 1)}, begin).ok());
}

TEST_F(MemoryTest, AStepWithinItsOpenBlockPassesOneThatWaitsForMemory) {
  ASSERT_TRUE(AppendStep(driver_, model_, Prefill(c_, 3)).ok());
  ASSERT_TRUE(driver_.Begin({Blocks(a_, FreeBlocks() - 1)}).ok());
  const auto first = Waiting({Blocks(b_, 2)});
  EXPECT_TRUE(driver_.Begin({Decode(c_)}).ok());
  EXPECT_FALSE(first.ready());
}

TEST_F(MemoryTest, ASequenceThatAStepWaitsForDoesNotRunOut) {
  CreateSequence more;
  more.lease = absl::Seconds(1);
  TestSequence brief = driver_.Create(model_, {}, more);
  const auto all = driver_.Begin({Blocks(a_, FreeBlocks())});
  ASSERT_TRUE(all.ok()) << all.status();
  const auto waiting = Waiting({Blocks(brief, 1)});
  driver_.Advance(absl::Seconds(5));
  EXPECT_FALSE(waiting.ready());
  ASSERT_TRUE(driver_.Abort(all->step).ok());
  EXPECT_TRUE(waiting.Wait().ok());
}

StepPart RollBackTo(int64_t length, StepPart part) {
  part.rollback_to = length;
  return part;
}

TEST_F(MemoryTest, ARefusedStepRollsNothingBackThatForksShare) {
  ASSERT_TRUE(AppendStep(driver_, model_, Prefill(a_, 200)).ok());
  const auto fork = driver_.Fork(a_);
  ASSERT_TRUE(fork.ok()) << fork.status();
  ASSERT_TRUE(driver_.Begin({Blocks(b_, FreeBlocks())}).ok());
  EXPECT_THAT(driver_.Begin({RollBackTo(60, Decode(a_))}), RefusedFor(Reason::kPoolFull));
  EXPECT_EQ(driver_.Info(a_)->length, 200);
  EXPECT_TRUE(driver_.Begin({RollBackTo(192, Decode(a_))}).status().code() == kExhausted);
  ASSERT_TRUE(driver_.Free(*fork).ok());
  EXPECT_TRUE(driver_.Begin({RollBackTo(60, Decode(a_))}).ok());
}

TEST_F(MemoryTest, ARefusedStepRollsNothingBackThoughATriggerCameWithIt) {
  PolicySpec policy = golden::L2Count(100);
  policy.triggers = TriggerSpec{.prefill_end = true};
  TestSequence sequence = driver_.Create(model_, policy);
  ASSERT_TRUE(AppendStep(driver_, model_, Prefill(sequence, 200, false)).ok());
  EXPECT_THAT(driver_.Begin({RollBackTo(150, Decode(sequence, 1000))}),
              RefusedFor(Reason::kPoolFull));
  const auto info = driver_.Info(sequence);
  EXPECT_EQ(info->length, 200);
  EXPECT_LE(info->rollback_floor, 150);
  EXPECT_EQ(info->last_job->snapshot_tokens, 150);
  EXPECT_EQ(info->last_job->outcome, JobOutcome::kCommitted);
  const auto begun = driver_.Begin({RollBackTo(150, Decode(sequence))});
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->entries[0].length, 150);
}

TEST_F(MemoryTest, ARefusedStepLeavesTriggersAsTheyWere) {
  PolicySpec policy = golden::L2Count(100);
  policy.triggers = TriggerSpec{.prefill_end = true, .once = true};
  TestSequence sequence = driver_.Create(model_, policy);
  ASSERT_TRUE(AppendStep(driver_, model_, Prefill(sequence, 60, false)).ok());
  EXPECT_THAT(driver_.Begin({Decode(sequence, 1000)}), RefusedFor(Reason::kPoolFull));
  ASSERT_TRUE(AppendStep(driver_, model_, Prefill(sequence, 60)).ok());
  EXPECT_EQ(driver_.Held(sequence, 0, 0).size(), 100u);
}

TEST_F(MemoryTest, AStepThatWaitsRollsBackWhenItBegins) {
  ASSERT_TRUE(AppendStep(driver_, model_, Prefill(a_, 200)).ok());
  const auto all = driver_.Begin({Blocks(b_, FreeBlocks())});
  ASSERT_TRUE(all.ok()) << all.status();
  const auto waiting = Waiting({RollBackTo(100, Decode(a_, 200))});
  EXPECT_EQ(driver_.Info(a_)->length, 200);
  EXPECT_FALSE(waiting.ready());
  ASSERT_TRUE(driver_.Abort(all->step).ok());
  ASSERT_TRUE(waiting.Wait().ok());
  EXPECT_EQ(waiting.Wait()->entries[0].length, 100);
  EXPECT_EQ(driver_.Info(a_)->length, 100);
}

TEST_F(MemoryTest, WhatARollbackDropsIsTheStepsBeforeAnybodyElses) {
  TestSequence written = driver_.Create(model_);
  ASSERT_TRUE(AppendStep(driver_, model_, Prefill(written, 130)).ok());
  ASSERT_TRUE(driver_.Begin({Blocks(a_, FreeBlocks())}).ok());
  const auto waiting = Waiting({Blocks(b_, 1)});
  ASSERT_TRUE(AppendStep(driver_, model_, RollBackTo(50, Decode(written, 80))).ok());
  EXPECT_FALSE(waiting.ready());
  EXPECT_EQ(NamedDifference(driver_, model_, written, 1), "");
}

// What is given up while the lane is held comes back when it is opened.
class HeldLaneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(kept_, 16)}).ok());
    ASSERT_TRUE(AppendStep(*driver_, model_, Prefill(freed_, 16 * 100)).ok());
    gate_->Hold(Lane::kForeground);
    attend_.sequences = {{kept_.id, 1}};
    attend_.q = tensors_->q.ref();
    reading_ = driver_->Send(attend_);
    gate_->AwaitWaiting(Lane::kForeground, 1);
    ASSERT_TRUE(driver_->Free(freed_).ok());
    driver_->StatusOnce([](const EngineStatus& status) { return !status.giving_back; });
    const auto refused = driver_->Begin({PartOf(10000 * model_.block_bytes)});
    free_bytes_ =
        10000 * model_.block_bytes - DetailsOf(refused.status()).room->missing_bytes;
    retired_bytes_ = driver_->Status().pool.retired;
    ASSERT_GT(retired_bytes_, 0);
  }
  void TearDown() override {
    gate_->Open(Lane::kForeground);
    EXPECT_TRUE(reading_.Wait().ok());
  }
  StepPart PartOf(int64_t bytes) { return Prefill(next_, bytes / model_.block_bytes * 16); }

  std::shared_ptr<BackendGate> gate_ = std::make_shared<BackendGate>();
  std::unique_ptr<EngineDriver> driver_ = EngineDriver::Gated(gate_);
  TestModel model_ = driver_->Register();
  TestSequence kept_ = driver_->Create(model_), freed_ = driver_->Create(model_);
  TestSequence next_ = driver_->Create(model_);
  Attend attend_;
  std::unique_ptr<LayerTensors> tensors_ =
      std::make_unique<LayerTensors>(model_.geometry, 0, std::vector<int64_t>{1});
  Answer<AttendResult> reading_;
  int64_t free_bytes_ = 0;
  int64_t retired_bytes_ = 0;
};

TEST_F(HeldLaneTest, AStepWaitsForWhatComesBackIfItIsEnough) {
  BeginStep begin;
  begin.entries = {PartOf(free_bytes_ + retired_bytes_ / 2).ToEntry()};
  const auto waiting = driver_->Send(begin);
  driver_->Status();
  EXPECT_FALSE(waiting.ready());
  gate_->Open(Lane::kForeground);
  EXPECT_TRUE(waiting.Wait().ok()) << waiting.Wait().status();
}

TEST_F(HeldLaneTest, AStepIsRefusedAtOnceIfWhatComesBackIsNotEnough) {
  const StepPart part = PartOf(free_bytes_ + 2 * retired_bytes_);
  EXPECT_THAT(driver_->Begin({part}), RefusedFor(Reason::kPoolFull));
}

TEST_F(HeldLaneTest, LeaveOutDoesNotWaitForWhatComesBack) {
  BeginStep begin;
  begin.leave_out = true;
  EXPECT_THAT(driver_->Begin({PartOf(free_bytes_ + retired_bytes_ / 2)}, begin),
              RefusedFor(Reason::kPoolFull));
}

class CrowdedTest : public MemoryTest {
 protected:
  static EngineOptions OneMayWait() {
    EngineOptions options = SmallOptions();
    options.max_waiting = 1;
    return options;
  }
  CrowdedTest() : MemoryTest(OneMayWait()) {}
};

TEST_F(CrowdedTest, AStepIsRefusedWhereAsManyWaitAsMay) {
  ASSERT_TRUE(driver_.Begin({Blocks(a_, FreeBlocks())}).ok());
  const auto waiting = Waiting({Blocks(b_, 1)});
  EXPECT_THAT(Waiting({Blocks(c_, 1)}).Wait(), RefusedFor(Reason::kQueueFull));
  EXPECT_FALSE(waiting.ready());
  driver_.DestroyEngine();
}

TEST_F(MemoryTest, WhatAFreedSequenceHeldServesTheNextAtOnce) {
  const int64_t blocks = FreeBlocks();
  for (int i = 0; i < 5; ++i) {
    TestSequence sequence = driver_.Create(model_);
    const auto begun = driver_.Begin({Blocks(sequence, blocks)});
    ASSERT_TRUE(begun.ok()) << begun.status();
    ASSERT_TRUE(driver_.Free(sequence).ok());
    ASSERT_TRUE(driver_.Abort(begun->step).ok());
  }
  EXPECT_EQ(FreeBlocks(), blocks);
}

class QuotaTest : public MemoryTest {
 protected:
  static EngineOptions Options() {
    EngineOptions options = SmallOptions();
    options.tenants[0].maximum_bytes = int64_t{9} << 20;
    options.max_sequences = 4;
    return options;
  }
  QuotaTest() : MemoryTest(Options()) {}
};

TEST_F(QuotaTest, ATenantsMaximumIsNamedAsTheReason) {
  const auto refused = driver_.Begin({Blocks(a_, 3)});
  EXPECT_THAT(refused, Refused(kExhausted, Reason::kTenantQuota, "entries"));
  EXPECT_LE(DetailsOf(refused.status()).room->free_bytes, int64_t{9} << 20);
  EXPECT_TRUE(driver_.Begin({Blocks(a_, 2)}).ok());
}

TEST_F(QuotaTest, SequencesAreCountedToo) {
  driver_.Create(model_);
  CreateSequence create;
  create.model_id = model_.id;
  EXPECT_THAT(driver_.Call(create), RefusedFor(Reason::kTenantQuota));
  EXPECT_THAT(driver_.Fork(a_), RefusedFor(Reason::kTenantQuota));
  ASSERT_TRUE(driver_.Free(b_).ok());
  EXPECT_TRUE(driver_.Fork(a_).ok());
}

}  // namespace
}  // namespace sluice
