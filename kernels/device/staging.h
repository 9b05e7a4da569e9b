// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "kernels/backend.h"
#include "kernels/device/device_fault.h"
#include "kernels/device/device_runtime.h"

namespace sluice::device {

// Host memory that the operations of one lane pass through on their way to and from a
// device, part by part: a ring that parts take pieces of in order and give back in order.
// What is too large for the ring gets memory of its own. The ring has a twin in the device's
// memory, for what kernels read: at the same offsets, brought there by whoever takes a piece.
//
// Begin, Take, TwinOf: the lane's launching thread. Release: one other thread.
class Staging {
 public:
  // `runtime` outlives the object. Where there is no such memory, fault() says so.
  Staging(DeviceRuntime& runtime, int64_t ring_bytes);
  ~Staging();

  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  static constexpr int64_t kAlignment = 256;

  // Why nothing may be taken; Take ends the process then. Constant.
  const DeviceFault& fault() const { return fault_; }

  int64_t ring_bytes() const { return ring_bytes_; }

  // Pieces taken from now on belong to the part of that number.
  void Begin(Ticket part);

  // `bytes` > 0 bytes, aligned to kAlignment, until the part is released. Waits for earlier
  // parts to be released while the ring is full.
  std::byte* Take(int64_t bytes);

  // The piece's place in the device's memory; null: it has memory of its own.
  std::byte* TwinOf(const std::byte* piece) const;

  // Gives back what the parts up to that number took.
  void Release(Ticket part);

 private:
  // A piece of the ring, or memory of its own.
  struct Piece {
    Ticket part = 0;
    std::byte* own = nullptr;   // null: of the ring
    int64_t ring_bytes = 0;     // with what was left out at the ring's end
  };

  // Whether `bytes` more fit behind the newest piece; sets where. Under mutex_.
  bool Fits(int64_t bytes, int64_t* offset, int64_t* taken) const;
  bool RingIsOurs() const;

  DeviceRuntime& runtime_;
  std::byte* const ring_;
  std::byte* const twin_;
  const DeviceFault fault_;
  const int64_t ring_bytes_;  // 0 without a ring
  Ticket part_ = 0;           // the launching thread's

  std::mutex mutex_;
  std::condition_variable released_;
  std::deque<Piece> pieces_;
  int64_t head_ = 0;  // offset of the next piece
  int64_t used_ = 0;  // bytes in use
};

}  // namespace sluice::device
