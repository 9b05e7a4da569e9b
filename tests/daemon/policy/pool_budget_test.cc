// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/pool_budget.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "gmock/gmock.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

// One row of `slots` slots, of which each gives back ten bytes.
PoolCandidate OneRow(int32_t priority, int64_t slots, int64_t floor_tokens = 0,
                     int32_t tenant = 0) {
  return {priority, tenant, slots, floor_tokens, 1, [slots](int64_t budget_tokens) {
            const int64_t bytes = 10 * (slots - budget_tokens);
            return FreedBytes{bytes, bytes};
          }};
}

// (candidate, budget) of each cut.
std::vector<std::pair<size_t, int64_t>> Cuts(std::vector<PoolCandidate> candidates,
                                             int64_t wanted_bytes,
                                             std::vector<int64_t> spare_bytes = {kAll},
                                             int64_t most_cuts = 100) {
  std::vector<std::pair<size_t, int64_t>> cuts;
  for (const PoolCut& cut : CutPoolBudget(candidates, spare_bytes, wanted_bytes, most_cuts)) {
    cuts.emplace_back(cut.candidate, cut.budget_tokens);
  }
  return cuts;
}

TEST(PoolBudgetTest, TheLowestPriorityGivesFirst) {
  EXPECT_THAT(Cuts({OneRow(5, 100), OneRow(-1, 100), OneRow(0, 100)}, 300),
              ElementsAre(std::pair(1u, 70)));
}

TEST(PoolBudgetTest, AHigherPriorityGivesNothingWhileALowerOneCan) {
  EXPECT_THAT(Cuts({OneRow(1, 100), OneRow(0, 100)}, 5000), ElementsAre(std::pair(1u, 50)));
  EXPECT_THAT(Cuts({OneRow(1, 100), OneRow(0, 100, 100)}, 5000),
              ElementsAre(std::pair(0u, 50)));
}

TEST(PoolBudgetTest, AmongEqualsTheOneThatGivesMostIsFirstAndThenTheOlder) {
  EXPECT_THAT(Cuts({OneRow(0, 100), OneRow(0, 200), OneRow(0, 100)}, 1200),
              ElementsAre(std::pair(1u, 100), std::pair(0u, 80)));
}

TEST(PoolBudgetTest, HalfOfASequenceGoesAtATimeAndNeverWhatIsBelowItsFloor) {
  EXPECT_THAT(Cuts({OneRow(0, 101)}, 5000), ElementsAre(std::pair(0u, 51)));
  EXPECT_THAT(Cuts({OneRow(0, 100, 90)}, 5000), ElementsAre(std::pair(0u, 90)));
  EXPECT_THAT(Cuts({OneRow(0, 100, 100)}, 5000), IsEmpty());
}

TEST(PoolBudgetTest, TakesNoMoreThanIsWanted) {
  EXPECT_THAT(Cuts({OneRow(0, 100)}, 11), ElementsAre(std::pair(0u, 98)));
  EXPECT_THAT(Cuts({OneRow(0, 100)}, 0), IsEmpty());
  EXPECT_THAT(Cuts({OneRow(0, 100)}, -5), IsEmpty());
}

TEST(PoolBudgetTest, NoneStartsWithoutTheLeastGain) {
  PoolCandidate candidate = OneRow(0, 100);
  candidate.least_gain_bytes = 500;
  EXPECT_THAT(Cuts({candidate}, 1), ElementsAre(std::pair(0u, 50)));
  candidate.least_gain_bytes = 501;
  EXPECT_THAT(Cuts({candidate}, 1), IsEmpty());
}

TEST(PoolBudgetTest, SequencesThatGiveNothingBackAreLeftAlone) {
  PoolCandidate fork = OneRow(0, 100);
  fork.freed = [](int64_t) { return FreedBytes{0, 1000}; };
  EXPECT_THAT(Cuts({fork, OneRow(1, 100)}, 100), ElementsAre(std::pair(1u, 90)));
}

TEST(PoolBudgetTest, ATenantsGuaranteeHoldsOverAllItsSequences) {
  const std::vector<PoolCandidate> candidates = {OneRow(0, 100, 0, 0), OneRow(0, 90, 0, 0),
                                                 OneRow(0, 100, 0, 1)};
  EXPECT_THAT(Cuts(candidates, 1500, {700, kAll}),
              ElementsAre(std::pair(0u, 50), std::pair(2u, 50), std::pair(1u, 70)));
  EXPECT_THAT(Cuts(candidates, 100, {0, kAll}), ElementsAre(std::pair(2u, 90)));
}

TEST(PoolBudgetTest, AtMostSoManyAreCut) {
  EXPECT_THAT(Cuts({OneRow(0, 100), OneRow(0, 100), OneRow(0, 100)}, 5000, {kAll}, 2),
              ElementsAre(std::pair(0u, 50), std::pair(1u, 50)));
}

// ---- random pools

constexpr int64_t kPage = 16;

struct RandomPool {
  std::vector<PoolCandidate> candidates;
  std::vector<int64_t> spare_bytes;
  int64_t wanted_bytes = 0;
  int64_t most_cuts = 0;
};

// Rows of pages of one byte, some of them shared.
PoolCandidate RandomCandidate(std::mt19937& random) {
  const auto number = [&](int64_t from, int64_t to) {
    return std::uniform_int_distribution<int64_t>(from, to)(random);
  };
  std::vector<int64_t> rows(static_cast<size_t>(number(1, 6)));
  for (int64_t& slots : rows) slots = number(0, 400);
  const int64_t row_count = static_cast<int64_t>(rows.size());
  int64_t held = 0;
  for (const int64_t slots : rows) held += (slots + kPage - 1) / kPage;
  const int64_t alone = number(0, 3) == 0 ? number(0, held) : held;
  const auto freed = [rows, held, alone, row_count](int64_t budget_tokens) {
    int64_t kept = 0;
    for (const int64_t slots : rows) kept += std::min(slots, budget_tokens);
    const int64_t most_after = (kept + row_count * (kPage - 1)) / kPage;
    return FreedBytes{std::max<int64_t>(0, alone - most_after),
                      std::max<int64_t>(0, held - (kept + kPage - 1) / kPage)};
  };
  return {static_cast<int32_t>(number(-2, 2)), static_cast<int32_t>(number(0, 2)),
          *std::max_element(rows.begin(), rows.end()), number(0, 200),
          number(1, 2 * row_count), freed};
}

RandomPool MakeRandomPool(uint32_t seed) {
  std::mt19937 random(seed);
  RandomPool pool;
  const auto count = std::uniform_int_distribution<size_t>(0, 12)(random);
  for (size_t i = 0; i < count; ++i) pool.candidates.push_back(RandomCandidate(random));
  for (int tenant = 0; tenant < 3; ++tenant) {
    const bool guaranteed = random() % 2 == 0;
    pool.spare_bytes.push_back(guaranteed ? static_cast<int64_t>(random() % 80) : kAll);
  }
  pool.wanted_bytes = static_cast<int64_t>(random() % 300);
  pool.most_cuts = 1 + static_cast<int64_t>(random() % 12);
  return pool;
}

// Whether a sequence could still give its least gain, with what its tenant can spare.
bool CouldGive(const PoolCandidate& candidate, int64_t spare_bytes) {
  for (int64_t budget = PoolCut::LeastBudget(candidate); budget < candidate.most_slots; ++budget) {
    const FreedBytes freed = candidate.freed(budget);
    if (freed.at_most <= spare_bytes) return freed.at_least >= candidate.least_gain_bytes;
  }
  return false;
}

class RandomPoolBudgetTest : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomPoolBudgetTest, ::testing::Range(0u, 10u));

TEST_P(RandomPoolBudgetTest, FloorsAndGuaranteesHoldAndEveryCutIsWorthIt) {
  for (uint32_t seed = GetParam() * 200; seed < GetParam() * 200 + 200; ++seed) {
    SCOPED_TRACE(seed);
    const RandomPool pool = MakeRandomPool(seed);
    std::vector<int64_t> spare = pool.spare_bytes;
    std::vector<int> times(pool.candidates.size());
    for (const PoolCut& cut : CutPoolBudget(pool.candidates, pool.spare_bytes, pool.wanted_bytes,
                                            pool.most_cuts)) {
      const PoolCandidate& candidate = pool.candidates[cut.candidate];
      EXPECT_GE(cut.budget_tokens, candidate.floor_tokens);
      EXPECT_GE(cut.budget_tokens, (candidate.most_slots + 1) / 2);
      EXPECT_LT(cut.budget_tokens, candidate.most_slots);
      EXPECT_GE(cut.freed.at_least, candidate.least_gain_bytes);
      spare[static_cast<size_t>(candidate.tenant)] -= cut.freed.at_most;
      EXPECT_GE(spare[static_cast<size_t>(candidate.tenant)], 0);
      EXPECT_EQ(++times[cut.candidate], 1);
    }
  }
}

TEST_P(RandomPoolBudgetTest, StopsOnceEnoughIsCutAndNotBefore) {
  for (uint32_t seed = GetParam() * 200; seed < GetParam() * 200 + 200; ++seed) {
    SCOPED_TRACE(seed);
    const RandomPool pool = MakeRandomPool(seed);
    const auto cuts = CutPoolBudget(pool.candidates, pool.spare_bytes, pool.wanted_bytes,
                                    pool.most_cuts);
    int64_t left = pool.wanted_bytes;
    std::vector<int64_t> spare = pool.spare_bytes;
    std::vector<bool> cut_already(pool.candidates.size());
    for (const PoolCut& cut : cuts) {
      EXPECT_GT(left, 0);
      const PoolCandidate& candidate = pool.candidates[cut.candidate];
      // One token more would be too much to keep.
      const int64_t shallower = candidate.freed(cut.budget_tokens + 1).at_least;
      EXPECT_TRUE(shallower < std::max(std::min(left, cut.freed.at_least),
                                       candidate.least_gain_bytes) ||
                  cut.budget_tokens + 1 == candidate.most_slots);
      left -= cut.freed.at_least;
      spare[static_cast<size_t>(candidate.tenant)] -= cut.freed.at_most;
      cut_already[cut.candidate] = true;
    }
    if (left <= 0 || static_cast<int64_t>(cuts.size()) == pool.most_cuts) continue;
    for (size_t i = 0; i < pool.candidates.size(); ++i) {
      const PoolCandidate& candidate = pool.candidates[i];
      const bool was_its_turn =
          cuts.empty() || candidate.priority <= pool.candidates[cuts[0].candidate].priority;
      EXPECT_TRUE(!was_its_turn || cut_already[i] ||
                  !CouldGive(candidate, spare[static_cast<size_t>(candidate.tenant)]))
          << "candidate " << i;
    }
  }
}

TEST_P(RandomPoolBudgetTest, APriorityGivesOnlyWhereTheLowerOnesCannot) {
  for (uint32_t seed = GetParam() * 200; seed < GetParam() * 200 + 200; ++seed) {
    SCOPED_TRACE(seed);
    const RandomPool pool = MakeRandomPool(seed);
    for (const PoolCut& cut : CutPoolBudget(pool.candidates, pool.spare_bytes,
                                            pool.wanted_bytes, pool.most_cuts)) {
      const int32_t priority = pool.candidates[cut.candidate].priority;
      for (const PoolCandidate& other : pool.candidates) {
        if (other.priority >= priority) continue;
        EXPECT_FALSE(CouldGive(other, pool.spare_bytes[static_cast<size_t>(other.tenant)]));
      }
    }
  }
}

TEST_P(RandomPoolBudgetTest, MoreWantedNeverCutsAnyoneLess) {
  for (uint32_t seed = GetParam() * 200; seed < GetParam() * 200 + 200; ++seed) {
    SCOPED_TRACE(seed);
    const RandomPool pool = MakeRandomPool(seed);
    // Guarantees make a cut depend on how much an earlier one of its tenant took.
    const std::vector<int64_t> spare(3, kAll);
    std::map<size_t, int64_t> budgets;
    for (int64_t wanted = 0; wanted <= 200; wanted += 20) {
      std::map<size_t, int64_t> now;
      for (const PoolCut& cut : CutPoolBudget(pool.candidates, spare, wanted, kAll)) {
        now[cut.candidate] = cut.budget_tokens;
      }
      for (const auto& [candidate, budget] : budgets) {
        ASSERT_TRUE(now.contains(candidate));
        EXPECT_LE(now[candidate], budget);
      }
      budgets = now;
    }
  }
}

}  // namespace
}  // namespace sluice
