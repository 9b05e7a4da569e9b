// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/pool_budget.h"

#include <algorithm>
#include <optional>
#include <tuple>

namespace sluice {
namespace {

// The first of the ascending [from, to) for which `holds`, which holds for all after
// it; `to`: none.
template <class Holds>
int64_t FirstThat(int64_t from, int64_t to, Holds holds) {
  while (from < to) {
    const int64_t middle = from + (to - from) / 2;
    if (holds(middle)) {
      to = middle;
    } else {
      from = middle + 1;
    }
  }
  return from;
}

PoolCut CutTo(const PoolCandidate& candidate, size_t index, int64_t budget_tokens) {
  return {index, budget_tokens, candidate.freed(budget_tokens)};
}

// The deepest cut that takes no more than `spare_bytes`; none if it is not worth it.
std::optional<PoolCut> DeepestCut(const PoolCandidate& candidate, size_t index,
                                  int64_t spare_bytes) {
  const int64_t least = PoolCut::LeastBudget(candidate);
  if (least >= candidate.most_slots) return std::nullopt;
  PoolCut cut = CutTo(candidate, index, least);
  if (cut.freed.at_most > spare_bytes) {
    const int64_t budget = FirstThat(least + 1, candidate.most_slots, [&](int64_t tokens) {
      return candidate.freed(tokens).at_most <= spare_bytes;
    });
    if (budget == candidate.most_slots) return std::nullopt;
    cut = CutTo(candidate, index, budget);
  }
  if (cut.freed.at_least < candidate.least_gain_bytes) return std::nullopt;
  return cut;
}

// The shallowest cut that gives `bytes`. REQUIRES: `deepest` gives them.
PoolCut ShallowestCut(const PoolCandidate& candidate, const PoolCut& deepest, int64_t bytes) {
  const int64_t beyond =
      FirstThat(deepest.budget_tokens + 1, candidate.most_slots, [&](int64_t tokens) {
        return candidate.freed(tokens).at_least < bytes;
      });
  if (beyond == deepest.budget_tokens + 1) return deepest;
  return CutTo(candidate, deepest.candidate, beyond - 1);
}

}  // namespace

int64_t PoolCut::LeastBudget(const PoolCandidate& candidate) {
  return std::max({candidate.floor_tokens, (candidate.most_slots + 1) / 2, int64_t{1}});
}

std::vector<PoolCut> CutPoolBudget(std::span<const PoolCandidate> candidates,
                                   std::span<const int64_t> spare_bytes, int64_t wanted_bytes,
                                   int64_t most_cuts) {
  std::vector<int64_t> spare(spare_bytes.begin(), spare_bytes.end());
  const auto spare_of = [&](const PoolCandidate& candidate) -> int64_t& {
    return spare[static_cast<size_t>(candidate.tenant)];
  };
  std::vector<PoolCut> deepest;
  for (size_t i = 0; i < candidates.size() && wanted_bytes > 0; ++i) {
    const auto cut = DeepestCut(candidates[i], i, spare_of(candidates[i]));
    if (cut.has_value()) deepest.push_back(*cut);
  }
  std::sort(deepest.begin(), deepest.end(), [&](const PoolCut& a, const PoolCut& b) {
    return std::tuple(candidates[a.candidate].priority, b.freed.at_least, a.candidate) <
           std::tuple(candidates[b.candidate].priority, a.freed.at_least, b.candidate);
  });
  std::vector<PoolCut> cuts;
  for (const PoolCut& first : deepest) {
    if (wanted_bytes <= 0 || static_cast<int64_t>(cuts.size()) >= most_cuts) break;
    const PoolCandidate& candidate = candidates[first.candidate];
    if (candidate.priority > candidates[deepest.front().candidate].priority) break;
    // Others of the tenant may have taken some of what it can spare since.
    const auto cut = DeepestCut(candidate, first.candidate, spare_of(candidate));
    if (!cut.has_value()) continue;
    const int64_t bytes = std::clamp(wanted_bytes, candidate.least_gain_bytes,
                                     std::max(candidate.least_gain_bytes, cut->freed.at_least));
    cuts.push_back(ShallowestCut(candidate, *cut, bytes));
    wanted_bytes -= cuts.back().freed.at_least;
    spare_of(candidate) -= cuts.back().freed.at_most;
  }
  return cuts;
}

}  // namespace sluice
