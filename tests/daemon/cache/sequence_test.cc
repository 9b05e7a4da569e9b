// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/sequence.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(SequenceTest, AnEmptySequenceNeedsABlockForItsFirstToken) {
  const Sequence sequence({1}, {.row_count = 2, .page_size = 4, .size_class = {}}, {0});
  EXPECT_EQ(sequence.length(), 0);
  EXPECT_EQ(sequence.OpenBlockSlotsAt(0), 0);
  EXPECT_EQ(sequence.NewBlocksAt(0, 0), 0);
  EXPECT_EQ(sequence.NewBlocksAt(0, 1), 1);
  EXPECT_EQ(sequence.NewBlocksAt(0, 4), 1);
  EXPECT_EQ(sequence.NewBlocksAt(0, 5), 2);
  EXPECT_FALSE(sequence.step_open());
  EXPECT_EQ(sequence.rollback_floor(), 0);
}

}  // namespace
}  // namespace sluice
