// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace sluice::cpu {
namespace {

// What a test operation does: `items` items in each of `phases` phases. It
// travels in the fields of an ImportArgs, which no one else reads here.
struct Script {
  int64_t items = 1;
  int64_t phases = 1;
  std::function<void(int64_t phase, int64_t item)> run;
};

class ScriptWork : public Work {
 public:
  void Set(const Script* script) { script_ = script; }
  int64_t Plan() override {
    phase_ = 0;
    return script_->items;
  }
  void Run(int64_t item, WorkerScratch&) override {
    if (script_->run) script_->run(phase_, item);
  }
  int64_t NextPhase() override { return ++phase_ < script_->phases ? script_->items : 0; }

 private:
  const Script* script_ = nullptr;
  int64_t phase_ = 0;
};

class ScriptSource : public WorkSource {
 public:
  Work* Prepare(const Operation& operation) override {
    work_.Set(static_cast<const Script*>(std::get<ImportArgs>(operation).k));
    return &work_;
  }

 private:
  ScriptWork work_;
};

class PoolOfTwoLanes {
 protected:
  explicit PoolOfTwoLanes(int32_t threads, std::function<int64_t()> now_ns = {})
      : foreground_(&sources_[0]), background_(&sources_[1]) {
    foreground_.SetOther(&background_);
    background_.SetOther(&foreground_);
    WorkerPool::Options options;
    options.threads = threads;
    options.lanes = {&foreground_, &background_};
    options.passed = &passed_;
    options.signal = &raised_;
    options.now_ns = std::move(now_ns);
    pool_ = std::make_unique<WorkerPool>(std::move(options));
  }

  Ticket Push(LaneQueue& lane, const Script& script) {
    ImportArgs args;
    args.k = &script;
    const Ticket ticket = lane.Push(args);
    pool_->Notify();
    return ticket;
  }

  void WaitFor(const LaneQueue& lane, Ticket ticket) {
    for (;;) {
      const uint32_t seen = passed_.value();
      if (lane.passed() >= ticket) return;
      passed_.Wait(seen, -1);
    }
  }

  ScriptSource sources_[2];
  LaneQueue foreground_;
  LaneQueue background_;
  CompletionSignal passed_;
  CompletionSignal raised_;
  std::unique_ptr<WorkerPool> pool_;
};

class WorkerPoolTest : public PoolOfTwoLanes, public testing::TestWithParam<int32_t> {
 protected:
  WorkerPoolTest() : PoolOfTwoLanes(GetParam()) {}
};

TEST_P(WorkerPoolTest, RunsEveryItemOnce) {
  std::vector<std::atomic<int>> runs(1000);
  const Script script{1000, 1, [&](int64_t, int64_t item) { ++runs[item]; }};
  WaitFor(foreground_, Push(foreground_, script));
  for (const std::atomic<int>& count : runs) EXPECT_EQ(count.load(), 1);
}

TEST_P(WorkerPoolTest, RunsOperationsOfALaneInOrder) {
  std::vector<Script> scripts(500);
  std::atomic<int> failures{0};
  std::atomic<int64_t> done{0};
  for (int64_t i = 0; i < 500; ++i) {
    scripts[i].items = i % 4;
    const int64_t before = i / 4 * 6 + (i % 4) * (i % 4 - 1) / 2;
    scripts[i].run = [&, i, before](int64_t, int64_t) {
      const int64_t seen = done.fetch_add(1);
      if (seen < before || seen >= before + i % 4) ++failures;
    };
  }
  Ticket last = 0;
  for (const Script& script : scripts) last = Push(foreground_, script);
  WaitFor(foreground_, last);
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(done.load(), 125 * 6);
}

TEST_P(WorkerPoolTest, StartsAPhaseWhenAllItemsOfTheOneBeforeHaveRun) {
  std::atomic<int64_t> runs{0};
  std::atomic<int> failures{0};
  const Script script{7, 50, [&](int64_t phase, int64_t) {
                        if (runs.fetch_add(1) / 7 != phase) ++failures;
                      }};
  WaitFor(foreground_, Push(foreground_, script));
  EXPECT_EQ(runs.load(), 350);
  EXPECT_EQ(failures.load(), 0);
}

TEST_P(WorkerPoolTest, HoldsALaneUntilTheOtherHasPassed) {
  std::atomic<bool> release{false};
  std::atomic<bool> first_done{false};
  std::atomic<bool> order_kept{false};
  const Script first{1, 1, [&](int64_t, int64_t) {
                       release.wait(false);
                       first_done = true;
                     }};
  const Script second{1, 1, [&](int64_t, int64_t) { order_kept = first_done.load(); }};
  const Ticket ticket = Push(background_, first);
  foreground_.SetAfter(ticket);
  const Ticket last = Push(foreground_, second);
  release = true;
  release.notify_all();
  WaitFor(foreground_, last);
  EXPECT_TRUE(order_kept.load());
}

TEST_P(WorkerPoolTest, LosesNoWakeUpOverManyTinyOperations) {
  std::atomic<int64_t> runs{0};
  const Script script{1, 1, [&](int64_t, int64_t) { runs.fetch_add(1); }};
  for (int i = 0; i < 3000; ++i) {
    LaneQueue& lane = i % 3 == 0 ? background_ : foreground_;
    WaitFor(lane, Push(lane, script));
  }
  EXPECT_EQ(runs.load(), 3000);
}

// The helper may be the only one awake, so nothing is left to the workers.
TEST_P(WorkerPoolTest, HelpRunsWhatTheForegroundHolds) {
  std::atomic<int64_t> runs{0};
  const Script script{7, 3, [&](int64_t, int64_t) { runs.fetch_add(1); }};
  ImportArgs args;
  args.k = &script;
  for (int i = 0; i < 500; ++i) {
    const Ticket ticket = foreground_.Push(args);
    while (foreground_.passed() < ticket) pool_->Help();
  }
  EXPECT_EQ(runs.load(), 500 * 21);
}

TEST_P(WorkerPoolTest, HelpGivesUpOnItemsInOtherHands) {
  std::atomic<bool> started{false};
  std::atomic<bool> release{false};
  const Script gate{1, 1, [&](int64_t, int64_t) {
                      started = true;
                      started.notify_all();
                      release.wait(false);
                    }};
  const Ticket ticket = Push(foreground_, gate);
  started.wait(false);
  pool_->Help();
  EXPECT_LT(foreground_.passed(), ticket);
  release = true;
  release.notify_all();
  WaitFor(foreground_, ticket);
}

// A background operation that was waiting for what the helper ran.
TEST_P(WorkerPoolTest, NotifyIfNeededWakesForWhatHelpMadePossible) {
  std::atomic<int64_t> runs{0};
  const Script script{1, 1, [&](int64_t, int64_t) { runs.fetch_add(1); }};
  ImportArgs args;
  args.k = &script;
  for (int i = 0; i < 300; ++i) {
    background_.SetAfter(foreground_.Push(args));
    const Ticket ticket = background_.Push(args);
    pool_->Help();
    pool_->NotifyIfNeeded();
    WaitFor(background_, ticket);
  }
  EXPECT_EQ(runs.load(), 600);
}

TEST_P(WorkerPoolTest, PassesOperationsWithoutItems) {
  const Script script{0, 1, nullptr};
  WaitFor(foreground_, Push(foreground_, script));
  EXPECT_EQ(foreground_.passed(), 1u);
}

TEST_P(WorkerPoolTest, StopsWithOperationsStillQueued) {
  std::atomic<bool> release{false};
  const Script gate{1, 1, [&](int64_t, int64_t) { release.wait(false); }};
  for (int i = 0; i < 10; ++i) Push(foreground_, gate);
  release = true;
  release.notify_all();
  pool_.reset();
  EXPECT_LE(foreground_.passed(), 10u);
}

// With several workers the order is not certain.
class OneWorkerTest : public PoolOfTwoLanes, public testing::Test {
 protected:
  OneWorkerTest() : PoolOfTwoLanes(1) {}
};

TEST_F(OneWorkerTest, TakesForegroundItemsFirst) {
  std::atomic<bool> release{false};
  std::atomic<int> background_before_foreground{0};
  std::atomic<bool> foreground_done{false};
  const Script gate{1, 1, [&](int64_t, int64_t) { release.wait(false); }};
  const Script many{10, 1, [&](int64_t, int64_t) {
                      if (!foreground_done) ++background_before_foreground;
                    }};
  const Script urgent{1, 1, [&](int64_t, int64_t) { foreground_done = true; }};
  Push(background_, gate);
  const Ticket last = Push(background_, many);
  Push(foreground_, urgent);
  release = true;
  release.notify_all();
  WaitFor(background_, last);
  EXPECT_EQ(background_before_foreground.load(), 0);
}

// One worker, and items that take as long as they say.
class LastLaneShareTest : public PoolOfTwoLanes, public testing::Test {
 protected:
  static constexpr int64_t kForegroundNs = 500'000;
  static constexpr int64_t kBackgroundNs = 100'000;

  LastLaneShareTest() : PoolOfTwoLanes(1, [this] { return now_ns_.load(); }) {}
  ~LastLaneShareTest() override { pool_.reset(); }

  // What the background had of the time when `count` foreground items had run, one
  // operation each or all of one, and something for the background was there all along.
  double ShareBeside(int64_t count, int64_t operations) {
    const Script gate{1, 1, [&](int64_t, int64_t) { release_.wait(false); }};
    Script work{count / operations, 1,
                [&](int64_t, int64_t) { foreground_ns_ = Spend(foreground_ns_, kForegroundNs); }};
    const Script fill{10 * count, 1, [&](int64_t, int64_t) {
                        if (foreground_ns_ < count * kForegroundNs) {
                          background_ns_ = Spend(background_ns_, kBackgroundNs);
                        }
                      }};
    Push(foreground_, gate);
    const Ticket last = Push(background_, fill);
    for (int64_t i = 0; i < operations; ++i) Push(foreground_, work);
    release_ = true;
    release_.notify_all();
    WaitFor(background_, last);
    return static_cast<double>(background_ns_) /
           static_cast<double>(background_ns_ + foreground_ns_);
  }

 private:
  int64_t Spend(int64_t so_far, int64_t more) {
    now_ns_ += more;
    return so_far + more;
  }

  std::atomic<int64_t> now_ns_{0};
  std::atomic<bool> release_{false};
  int64_t foreground_ns_ = 0;  // the worker's, like the other
  int64_t background_ns_ = 0;
};

TEST_F(LastLaneShareTest, WithoutOneTheBackgroundGetsWhatIsLeft) {
  EXPECT_EQ(ShareBeside(100, 1), 0);
}

TEST_F(LastLaneShareTest, TheBackgroundGetsAQuarterOfTheTimeBesideOneLongOperation) {
  pool_->SetLastLaneShare(0.25);
  EXPECT_NEAR(ShareBeside(100, 1), 0.25, 0.02);
}

TEST_F(LastLaneShareTest, TheBackgroundGetsAQuarterOfTheTimeBesideManyShortOperations) {
  pool_->SetLastLaneShare(0.25);
  EXPECT_NEAR(ShareBeside(100, 100), 0.25, 0.02);
}

TEST_F(LastLaneShareTest, AShareThatIsTakenBackIsNotOwedAnyMore) {
  pool_->SetLastLaneShare(0.25);
  pool_->SetLastLaneShare(0);
  EXPECT_EQ(ShareBeside(100, 100), 0);
}

INSTANTIATE_TEST_SUITE_P(Threads, WorkerPoolTest, testing::Values(1, 2, 4),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace sluice::cpu
