// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/calls.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

// Two rows of two query heads in fp32.
AttendResult Make(Attend& command, int32_t v_dim) {
  LayerShape shape;
  shape.q_heads = 2;
  shape.k_dim = 64;
  shape.v_dim = v_dim;
  return MakeAttendResult(command, shape, /*rows=*/2);
}

TEST(AttendResultTest, StaysInTheCallersStorage) {
  Attend command;
  command.want_lse = true;
  command.out.resize(2 * 2 * 64 * 4);
  command.lse.resize(1000);
  const char* const out = command.out.data();
  const char* const lse = command.lse.data();
  const AttendResult result = Make(command, 64);
  EXPECT_EQ(result.out.data(), out);
  EXPECT_EQ(result.lse.data(), lse);
  EXPECT_EQ(result.lse.size(), 2 * 2 * sizeof(float));
}

TEST(AttendResultTest, IsSizedAnewWhereTheStorageDoesNotFit) {
  Attend command;
  command.out.resize(2 * 2 * 64 * 4);
  command.lse.resize(8);
  const AttendResult result = Make(command, 128);
  EXPECT_EQ(result.out.size(), 2 * 2 * 128 * 4);
  EXPECT_TRUE(result.lse.empty()) << "nobody asked for it";
}

}  // namespace
}  // namespace sluice
