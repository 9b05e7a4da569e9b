// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/pool_segment.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/status/status.h"
#include "daemon/memory/cuda_segment.h"

namespace sluice {
namespace {

using testing::HasSubstr;

constexpr int64_t kBytes = int64_t{3} << 20;

// Skips where there is no GPU, and holds why to be said.
#define MAKE_OR_SKIP(segment, bytes)                                                     \
  auto segment = CudaSegment::Create("test", bytes);                                     \
  if (absl::IsUnavailable(segment.status()) || absl::IsUnimplemented(segment.status())) { \
    EXPECT_THAT(segment.status().message(), HasSubstr("segment test: "));                \
    GTEST_SKIP() << segment.status().message();                                          \
  }                                                                                      \
  ASSERT_TRUE(segment.ok()) << segment.status()

TEST(CudaSegmentTest, IsRoundedUpAndHasADescriptor) {
  MAKE_OR_SKIP(segment, kBytes);
  EXPECT_NE(segment->data(), nullptr);
  EXPECT_GE(segment->size_bytes(), kBytes);
  EXPECT_NE(::fcntl(segment->fd(), F_GETFD), -1);
}

TEST(CudaSegmentTest, MovesWithWhatItHolds) {
  MAKE_OR_SKIP(segment, kBytes);
  const std::byte* const data = segment->data();
  CudaSegment moved = *std::move(segment);
  EXPECT_EQ(moved.data(), data);
}

TEST(CudaSegmentTest, MoreThanTheDeviceHasIsRefused) {
  MAKE_OR_SKIP(small, kBytes);
  const auto huge = CudaSegment::Create("huge", int64_t{1} << 40);
  EXPECT_TRUE(absl::IsResourceExhausted(huge.status())) << huge.status();
  EXPECT_THAT(huge.status().message(), HasSubstr("bytes of the GPU were asked for"));
}

TEST(CudaSegmentTest, AnEmptyOneIsRefused) {
  const auto segment = CudaSegment::Create("test", 0);
  EXPECT_TRUE(absl::IsInvalidArgument(segment.status()) ||
              absl::IsUnimplemented(segment.status()))
      << segment.status();
}

TEST(PoolSegmentTest, LiesInHostMemoryWhereAsked) {
  auto segment = PoolSegment::Create(PoolPlace::kHost, "test", kBytes, nullptr);
  ASSERT_TRUE(segment.ok()) << segment.status();
  EXPECT_EQ(segment->size_bytes(), int64_t{4} << 20);
  PoolSegment moved = *std::move(segment);
  moved.data()[kBytes] = std::byte{7};
  EXPECT_NE(::fcntl(moved.fd(), F_GETFD), -1);
}

TEST(PoolSegmentTest, SaysWhyThereIsNoneOnAGpu) {
  MAKE_OR_SKIP(segment, kBytes);
  EXPECT_TRUE(PoolSegment::Create(PoolPlace::kGpu, "test", kBytes, nullptr).ok());
}

}  // namespace
}  // namespace sluice
