// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Inputs for random runs. The same seed gives the same values everywhere: only the generator's
// bits are used, none of the library's distributions.

#include <cstdint>
#include <random>

#include "tests/oracle/attention.h"
#include "tests/oracle/common.h"

namespace sluice::oracle {

// Uniform in [-1, 1), a multiple of 2^-7, so exact in bf16 and every wider type.
double RandomValue(std::mt19937_64& random);

// 0 .. limit - 1
int RandomBelow(std::mt19937_64& random, int limit);

Row RandomRow(std::mt19937_64& random, int length);

struct TensorShape {
  int tokens = 64;
  int q_heads = 4;
  int kv_heads = 2;
  int dim = 16;
};

// Queries are `sharpness` times larger than keys, so that attention is not flat.
LayerTensors RandomTensors(std::mt19937_64& random, const TensorShape& shape, double sharpness = 4);

// Distinct scores above 0. [layers][heads][slots]
LayerScores RandomScores(std::mt19937_64& random, int layers, int heads, int slots);

}  // namespace sluice::oracle
