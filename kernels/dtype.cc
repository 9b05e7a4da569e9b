// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/dtype.h"

namespace sluice {

const char* DtypeName(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return "fp32";
    case Dtype::kBf16:
      return "bf16";
    case Dtype::kF16:
      return "fp16";
  }
  return "unknown";
}

const char* ArithmeticName(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kBf16 ? "bf16" : "fp32";
}

}  // namespace sluice
