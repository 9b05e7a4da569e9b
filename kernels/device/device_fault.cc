// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/device_fault.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace sluice::device {

DeviceFault NoMemory(int64_t bytes, const char* what, int64_t free_bytes) {
  DeviceFault fault{"no " + std::to_string(bytes) + " bytes of " + what, true};
  if (free_bytes >= 0) fault.text += ", " + std::to_string(free_bytes) + " are free";
  return fault;
}

void EndLostDevice(const char* call, const char* said) {
  static std::atomic_flag ending = ATOMIC_FLAG_INIT;
  // A failed device fails every call: the others wait for the end that the first one makes.
  while (ending.test_and_set()) pause();
  std::fprintf(stderr, "the device failed: %s: %s\n", call, said);
  std::fflush(stderr);
  std::_Exit(kDeviceLostExitCode);
}

}  // namespace sluice::device
