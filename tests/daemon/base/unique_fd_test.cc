// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/unique_fd.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include "gtest/gtest.h"

namespace sluice {
namespace {

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFdTest, ClosesAtTheEndOfItsLife) {
  int raw = -1;
  {
    const UniqueFd fd(::eventfd(0, 0));
    raw = fd.get();
    EXPECT_TRUE(IsOpen(raw));
  }
  EXPECT_FALSE(IsOpen(raw));
}

TEST(UniqueFdTest, MovesOwnership) {
  UniqueFd first(::eventfd(0, 0));
  const int raw = first.get();
  UniqueFd second = std::move(first);
  EXPECT_EQ(second.get(), raw);
  UniqueFd third(::eventfd(0, 0));
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_FALSE(IsOpen(replaced));
  EXPECT_TRUE(IsOpen(raw));
}

TEST(UniqueFdTest, ReleaseLeavesItOpen) {
  UniqueFd fd(::eventfd(0, 0));
  const UniqueFd owner(fd.Release());
  EXPECT_FALSE(fd.valid());
  EXPECT_TRUE(IsOpen(owner.get()));
}

}  // namespace
}  // namespace sluice
