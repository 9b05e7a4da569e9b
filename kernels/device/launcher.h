// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/core/rows.h"
#include "kernels/device/device_fault.h"
#include "kernels/device/device_kernel.h"
#include "kernels/device/device_runtime.h"
#include "kernels/device/staging.h"
#include "kernels/device/table_mirror.h"
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
    PoolView pool;           // as the host reaches it
    int64_t pool_bytes = 0;  // from pool.pool on: what kernels reach as it is
    Lane lane = Lane::kForeground;
    int64_t scratch_bytes = 0;
    Arithmetic arithmetic = Arithmetic::kFp32;
    const TableMirror* mirror = nullptr;  // null: kernels reach all of `pool` as the host does
    // Returns once no earlier part of the lane is still to deliver into a range.
    std::function<void(const void* memory, int64_t bytes)> await_delivered;
    // Ends a part of the operation with its deliveries; returns the number of the next one.
    std::function<Ticket(std::vector<Delivery> deliveries)> end_part;
  };

  // The others outlive the object. Where there is no memory for scratch, fault() says so.
  Launcher(const Options& options, DeviceRuntime& runtime, Staging& staging);
  ~Launcher();

  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  // Why nothing may be launched; Scratch ends the process then. Constant.
  const DeviceFault& fault() const { return fault_; }

  // As kernels reach it, and as the host does: for what is read of the tables here.
  const PoolView& pool() const { return pool_; }
  const PoolView& host_pool() const { return options_.pool; }
  Arithmetic arithmetic() const { return options_.arithmetic; }

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

  // A copy of `count` elements of the part's input for the launches to come, not to be touched
  // by the host; null where `host` is null. What lies in the pool is given as it is.
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
  int64_t scratch_left_bytes() const { return scratch_bytes_ - scratch_used_; }
  void ResetScratch() { scratch_used_ = 0; }

  // The records of a step and of a layer, where kernels reach them.
  StepView View(const StepView& view);
  LayerShape Layer(const LayerShape& layer);
  // A set of rows with its entry and offsets.
  RowSet Rows(const RowSet& rows);
  // A span of host_pool() as kernels reach it.
  Span SpanIn(const Span& span) const;

  // REQUIRES: shape.shared_bytes <= shared_bytes_of_block().
  void Launch(const DeviceKernel& kernel, const LaunchShape& shape);
  int32_t shared_bytes_of_block() const { return runtime_.shared_bytes_of_block(); }

  // What is to be done once the launches have run; empties the list.
  std::vector<Delivery> TakeDeliveries();

 private:
  // Of a range of staging to its twin.
  struct Upload {
    const std::byte* from = nullptr;
    std::byte* to = nullptr;
    int64_t bytes = 0;
  };

  bool Reached(const void* memory) const;
  const void* TakeIn(const void* host, int64_t bytes);
  void* TakeOut(void* host, int64_t bytes, bool copy_in);
  std::byte* TakeScratch(int64_t bytes);
  void UploadInputs();

  const Options options_;
  const PoolView pool_;
  DeviceRuntime& runtime_;
  Staging& staging_;
  std::byte* const scratch_;
  const DeviceFault fault_;
  const int64_t scratch_bytes_;  // 0 without memory
  int64_t scratch_used_ = 0;
  std::vector<Delivery> deliveries_;
  std::vector<Upload> uploads_;  // before the next launch
};

// Does what the deliveries say.
void Deliver(const std::vector<Delivery>& deliveries);

}  // namespace sluice::device
