// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Random jobs with little room against the same jobs with much.

#include <algorithm>
#include <cstdlib>

#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/full_pool.h"
#include "tests/daemon/engine/refusal_matcher.h"
#include "tests/golden/l2norm_examples.h"
#include "tests/golden/sink_window_examples.h"
#include "tests/kernels/testing/random.h"

namespace sluice {
namespace {

using kernels_testing::Random;

class RandomTwins {
 public:
  RandomTwins(TestBackend backend, int64_t seed)
      : random_({seed}), pool_(MakeDriver(backend), Geometry()) {}

  // Compresses twins, one with room for all, the other with room for little.
  void Run() {
    TestSequence free = pool_.driver().Create(pool_.model());
    TestSequence tight = pool_.driver().Create(pool_.model());
    Grow(free, tight);
    const PolicySpec policy = AnyPolicy();
    const auto wanted = pool_.Compress(free, policy);
    ASSERT_TRUE(wanted.ok()) << wanted.status();
    const HeldPositions before = pool_.Held(tight);
    pool_.Fill(random_.Between(2, 20));
    const auto got = pool_.Compress(tight, policy);
    const int64_t floor = pool_.driver().Info(free)->rollback_floor;
    const bool whole = got.ok() && got->kept_tokens == wanted->kept_tokens &&
                       pool_.driver().Info(tight)->rollback_floor == floor;
    if (!got.ok()) {
      EXPECT_EQ(RefusalOf(got.status())->reason, Reason::kPoolFull) << got.status();
      EXPECT_EQ(pool_.Held(tight), before);
      ++skipped_;
    }
    if (whole) {
      CompareReports(*wanted, *got);
      EXPECT_EQ(pool_.Held(tight), pool_.Held(free));
      EXPECT_TRUE(pool_.Answers(tight) == pool_.Answers(free));
    } else {
      ExpectHoldsAllOf(pool_.Held(free), pool_.Held(tight));
      EXPECT_EQ(NamedDifference(pool_.driver(), pool_.model(), tight, 1, pool_.Held(tight)), "");
    }
    EXPECT_TRUE(pool_.driver().Free(free).ok() && pool_.driver().Free(tight).ok());
    pool_.Empty();
    EXPECT_EQ(pool_.driver().Settled().pool.in_use, 0);
  }

  int64_t by_passes() const { return by_passes_; }
  int64_t skipped() const { return skipped_; }

 private:
  static ModelGeometry Geometry() {
    ModelGeometry geometry = SmallGeometry();
    geometry.layers[1].window_tokens = 500;
    return geometry;
  }

  PolicySpec AnyPolicy() {
    PolicySpec policy = golden::L2Count(random_.Between(20, 500));
    if (random_.Chance(0.3)) policy = golden::L2Author(0.5, 0);
    if (random_.Chance(0.2)) policy = golden::SinkWindow(random_.Between(1, 200), 50);
    if (policy.preset == "l2norm" && random_.Chance(0.3)) {
      policy.protect_first_tokens = random_.Below(10);
      policy.protect_last_tokens = random_.Below(10);
    }
    return policy;
  }

  void Grow(TestSequence& free, TestSequence& tight) {
    const int64_t rounds = random_.Between(1, 3);
    for (int64_t round = 0; round < rounds; ++round) {
      if (round > 0) {
        const PolicySpec policy = AnyPolicy();
        ASSERT_TRUE(pool_.Compress(free, policy).ok() && pool_.Compress(tight, policy).ok());
      }
      const int64_t tokens = random_.Between(3, random_.Chance(0.5) ? 600 : 60);
      const std::vector<int64_t> tags = pool_.driver().NewTags(tokens);
      pool_.Add(free, tokens, tags);
      pool_.Add(tight, tokens, tags);
    }
  }

  void CompareReports(const Compressed& wanted, const Compressed& got) {
    EXPECT_EQ(got.job.evicted_slots, wanted.job.evicted_slots);
    EXPECT_EQ(got.job.kept_slots, wanted.job.kept_slots);
    EXPECT_EQ(got.freed_now_bytes, wanted.freed_now_bytes);
    if (FullPool::PagesOf(got.kept_tokens) > pool_.most_room_pages() + 8) ++by_passes_;
  }

  static void ExpectHoldsAllOf(const HeldPositions& some, const HeldPositions& all) {
    for (size_t row = 0; row < some.size(); ++row) {
      EXPECT_TRUE(std::includes(all[row].begin(), all[row].end(), some[row].begin(),
                                some[row].end()))
          << row;
    }
  }

  Random random_;
  FullPool pool_;
  int64_t by_passes_ = 0;
  int64_t skipped_ = 0;
};

int64_t Seeds() {
  const char* given = std::getenv("SLUICE_SEEDS");
  return given == nullptr ? 3 : std::atoll(given);
}

using RandomFullPoolTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(RandomFullPoolTest);

TEST_P(RandomFullPoolTest, WhatFitsInTheEndIsWhatAJobWithRoomKeeps) {
  int64_t by_passes = 0, skipped = 0;
  for (int64_t seed = 1; seed <= Seeds(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomTwins twins(GetParam(), seed);
    for (int i = 0; i < 12 && !HasFailure(); ++i) twins.Run();
    by_passes += twins.by_passes();
    skipped += twins.skipped();
    if (HasFailure()) return;
  }
  RecordProperty("by_passes", static_cast<int>(by_passes));
  EXPECT_GT(by_passes, Seeds());
  EXPECT_GT(skipped, 0);
}

}  // namespace
}  // namespace sluice
