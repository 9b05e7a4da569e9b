// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/select_kernels.h"
#include "kernels/device/select_mark_kernel.h"
#include "tests/kernels/sim/sim_launch-inl.h"

namespace sluice::sim {

template void RunOnSim(const device::SelectLookKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::SelectStartKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::SelectCountKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::SelectDecideKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::SelectCountsKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::SelectMarkKernel&, const device::LaunchShape&, SimGrid&);

}  // namespace sluice::sim
