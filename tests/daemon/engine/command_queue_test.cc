// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/command_queue.h"

#include <thread>

#include "gtest/gtest.h"
#include "tests/daemon/engine/refusal_matcher.h"

namespace sluice {
namespace {

Command Of(int32_t tenant, uint64_t sequence) {
  GetSequence command;
  command.caller.tenant = tenant;
  command.sequence = sequence;
  return command;
}

uint64_t SequenceOf(const std::optional<Command>& command) {
  return std::get<GetSequence>(*command).sequence;
}

class CommandQueueTest : public ::testing::Test {
 protected:
  CompletionSignal signal_;
  CommandQueue queue_{3, 4, signal_};
};

TEST_F(CommandQueueTest, ServesATenantInOrderAndTenantsInTurn) {
  for (const uint64_t sequence : {1, 2}) ASSERT_TRUE(queue_.Push(Of(1, sequence)).ok());
  ASSERT_TRUE(queue_.Push(Of(0, 7)).ok());
  ASSERT_TRUE(queue_.Push(Of(2, 8)).ok());
  std::vector<uint64_t> served;
  while (const auto command = queue_.Pop()) served.push_back(SequenceOf(command));
  EXPECT_EQ(served, (std::vector<uint64_t>{7, 1, 8, 2}));
  EXPECT_EQ(queue_.size(), 0);
}

TEST_F(CommandQueueTest, RefusesWhatIsBeyondItsCapacityButASessionsEnd) {
  for (uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(queue_.Push(Of(0, i)).ok());
  const absl::Status full = queue_.Push(Of(1, 9));
  EXPECT_THAT(full, Refused(absl::StatusCode::kResourceExhausted, Reason::kQueueFull, ""));
  EXPECT_GT(RefusalOf(full)->retry_after_ms, 0);
  EXPECT_TRUE(queue_.Push(CloseSession{7}).ok());
  EXPECT_EQ(queue_.size(), 5);
}

TEST_F(CommandQueueTest, RefusesEverythingOnceClosedButASessionsEnd) {
  queue_.Close();
  EXPECT_THAT(queue_.Push(Of(0, 1)),
              Refused(absl::StatusCode::kUnavailable, Reason::kDraining, ""));
  EXPECT_TRUE(queue_.Push(CloseSession{7}).ok());
}

TEST_F(CommandQueueTest, APushRaisesTheSignal) {
  const uint32_t before = signal_.value();
  ASSERT_TRUE(queue_.Push(Of(0, 1)).ok());
  EXPECT_NE(signal_.value(), before);
}

TEST_F(CommandQueueTest, ManyThreadsPushAtOnce) {
  CompletionSignal signal;
  CommandQueue queue(3, 3000, signal);
  std::vector<std::thread> threads;
  for (int32_t tenant = 0; tenant < 3; ++tenant) {
    threads.emplace_back([&queue, tenant] {
      for (uint64_t i = 0; i < 1000; ++i) EXPECT_TRUE(queue.Push(Of(tenant, i)).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t popped = 0;
  while (queue.Pop().has_value()) ++popped;
  EXPECT_EQ(popped, 3000);
}

}  // namespace
}  // namespace sluice
