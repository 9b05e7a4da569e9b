// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/device_backend.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/reference/reference_backend.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice {
namespace {

using kernels_testing::FillOptions;
using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

class DeviceBackendTest : public testing::Test {
 protected:
  DeviceBackendTest() { kernels_testing::UsePageLayout(PageLayout::kSwizzled); }

  static std::unique_ptr<DeviceBackend> Make(const PoolView& pool) {
    DeviceBackend::Options options;
    options.pool = pool;
    options.staging_bytes = 4096;
    options.scratch_bytes = 4096;
    return std::make_unique<DeviceBackend>(options, "emulated",
                                           std::make_unique<sim::SimRuntime>(7));
  }

  static ScoreCopy Copy(const std::vector<float>& from, std::vector<float>& to) {
    return {from.data(), to.data(), static_cast<int64_t>(from.size())};
  }
};

TEST_F(DeviceBackendTest, CopiesPagesAsTheReferenceDoes) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16}) {
    PageFormat format{dtype, {}, {}, 32, 80, 48, 0};
    TestBatch expected(format, 2, 5, FillOptions{0.1, 0.1, false});
    expected.AddSequence(SequenceShape{100, -1, -1, 70, 1});
    std::vector<PageCopy> copies;
    for (uint32_t page = 0; page < 4; ++page) {
      copies.push_back({page, expected.world().TakePage(expected.format())});
    }
    for (const int32_t slots : {0, 7, 32}) {
      TestBatch actual = expected;
      const CopyPagesArgs args{copies.data(), 4, slots, expected.format()};
      ReferenceBackend(expected.pool(), nullptr).Submit(Lane::kForeground, args);
      Make(actual.pool())->Submit(Lane::kForeground, args);
      ExpectSamePools(expected.world(), actual.world(), kernels_testing::kBitForBit);
    }
  }
}

// What an operation reads may be what the one before it writes.
TEST_F(DeviceBackendTest, AnOperationSeesWhatTheOneBeforeDelivers) {
  const auto backend = Make({});
  std::vector<float> first(300, 1.0f), second(300), third(300);
  const ScoreCopy copies[] = {Copy(first, second), Copy(second, third)};
  for (int i = 0; i < 50; ++i) {
    first.assign(300, static_cast<float>(i));
    backend->Submit(Lane::kForeground, CopyScoresArgs{&copies[0], 1});
    backend->Submit(Lane::kForeground, CopyScoresArgs{&copies[1], 1});
    backend->WaitIdle();
    ASSERT_EQ(third, first);
  }
}

TEST_F(DeviceBackendTest, ALaneWaitsForTheOthersTicket) {
  const auto backend = Make({});
  std::vector<float> first(100), second(100), third(100);
  const ScoreCopy copies[] = {Copy(first, second), Copy(second, third)};
  for (int i = 0; i < 50; ++i) {
    first.assign(100, static_cast<float>(i));
    const Ticket ticket = backend->Submit(Lane::kForeground, CopyScoresArgs{&copies[0], 1});
    backend->After(Lane::kBackground, ticket);
    backend->Submit(Lane::kBackground, CopyScoresArgs{&copies[1], 1});
    backend->WaitIdle();
    ASSERT_EQ(third, first);
  }
}

// More at once than staging holds, and one larger than all of it and than a block copies.
TEST_F(DeviceBackendTest, OperationsWaitForRoomInStaging) {
  const auto backend = Make({});
  std::vector<float> from(9000, 3.0f);
  std::vector<std::vector<float>> to(64, std::vector<float>(400));
  std::vector<float> large(9000);
  std::vector<ScoreCopy> copies;
  for (std::vector<float>& place : to) copies.push_back({from.data(), place.data(), 400});
  for (const ScoreCopy& copy : copies) backend->Submit(Lane::kForeground, CopyScoresArgs{&copy, 1});
  const ScoreCopy all = Copy(from, large);
  backend->Submit(Lane::kForeground, CopyScoresArgs{&all, 1});
  backend->WaitIdle();
  EXPECT_EQ(backend->Completed(Lane::kForeground), 65u);
  EXPECT_EQ(large, from);
  for (const std::vector<float>& place : to) EXPECT_EQ(place, std::vector<float>(400, 3.0f));
}

TEST_F(DeviceBackendTest, SaysWhichArithmeticIsInForce) {
  for (const Arithmetic arithmetic : {Arithmetic::kFp32, Arithmetic::kBf16}) {
    DeviceBackend::Options options;
    options.arithmetic = arithmetic;
    const DeviceBackend backend(options, "emulated", std::make_unique<sim::SimRuntime>(7));
    EXPECT_EQ(backend.arithmetic(), arithmetic);
    EXPECT_EQ(std::string(backend.description()).rfind(ArithmeticName(arithmetic), 0), 0u);
  }
}

// Each copy is a part of its own, and there are more than a device marks at a time.
TEST_F(DeviceBackendTest, AnOperationMayHaveAnyNumberOfParts) {
  const auto backend = Make({});
  constexpr int64_t kCopies = 2 * Backend::kLaneCapacity + 3;
  std::vector<float> from(kCopies), to(kCopies);
  std::vector<ScoreCopy> copies;
  for (int64_t i = 0; i < kCopies; ++i) {
    from[static_cast<size_t>(i)] = static_cast<float>(i);
    copies.push_back({from.data() + i, to.data() + i, 1});
  }
  backend->Submit(Lane::kForeground, CopyScoresArgs{copies.data(), kCopies});
  backend->WaitIdle();
  EXPECT_EQ(backend->Completed(Lane::kForeground), 1u);
  EXPECT_EQ(to, from);
}

TEST_F(DeviceBackendTest, DestructionWaitsForWhatWasSubmitted) {
  std::vector<float> from(500, 2.0f), to(500);
  const ScoreCopy copy = Copy(from, to);
  Make({})->Submit(Lane::kBackground, CopyScoresArgs{&copy, 1});
  EXPECT_EQ(to, from);
}

}  // namespace
}  // namespace sluice
