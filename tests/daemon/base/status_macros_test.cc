// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/status_macros.h"

#include <memory>

#include "gtest/gtest.h"

namespace sluice {
namespace {

absl::Status Chain(const absl::Status& first, bool* passed) {
  SLUICE_RETURN_IF_ERROR(first);
  *passed = true;
  return absl::OkStatus();
}

absl::StatusOr<int> Sum(absl::StatusOr<std::unique_ptr<int>> left, absl::StatusOr<int> right) {
  SLUICE_ASSIGN_OR_RETURN(const std::unique_ptr<int> pointer, std::move(left));
  SLUICE_ASSIGN_OR_RETURN(const int value, right);
  return *pointer + value;
}

TEST(StatusMacrosTest, ReturnIfErrorGoesOnWhenOk) {
  bool passed = false;
  EXPECT_TRUE(Chain(absl::OkStatus(), &passed).ok());
  EXPECT_TRUE(passed);
}

TEST(StatusMacrosTest, ReturnIfErrorReturnsTheError) {
  bool passed = false;
  EXPECT_EQ(Chain(absl::AbortedError("x"), &passed), absl::AbortedError("x"));
  EXPECT_FALSE(passed);
}

TEST(StatusMacrosTest, AssignTakesMoveOnlyValues) {
  EXPECT_EQ(Sum(std::make_unique<int>(2), 3).value(), 5);
}

TEST(StatusMacrosTest, AssignReturnsTheFirstError) {
  EXPECT_EQ(Sum(absl::NotFoundError("left"), absl::AbortedError("right")).status(),
            absl::NotFoundError("left"));
}

}  // namespace
}  // namespace sluice
