// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/layout.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Logits are in units of log2, so that weights are powers of two.
inline constexpr float kLog2E = 1.44269504f;

// How a layer's query rows are packed for the kernel, and in which units its logits
// come out.
//
// Thread-compatible: owned by a Work.
struct QueryUnits {
  float factor = 0.0f;             // multiplies query rows
  float soft_cap = 0.0f;           // in units of log2; 0: none
  std::vector<int16_t> lane_dims;  // [k_dim]: LaneDim of each lane position

  // `format`: of the keys, or another that pairs dims alike.
  void Set(const LayerShape& layer, const PageFormat& format) {
    const bool capped = layer.soft_cap != 0.0f;
    soft_cap = capped ? layer.soft_cap * kLog2E : 0.0f;
    factor = capped ? layer.scale / layer.soft_cap : layer.scale * kLog2E;
    lane_dims.resize(static_cast<size_t>(layer.k_dim));
    for (int32_t lane = 0; lane < layer.k_dim; ++lane) {
      lane_dims[static_cast<size_t>(lane)] = static_cast<int16_t>(LaneDim(format, lane));
    }
  }
};

}  // namespace sluice::cpu
