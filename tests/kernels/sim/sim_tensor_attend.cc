// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/tensor_attend_kernels.h"
#include "tests/kernels/sim/sim_launch-inl.h"

namespace sluice::sim {

using device::LaunchShape;
using device::TensorAttendKernel;

template void RunOnSim(const TensorAttendKernel<Dtype::kBf16>&, const LaunchShape&, SimGrid&);
template void RunOnSim(const TensorAttendKernel<Dtype::kF16>&, const LaunchShape&, SimGrid&);

}  // namespace sluice::sim
