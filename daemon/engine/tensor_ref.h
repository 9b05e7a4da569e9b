// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"

namespace sluice {

// A dense, row-major, little-endian tensor that somebody else owns.
//
// rpc has checked that the sizes are >= 0 and that the bytes are as many as
// shape and dtype say; whether the shape is the right one the engine checks.
struct TensorRef {
  Dtype dtype = Dtype::kF32;
  int32_t rank = 0;
  std::array<int64_t, 4> shape = {};  // [rank]
  const std::byte* data = nullptr;    // any alignment

  bool present() const { return data != nullptr; }
};

}  // namespace sluice
