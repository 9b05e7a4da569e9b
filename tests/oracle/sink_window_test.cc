// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/sink_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::oracle {
namespace {

using testing::ElementsAre;

// related-methods.md, 1(h).
TEST(SinkWindowTest, ExampleOfAPrompt) {
  EXPECT_THAT(KeepSinkWindow(10, {.sinks = 2, .recent = 3}), ElementsAre(0, 1, 7, 8, 9));
}

TEST(SinkWindowTest, ExampleOfMakingRoom) {
  EXPECT_THAT(MakeRoom(5, 2, {.sinks = 2, .recent = 3}), ElementsAre(0, 1, 4));
}

TEST(SinkWindowTest, ExampleOfRolledPositions) {
  StreamingCache cache({.sinks = 2, .recent = 3});
  cache.Prefill(10);
  cache.Append(2);
  // The index of each is its rolled position: 0 .. 4.
  EXPECT_THAT(cache.held(), ElementsAre(0, 1, 9, 10, 11));
}

TEST(SinkWindowTest, WhatFitsStays) {
  EXPECT_THAT(KeepSinkWindow(5, {.sinks = 2, .recent = 3}), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(MakeRoom(3, 2, {.sinks = 2, .recent = 3}), ElementsAre(0, 1, 2));
}

TEST(SinkWindowTest, AStreamHoldsTheFirstAndTheLast) {
  StreamingCache cache({.sinks = 4, .recent = 7});
  cache.Prefill(3);
  for (int token = 3; token < 50; ++token) {
    cache.Append(1);
    Indices expected;
    for (int t = 0; t <= token; ++t) {
      if (t < 4 || t > token - 7) expected.push_back(t);
    }
    ASSERT_EQ(cache.held(), expected) << token;
  }
}

}  // namespace
}  // namespace sluice::oracle
