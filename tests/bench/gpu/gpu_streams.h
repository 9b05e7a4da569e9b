// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace sluice::bench {

// Kernels that do nothing but what a ceiling or the preparation of a measurement needs. Each
// call launches one on the stream and ends the process where that fails. Memory is 16-byte
// aligned and `bytes` a multiple of 16.

// Reads all of it, 16 bytes at a time; `sink` is never written but for one sum in 2^32.
void LaunchRead(const std::byte* memory, int64_t bytes, int32_t blocks, uint32_t* sink,
                cudaStream_t stream);

void LaunchCopy(std::byte* to, const std::byte* from, int64_t bytes, int32_t blocks,
                cudaStream_t stream);

// Fills with Bf16Word or FloatWord of bench_device.h.
void LaunchFillBf16(std::byte* memory, int64_t bytes, cudaStream_t stream);
void LaunchFillFloats(float* memory, int64_t count, cudaStream_t stream);

void LaunchEmpty(cudaStream_t stream);

}  // namespace sluice::bench
