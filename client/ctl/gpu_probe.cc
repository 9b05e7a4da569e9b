// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/gpu_probe.h"

#include <dlfcn.h>

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace sluice::client {
namespace {

// Attributes of a device, by the driver's numbers for them.
constexpr int kComputeMajor = 75;
constexpr int kComputeMinor = 76;
constexpr int kVirtualMemorySupported = 102;
constexpr int kFileDescriptorsSupported = 103;

// The few calls of the driver's library that are made here.
struct DriverCalls {
  int (*init)(unsigned flags) = nullptr;
  int (*version)(int* version) = nullptr;
  int (*count)(int* count) = nullptr;
  int (*get)(int* device, int ordinal) = nullptr;
  int (*name)(char* name, int size, int device) = nullptr;
  int (*attribute)(int* value, int attribute, int device) = nullptr;
  int (*memory)(size_t* bytes, int device) = nullptr;
};

template <class Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(::dlsym(library, name));
  return *function != nullptr;
}

bool FindAll(void* library, DriverCalls* calls) {
  return Find(library, "cuInit", &calls->init) &&
         Find(library, "cuDriverGetVersion", &calls->version) &&
         Find(library, "cuDeviceGetCount", &calls->count) &&
         Find(library, "cuDeviceGet", &calls->get) &&
         Find(library, "cuDeviceGetName", &calls->name) &&
         Find(library, "cuDeviceGetAttribute", &calls->attribute) &&
         Find(library, "cuDeviceTotalMem_v2", &calls->memory);
}

int AttributeOf(const DriverCalls& calls, int attribute, int device) {
  int value = 0;
  return calls.attribute(&value, attribute, device) == 0 ? value : 0;
}

GpuDevice Describe(const DriverCalls& calls, int device) {
  GpuDevice result;
  char name[128] = "";
  if (calls.name(name, sizeof(name), device) == 0) result.name = name;
  size_t bytes = 0;
  if (calls.memory(&bytes, device) == 0) result.memory_bytes = static_cast<int64_t>(bytes);
  result.compute_major = AttributeOf(calls, kComputeMajor, device);
  result.compute_minor = AttributeOf(calls, kComputeMinor, device);
  result.shares_memory = AttributeOf(calls, kVirtualMemorySupported, device) != 0 &&
                         AttributeOf(calls, kFileDescriptorsSupported, device) != 0;
  return result;
}

GpuDriver Ask(const DriverCalls& calls) {
  GpuDriver driver;
  calls.version(&driver.version);
  if (const int error = calls.init(0); error != 0) {
    driver.problem = absl::StrCat("the driver does not start: cuInit gives error ", error);
    return driver;
  }
  int count = 0;
  if (const int error = calls.count(&count); error != 0) {
    driver.problem = absl::StrCat("the driver lists no devices: error ", error);
    return driver;
  }
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    int device = 0;
    if (calls.get(&device, ordinal) == 0) driver.devices.push_back(Describe(calls, device));
  }
  return driver;
}

}  // namespace

GpuDriver ProbeGpu(const std::string& library) {
  GpuDriver driver;
  // Left loaded: drivers do not like to be unloaded.
  void* const handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    driver.problem = absl::StrCat(library, " cannot be loaded: no NVIDIA driver here");
    return driver;
  }
  DriverCalls calls;
  if (!FindAll(handle, &calls)) {
    driver.problem = absl::StrCat(library, " lacks calls of the CUDA driver");
    return driver;
  }
  return Ask(calls);
}

}  // namespace sluice::client
