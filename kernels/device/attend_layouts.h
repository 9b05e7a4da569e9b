// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "kernels/device/query_tiles.h"
#include "kernels/dtype.h"
#include "kernels/ops.h"
#include "kernels/page_format.h"

namespace sluice::device {

// The calls of attend that share their layouts, and the device's limit. Stateless functions.
struct AttendShape {
  const LayerShape& layer;
  Dtype stored = Dtype::kBf16;   // of keys and values
  bool turns = false;            // some keys turn
  bool on_tensor_cores = false;
  int32_t shared_bytes = 0;      // that the device gives a block
};

// Whether attention in the arithmetic over keys and values of the dtype is on tensor cores.
bool OnTensorCores(Arithmetic arithmetic, Dtype stored);

// Of a block of attend over units of up to `unit_rows` query rows, with room for what tensor
// cores want behind it; and of a block of mass. They may be larger than the device allows.
UnitLayout AttendLayout(const AttendShape& shape, int32_t unit_rows);
UnitLayout MassLayout(const AttendShape& shape, int32_t unit_rows);

// Why a device that gives a block `shared_bytes` of shared memory cannot attend over pages of
// a format, for people; empty: it can. Thread-safe.
std::string FormatFault(const PageFormat& format, Arithmetic arithmetic, int32_t shared_bytes);

}  // namespace sluice::device
