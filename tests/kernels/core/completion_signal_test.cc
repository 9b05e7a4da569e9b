// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/completion_signal.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace sluice {
namespace {

TEST(CompletionSignalTest, RaisingChangesTheValue) {
  CompletionSignal signal;
  const uint32_t before = signal.value();
  signal.Raise();
  EXPECT_EQ(signal.value(), before + 1);
}

TEST(CompletionSignalTest, WaitReturnsAtOnceWhenTheValueHasChanged) {
  CompletionSignal signal;
  const uint32_t before = signal.value();
  signal.Raise();
  signal.Wait(before, -1);
  EXPECT_NE(signal.value(), before);
}

TEST(CompletionSignalTest, WaitEndsAfterItsTimeout) {
  CompletionSignal signal;
  const auto start = std::chrono::steady_clock::now();
  signal.Wait(signal.value(), 5);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(5));
}

TEST(CompletionSignalTest, WaitWithoutTimeLooksOnce) {
  CompletionSignal signal;
  signal.Wait(signal.value(), 0);
  EXPECT_EQ(signal.value(), 0u);
}

TEST(CompletionSignalTest, NoWakeUpIsLostBetweenTwoThreads) {
  constexpr uint32_t kRounds = 20000;
  CompletionSignal ping;
  CompletionSignal pong;
  std::thread answerer([&] {
    for (uint32_t round = 0; round < kRounds; ++round) {
      ping.Wait(round, -1);
      pong.Raise();
    }
  });
  for (uint32_t round = 0; round < kRounds; ++round) {
    ping.Raise();
    pong.Wait(round, -1);
  }
  answerer.join();
  EXPECT_EQ(pong.value(), kRounds);
}

TEST(CompletionSignalTest, OneRaiseWakesEveryWaiter) {
  CompletionSignal signal;
  std::thread first([&] { signal.Wait(0, -1); });
  std::thread second([&] { signal.Wait(0, -1); });
  signal.Raise();
  first.join();
  second.join();
  EXPECT_EQ(signal.value(), 1u);
}

}  // namespace
}  // namespace sluice
