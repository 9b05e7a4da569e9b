// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "daemon/engine/tensor_ref.h"

namespace sluice {

// OK if `tensor` has the shape `expected`. INVALID_ARGUMENT (FIELD_INVALID)
// with both shapes otherwise; `meaning` names the dims ("[rows, kv_heads, k_dim]").
absl::Status CheckShape(const std::string& field, const TensorRef& tensor,
                        std::initializer_list<int64_t> expected, const char* meaning);

// "[2, 8, 64]".
std::string ShapeText(const TensorRef& tensor);

}  // namespace sluice
