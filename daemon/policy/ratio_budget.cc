// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/ratio_budget.h"

#include <algorithm>
#include <cmath>

namespace sluice {

int64_t KeptOf(const Ratio& ratio, int64_t slots) {
  if (slots <= 0) return 0;
  const double kept = ratio.of == Ratio::Of::kKept ? ratio.value : 1.0 - ratio.value;
  const double product = static_cast<double>(slots) * kept;
  const double whole =
      ratio.rounding == Ratio::Rounding::kCeil ? std::ceil(product) : std::floor(product);
  return std::clamp<int64_t>(static_cast<int64_t>(whole), 1, slots);
}

}  // namespace sluice
