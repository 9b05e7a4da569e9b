// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Who does the engine's work: its own thread, or one that has posted a command.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/engine/engine.h"
#include "tests/daemon/engine/refusal_matcher.h"
#include "tests/testing/engine_driver.h"
#include "tests/testing/fake_clock.h"

namespace sluice {
namespace {

class TurnTest : public ::testing::Test {
 protected:
  TurnTest() {
    EngineOptions options = SmallOptions();
    options.backend = BackendKind::kCpu;
    options.worker_threads = 1;
    engine_ = *Engine::Create(std::move(options), clock_);
  }

  template <class AnyCommand>
  Answer<ResultOf<AnyCommand>> Ask(AnyCommand command) {
    Answer<ResultOf<AnyCommand>> answer;
    command.done = [answer](absl::StatusOr<ResultOf<AnyCommand>> result) {
      answer.Set(std::move(result));
    };
    if (const absl::Status posted = engine_->PostAndWork(std::move(command)); !posted.ok()) {
      answer.Set(posted);
    }
    return answer;
  }

  // Whether this thread itself gives an engine's answer.
  bool AnswersItself() {
    const auto here = std::make_shared<std::atomic<bool>>(false);
    GetStatus command;
    command.done = [here, self = std::this_thread::get_id()](const absl::StatusOr<EngineStatus>&) {
      if (std::this_thread::get_id() == self) here->store(true);
    };
    EXPECT_TRUE(engine_->PostAndWork(std::move(command)).ok());
    return here->load();
  }

  uint64_t Create() {
    RegisterModel model;
    model.geometry = SmallGeometry();
    CreateSequence create;
    create.model_id = Ask(std::move(model)).Wait()->model_id;
    return Ask(std::move(create)).Wait()->sequence;
  }

  Answer<StepBegun> Begin(uint64_t sequence, int64_t tokens, absl::Duration max_wait) {
    BeginStep begin;
    begin.entries.resize(1);
    begin.entries[0].sequence = sequence;
    begin.entries[0].token_count = tokens;
    begin.entries[0].phase = Phase::kPrefill;
    begin.max_wait = max_wait;
    return Ask(std::move(begin));
  }

  FakeClock clock_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(TurnTest, AThreadThatFindsNobodyAtWorkAnswersItself) {
  while (!AnswersItself()) ASSERT_TRUE(Ask(GetStatus{}).Wait().ok());
}

TEST_F(TurnTest, ManyThreadsAtOnceLoseNoCommand) {
  std::atomic<int64_t> answered{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) answered += Ask(GetStatus{}).Wait().ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered.load(), 4 * 300);
}

TEST_F(TurnTest, TheEnginesThreadLearnsOfDeadlinesSetByOthers) {
  constexpr int64_t kTokens = 25'000;  // of 768 bytes, in a pool of 32 MiB
  // Long enough that the thread, which has nothing to do, sleeps without a limit.
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(Ask(GetStatus{}).Wait().ok());
  const uint64_t first = Create(), second = Create();
  ASSERT_TRUE(Begin(first, kTokens, absl::ZeroDuration()).Wait().ok());
  const Answer<StepBegun> waiting = Begin(second, kTokens, absl::Milliseconds(20));
  ASSERT_TRUE(Ask(GetStatus{}).Wait().ok());  // the step has been looked at
  EXPECT_FALSE(waiting.ready());
  clock_.Advance(absl::Seconds(1));
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (!waiting.ready() && absl::Now() < end) std::this_thread::yield();
  ASSERT_TRUE(waiting.ready());
  EXPECT_THAT(waiting.Wait(), RefusedFor(Reason::kPoolFull));
}

}  // namespace
}  // namespace sluice
