// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/cuda_segment.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "daemon/memory/cuda_driver.h"

namespace sluice {
namespace {

using testing::HasSubstr;

constexpr int64_t kBytes = int64_t{3} << 20;
constexpr size_t kUnit = size_t{2} << 20;
constexpr size_t kWholeBytes = 2 * kUnit;
constexpr CUdeviceptr kAddress = CUdeviceptr{7} << 40;

// What the driver below has given and not been given back, and which of its calls fails.
struct FakeGpu {
  int64_t calls = 0;
  int64_t failing = 0;  // the number of the call, from 1 up; 0: none
  CUresult failure = CUDA_ERROR_UNKNOWN;
  std::string failed;   // the call that did
  bool shares = true;

  int64_t handles = 0;  // not released
  int64_t reserved = 0;
  int64_t mapped = 0;
  bool accessible = false;
  bool cleared = false;
  int fd = -1;  // the newest
};

FakeGpu gpu;

// What a call that changes nothing by itself answers.
CUresult Answer(const char* call) {
  if (++gpu.calls != gpu.failing) return CUDA_SUCCESS;
  gpu.failed = call;
  return gpu.failure;
}

CUresult Answer(const char* call, int64_t* count) {
  const CUresult result = Answer(call);
  if (result == CUDA_SUCCESS) ++*count;
  return result;
}

CUresult Undone(int64_t* count) {
  --*count;
  return CUDA_SUCCESS;
}

CudaDriver FakeDriver() {
  CudaDriver driver;
  driver.device_get_attribute = [](int* value, CUdevice_attribute, CUdevice) {
    *value = gpu.shares ? 1 : 0;
    return CUDA_SUCCESS;
  };
  driver.get_error_string = [](CUresult, const char** text) {
    *text = "it will not";
    return CUDA_SUCCESS;
  };
  driver.ctx_synchronize = [] { return Answer("cuCtxSynchronize"); };
  driver.mem_get_info = [](size_t* free, size_t* total) {
    *free = 1000;
    *total = 2000;
    return CUDA_SUCCESS;
  };
  driver.memset_d8 = [](CUdeviceptr address, unsigned char value, size_t bytes) {
    EXPECT_TRUE(gpu.mapped == 1 && gpu.accessible);
    gpu.cleared = address == kAddress && value == 0 && bytes == kWholeBytes;
    return Answer("cuMemsetD8");
  };
  driver.mem_address_reserve = [](CUdeviceptr* address, size_t, size_t, CUdeviceptr,
                                  unsigned long long) {
    *address = kAddress;
    return Answer("cuMemAddressReserve", &gpu.reserved);
  };
  driver.mem_address_free = [](CUdeviceptr, size_t) {
    EXPECT_EQ(gpu.mapped, 0) << "an address is given back that is mapped";
    return Undone(&gpu.reserved);
  };
  driver.mem_create = [](CUmemGenericAllocationHandle*, size_t bytes, const CUmemAllocationProp*,
                         unsigned long long) {
    EXPECT_EQ(bytes, kWholeBytes);
    return Answer("cuMemCreate", &gpu.handles);
  };
  driver.mem_release = [](CUmemGenericAllocationHandle) { return Undone(&gpu.handles); };
  driver.mem_map = [](CUdeviceptr, size_t, size_t, CUmemGenericAllocationHandle,
                      unsigned long long) { return Answer("cuMemMap", &gpu.mapped); };
  driver.mem_unmap = [](CUdeviceptr, size_t) { return Undone(&gpu.mapped); };
  driver.mem_set_access = [](CUdeviceptr, size_t, const CUmemAccessDesc*, size_t) {
    gpu.accessible = true;
    return Answer("cuMemSetAccess");
  };
  driver.mem_get_allocation_granularity = [](size_t* bytes, const CUmemAllocationProp*,
                                             CUmemAllocationGranularity_flags) {
    *bytes = kUnit;
    return Answer("cuMemGetAllocationGranularity");
  };
  driver.mem_export_to_shareable_handle = [](void* fd, CUmemGenericAllocationHandle,
                                             CUmemAllocationHandleType, unsigned long long) {
    const CUresult result = Answer("cuMemExportToShareableHandle");
    if (result != CUDA_SUCCESS) return result;
    gpu.fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    *static_cast<int*>(fd) = gpu.fd;
    return result;
  };
  return driver;
}

class CudaSegmentFaultTest : public testing::Test {
 protected:
  CudaSegmentFaultTest() { gpu = FakeGpu(); }

  static bool FdIsOpen() { return gpu.fd >= 0 && ::fcntl(gpu.fd, F_GETFD) != -1; }

  static void ExpectNothingHeld() {
    EXPECT_EQ(gpu.handles, 0) << gpu.failed;
    EXPECT_EQ(gpu.mapped, 0) << gpu.failed;
    EXPECT_EQ(gpu.reserved, 0) << gpu.failed;
    EXPECT_FALSE(FdIsOpen()) << gpu.failed;
  }

  const CudaDriver driver_ = FakeDriver();
};

TEST_F(CudaSegmentFaultTest, HoldsItsMappingAloneAndGivesItBack) {
  {
    auto segment = CudaSegment::Create("test", kBytes, driver_);
    ASSERT_TRUE(segment.ok()) << segment.status();
    EXPECT_EQ(segment->size_bytes(), static_cast<int64_t>(kWholeBytes));
    EXPECT_EQ(reinterpret_cast<CUdeviceptr>(segment->data()), kAddress);
    CudaSegment moved = *std::move(segment);
    EXPECT_EQ(gpu.handles, 0);  // the mapping keeps the memory
    EXPECT_EQ(gpu.mapped, 1);
    EXPECT_TRUE(gpu.cleared);
    EXPECT_TRUE(FdIsOpen());
  }
  ExpectNothingHeld();
}

// The calls fail one after the other, until it can be made.
TEST_F(CudaSegmentFaultTest, EveryCallThatFailsIsNamedAndLeavesNothingTaken) {
  for (int64_t failing = 1;; ++failing) {
    gpu = FakeGpu();
    gpu.failing = failing;
    const absl::Status status = CudaSegment::Create("test", kBytes, driver_).status();
    ExpectNothingHeld();
    if (status.ok()) {
      EXPECT_EQ(failing, 9);  // after the last of eight calls
      break;
    }
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr("segment test: " + gpu.failed + ": it will not, "));
  }
}

TEST_F(CudaSegmentFaultTest, MemoryThatThereIsNotIsSaidWithWhatIsFree) {
  for (int64_t failing = 2; failing <= 8; ++failing) {
    gpu = FakeGpu();
    gpu.failing = failing;
    gpu.failure = CUDA_ERROR_OUT_OF_MEMORY;
    const absl::Status status = CudaSegment::Create("test", kBytes, driver_).status();
    EXPECT_EQ(status, absl::ResourceExhaustedError(
                          "segment test: " + gpu.failed +
                          ": it will not, 4194304 bytes of the GPU were asked for, 1000 are free"));
    ExpectNothingHeld();
  }
}

TEST_F(CudaSegmentFaultTest, AGpuOfNoUseIsUnavailable) {
  gpu.shares = false;
  EXPECT_TRUE(absl::IsUnavailable(CudaSegment::Create("test", kBytes, driver_).status()));
  CudaDriver absent;
  absent.fault = "it is elsewhere";
  EXPECT_EQ(CudaSegment::Create("test", kBytes, absent).status(),
            absl::UnavailableError("segment test: no GPU: it is elsewhere"));
  EXPECT_EQ(gpu.calls, 0);
}

}  // namespace
}  // namespace sluice
