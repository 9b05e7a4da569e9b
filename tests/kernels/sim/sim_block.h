// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// A Block (kernels/device/block.h) without a device, which makes mistakes show: shared
// memory starts as NaN, asynchronous copies arrive when they are waited for and not before,
// threads run in a shuffled order, and those that wait at different places end the process.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/device/block.h"
#include "tests/kernels/sim/sim_matrix.h"
#include "tests/kernels/sim/sim_threads.h"

namespace sluice::sim {

// An asynchronous copy that has not arrived.
struct SimCopy {
  void* to;
  const void* from;
  int32_t group;
};

// What the threads of a block have in common.
struct SimShared {
  SimThreads* threads = nullptr;
  std::vector<SimCopy>* copies = nullptr;  // [block_threads], none at first
  std::byte* memory = nullptr;
  int32_t memory_bytes = 0;
  int32_t block_threads = 0;
  int64_t index = 0;
  int64_t count = 0;
  bool is_last = false;  // ArriveLast's answer
};

class SimBlock {
 public:
  SimBlock(SimShared* shared, int32_t thread)
      : shared_(*shared), thread_(thread), copies_(shared->copies[thread]) {}
  ~SimBlock() {
    if (!copies_.empty()) Fail("thread %d ends without having waited for its copies", thread_);
  }

  SimBlock(const SimBlock&) = delete;
  SimBlock& operator=(const SimBlock&) = delete;

  int32_t thread() const { return thread_; }
  int32_t threads() const { return shared_.block_threads; }
  int32_t lane() const { return thread_ % device::kWarpThreads; }
  int64_t index() const { return shared_.index; }
  int64_t count() const { return shared_.count; }
  std::byte* shared() const { return shared_.memory; }

  void Sync(int32_t line = __builtin_LINE()) { shared_.threads->AwaitBlock(thread_, line); }

  void SyncWarp(int32_t line = __builtin_LINE()) {
    shared_.threads->AwaitWarp(thread_, WarpCall::kSync, 0, line);
  }

  template <class T>
  T Shuffle(T value, int32_t lane, int32_t line = __builtin_LINE()) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    const uint64_t* const brought =
        shared_.threads->AwaitWarp(thread_, WarpCall::kShuffle, bits, line);
    std::memcpy(&value, brought + lane % device::kWarpThreads, sizeof(T));
    return value;
  }

  template <class T>
  T ShuffleXor(T value, int32_t mask, int32_t line = __builtin_LINE()) {
    return Shuffle(value, lane() ^ mask, line);
  }

  uint32_t Ballot(bool value, int32_t line = __builtin_LINE()) {
    return shared_.threads->AwaitBallot(thread_, value, line);
  }

  template <class T>
  T AtomicAdd(T* at, T value) {
    const T before = *at;
    *at = before + value;
    return before;
  }

  uint32_t AtomicMax(uint32_t* at, uint32_t value) {
    const uint32_t before = *at;
    if (value > before) *at = value;
    return before;
  }

  uint32_t AtomicOr(uint32_t* at, uint32_t bits) {
    const uint32_t before = *at;
    *at = before | bits;
    return before;
  }

  void CopyAsync(void* to, const void* from) {
    CheckShared("an asynchronous copy", to);
    if (reinterpret_cast<uintptr_t>(from) % kCopyBytes != 0) {
      Fail("an asynchronous copy is not aligned to 16 bytes");
    }
    std::memset(to, 0xff, kCopyBytes);
    copies_.push_back({to, from, group_});
  }

  void CommitCopies() { ++group_; }

  template <int N>
  void WaitCopies() {
    size_t kept = 0;
    for (const SimCopy& copy : copies_) {
      if (copy.group + N >= group_) {
        copies_[kept++] = copy;
      } else {
        std::memcpy(copy.to, copy.from, kCopyBytes);
      }
    }
    copies_.resize(kept);
  }

  template <bool kTransposed>
  void LoadMatrices(uint32_t (&words)[4], const void* row, int32_t line = __builtin_LINE()) {
    CheckShared("a matrix", row);
    const uint64_t* const rows = shared_.threads->AwaitWarp(
        thread_, WarpCall::kMatrices, reinterpret_cast<uintptr_t>(row), line);
    for (int32_t m = 0; m < 4; ++m) {
      words[m] = MatrixWord(rows + m * kMatrixRows, lane(), kTransposed);
    }
    SyncWarp(line);  // nothing is written to the matrices before all have read them
  }

  template <Dtype kDtype, int32_t kProducts>
  void MultiplyAdd(float (&sums)[kProducts][4], const uint32_t (&a)[4],
                   const uint32_t (&b)[kProducts][2], int32_t line = __builtin_LINE()) {
    float factors[kLeftFactors + kProducts * kRightFactors];
    WordsToFloats<kDtype>(a, factors);
    for (int32_t i = 0; i < kProducts; ++i) {
      WordsToFloats<kDtype>(b[i], factors + kLeftFactors + i * kRightFactors);
    }
    const uint64_t* const all = shared_.threads->AwaitWarp(
        thread_, WarpCall::kProduct, reinterpret_cast<uintptr_t>(factors), line);
    float results[kProducts][4];
    for (int32_t i = 0; i < kProducts; ++i) AddProduct(all, i, lane(), sums[i], results[i]);
    SyncWarp(line);  // the others' factors live in their own variables until then
    std::memcpy(sums, results, sizeof(results));
  }

  bool ArriveLast(uint32_t* arrivals, uint32_t expected, int32_t line = __builtin_LINE()) {
    Sync(line);
    if (thread_ == 0) {
      shared_.is_last = ++*arrivals == expected;
      if (shared_.is_last) *arrivals = 0;
    }
    Sync(line);
    const bool is_last = shared_.is_last;
    Sync(line);
    return is_last;
  }

 private:
  static constexpr size_t kCopyBytes = 16;

  // Of 16 bytes that a thread names.
  void CheckShared(const char* what, const void* at) const {
    const auto* const place = static_cast<const std::byte*>(at);
    if (place < shared_.memory || place + kCopyBytes > shared_.memory + shared_.memory_bytes) {
      Fail("%s goes beyond the %d bytes of shared memory", what, shared_.memory_bytes);
    }
    if (reinterpret_cast<uintptr_t>(at) % kCopyBytes != 0) {
      Fail("%s is not aligned to 16 bytes", what);
    }
  }

  SimShared& shared_;
  const int32_t thread_;
  std::vector<SimCopy>& copies_;
  int32_t group_ = 0;  // of the copies to come
};

}  // namespace sluice::sim
