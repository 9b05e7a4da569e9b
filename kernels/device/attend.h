// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "kernels/device/launcher.h"
#include "kernels/ops.h"
#include "kernels/page_format.h"

namespace sluice::device {

// Why a device that gives a block `shared_bytes` of shared memory cannot attend over pages of
// a format, for people; empty: it can. Thread-safe.
std::string FormatFault(const PageFormat& format, int32_t shared_bytes);

// Attend of ops.h. REQUIRES: keys and values of all the call's entries are of one dtype, and
// FormatFault of their formats is empty on the launcher's device.
void LowerAttend(const AttendArgs& args, Launcher& launcher);

}  // namespace sluice::device
