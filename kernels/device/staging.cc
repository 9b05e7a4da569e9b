// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/staging.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernels/page_format.h"

namespace sluice::device {
namespace {

std::byte* AllocateHostOrEnd(DeviceRuntime& runtime, int64_t bytes) {
  std::byte* const memory = runtime.AllocateHost(bytes);
  if (memory == nullptr) {
    std::fprintf(stderr, "no %lld bytes of host memory for operations of the device\n",
                 static_cast<long long>(bytes));
    std::abort();
  }
  return memory;
}

DeviceFault FaultOf(const std::byte* ring, const std::byte* twin, int64_t bytes,
                    const DeviceRuntime& runtime) {
  if (ring == nullptr) return NoMemory(bytes, "host memory for operations of the device", -1);
  if (twin == nullptr) {
    return NoMemory(bytes, "the device's memory for operations", runtime.FreeDeviceBytes());
  }
  return {};
}

}  // namespace

Staging::Staging(DeviceRuntime& runtime, int64_t ring_bytes)
    : runtime_(runtime),
      ring_(runtime.AllocateHost(RoundUp(ring_bytes, kAlignment))),
      twin_(runtime.AllocateDevice(RoundUp(ring_bytes, kAlignment))),
      fault_(FaultOf(ring_, twin_, ring_bytes, runtime)),
      ring_bytes_(fault_.empty() ? RoundUp(ring_bytes, kAlignment) : 0) {}

Staging::~Staging() {
  for (const Piece& piece : pieces_) {
    if (piece.own != nullptr) runtime_.FreeHost(piece.own);
  }
  runtime_.FreeDevice(twin_);
  runtime_.FreeHost(ring_);
}

void Staging::Begin(Ticket part) { part_ = part; }

bool Staging::Fits(int64_t bytes, int64_t* offset, int64_t* taken) const {
  const bool wraps = head_ + bytes > ring_bytes_;
  *offset = wraps ? 0 : head_;
  *taken = wraps ? ring_bytes_ - head_ + bytes : bytes;
  return used_ + *taken <= ring_bytes_;
}

// Whether all that is taken of the ring is the current part's: waiting would never end.
bool Staging::RingIsOurs() const {
  for (const Piece& piece : pieces_) {
    if (piece.own == nullptr && piece.part != part_) return false;
  }
  return true;
}

std::byte* Staging::Take(int64_t bytes) {
  bytes = RoundUp(bytes, kAlignment);
  int64_t offset = 0;
  int64_t taken = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  if (bytes <= ring_bytes_) {
    released_.wait(lock, [&] {
      if (used_ == 0) head_ = 0;
      return Fits(bytes, &offset, &taken) || RingIsOurs();
    });
  }
  if (bytes > ring_bytes_ || !Fits(bytes, &offset, &taken)) {
    lock.unlock();  // a driver may let this wait for all that runs
    std::byte* const own = AllocateHostOrEnd(runtime_, bytes);
    lock.lock();
    pieces_.push_back({part_, own, 0});
    return own;
  }
  head_ = offset + bytes;
  used_ += taken;
  pieces_.push_back({part_, nullptr, taken});
  return ring_ + offset;
}

std::byte* Staging::TwinOf(const std::byte* piece) const {
  return piece >= ring_ && piece < ring_ + ring_bytes_ ? twin_ + (piece - ring_) : nullptr;
}

void Staging::Release(Ticket part) {
  std::vector<std::byte*> own;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    while (!pieces_.empty() && pieces_.front().part <= part) {
      const Piece& piece = pieces_.front();
      used_ -= piece.ring_bytes;
      if (piece.own != nullptr) own.push_back(piece.own);
      pieces_.pop_front();
    }
  }
  released_.notify_one();
  // Unlocked, as in Take.
  for (std::byte* const memory : own) runtime_.FreeHost(memory);
}

}  // namespace sluice::device
