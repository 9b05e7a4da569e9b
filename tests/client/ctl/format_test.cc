// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/format.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace sluice::client {
namespace {

TEST(FormatTest, BytesHaveTheLargestUnitThatFits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(int64_t{3} << 29), "1.5 GiB");
  EXPECT_EQ(FormatBytes(INT64_MAX), "8192.0 PiB");
  EXPECT_EQ(FormatBytes(-2048), "-2.0 KiB");
}

TEST(FormatTest, CountsHaveSeparators) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(-123456), "-123,456");
}

TEST(FormatTest, DurationsHaveTwoUnits) {
  EXPECT_EQ(FormatUptime(absl::Milliseconds(900)), "0 s");
  EXPECT_EQ(FormatUptime(absl::Seconds(65)), "1 min 5 s");
  EXPECT_EQ(FormatUptime(absl::Hours(2)), "2 h 0 min");
  EXPECT_EQ(FormatUptime(absl::Hours(76)), "3 d 4 h");
  EXPECT_EQ(FormatUptime(absl::Seconds(-1)), "0 s");
}

TEST(FormatTest, SharesOfNothingAreZero) {
  EXPECT_EQ(FormatShare(1, 4), "25.0 %");
  EXPECT_EQ(FormatShare(1, 0), "0.0 %");
}

TEST(FormatTest, TextIsFittedAndMadeHarmless) {
  EXPECT_EQ(FitLeft("ab", 4), "ab  ");
  EXPECT_EQ(FitRight("ab", 4), "  ab");
  EXPECT_EQ(FitLeft("abcdef", 4), "abc~");
  EXPECT_EQ(FitRight("a", 0), "");
  EXPECT_EQ(Printable("a\x1b[2Jb\n"), "a?[2Jb?");
}

}  // namespace
}  // namespace sluice::client
