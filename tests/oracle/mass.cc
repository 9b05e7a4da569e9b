// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/mass.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sluice::oracle {

double Reduce(Row group, GroupReduce reduce) {
  std::sort(group.begin(), group.end());
  const double sum = std::accumulate(group.begin(), group.end(), 0.0);
  switch (reduce) {
    case GroupReduce::kMean:
      return sum / Size(group);
    case GroupReduce::kMax:
      return group.back();
    case GroupReduce::kSum:
      return sum;
    case GroupReduce::kMedian:
      return group[(Size(group) - 1) / 2];
  }
  return 0;
}

Row UpdateMass(Row scores, const std::vector<Rows>& p, const MassRule& rule) {
  const int q = Size(p[0]);
  const int slots = Size(p[0][0]);
  scores.resize(slots, 0.0);
  for (int t = 0; t < slots; ++t) {
    Row sums;
    for (const Rows& head : p) {
      double sum = 0;
      for (int j = 0; j < q; ++j) {
        const double mass = rule.squared ? head[j][t] * head[j][t] : head[j][t];
        sum += std::pow(rule.decay, q - 1 - j) * mass;  // pow(0, 0) is 1
      }
      sums.push_back(sum);
    }
    scores[t] = std::pow(rule.decay, q) * scores[t] + Reduce(sums, rule.reduce);
  }
  return scores;
}

}  // namespace sluice::oracle
