// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include "kernels/cuda/gpu_error.h"
#include "kernels/cuda/gpu_lane.h"
#include "kernels/cuda/gpu_runtime.h"
#include "kernels/cuda/launch.h"
#include "tests/kernels/cuda/primitives_kernel.h"
#include "tests/kernels/sim/sim_grid.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/random.h"

namespace sluice::cuda_testing {
namespace {

constexpr int64_t kItems = 40;
constexpr int32_t kThreads = PrimitivesKernel::kThreads;
constexpr int64_t kRows = kItems * kThreads;

// What the kernel gives.
struct Outcome {
  std::vector<uint32_t> answers;
  std::vector<uint64_t> item_sums;
  PrimitiveTotals totals;
};

using Launch = std::function<void(const PrimitivesKernel&, const device::LaunchShape&)>;

std::vector<uint32_t> AnyValues() {
  kernels_testing::Random random({11});
  std::vector<uint32_t> values(kRows * PrimitivesKernel::kChunkWords);
  for (uint32_t& value : values) value = static_cast<uint32_t>(random.Below(1 << 28));
  return values;
}

// Memory of a runtime that host and kernels reach.
template <class T>
class Shared {
 public:
  Shared(device::DeviceRuntime& runtime, int64_t count)
      : runtime_(runtime),
        bytes_(count * static_cast<int64_t>(sizeof(T))),
        memory_(runtime.AllocateHost(bytes_)) {
    std::memset(memory_, 0, static_cast<size_t>(bytes_));
  }
  ~Shared() { runtime_.FreeHost(memory_); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  T* data() const { return reinterpret_cast<T*>(memory_); }

 private:
  device::DeviceRuntime& runtime_;
  const int64_t bytes_;
  std::byte* const memory_;
};

Outcome RunPrimitives(device::DeviceRuntime& runtime, int32_t shared_bytes, const Launch& launch) {
  const std::vector<uint32_t> given = AnyValues();
  const Shared<uint32_t> values(runtime, static_cast<int64_t>(given.size()));
  const Shared<uint32_t> answers(runtime, kRows * PrimitivesKernel::kAnswers);
  const Shared<uint64_t> item_sums(runtime, kItems);
  const Shared<PrimitiveTotals> totals(runtime, 1);
  std::copy(given.begin(), given.end(), values.data());
  launch({kItems, values.data(), answers.data(), item_sums.data(), totals.data()},
         {kItems, kThreads, shared_bytes});
  return {{answers.data(), answers.data() + kRows * PrimitivesKernel::kAnswers},
          {item_sums.data(), item_sums.data() + kItems},
          *totals.data()};
}

Outcome RunOnEmulator(uint64_t seed, int32_t shared_bytes = PrimitivesKernel::kSharedBytes) {
  sim::SimRuntime runtime(seed);
  return RunPrimitives(runtime, shared_bytes,
                       [seed](const PrimitivesKernel& kernel, const device::LaunchShape& shape) {
                         sim::SimGrid(seed).Run(kernel, shape);
                       });
}

Outcome RunOnGpu(int32_t most_blocks, int32_t shared_bytes = PrimitivesKernel::kSharedBytes) {
  cuda::GpuRuntime runtime({});
  const auto launch = [most_blocks](const PrimitivesKernel& kernel,
                                    const device::LaunchShape& shape) {
    cuda::GpuLane lane(Lane::kForeground);
    cuda::EndOnError(cuda::LaunchOnDevice(kernel, shape, most_blocks, lane.stream()), "launch");
    lane.Mark(1);
    lane.Await(1);
  };
  return RunPrimitives(runtime, shared_bytes, launch);
}

void ExpectSame(const Outcome& expected, const Outcome& actual) {
  EXPECT_EQ(expected.answers, actual.answers);
  EXPECT_EQ(expected.item_sums, actual.item_sums);
  EXPECT_EQ(expected.totals.signed_sum, actual.totals.signed_sum);
  EXPECT_EQ(expected.totals.sum, actual.totals.sum);
  EXPECT_EQ(expected.totals.wide_sum, actual.totals.wide_sum);
  EXPECT_EQ(expected.totals.most, actual.totals.most);
  EXPECT_EQ(expected.totals.bits, actual.totals.bits);
  EXPECT_EQ(expected.totals.arrivals, actual.totals.arrivals);
  EXPECT_EQ(expected.totals.lasts, actual.totals.lasts);
  EXPECT_EQ(expected.totals.last_total, actual.totals.last_total);
}

TEST(PrimitivesTest, TheEmulatorGivesTheSameInAnyOrder) {
  const Outcome first = RunOnEmulator(1);
  for (uint64_t seed = 2; seed < 5; ++seed) ExpectSame(first, RunOnEmulator(seed));
}

TEST(PrimitivesTest, TheEmulatorsAnswersAreRight) {
  const std::vector<uint32_t> values = AnyValues();
  const Outcome outcome = RunOnEmulator(1);
  const auto value = [&](int64_t row, int32_t word) { return values[row * 4 + word]; };
  for (int64_t row = 0; row < kRows; ++row) {
    const uint32_t* const answer = &outcome.answers[row * PrimitivesKernel::kAnswers];
    const int64_t warp = row / 32 * 32;
    const int64_t across = row / kThreads * kThreads + kThreads - 1 - row % kThreads;
    ASSERT_EQ(answer[0], value(warp + (row % 32 * 7 + 3) % 32, 0));
    ASSERT_EQ(answer[1], value(row ^ 9, 0));
    ASSERT_EQ(answer[2], value(row ^ 17, 0) ^ 5);
    ASSERT_EQ(answer[5] >> (row % 32) & 1, value(row, 0) % 3 == 0 ? 1u : 0u);
    ASSERT_EQ(answer[6], value(across, 1));
    ASSERT_EQ(answer[7], value(row ^ 1, 1) + 1);
    ASSERT_EQ(answer[8], value(row, 2));
    ASSERT_EQ(answer[9], value(row, 3) + value(across, 0));
  }
}

TEST(PrimitivesTest, TheEmulatorsTotalsAreRight) {
  const std::vector<uint32_t> values = AnyValues();
  const Outcome outcome = RunOnEmulator(1);
  PrimitiveTotals totals;
  for (int64_t row = 0; row < kRows; ++row) {
    totals.last_total += values[row * 4];
    totals.sum += values[row * 4 + 3];
    totals.most = std::max(totals.most, values[row * 4 + 3]);
  }
  EXPECT_EQ(outcome.totals.sum, totals.sum);
  EXPECT_EQ(outcome.totals.most, totals.most);
  EXPECT_EQ(outcome.totals.last_total, totals.last_total);
  EXPECT_EQ(outcome.totals.lasts, 1u);
  EXPECT_EQ(outcome.totals.arrivals, 0u);
  EXPECT_EQ(std::accumulate(outcome.item_sums.begin(), outcome.item_sums.end(), uint64_t{0}),
            totals.last_total);
}

class SimVsDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string fault = cuda::FindGpu().fault;
    if (!fault.empty()) GTEST_SKIP() << fault;
  }
};

TEST_F(SimVsDeviceTest, PrimitivesAreTheSame) {
  const Outcome expected = RunOnEmulator(1);
  for (const int32_t most_blocks : {1, 3, 40, 1000}) ExpectSame(expected, RunOnGpu(most_blocks));
}

TEST_F(SimVsDeviceTest, BlocksCanHaveMuchSharedMemory) {
  constexpr int32_t kBytes = 96 << 10;
  ExpectSame(RunOnEmulator(1, kBytes), RunOnGpu(40, kBytes));
}

}  // namespace
}  // namespace sluice::cuda_testing
