// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/table_mirror.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/device/device_backend.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/operations.h"

namespace sluice::device {
namespace {

using kernels_testing::FillOptions;
using kernels_testing::Random;
using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

using Pairs = std::vector<std::pair<int64_t, int64_t>>;

Pairs Joined(const Pairs& pairs) {
  std::vector<TableBytes> ranges;
  for (const auto& [begin, end] : pairs) ranges.push_back({begin, end});
  JoinRanges(&ranges);
  Pairs joined;
  for (const TableBytes& range : ranges) joined.emplace_back(range.begin, range.end);
  return joined;
}

Pairs Pieces(const Pairs& pairs, int64_t most_bytes) {
  std::vector<TableBytes> ranges;
  for (const auto& [begin, end] : pairs) ranges.push_back({begin, end});
  Pairs pieces;
  TablePlace place;
  for (;;) {
    const TableBytes piece = NextPiece(ranges, most_bytes, &place);
    if (piece.begin == piece.end) return pieces;
    pieces.emplace_back(piece.begin, piece.end);
  }
}

TEST(TableRangesTest, RangesThatOverlapOrTouchAreJoined) {
  EXPECT_EQ(Joined({}), Pairs{});
  EXPECT_EQ(Joined({{8, 12}, {0, 4}}), (Pairs{{0, 4}, {8, 12}}));
  EXPECT_EQ(Joined({{4, 8}, {0, 4}, {8, 12}}), (Pairs{{0, 12}}));
  EXPECT_EQ(Joined({{0, 100}, {4, 8}, {96, 104}}), (Pairs{{0, 104}}));
  EXPECT_EQ(Joined({{8, 8}, {16, 20}}), (Pairs{{16, 20}}));
}

TEST(TableRangesTest, RangesAreCutIntoPieces) {
  EXPECT_EQ(Pieces({}, 4), Pairs{});
  EXPECT_EQ(Pieces({{0, 8}, {12, 16}}, 8), (Pairs{{0, 8}, {12, 16}}));
  EXPECT_EQ(Pieces({{0, 20}, {24, 28}}, 8), (Pairs{{0, 8}, {8, 16}, {16, 20}, {24, 28}}));
}

class TableMirrorTest : public testing::Test {
 protected:
  static constexpr int64_t kWords = 6000;
  static constexpr int64_t kFormats = 7;

  TableMirror::Options Options() {
    TableMirror::Options options;
    options.pool.tables = reinterpret_cast<const std::byte*>(words_.data());
    options.pool.formats = formats_.data();
    options.table_bytes = kWords * 4;
    options.format_count = kFormats;
    options.staging_bytes = 1024;
    return options;
  }

  static std::vector<uint32_t> WordsOf(const TableMirror& mirror) {
    std::vector<uint32_t> words(kWords);
    std::memcpy(words.data(), mirror.device_pool().tables, kWords * 4);
    return words;
  }

  void Change(TableMirror& mirror, int64_t first, int64_t count, Random& random) {
    for (int64_t i = first; i < first + count; ++i) {
      words_[static_cast<size_t>(i)] = static_cast<uint32_t>(random.Next());
    }
    mirror.Changed(words_.data() + first, count * 4);
  }

  sim::SimRuntime runtime_{5};
  std::vector<uint32_t> words_ = std::vector<uint32_t>(kWords, 1);
  std::vector<SpanFormat> formats_ = std::vector<SpanFormat>(kFormats);
};

TEST_F(TableMirrorTest, StartsAsZeros) {
  const TableMirror mirror(Options(), runtime_);
  EXPECT_EQ(WordsOf(mirror), std::vector<uint32_t>(kWords, 0));
}

// Of changes of all sizes, more at a time than staging holds.
TEST_F(TableMirrorTest, HasWhatChangedAndNothingElse) {
  Random random({2});
  TableMirror mirror(Options(), runtime_);
  std::vector<uint32_t> expected(kWords, 0);
  for (int round = 0; round < 200; ++round) {
    for (int64_t change = random.Below(5); change > 0; --change) {
      const int64_t first = random.Below(kWords);
      const int64_t most = random.Chance(0.1) ? 3000 : 40;
      const int64_t count = std::min(random.Between(1, most), kWords - first);
      Change(mirror, first, count, random);
      std::copy_n(words_.begin() + first, count, expected.begin() + first);
    }
    const uint64_t capture = mirror.Capture();
    mirror.Bring(random.Chance(0.5) ? Lane::kForeground : Lane::kBackground, capture);
    ASSERT_EQ(WordsOf(mirror), expected) << "round " << round;
  }
}

TEST_F(TableMirrorTest, AChangeIsCopiedAsItIsWhenItIsCaptured) {
  Random random({3});
  TableMirror mirror(Options(), runtime_);
  mirror.Changed(words_.data(), 8);
  words_[0] = 17;  // told before it was written
  const uint64_t first = mirror.Capture();
  EXPECT_EQ(first, 1u);
  words_[1] = 18;  // written without being told
  EXPECT_EQ(mirror.Capture(), first);
  Change(mirror, 0, 1, random);
  const uint64_t second = mirror.Capture();
  mirror.Bring(Lane::kBackground, first);
  EXPECT_EQ(WordsOf(mirror)[0], 17u);
  EXPECT_EQ(WordsOf(mirror)[1], 1u);
  mirror.Bring(Lane::kForeground, second);
  EXPECT_EQ(WordsOf(mirror)[0], words_[0]);
  mirror.Bring(Lane::kBackground, first);  // older than what is there
  EXPECT_EQ(WordsOf(mirror)[0], words_[0]);
}

TEST_F(TableMirrorTest, FormatsAreMirroredToo) {
  TableMirror mirror(Options(), runtime_);
  formats_[6].page.k_dim = 80;
  mirror.Changed(formats_.data() + 6, sizeof(SpanFormat));
  mirror.Bring(Lane::kForeground, mirror.Capture());
  ASSERT_NE(mirror.device_pool().formats, formats_.data());
  EXPECT_EQ(std::memcmp(mirror.device_pool().formats + 6, &formats_[6], sizeof(SpanFormat)), 0);
}

TEST_F(TableMirrorTest, WhatIsNotMirroredStaysWhereItIs) {
  TableMirror::Options options = Options();
  options.format_count = 0;
  TableMirror mirror(options, runtime_);
  EXPECT_EQ(mirror.device_pool().formats, formats_.data());
  uint32_t elsewhere = 5;
  mirror.Changed(&elsewhere, 4);
  mirror.Changed(formats_.data(), sizeof(SpanFormat));
  EXPECT_EQ(mirror.Capture(), 0u);
  options.table_bytes = 0;
  const TableMirror nothing(options, runtime_);
  EXPECT_EQ(nothing.device_pool().tables, options.pool.tables);
}

TEST_F(TableMirrorTest, MostChangesAreOneRangeInTheEnd) {
  Random random({4});
  TableMirror mirror(Options(), runtime_);
  for (int round = 0; round < 10; ++round) {
    for (int64_t i = 0; i < kWords; ++i) Change(mirror, i, 1, random);
  }
  mirror.Bring(Lane::kForeground, mirror.Capture());
  EXPECT_EQ(WordsOf(mirror), words_);
}

// What a lane is told to wait for, in the order of the calls.
class NotingRuntime final : public sim::SimRuntime {
 public:
  using SimRuntime::SimRuntime;

  void Mark(Lane lane, Ticket number) override {
    if (lane == kTablesLane) newest_mark_ = number;
  }
  void Follow(Lane lane, Lane other, Ticket number) override {
    EXPECT_EQ(other, kTablesLane);
    EXPECT_EQ(number, newest_mark_);
    followed_[static_cast<size_t>(lane)].push_back(number);
  }
  const std::vector<Ticket>& followed(Lane lane) const {
    return followed_[static_cast<size_t>(lane)];
  }

 private:
  Ticket newest_mark_ = 0;
  std::array<std::vector<Ticket>, kRuntimeLanes> followed_;
};

TEST_F(TableMirrorTest, ALaneWaitsForWhatTheOtherBrought) {
  Random random({6});
  NotingRuntime runtime(1);
  TableMirror mirror(Options(), runtime);
  mirror.Bring(Lane::kForeground, mirror.Capture());
  EXPECT_EQ(runtime.followed(Lane::kForeground), std::vector<Ticket>{});
  Change(mirror, 0, 4, random);
  const uint64_t capture = mirror.Capture();
  for (int i = 0; i < 3; ++i) {
    mirror.Bring(Lane::kForeground, capture);
    mirror.Bring(Lane::kBackground, capture);
  }
  EXPECT_EQ(runtime.followed(Lane::kForeground), std::vector<Ticket>{1});
  EXPECT_EQ(runtime.followed(Lane::kBackground), std::vector<Ticket>{1});
}

// The list of a sequence is written anew between operations, on both lanes, while others'
// stay as they are: each operation finds the pages that its list had when it was submitted.
class MirroredBackendTest : public testing::Test {
 protected:
  static constexpr int32_t kTokens = 64;
  static constexpr int32_t kSequences = 4;

  MirroredBackendTest() { kernels_testing::UsePageLayout(PageLayout::kSwizzled); }

  // A sequence of one row whose keys all have the norm `norm`.
  struct Sequence {
    ViewEntry entry;
    std::vector<float> scores = std::vector<float>(kTokens);
    KeyNormScoreArgs args;
  };
};

TEST_F(MirroredBackendTest, EachOperationReadsTheTablesAsOfItsSubmission) {
  PageFormat format{Dtype::kF32, {}, {}, 16, 16, 16, 0};
  TestBatch batch(format, 1, 1, FillOptions{});
  std::vector<Sequence> sequences(kSequences);
  for (int32_t i = 0; i < kSequences; ++i) batch.AddSequence(SequenceShape{0, 0, 0, kTokens, 1});
  const PoolView pool = batch.pool();
  const int64_t offsets[2] = {0, kTokens};
  // The pages of every sequence, by its entry as it was made.
  auto* const words = batch.world().Table<uint32_t>(0);
  std::vector<std::vector<uint32_t>> lists;
  for (int32_t i = 0; i < kSequences; ++i) {
    Sequence& sequence = sequences[static_cast<size_t>(i)];
    sequence.entry = batch.entries()[static_cast<size_t>(i)];
    sequence.args.rows = RowSet{&sequence.entry, 0, 1, offsets};
    sequence.args.scores = sequence.scores.data();
    const uint32_t* const list = words + sequence.entry.block_list_offset / 4;
    lists.emplace_back(list, list + kTokens / 16);
  }
  DeviceBackend::Options options;
  options.pool = pool;
  options.table_bytes = batch.world().TableBytes();
  options.format_count = batch.world().FormatCount();
  options.staging_bytes = 4096;
  options.scratch_bytes = 4096;
  options.table_staging_bytes = 1024;
  DeviceBackend backend(options, "emulated", std::make_unique<sim::SimRuntime>(3));
  backend.TablesChanged(pool.tables, options.table_bytes);
  backend.TablesChanged(pool.formats, options.format_count * int64_t{sizeof(SpanFormat)});
  Random random({9});
  std::array<Ticket, kSequences> tickets = {};
  std::array<Lane, kSequences> lanes = {};
  std::array<size_t, kSequences> shown = {};
  for (int round = 0; round < 400; ++round) {
    const auto index = static_cast<size_t>(random.Below(kSequences));
    Sequence& sequence = sequences[index];
    while (backend.Completed(lanes[index]) < tickets[index]) backend.WaitIdle();
    if (round >= kSequences && tickets[index] > 0) {
      for (int32_t token = 0; token < kTokens; ++token) {
        const uint32_t page = words[lists[shown[index]][static_cast<size_t>(token / 16)]];
        const float norm =
            PageKeyNorms(pool, batch.world().format(0).slab, page)[token % 16];
        ASSERT_EQ(sequence.scores[static_cast<size_t>(token)], -norm) << "round " << round;
      }
    }
    shown[index] = static_cast<size_t>(random.Below(kSequences));
    uint32_t* const list = words + sequence.entry.block_list_offset / 4;
    std::copy(lists[shown[index]].begin(), lists[shown[index]].end(), list);
    backend.TablesChanged(list, kTokens / 16 * 4);
    lanes[index] = random.Chance(0.5) ? Lane::kForeground : Lane::kBackground;
    tickets[index] = backend.Submit(lanes[index], sequence.args);
  }
  backend.WaitIdle();
}

}  // namespace
}  // namespace sluice::device
