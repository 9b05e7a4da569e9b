// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// A Block (kernels/device/block.h, which says what each method does) of a GPU of compute
// capability 8.0 or later. For nvcc.
//
// Kernels are templates for host and device, so nvcc looks at them for both; the methods
// are there for the device alone, since nothing runs a kernel over this Block elsewhere.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/device/block.h"
#include "kernels/dtype.h"

namespace sluice::cuda {

class CudaBlock {
 public:
  SLUICE_HD int32_t thread() const;
  SLUICE_HD int32_t threads() const;
  SLUICE_HD int32_t lane() const;
  SLUICE_HD int64_t index() const;
  SLUICE_HD int64_t count() const;
  SLUICE_HD std::byte* shared() const;

  SLUICE_HD void Sync();
  SLUICE_HD void SyncWarp();
  template <class T>
  SLUICE_HD T Shuffle(T value, int32_t lane);
  template <class T>
  SLUICE_HD T ShuffleXor(T value, int32_t mask);
  SLUICE_HD uint32_t Ballot(bool value);

  SLUICE_HD int32_t AtomicAdd(int32_t* at, int32_t value);
  SLUICE_HD uint32_t AtomicAdd(uint32_t* at, uint32_t value);
  SLUICE_HD uint64_t AtomicAdd(uint64_t* at, uint64_t value);
  SLUICE_HD uint32_t AtomicMax(uint32_t* at, uint32_t value);
  SLUICE_HD uint32_t AtomicOr(uint32_t* at, uint32_t bits);

  SLUICE_HD void CopyAsync(void* shared, const void* global);
  SLUICE_HD void CommitCopies();
  template <int N>
  SLUICE_HD void WaitCopies();

  template <bool kTransposed>
  SLUICE_HD void LoadMatrices(uint32_t (&words)[4], const void* row);
  template <Dtype kDtype, int32_t kProducts>
  SLUICE_HD void MultiplyAdd(float (&sums)[kProducts][4], const uint32_t (&a)[4],
                             const uint32_t (&b)[kProducts][2]);

  SLUICE_HD bool ArriveLast(uint32_t* arrivals, uint32_t expected);
};

#ifdef __CUDA_ARCH__

inline constexpr unsigned kAllLanes = 0xffffffffu;

SLUICE_HD inline int32_t CudaBlock::thread() const { return static_cast<int32_t>(threadIdx.x); }

SLUICE_HD inline int32_t CudaBlock::threads() const { return static_cast<int32_t>(blockDim.x); }

SLUICE_HD inline int32_t CudaBlock::lane() const { return thread() % device::kWarpThreads; }

SLUICE_HD inline int64_t CudaBlock::index() const { return blockIdx.x; }

SLUICE_HD inline int64_t CudaBlock::count() const { return gridDim.x; }

SLUICE_HD inline std::byte* CudaBlock::shared() const {
  extern __shared__ __align__(128) unsigned char shared_memory[];
  return reinterpret_cast<std::byte*>(shared_memory);
}

SLUICE_HD inline void CudaBlock::Sync() { __syncthreads(); }

SLUICE_HD inline void CudaBlock::SyncWarp() { __syncwarp(); }

template <class T>
SLUICE_HD T CudaBlock::Shuffle(T value, int32_t lane) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
  if constexpr (sizeof(T) == 4) {
    unsigned bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    bits = __shfl_sync(kAllLanes, bits, lane);
    std::memcpy(&value, &bits, sizeof(T));
  } else {
    unsigned long long bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    bits = __shfl_sync(kAllLanes, bits, lane);
    std::memcpy(&value, &bits, sizeof(T));
  }
  return value;
}

template <class T>
SLUICE_HD T CudaBlock::ShuffleXor(T value, int32_t mask) {
  return Shuffle(value, lane() ^ mask);
}

SLUICE_HD inline uint32_t CudaBlock::Ballot(bool value) { return __ballot_sync(kAllLanes, value); }

SLUICE_HD inline int32_t CudaBlock::AtomicAdd(int32_t* at, int32_t value) {
  return atomicAdd(at, value);
}

SLUICE_HD inline uint32_t CudaBlock::AtomicAdd(uint32_t* at, uint32_t value) {
  return atomicAdd(at, value);
}

SLUICE_HD inline uint64_t CudaBlock::AtomicAdd(uint64_t* at, uint64_t value) {
  static_assert(sizeof(unsigned long long) == sizeof(uint64_t));
  return atomicAdd(reinterpret_cast<unsigned long long*>(at),
                   static_cast<unsigned long long>(value));
}

SLUICE_HD inline uint32_t CudaBlock::AtomicMax(uint32_t* at, uint32_t value) {
  return atomicMax(at, value);
}

SLUICE_HD inline uint32_t CudaBlock::AtomicOr(uint32_t* at, uint32_t bits) {
  return atomicOr(at, bits);
}

SLUICE_HD inline void CudaBlock::CopyAsync(void* shared, const void* global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
               :
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))),
                 "l"(__cvta_generic_to_global(global))
               : "memory");
}

SLUICE_HD inline void CudaBlock::CommitCopies() {
  asm volatile("cp.async.commit_group;" : : : "memory");
}

template <int N>
SLUICE_HD void CudaBlock::WaitCopies() {
  asm volatile("cp.async.wait_group %0;" : : "n"(N) : "memory");
}

template <bool kTransposed>
SLUICE_HD void CudaBlock::LoadMatrices(uint32_t (&words)[4], const void* row) {
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(at)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(at)
                 : "memory");
  }
}

template <Dtype kDtype, int32_t kProducts>
SLUICE_HD void CudaBlock::MultiplyAdd(float (&sums)[kProducts][4], const uint32_t (&a)[4],
                                      const uint32_t (&b)[kProducts][2]) {
  static_assert(kDtype == Dtype::kBf16 || kDtype == Dtype::kF16, "16-bit elements");
  SLUICE_UNROLL
  for (int32_t i = 0; i < kProducts; ++i) {
    float (&sum)[4] = sums[i];
    if constexpr (kDtype == Dtype::kBf16) {
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[i][0]), "r"(b[i][1]));
    } else {
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[i][0]), "r"(b[i][1]));
    }
  }
}

// The barriers order the block's threads, the fences of thread 0 the blocks: fences carry
// what the barrier made seen by thread 0, and the other way round. The count wraps to 0
// with the last arrival itself, so that nothing can come between.
SLUICE_HD inline bool CudaBlock::ArriveLast(uint32_t* arrivals, uint32_t expected) {
  __syncthreads();
  bool is_last = false;
  if (threadIdx.x == 0) {
    __threadfence();
    is_last = atomicInc(arrivals, expected - 1) == expected - 1;
    __threadfence();
  }
  return __syncthreads_or(is_last) != 0;
}

#endif  // __CUDA_ARCH__

}  // namespace sluice::cuda
