// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/device/device_kernel.h"
#include "kernels/device/device_runtime.h"
#include "kernels/device/staging.h"
#include "kernels/ops.h"

namespace sluice::device {

// What an operation's outputs still need once its kernels have run.
struct Delivery {
  enum class Kind : uint8_t { kCopy, kAddCount };
  Kind kind = Kind::kCopy;
  const std::byte* from = nullptr;
  std::byte* to = nullptr;
  int64_t bytes = 0;
};

// Makes launches of one operation: brings what it points to where the device reaches it,
// and notes what is to be brought back.
//
// Arrays of an operation are host memory of whoever submitted it, but for those that lie
// in the pool. Not thread-safe: the lane's launching thread.
class Launcher {
 public:
  struct Options {
    PoolView pool;           // as kernels use it
    int64_t pool_bytes = 0;  // from pool.pool on: what kernels reach as it is
    Lane lane = Lane::kForeground;
    int64_t scratch_bytes = 0;
    // Returns once no earlier part of the lane is still to deliver into a range.
    std::function<void(const void* memory, int64_t bytes)> await_delivered;
    // Ends a part of the operation with its deliveries; returns the number of the next one.
    std::function<Ticket(std::vector<Delivery> deliveries)> end_part;
  };

  // The others outlive the object. Ends the process where there is no such memory.
  Launcher(const Options& options, DeviceRuntime& runtime, Staging& staging);
  ~Launcher();

  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  const PoolView& pool() const { return options_.pool; }

  // Starts an operation, with the lane's part of that number.
  void Begin(Ticket part);

  // Ends a part of the operation: what was launched runs and is delivered on its own, and what
  // In, Out and the like gave is the operation's no more. The scratch stays as it is.
  void NextPart();

  // What a part may take of staging, so that it never waits for itself; more gets memory of
  // its own.
  int64_t part_bytes() const;

  // What In or Out take of staging for `bytes` bytes there.
  int64_t StagedBytes(const void* host, int64_t bytes) const {
    return host == nullptr || Reached(host) ? 0 : bytes;
  }

  // A copy of `count` elements of the part's input; null where `host` is null. What
  // lies in the pool is given as it is.
  template <class T>
  const T* In(const T* host, int64_t count) {
    return reinterpret_cast<const T*>(TakeIn(host, count * static_cast<int64_t>(sizeof(T))));
  }
  const void* InBytes(const void* host, int64_t bytes) { return TakeIn(host, bytes); }

  // Where kernels put `count` elements of output: all of them.
  template <class T>
  T* Out(T* host, int64_t count) {
    return reinterpret_cast<T*>(TakeOut(host, count * static_cast<int64_t>(sizeof(T)), false));
  }
  void* OutBytes(void* host, int64_t bytes) { return TakeOut(host, bytes, false); }

  // The same for output of which kernels may leave parts as they are.
  template <class T>
  T* InOut(T* host, int64_t count) {
    return reinterpret_cast<T*>(TakeOut(host, count * static_cast<int64_t>(sizeof(T)), true));
  }

  // A counter, 0 at first, which is added to `*host` in the end; null where that is.
  uint64_t* Count(int64_t* host);

  // `count` elements of the device's memory, until the operation's end or the next
  // ResetScratch: kernels launched later may then write there, those launched before have
  // read it. REQUIRES: they fit (scratch_left_bytes).
  template <class T>
  T* Scratch(int64_t count) {
    return reinterpret_cast<T*>(TakeScratch(count * static_cast<int64_t>(sizeof(T))));
  }
  int64_t scratch_left_bytes() const { return options_.scratch_bytes - scratch_used_; }
  void ResetScratch() { scratch_used_ = 0; }

  // The records of a step and of a layer, where kernels reach them.
  StepView View(const StepView& view);
  LayerShape Layer(const LayerShape& layer);
  // A set of rows with its entry and offsets.
  RowSet Rows(const RowSet& rows);

  // REQUIRES: shape.shared_bytes <= shared_bytes_of_block().
  void Launch(const DeviceKernel& kernel, const LaunchShape& shape);
  int32_t shared_bytes_of_block() const { return runtime_.shared_bytes_of_block(); }

  // What is to be done once the launches have run; empties the list.
  std::vector<Delivery> TakeDeliveries();

 private:
  bool Reached(const void* memory) const;
  const void* TakeIn(const void* host, int64_t bytes);
  void* TakeOut(void* host, int64_t bytes, bool copy_in);
  std::byte* TakeScratch(int64_t bytes);

  const Options options_;
  DeviceRuntime& runtime_;
  Staging& staging_;
  std::byte* const scratch_;
  int64_t scratch_used_ = 0;
  std::vector<Delivery> deliveries_;
};

// Does what the deliveries say.
void Deliver(const std::vector<Delivery>& deliveries);

}  // namespace sluice::device
