// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/engine/model.h"

namespace sluice {

// Keys, values and queries that follow from a token's tag alone, and plain
// attention over them in double precision. Values are exact in bf16.

enum class VectorKind : int64_t { kKey = 1, kValue = 2, kQuery = 3 };

// Tags below this have keys that grow with the tag: (tag + 1, 0, 0, ...).
inline constexpr int64_t kFirstRandomTag = 1000;

std::vector<float> TokenVector(int64_t tag, int32_t layer, VectorKind kind, int32_t head,
                               int32_t dim);

// [tags, heads, dim]
std::vector<float> TokenVectors(const std::vector<int64_t>& tags, int32_t layer, VectorKind kind,
                                int32_t heads, int32_t dim);

// Positions that each row of the model holds; empty: all.
using HeldPositions = std::vector<std::vector<int64_t>>;

struct PlainAttention {
  std::vector<double> out;  // [query_heads, v_dim]
  std::vector<double> lse;  // [query_heads]
};

// What the token at `position` of a sequence with `tags` gets at `layer`.
PlainAttention AttendPlainly(const ModelGeometry& geometry, int32_t layer,
                             const std::vector<int64_t>& tags, int64_t position,
                             const HeldPositions& held = {});

}  // namespace sluice
