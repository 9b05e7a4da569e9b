// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/heartbeat.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <future>
#include <string>

namespace sluice::client {
namespace {

TEST(HeartbeatTest, BeatsOnAThreadWithANameUntilTold) {
  std::promise<std::string> third;
  int count = 0;
  Heartbeat heartbeat(absl::Milliseconds(1), [&] {
    if (++count < 3) return true;
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof(name));
    third.set_value(name);
    return false;  // a fourth beat would set the promise again, and throw
  });
  EXPECT_EQ(third.get_future().get(), "sluice-beat");
}

TEST(HeartbeatTest, EndsAtOnceInTheMiddleOfAnInterval) {
  std::atomic<int> count{0};
  {
    Heartbeat heartbeat(absl::Hours(1), [&] { return ++count > 0; });
  }
  EXPECT_EQ(count, 0);
}

}  // namespace
}  // namespace sluice::client
