// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/attend_layouts.h"

#include <algorithm>

#include "kernels/device/mass_kernels.h"
#include "kernels/device/tensor_attend_kernels.h"

namespace sluice::device {
namespace {

// Of dims of keys and values.
constexpr int32_t kDimMultiple = 16;

// What tensor cores want behind the layout.
int32_t BehindBytes(const AttendShape& shape, int32_t unit_rows) {
  if (!shape.on_tensor_cores) return 0;
  return MakeTensorLayout({}, shape.layer, unit_rows, shape.turns).bytes;
}

// Shared memory that any call over pages of the format needs of a block at the most. The other
// operations need less: a tile of keys, or none.
int32_t SharedBytes(const PageFormat& format, Arithmetic arithmetic, int32_t shared_bytes) {
  LayerShape layer;
  layer.k_dim = format.k_dim;
  layer.v_dim = format.v_dim;
  AttendShape shape{layer, format.dtype};
  shape.turns = format.key_space == KeySpace::kCachePosition && format.rotary_dim > 0;
  shape.on_tensor_cores = OnTensorCores(arithmetic, format.dtype);
  shape.shared_bytes = shared_bytes;
  const UnitLayout attend = AttendLayout(shape, kUnitRows);
  const int32_t behind = BehindBytes(shape, kUnitRows);
  return std::max(attend.bytes + behind, MassLayout(shape, kUnitRows).bytes);
}

}  // namespace

bool OnTensorCores(Arithmetic arithmetic, Dtype stored) {
  return arithmetic == Arithmetic::kBf16 && stored != Dtype::kF32;
}

UnitLayout AttendLayout(const AttendShape& shape, int32_t unit_rows) {
  const int32_t behind = BehindBytes(shape, unit_rows);
  return MakeUnitLayout(shape.layer, shape.stored, unit_rows, shape.turns, true,
                        unit_rows * shape.layer.v_dim, shape.shared_bytes - behind);
}

UnitLayout MassLayout(const AttendShape& shape, int32_t unit_rows) {
  constexpr int32_t kSumFloats = MassKernel<Dtype::kF32>::kSumFloats;
  return MakeUnitLayout(shape.layer, shape.stored, unit_rows, shape.turns, false, kSumFloats,
                        shape.shared_bytes);
}

std::string FormatFault(const PageFormat& format, Arithmetic arithmetic, int32_t shared_bytes) {
  const int32_t needed = SharedBytes(format, arithmetic, shared_bytes);
  if (needed <= shared_bytes) return "";
  PageFormat smaller = format;
  int32_t most = std::max(format.k_dim, format.v_dim);
  while (most > 0 && SharedBytes(smaller, arithmetic, shared_bytes) > shared_bytes) {
    most -= kDimMultiple;
    smaller.k_dim = std::min(format.k_dim, most);
    smaller.v_dim = std::min(format.v_dim, most);
  }
  return std::string(DtypeName(format.dtype)) + " keys of " + std::to_string(format.k_dim) +
         " dims and values of " + std::to_string(format.v_dim) + " need " +
         std::to_string(needed) + " bytes of a block's shared memory, the device has " +
         std::to_string(shared_bytes) + ": up to " + std::to_string(most) + " dims fit";
}

}  // namespace sluice::device
