// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/core/rows.h"
#include "kernels/reference/reference_backend.h"
#include "tests/kernels/testing/operations.h"

namespace sluice {
namespace {

using kernels_testing::FillOptions;
using kernels_testing::RunOperation;
using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

// One row of 40 tail slots at positions 0 to 39, in pages of 16: written by
// Import with key t + 1 (and value -t) in dim 0 of slot t.
class ReferenceCompactTest : public testing::Test {
 protected:
  ReferenceCompactTest()
      : batch_(PageFormat{Dtype::kF32, KeySpace::kRotated, RopePairing::kNone, 16, 16, 16, 0}, 1, 1,
               FillOptions{0.0, 0.0, true}) {
    batch_.AddSequence(SequenceShape{0, 0, 0, 40, 1});
    entry_ = batch_.entries()[0];
    const Row row = MakeRow(batch_.pool(), entry_, 0, 40);
    pages_ = {row.spans[0].Page(0), row.spans[0].Page(1), row.spans[0].Page(2)};
    Import(pages_, 40);
  }

  void Import(const std::vector<uint32_t>& pages, int64_t slots) {
    std::vector<float> k(static_cast<size_t>(slots * 16));
    std::vector<float> v = k;
    std::vector<int32_t> positions;
    std::vector<float> log_mass(static_cast<size_t>(slots));
    for (int32_t t = 0; t < slots; ++t) {
      k[t * 16] = static_cast<float>(t + 1);
      v[t * 16] = static_cast<float>(-t);
      positions.push_back(t);
    }
    log_mass[3] = 0.5f;
    ImportArgs args;
    args.page_ids = pages.data();
    args.slots = slots;
    args.k = k.data();
    args.v = v.data();
    args.positions = positions.data();
    args.log_mass = log_mass.data();
    ReferenceBackend backend(batch_.pool(), nullptr);
    RunOperation(backend, args);
  }

  // Compacts into fresh pages; returns what was reused.
  std::vector<uint32_t> Compact(std::vector<uint32_t> masks, int64_t pages) {
    for (int64_t i = 0; i < pages; ++i) fresh_.push_back(batch_.world().TakePage(0));
    const int64_t destination_offsets[] = {0, pages};
    std::vector<uint32_t> reused(static_cast<size_t>(pages));
    CompactArgs args;
    args.rows = RowSet{&entry_, 0, 1, offsets_};
    args.masks = masks.data();
    args.destination_pages = fresh_.data();
    args.destination_offsets = destination_offsets;
    args.reused = reused.data();
    ReferenceBackend backend(batch_.pool(), nullptr);
    RunOperation(backend, args);
    return reused;
  }

  const SlabLayout& slab() { return batch_.world().format(0).slab; }
  int32_t Position(uint32_t page, int32_t slot) {
    return PagePositions(batch_.pool(), slab(), page)[slot];
  }
  float KeyNorm(uint32_t page, int32_t slot) {
    return PageKeyNorms(batch_.pool(), slab(), page)[slot];
  }

  TestBatch batch_;
  ViewEntry entry_;
  std::vector<uint32_t> pages_;
  std::vector<uint32_t> fresh_;
  int64_t offsets_[2] = {0, 64};
};

TEST_F(ReferenceCompactTest, ImportGivesSlotsTheirFacts) {
  EXPECT_EQ(Position(pages_[2], 7), 39);
  EXPECT_EQ(Position(pages_[2], 8), 0);
  EXPECT_EQ(KeyNorm(pages_[1], 4), 21.0f);
  EXPECT_EQ(PageLogMass(batch_.pool(), slab(), pages_[0])[3], 0.5f);
  EXPECT_EQ(*PageFlags(batch_.pool(), slab(), pages_[0]), kPageHasMass);
  EXPECT_EQ(*PageFlags(batch_.pool(), slab(), pages_[1]), 0u);
}

TEST_F(ReferenceCompactTest, KeptSlotsMoveUpInOrder) {
  const std::vector<uint32_t> reused = Compact({0x80000009u, 0x80u}, 1);
  EXPECT_EQ(reused, std::vector<uint32_t>{kNoPage});
  EXPECT_EQ(Position(fresh_[0], 0), 0);
  EXPECT_EQ(Position(fresh_[0], 1), 3);
  EXPECT_EQ(Position(fresh_[0], 2), 31);
  EXPECT_EQ(Position(fresh_[0], 3), 39);
  EXPECT_EQ(Position(fresh_[0], 4), 0) << "cleared";
  EXPECT_EQ(KeyNorm(fresh_[0], 3), 40.0f);
  EXPECT_EQ(PageLogMass(batch_.pool(), slab(), fresh_[0])[1], 0.5f);
  EXPECT_EQ(*PageFlags(batch_.pool(), slab(), fresh_[0]), kPageHasMass);
}

// Slots 16 to 39: the second page lands whole on a page boundary.
TEST_F(ReferenceCompactTest, AWholePageOnABoundaryIsTakenOver) {
  const std::vector<uint32_t> reused = Compact({0xffff0000u, 0xffu}, 2);
  EXPECT_EQ(reused, (std::vector<uint32_t>{pages_[1], kNoPage}));
  EXPECT_EQ(Position(fresh_[1], 0), 32);
}

// Slots 15 to 31: the second page is wholly kept, but shifted by one.
TEST_F(ReferenceCompactTest, AWholePageOffTheBoundaryIsCopied) {
  const std::vector<uint32_t> reused = Compact({0xffff8000u, 0u}, 2);
  EXPECT_EQ(reused, (std::vector<uint32_t>{kNoPage, kNoPage}));
  EXPECT_EQ(Position(fresh_[0], 0), 15);
  EXPECT_EQ(Position(fresh_[1], 0), 31);
}

TEST_F(ReferenceCompactTest, CopiesOfPagesEndAtASlot) {
  const PageCopy copy{pages_[0], batch_.world().TakePage(0)};
  CopyPagesArgs args;
  args.pages = &copy;
  args.page_count = 1;
  args.slots = 3;
  ReferenceBackend backend(batch_.pool(), nullptr);
  RunOperation(backend, args);
  EXPECT_EQ(KeyNorm(copy.destination, 2), 3.0f);
  EXPECT_EQ(KeyNorm(copy.destination, 3), 0.0f);
  EXPECT_EQ(*PageFlags(batch_.pool(), slab(), copy.destination), 0u) << "its slot was left out";
}

TEST_F(ReferenceCompactTest, ScoresOfKeptSlotsMoveUp) {
  const uint64_t* list = batch_.world().Table<uint64_t>(entry_.score_list_offset);
  for (int32_t t = 0; t < 40; ++t) {
    batch_.world().Pool<float>(list[t / 16])[t % 16] = static_cast<float>(t);
  }
  const uint32_t masks[] = {0x80000009u, 0x80u};
  const int64_t destination_offsets[] = {1, 5};
  std::vector<float> moved(6, -1.0f);
  MoveScoresArgs args;
  args.rows = RowSet{&entry_, 0, 1, offsets_};
  args.masks = masks;
  args.destination_offsets = destination_offsets;
  args.destination = moved.data();
  ReferenceBackend backend(batch_.pool(), nullptr);
  RunOperation(backend, args);
  EXPECT_EQ(moved, (std::vector<float>{-1, 0, 3, 31, 39, -1}));
}

TEST_F(ReferenceCompactTest, MeansCountTheQueryRowsThatSawASlot) {
  const uint64_t* list = batch_.world().Table<uint64_t>(entry_.score_list_offset);
  for (int32_t t = 0; t < 40; ++t) batch_.world().Pool<float>(list[t / 16])[t % 16] = 12.0f;
  const uint32_t masks[] = {0x80000001u, 0x80u};
  const int64_t destination_offsets[] = {0, 3};
  std::vector<float> moved(3);
  MoveScoresArgs args;
  args.rows = RowSet{&entry_, 0, 1, offsets_};
  args.masks = masks;
  args.destination_offsets = destination_offsets;
  args.destination = moved.data();
  args.seen_below = 43;
  ReferenceBackend backend(batch_.pool(), nullptr);
  RunOperation(backend, args);
  EXPECT_EQ(moved, (std::vector<float>{12.0f / 43, 1, 3}));
  args.window = 6;
  RunOperation(backend, args);
  EXPECT_EQ(moved, (std::vector<float>{2, 2, 3}));
}

TEST_F(ReferenceCompactTest, ExportReadsTheCanonicalForm) {
  std::vector<float> k(2 * 16);
  std::vector<float> v(2 * 16);
  std::vector<int32_t> positions(2);
  ExportArgs args;
  args.rows = RowSet{&entry_, 0, 1, offsets_};
  args.first_slot = 15;
  args.slots = 2;
  args.k = k.data();
  args.v = v.data();
  args.positions = positions.data();
  ReferenceBackend backend(batch_.pool(), nullptr);
  RunOperation(backend, args);
  EXPECT_EQ(k[0], 16.0f);
  EXPECT_EQ(k[16], 17.0f);
  EXPECT_EQ(v[16], -16.0f);
  EXPECT_EQ(v[1], 0.0f);
  EXPECT_EQ(positions, (std::vector<int32_t>{15, 16}));
}

}  // namespace
}  // namespace sluice
