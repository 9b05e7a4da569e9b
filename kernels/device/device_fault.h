// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace sluice::device {

// Why a part of a backend for a device cannot be made.
struct DeviceFault {
  std::string text;        // for people, without a full stop; empty: nothing is wrong
  bool is_memory = false;  // there is not enough memory, of the host or of the device

  bool empty() const { return text.empty(); }
};

// `bytes` bytes of `what`, "the device's memory", cannot be had; `free_bytes` are left of it,
// or -1: that cannot be told.
DeviceFault NoMemory(int64_t bytes, const char* what, int64_t free_bytes);

// What the process exits with when its device has failed.
inline constexpr int kDeviceLostExitCode = 3;

// Ends the process at once, without a core and without destructors: after a failure nothing
// in the device's memory can be trusted. Says so in one line on stderr, "the device failed:
// CALL: SAID", however many threads learn of the failure. Thread-safe.
[[noreturn]] void EndLostDevice(const char* call, const char* said);

}  // namespace sluice::device
