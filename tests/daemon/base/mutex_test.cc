// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/mutex.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace sluice {
namespace {

struct Counter {
  Mutex mu;
  CondVar changed;
  int value ABSL_GUARDED_BY(mu) = 0;
};

TEST(MutexTest, ExcludesOtherThreads) {
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&counter] {
      for (int j = 0; j < 1000; ++j) {
        MutexLock lock(&counter.mu);
        ++counter.value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(&counter.mu);
  EXPECT_EQ(counter.value, 4000);
}

TEST(MutexTest, TryLockRefusesWhatIsHeld) {
  Mutex mu;
  MutexLock lock(&mu);
  std::thread([&mu] {
    const bool locked = mu.TryLock();
    EXPECT_FALSE(locked);
    if (locked) mu.Unlock();
  }).join();
}

TEST(CondVarTest, WaitEndsWithASignalAndHoldsTheLock) {
  Counter counter;
  std::thread signaller([&counter] {
    MutexLock lock(&counter.mu);
    counter.value = 1;
    counter.changed.SignalAll();
  });
  {
    MutexLock lock(&counter.mu);
    while (counter.value == 0) counter.changed.Wait(&counter.mu);
    EXPECT_EQ(counter.value, 1);
  }
  signaller.join();
}

TEST(CondVarTest, WaitForEndsWithoutASignal) {
  Counter counter;
  MutexLock lock(&counter.mu);
  int tries = 0;
  while (tries < 1000 && counter.changed.WaitFor(&counter.mu, absl::Microseconds(10))) ++tries;
  EXPECT_LT(tries, 1000);
}

}  // namespace
}  // namespace sluice
