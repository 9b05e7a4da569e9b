// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/daemon/cache/cache_simulation.h"

namespace sluice {
namespace {

// SLUICE_SEEDS: how many seeds to run; SLUICE_SEED: one seed only.
int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoll(value, nullptr, 10);
}

// What the random operations must have met, or the test shows less than it says.
constexpr const char* kEvents[] = {
    "close",           "undo",         "rollback",
    "commit",          "no job pages", "page taken over",
    "tail inside a block", "reserve used", "slab cleared",
    "POOL_FULL",       "TENANT_QUOTA", "copy of a shared block",
    "copy of a block with body pages", "block held by a job", "partly filled page taken over",
    "step with rollback", "rollback without room", "new observation rows",
    "copy of observation rows", "copy of scores", "copy of the scores of a body",
    "scores of a new body", "pages of scores shared", "undo with scores",
    "new block of a body", "copy of a block of a body", "move into a body",
    "pending chunk behind the old tail", "copy of the scores of a body in place",
    "undo of a step on a body in place",
};

TEST(CacheModelTest, AgreesWithTheModelAfterEveryRandomOperation) {
  const int64_t only = FromEnvironment("SLUICE_SEED", -1);
  const int64_t seeds = FromEnvironment("SLUICE_SEEDS", 1000);
  const int64_t first = only < 0 ? 0 : only;
  const int64_t last = only < 0 ? seeds : only + 1;
  std::map<std::string, int64_t> events;
  for (int64_t seed = first; seed < last; ++seed) {
    CacheSimulation simulation(static_cast<uint64_t>(seed));
    const std::string error = simulation.Run(/*operations=*/400);
    ASSERT_EQ(error, "") << "SLUICE_SEED=" << seed;
    for (const auto& [name, count] : simulation.events()) events[name] += count;
  }
  if (last - first < 100) return;  // too few to expect every rare thing
  for (const char* const name : kEvents) {
    EXPECT_GT(events[name], 0) << name;
    std::printf("%-32s %lld\n", name, static_cast<long long>(events[name]));
  }
}

}  // namespace
}  // namespace sluice
