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

// In which precision attention is computed. kFp32: queries and probabilities in fp32, answers
// within 1e-5 of a row's largest |value|. kBf16: both rounded to the 16-bit type that keys are
// stored in, sums in fp32, within 4e-3; fp32 keys take kFp32 there too.
enum class Arithmetic : uint8_t { kFp32 = 0, kBf16 = 1 };

// "fp32" or "bf16".
const char* ArithmeticName(Arithmetic arithmetic);

}  // namespace sluice
