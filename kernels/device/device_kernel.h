// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The list of all kernels: what a runtime must be able to launch.

#include <variant>

#include "kernels/device/cascade_kernels.h"
#include "kernels/device/copy_kernels.h"
#include "kernels/device/observe_kernels.h"
#include "kernels/device/window_kernels.h"

namespace sluice::device {

using DeviceKernel = std::variant<
    AddPendingKernel, CarryObservationsKernel, CopyPagesKernel, CopyScoresKernel,
    DecideCascadeKernel, FoldWindowKernel, ObserveKernel, PackWindowKernel, PoolWindowKernel,
    PutCascadeSlotsKernel, ScoreWindowKernel, SumWindowKernel, TakeCascadeSlotsKernel>;

}  // namespace sluice::device
