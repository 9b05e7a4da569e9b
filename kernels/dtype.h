// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/host_device.h"

namespace sluice {

// Element types of tensors and of stored keys and values.
enum class Dtype : uint8_t { kF32 = 0, kBf16 = 1, kF16 = 2 };

SLUICE_HD constexpr int64_t DtypeBytes(Dtype dtype) { return dtype == Dtype::kF32 ? 4 : 2; }

// "fp32", "bf16" or "fp16".
const char* DtypeName(Dtype dtype);

}  // namespace sluice
