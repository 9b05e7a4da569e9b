// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/cascade_kernels.h"
#include "tests/kernels/sim/sim_launch-inl.h"

namespace sluice::sim {

template void RunOnSim(const device::AddPendingKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::DecideCascadeKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::TakeCascadeSlotsKernel&, const device::LaunchShape&,
                       SimGrid&);
template void RunOnSim(const device::PutCascadeSlotsKernel&, const device::LaunchShape&, SimGrid&);

}  // namespace sluice::sim
