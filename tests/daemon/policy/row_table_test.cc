// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/row_table.h"

#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"

namespace sluice {
namespace {

TEST(RowTableTest, OnlyLayersWithACacheOfTheirOwnCount) {
  const RowTable rows(ModelOfHeads({2, 0, 3}));
  EXPECT_EQ(rows.row_count(), 5u);
  ASSERT_EQ(rows.layers().size(), 2u);
  EXPECT_EQ(rows.layers()[1].first_row, 2);
  EXPECT_EQ(rows.layers()[1].end_row(), 5);
}

TEST(RowTableTest, StatesAreAtTheSnapshot) {
  const RowTable rows(UniformModel(1, 2, /*window_tokens=*/16));
  const std::vector<RowFacts> held = {{100, 30}, {50, 20}};
  const JobFacts facts{100, 90, 30, held};
  const std::vector<RowState> kept = rows.StatesOf(facts, SharedPrefix::kKeep);
  EXPECT_EQ(kept[1].row, 1);
  EXPECT_EQ(kept[1].slots, 40);
  EXPECT_EQ(kept[1].window_tokens, 16);
  EXPECT_EQ(kept[1].shared_slots, 20);
  EXPECT_EQ(kept[1].shared_tokens, 30);
  const std::vector<RowState> compressed = rows.StatesOf(facts, SharedPrefix::kCompress);
  EXPECT_EQ(compressed[1].shared_slots, 0);
  EXPECT_EQ(compressed[1].shared_tokens, 0);
}

}  // namespace
}  // namespace sluice
