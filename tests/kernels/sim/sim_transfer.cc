// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/transfer_kernels.h"
#include "tests/kernels/sim/sim_launch-inl.h"

namespace sluice::sim {

template void RunOnSim(const device::ExportKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::ImportKernel&, const device::LaunchShape&, SimGrid&);

}  // namespace sluice::sim
