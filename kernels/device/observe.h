// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// Observe and CarryObservations of ops.h.
void LowerObserve(const ObserveArgs& args, Launcher& launcher);
void LowerCarryObservations(const CarryObservationsArgs& args, Launcher& launcher);

}  // namespace sluice::device
