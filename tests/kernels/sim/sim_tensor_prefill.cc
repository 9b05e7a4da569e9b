// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/tensor_prefill_kernels.h"
#include "tests/kernels/sim/sim_launch-inl.h"

namespace sluice::sim {

using device::LaunchShape;
using device::TensorPrefillKernel;

template void RunOnSim(const TensorPrefillKernel<Dtype::kBf16>&, const LaunchShape&, SimGrid&);
template void RunOnSim(const TensorPrefillKernel<Dtype::kF16>&, const LaunchShape&, SimGrid&);

}  // namespace sluice::sim
