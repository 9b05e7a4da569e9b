// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "daemon/policy/window_score.h"

namespace sluice {

// Scores of a row's kept slots, pooled as related methods 0.2 says.
inline std::vector<float> PlainPool(const std::vector<float>& scores, const WindowScore& how) {
  if (how.pool == ScorePool::kNone) return scores;
  const auto count = static_cast<int64_t>(scores.size());
  const int64_t reach = how.pool_width / 2;
  std::vector<float> pooled;
  for (int64_t i = 0; i < count; ++i) {
    float sum = 0;
    float most = -std::numeric_limits<float>::infinity();
    for (int64_t j = std::max<int64_t>(i - reach, 0); j <= std::min(i + reach, count - 1); ++j) {
      sum += scores[static_cast<size_t>(j)];
      most = std::max(most, scores[static_cast<size_t>(j)]);
    }
    const float average = sum / static_cast<float>(how.pool_width);
    pooled.push_back(how.pool == ScorePool::kMax ? most : average);
  }
  return pooled;
}

}  // namespace sluice
