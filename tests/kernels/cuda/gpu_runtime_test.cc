// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gpu_runtime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/cuda/cuda_backend.h"

namespace sluice::cuda {
namespace {

TEST(FindGpuTest, SaysWhatThereIsOrWhyNot) {
  const GpuFound gpu = FindGpu();
  EXPECT_EQ(gpu.fault.empty(), gpu.major >= 8 && gpu.multiprocessors > 0);
  EXPECT_EQ(gpu.fault.find('\n'), std::string::npos);
}

TEST(GpuRuntimeFaultTest, SaysWhyThereIsNoGpu) {
  const std::string fault = FindGpu().fault;
  const GpuRuntime runtime(GpuRuntime::Options{});
  EXPECT_EQ(runtime.fault().text, fault.empty() ? "" : "no GPU to run on: " + fault);
  EXPECT_FALSE(runtime.fault().is_memory);
}

class GpuRuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string fault = FindGpu().fault;
    if (!fault.empty()) GTEST_SKIP() << fault;
    runtime_ = std::make_unique<GpuRuntime>(GpuRuntime::Options{});
  }

  // Copies with a kernel, in place: all that is named must be reached by the device.
  void Copy(Lane lane, const ScoreCopy* copies, int64_t count) {
    const device::CopyScoresKernel kernel{{copies, count}};
    runtime_->Launch(lane, kernel, {count, 128, 0});
    Ticket& mark = marks_[static_cast<size_t>(lane)];
    runtime_->Mark(lane, ++mark);
    runtime_->AwaitMark(lane, mark);
  }

  std::unique_ptr<GpuRuntime> runtime_;
  Ticket marks_[2] = {};
};

TEST_F(GpuRuntimeTest, RegisteredMemoryIsReachedAtItsAddress) {
  std::vector<float> from(5000, 3.0f);
  std::vector<float> to(5000);
  const std::vector<ScoreCopy> copies = {{from.data(), to.data(), 5000}};
  runtime_->RegisterHost(from.data(), 20000);
  runtime_->RegisterHost(to.data(), 20000);
  runtime_->RegisterHost(to.data(), 20000);
  runtime_->RegisterHost(copies.data(), sizeof(ScoreCopy));
  Copy(Lane::kForeground, copies.data(), 1);
  EXPECT_EQ(to, from);
  runtime_.reset();
}

TEST_F(GpuRuntimeTest, MemoryRegisteredByARuntimeBeforeIsRegisteredAnew) {
  for (int i = 0; i < 3; ++i) {
    runtime_ = std::make_unique<GpuRuntime>(GpuRuntime::Options{});
    std::vector<float> memory(1 << 20, static_cast<float>(i));
    std::fill(memory.begin() + (1 << 19), memory.end(), -1.0f);
    const std::vector<ScoreCopy> copies = {{memory.data(), memory.data() + (1 << 19), 1 << 19}};
    runtime_->RegisterHost(memory.data(), int64_t{4} << 20);
    runtime_->RegisterHost(copies.data(), sizeof(ScoreCopy));
    Copy(Lane::kBackground, copies.data(), 1);
    EXPECT_EQ(std::count(memory.begin(), memory.end(), static_cast<float>(i)), 1 << 20);
    runtime_.reset();
  }
}

// As when others have the device's memory. What was taken for the backend is given back.
TEST_F(GpuRuntimeTest, ABackendWithoutMemoryIsAFault) {
  constexpr int64_t kLeast = int64_t{1} << 20;
  std::vector<std::byte*> taken;
  for (int64_t bytes = int64_t{1} << 40; bytes >= kLeast;) {
    std::byte* const memory = runtime_->AllocateDevice(bytes);
    if (memory == nullptr) {
      bytes /= 2;
    } else {
      taken.push_back(memory);
    }
  }
  BackendOptions options;
  options.kind = BackendKind::kCuda;
  const MadeBackend made = MakeCudaBackend(options);
  EXPECT_EQ(made.backend, nullptr);
  EXPECT_TRUE(made.fault_is_memory) << made.fault;
  EXPECT_NE(made.fault, "");
  for (std::byte* const memory : taken) runtime_->FreeDevice(memory);
  EXPECT_NE(MakeCudaBackend(options).backend, nullptr);
}

// As that of a process that asks for too much.
TEST_F(GpuRuntimeTest, MemoryThatThereIsNotIsNullAndNoFailure) {
  EXPECT_EQ(runtime_->AllocateDevice(4 * FindGpu().memory_bytes), nullptr);
  std::byte* const memory = runtime_->AllocateDevice(4096);
  EXPECT_NE(memory, nullptr);
  runtime_->FreeDevice(memory);
}

// A long chain of copies on one lane, then on another one of what it wrote last.
TEST_F(GpuRuntimeTest, ALaneFollowsAMarkOfAnother) {
  constexpr int64_t kFloats = int64_t{1} << 16;
  constexpr int32_t kLength = 64;
  std::byte* const host = runtime_->AllocateHost(8192);
  auto* const memory =
      reinterpret_cast<float*>(runtime_->AllocateDevice(4 * kFloats * (kLength + 1)));
  runtime_->Clear(reinterpret_cast<std::byte*>(memory), 4 * kFloats * (kLength + 1));
  auto* const copies = reinterpret_cast<ScoreCopy*>(host);
  auto* const floats = reinterpret_cast<float*>(host + 4096);
  floats[0] = 5.0f;
  copies[0] = {floats, memory + kFloats - 1, 1};
  for (int32_t i = 0; i < kLength; ++i) {
    copies[i + 1] = {memory + i * kFloats, memory + (i + 1) * kFloats, kFloats};
  }
  copies[kLength + 1] = {memory + (kLength + 1) * kFloats - 1, floats + 1, 1};
  for (int32_t i = 0; i <= kLength; ++i) {
    const device::CopyScoresKernel kernel{{copies + i, 1}};
    runtime_->Launch(device::kTablesLane, kernel, {1, 128, 0});
  }
  runtime_->Mark(device::kTablesLane, 1);
  runtime_->Follow(Lane::kBackground, device::kTablesLane, 1);
  Copy(Lane::kBackground, copies + kLength + 1, 1);
  EXPECT_EQ(floats[1], 5.0f);
  runtime_->FreeDevice(reinterpret_cast<std::byte*>(memory));
  runtime_->FreeHost(host);
}

TEST_F(GpuRuntimeTest, MemoryOfTheDeviceKeepsWhatKernelsWriteUntilItIsCleared) {
  std::byte* const host = runtime_->AllocateHost(8192);
  std::byte* const memory = runtime_->AllocateDevice(4096);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(host) % 256, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 256, 0u);
  auto* const copy = reinterpret_cast<ScoreCopy*>(host);
  auto* const floats = reinterpret_cast<float*>(host + 4096);
  auto* const middle = reinterpret_cast<float*>(memory);
  floats[0] = 7.0f;
  copy[0] = {floats, middle, 1};
  Copy(Lane::kForeground, copy, 1);
  copy[0] = {middle, floats + 1, 1};
  Copy(Lane::kBackground, copy, 1);
  EXPECT_EQ(floats[1], 7.0f);
  runtime_->Clear(memory, 4096);
  Copy(Lane::kForeground, copy, 1);
  EXPECT_EQ(floats[1], 0.0f);
  runtime_->FreeDevice(memory);
  runtime_->FreeHost(host);
}

}  // namespace
}  // namespace sluice::cuda
