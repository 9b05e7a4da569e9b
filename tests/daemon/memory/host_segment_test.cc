// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/host_segment.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/base/failpoint.h"

namespace sluice {
namespace {

constexpr int64_t kHugePageBytes = 2 << 20;

TEST(HostSegmentTest, IsZeroAndOfWholeHugePages) {
  const absl::StatusOr<HostSegment> segment = HostSegment::Create("test", kHugePageBytes + 1);
  ASSERT_TRUE(segment.ok()) << segment.status();
  EXPECT_EQ(segment->size_bytes(), 2 * kHugePageBytes);
  EXPECT_TRUE(std::all_of(segment->data(), segment->data() + segment->size_bytes(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
  segment->data()[segment->size_bytes() - 1] = std::byte{1};
}

TEST(HostSegmentTest, NoOneCanResizeIt) {
  const absl::StatusOr<HostSegment> segment = HostSegment::Create("test", 1);
  ASSERT_TRUE(segment.ok()) << segment.status();
  EXPECT_NE(::ftruncate(segment->fd(), 0), 0);
  EXPECT_NE(::ftruncate(segment->fd(), 8 * kHugePageBytes), 0);
  EXPECT_NE(::fcntl(segment->fd(), F_ADD_SEALS, F_SEAL_WRITE), 0);
}

TEST(HostSegmentTest, AnotherMappingReadsButCannotWrite) {
  const absl::StatusOr<HostSegment> segment = HostSegment::Create("test", 1);
  ASSERT_TRUE(segment.ok()) << segment.status();
  const auto size = static_cast<size_t>(segment->size_bytes());
  EXPECT_EQ(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, segment->fd(), 0),
            MAP_FAILED);
  void* const reader = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, segment->fd(), 0);
  ASSERT_NE(reader, MAP_FAILED);
  segment->data()[5] = std::byte{42};
  EXPECT_EQ(static_cast<const std::byte*>(reader)[5], std::byte{42});
  ::munmap(reader, size);
}

TEST(HostSegmentTest, ShowsItsProgressUpToTheEnd) {
  std::vector<int64_t> touched;
  const absl::StatusOr<HostSegment> segment =
      HostSegment::Create("test", 70 << 20, [&](int64_t touched_bytes, int64_t size_bytes) {
        EXPECT_EQ(size_bytes, 70 << 20);
        touched.push_back(touched_bytes);
      });
  ASSERT_TRUE(segment.ok()) << segment.status();
  EXPECT_GE(touched.size(), 2u);
  EXPECT_TRUE(std::is_sorted(touched.begin(), touched.end()));
  EXPECT_EQ(touched.back(), 70 << 20);
}

TEST(HostSegmentTest, ASizeOutOfRangeIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(HostSegment::Create("test", 0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(HostSegment::Create("test", INT64_MAX).status()));
}

TEST(HostSegmentTest, MoreThanTheMachineHasIsRefusedBeforeItIsTouched) {
  bool touched = false;
  const absl::Status status = HostSegment::Create("test", int64_t{1} << 46, [&](int64_t, int64_t) {
                                touched = true;
                              }).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_FALSE(touched);
}

TEST(HostSegmentTest, MovesWithItsMapping) {
  absl::StatusOr<HostSegment> first = HostSegment::Create("test", 1);
  ASSERT_TRUE(first.ok()) << first.status();
  std::byte* const data = first->data();
  HostSegment second = *std::move(first);
  EXPECT_EQ(second.data(), data);
  second.data()[0] = std::byte{7};
  EXPECT_EQ(second.data()[0], std::byte{7});
}

#ifdef SLUICE_FAILPOINTS
TEST(HostSegmentTest, MemoryThatIsNotThereIsAnError) {
  ArmFailpoint("host_segment.take", absl::ResourceExhaustedError("no memory"));
  EXPECT_TRUE(absl::IsResourceExhausted(HostSegment::Create("test", 1).status()));
  DisarmFailpoints();
  EXPECT_TRUE(HostSegment::Create("test", 1).ok());
}
#endif

}  // namespace
}  // namespace sluice
