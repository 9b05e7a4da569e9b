// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// The calls of a CUDA driver that describe devices: two of them, one too old.

#include <cstddef>
#include <cstring>

extern "C" {

int cuInit(unsigned) { return 0; }

int cuDriverGetVersion(int* version) {
  *version = 13020;
  return 0;
}

int cuDeviceGetCount(int* count) {
  *count = 2;
  return 0;
}

int cuDeviceGet(int* device, int ordinal) {
  *device = 10 + ordinal;
  return 0;
}

int cuDeviceGetName(char* name, int size, int device) {
  std::strncpy(name, device == 10 ? "Fast One" : "Old One", static_cast<size_t>(size));
  return 0;
}

int cuDeviceGetAttribute(int* value, int attribute, int device) {
  switch (attribute) {
    case 75: *value = device == 10 ? 9 : 7; return 0;
    case 76: *value = device == 10 ? 0 : 5; return 0;
    case 102:
    case 103: *value = device == 10 ? 1 : 0; return 0;
    default: return 1;
  }
}

int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  *bytes = device == 10 ? size_t{80} << 30 : size_t{16} << 30;
  return 0;
}

}  // extern "C"
