// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/cascade_cache.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::oracle {
namespace {

int Power(int base, int exponent) {
  int power = 1;
  for (int i = 0; i < exponent; ++i) power *= base;
  return power;
}

int AcceptancePeriod(const std::string& name, int ring, int rings) {
  if (name == "pow3") return Power(3, ring);
  if (name == "pow4") return Power(4, ring);
  if (name == "iplus1") return ring + 1;
  if (name == "1-then-2") return ring == 0 ? 1 : 2;
  int ones = 0;  // of pow2: rings that accept everything before it starts
  if (name == "pow2-1") ones = rings - 1;
  if (name == "pow2-1-4") ones = 3 * rings / 4;
  if (name == "pow2-2-4") ones = 2 * rings / 4;
  if (name == "pow2-3-4") ones = rings / 4;
  return ring < ones ? 1 : Power(2, ring);
}

double WithoutNan(double score) {
  return std::isnan(score) ? -std::numeric_limits<double>::infinity() : score;
}

}  // namespace

Indices AcceptancePeriods(const std::string& name, int rings) {
  Indices periods;
  for (int ring = 0; ring < rings; ++ring) periods.push_back(AcceptancePeriod(name, ring, rings));
  return periods;
}

CascadeCache::CascadeCache(const CascadeRule& rule)
    : rule_(rule), periods_(AcceptancePeriods(rule.periods, rule.rings)), rings_(rule.rings) {}

void CascadeCache::Insert(double score) {
  Entry current{seen_++, WithoutNan(score)};
  if (Size(sinks_) < rule_.sinks) {
    sinks_.push_back(current.position);
    return;
  }
  const int x = current.position - rule_.sinks;
  for (int i = 0; i < rule_.rings; ++i) {
    std::vector<Entry>& ring = rings_[i];
    const bool accepts = (rule_.eager && x <= rule_.total) || x % periods_[i] == 0;
    if (!accepts && !ring.empty()) {
      Fight(i, current);
      return;
    }
    ring.push_back(current);
    if (Size(ring) <= rule_.ring_size()) return;
    current = ring.front();
    ring.erase(ring.begin());
  }
}

void CascadeCache::Fight(int ring, const Entry& challenger) {
  Entry& holder = rings_[ring].back();
  const double held = WithoutNan(holder.score);
  const double challenging = WithoutNan(challenger.score);
  Decision decision{.step = seen_ - 1, .head = ring};
  decision.tied = challenging == held;
  decision.margin = decision.tied ? std::numeric_limits<double>::infinity()
                                  : RelativeDifference(challenging, held);
  fights_.push_back(decision);
  if (challenging >= held) holder = challenger;
}

Indices CascadeCache::InCacheOrder() const {
  Indices order = sinks_;
  for (int i = rule_.rings - 1; i >= 0; --i) {
    for (const Entry& entry : rings_[i]) order.push_back(entry.position);
  }
  return order;
}

Indices CascadeCache::Kept() const {
  Indices kept = InCacheOrder();
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace sluice::oracle
