// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/pieces.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace sluice {
namespace {

// Entries of some tokens after some base, on a wide layer.
class PiecesTest : public ::testing::Test {
 protected:
  PiecesTest() {
    shape_.kv_heads = 8;
    shape_.q_heads = 32;
    shape_.k_dim = shape_.v_dim = 128;
  }

  void AddEntry(int64_t base_length, int32_t tokens) {
    ViewEntry entry;
    entry.base_length = base_length;
    entry.token_count = tokens;
    entry.first_token = view_.total_tokens;
    entries_.push_back(entry);
    slots_.push_back(base_length + tokens);
    view_.total_tokens += tokens;
    view_.entries = entries_.data();
    view_.entry_count = static_cast<int32_t>(entries_.size());
  }

  std::vector<Piece> Cut(int64_t first, int64_t count) const {
    return CutPieces(view_, shape_, 2, slots_, first, count, mass_rules_);
  }
  std::vector<Piece> CutAll() const { return Cut(0, view_.total_tokens); }

  LayerShape shape_;
  std::vector<ViewEntry> entries_;
  std::vector<int64_t> slots_;
  std::vector<int32_t> mass_rules_;
  StepView view_;
};

TEST_F(PiecesTest, CoversTheRangeInOrderWithoutGaps) {
  AddEntry(1000, 3);
  AddEntry(0, 9000);
  AddEntry(50000, 1);
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 9004}, {2, 7000}, {3000, 6004}}) {
    int64_t next = first;
    for (const Piece& piece : Cut(first, count)) {
      EXPECT_EQ(piece.first_token, next);
      EXPECT_GT(piece.token_count, 0);
      next += piece.token_count;
    }
    EXPECT_EQ(next, first + count);
  }
}

TEST_F(PiecesTest, ManySmallEntriesShareAPieceUpToTheBound) {
  for (int i = 0; i < 500; ++i) AddEntry(1000, 1);
  const std::vector<Piece> pieces = CutAll();
  EXPECT_GT(pieces.size(), 1u);
  EXPECT_LT(pieces.size(), 50u);
  for (const Piece& piece : pieces) EXPECT_LE(piece.cost_bytes, kPieceCostBytes);
}

TEST_F(PiecesTest, EntriesOfTwoRulesShareNoPiece) {
  for (int i = 0; i < 6; ++i) AddEntry(10, 1);
  AddEntry(0, 3000);
  EXPECT_EQ(Cut(0, 6).size(), 1u);
  mass_rules_ = {-1, 0, -1, 0, 1, -1, 2};
  const std::vector<Piece> few = Cut(0, 6);
  ASSERT_EQ(few.size(), 2u);
  EXPECT_EQ(few[0].token_count, 4);
  EXPECT_EQ(few[0].mass_rule, 0);
  EXPECT_EQ(few[1].mass_rule, 1);
  for (const Piece& piece : Cut(6, 3000)) EXPECT_EQ(piece.mass_rule, 2);
}

TEST_F(PiecesTest, ALongEntryIsCutAtMultiplesOf64QueryRowsOfAHead) {
  AddEntry(0, 3000);
  const std::vector<Piece> pieces = CutAll();
  ASSERT_GT(pieces.size(), 2u);
  for (size_t i = 0; i + 1 < pieces.size(); ++i) {
    EXPECT_EQ(pieces[i].token_count % 16, 0);  // 4 query heads a kv head
    EXPECT_LE(pieces[i].cost_bytes, kPieceCostBytes);
  }
}

// Where an entry is cut, counted from its first token.
std::vector<int64_t> CutsOf(const std::vector<Piece>& pieces, int64_t first, int64_t tokens) {
  std::vector<int64_t> cuts;
  for (const Piece& piece : pieces) {
    if (piece.first_token > first && piece.first_token < first + tokens) {
      cuts.push_back(piece.first_token - first);
    }
  }
  return cuts;
}

TEST_F(PiecesTest, CutsOfAnEntryDoNotDependOnTheOthers) {
  AddEntry(512, 12000);
  const std::vector<int64_t> alone = CutsOf(CutAll(), 0, 12000);
  entries_.clear();
  slots_.clear();
  view_ = {};
  AddEntry(7000, 100);
  AddEntry(0, 3);
  AddEntry(512, 12000);
  AddEntry(0, 6000);
  EXPECT_EQ(CutsOf(CutAll(), 103, 12000), alone);
  EXPECT_FALSE(alone.empty());
}

TEST_F(PiecesTest, AWindowMakesItCheaper) {
  AddEntry(100000, 64);
  const size_t whole = CutAll().size();
  shape_.window = 128;
  EXPECT_LT(CutAll().size(), whole);
}

}  // namespace
}  // namespace sluice
