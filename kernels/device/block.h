// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What kernels for devices of many small threads are written against.
//
// A kernel is a plain struct of pointers and shapes, at most 4 KiB, with
//
//   template <class Block> SLUICE_HD void operator()(Block& block) const;
//
// which every thread of every block of its grid runs. It does not know how many blocks
// there are: it walks over its work items by
//
//   for (int64_t item = block.index(); item < items; item += block.count())
//
// so that a lane may be given a part of the device. Kernels include neither CUDA headers
// nor standard containers and stay within C++17. A Block offers
//
//   int32_t thread(), threads()    the thread's number in its block; a multiple of 32
//   int32_t lane()                 thread() % 32, its number in its warp
//   int64_t index(), count()       the block's number in the grid
//   std::byte* shared()            the block's shared memory, 128-byte aligned; holds
//                                  anything at first
//   void Sync()                    all threads of the block are here, and what they wrote to
//                                  shared and global memory is seen by all of them
//   void SyncWarp()                the same of a warp
//   T Shuffle(T value, int32_t lane)     `value` of a lane of the warp; 4 or 8 bytes
//   T ShuffleXor(T value, int32_t mask)
//   uint32_t Ballot(bool value)          bit i: that of lane i
//   T AtomicAdd(T* at, T value)          returns what was there; int32_t, uint32_t, uint64_t
//   uint32_t AtomicMax(uint32_t* at, uint32_t value)
//   uint32_t AtomicOr(uint32_t* at, uint32_t bits)
//   void CopyAsync(void* shared, const void* global)   16 bytes, both aligned to it
//   void CommitCopies()            ends a group of this thread's copies
//   void WaitCopies<N>()           all but this thread's last N groups are there, for this
//                                  thread; Sync makes them so for the others
//   void LoadMatrices<kTransposed>(uint32_t (&words)[4], const void* row)
//                                  four 8 x 8 matrices of 16-bit elements from shared memory:
//                                  lane 8 m + i names row i of matrix m, 16 bytes aligned to
//                                  it; words[m] as PlaceInMatrix (core/fragment.h) says
//   void MultiplyAdd<kDtype>(float (&sums)[n][4], const uint32_t (&a)[4],
//                            const uint32_t (&b)[n][2])
//                                  n products of a warp on tensor cores, sums[i] += a * b[i],
//                                  held as core/fragment.h says; kDtype: bf16 or fp16
//   bool ArriveLast(uint32_t* arrivals, uint32_t expected)
//                                  whole block, every thread gets the answer: whether it is
//                                  the last of `expected` blocks to arrive. What the others
//                                  wrote before they arrived is then seen by it. The count is
//                                  0 again after the last
//
// Sync, ArriveLast: all threads of a block, at one place of the program. SyncWarp, Shuffle,
// ShuffleXor, Ballot, LoadMatrices, MultiplyAdd: all threads of a warp, likewise. No thread
// ends before the others of its block where one of these is still to come. No float is added
// atomically: sums have one order.

#include <cstddef>
#include <cstdint>

#include "kernels/core/host_device.h"

// Before a loop whose arrays are to stay in registers, and before one that would take too
// many of them if it were unrolled.
#ifdef __CUDA_ARCH__
#define SLUICE_UNROLL _Pragma("unroll")
#define SLUICE_NO_UNROLL _Pragma("unroll 1")
#else
#define SLUICE_UNROLL
#define SLUICE_NO_UNROLL
#endif

namespace sluice::device {

inline constexpr int32_t kWarpThreads = 32;

// How a kernel is launched.
struct LaunchShape {
  int64_t items = 0;           // more blocks than this have nothing to do
  int32_t threads = 128;       // of a block: a multiple of 32, at most 256
  int32_t shared_bytes = 0;    // of a block
};

// 16 bytes that move together.
struct alignas(16) Vector16 {
  uint32_t words[4] = {};
};

// sum + a * b: one instruction of a device, where kernels are compiled so that stored values
// are never fused. For sums whose bits nobody compares between devices.
SLUICE_HD inline float AddProduct(float sum, float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmaf_rn(a, b, sum);
#else
  return sum + a * b;
#endif
}

// The lanes' sum in every lane, added in the same order whatever the device.
template <class Block>
SLUICE_HD float WarpSum(Block& block, float value) {
  for (int32_t mask = kWarpThreads / 2; mask > 0; mask /= 2) {
    value += block.ShuffleXor(value, mask);
  }
  return value;
}

template <class Block>
SLUICE_HD float WarpMax(Block& block, float value) {
  for (int32_t mask = kWarpThreads / 2; mask > 0; mask /= 2) {
    const float other = block.ShuffleXor(value, mask);
    value = other > value ? other : value;
  }
  return value;
}

// Calls function(i) for i in [0, kCount), each of them a constant: arrays that it indexes
// by i stay in registers.
template <int32_t kCount, class Function>
SLUICE_HD void Unrolled(const Function& function) {
  if constexpr (kCount > 0) {
    Unrolled<kCount - 1>(function);
    function(kCount - 1);
  }
}

// Calls function(i) for the thread's share of [0, count).
template <class Block, class Function>
SLUICE_HD void ForEachOfBlock(Block& block, int64_t count, const Function& function) {
  for (int64_t i = block.thread(); i < count; i += block.threads()) function(i);
}

}  // namespace sluice::device
