// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/staging.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <thread>

#include "kernels/page_format.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/random.h"

namespace sluice::device {
namespace {

TEST(StagingTest, PiecesInUseDoNotOverlap) {
  sim::SimRuntime runtime(1);
  Staging staging(runtime, 8192);
  kernels_testing::Random random({4});
  struct Piece {
    Ticket ticket;
    std::byte* memory;
    int64_t bytes;
  };
  std::deque<Piece> pieces;
  for (Ticket ticket = 1; ticket <= 2000; ++ticket) {
    staging.Begin(ticket);
    for (int64_t i = random.Below(4); i > 0; --i) {
      const int64_t bytes = random.Between(1, 1500);
      if (!pieces.empty() && pieces.size() > 3) {
        staging.Release(pieces.front().ticket);
        const Ticket released = pieces.front().ticket;
        while (!pieces.empty() && pieces.front().ticket <= released) pieces.pop_front();
      }
      std::byte* const memory = staging.Take(bytes);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(memory) % 256, 0u);
      for (const Piece& other : pieces) {
        ASSERT_TRUE(memory + bytes <= other.memory || other.memory + other.bytes <= memory);
      }
      pieces.push_back({ticket, memory, bytes});
    }
  }
}

TEST(StagingTest, PiecesOfTheRingHaveAPlaceInTheDevicesMemory) {
  sim::SimRuntime runtime(1);
  Staging staging(runtime, 1024);
  staging.Begin(1);
  std::byte* const first = staging.Take(256);
  std::byte* const second = staging.Take(512);
  EXPECT_EQ(staging.TwinOf(second) - staging.TwinOf(first), second - first);
  EXPECT_NE(staging.TwinOf(first), first);
  EXPECT_EQ(staging.TwinOf(staging.Take(2048)), nullptr);
}

TEST(StagingTest, TakeWaitsForEarlierOperations) {
  sim::SimRuntime runtime(1);
  Staging staging(runtime, 1024);
  staging.Begin(1);
  std::byte* const first = staging.Take(1024);
  staging.Begin(2);
  std::thread other([&] { staging.Release(1); });
  EXPECT_EQ(staging.Take(512), first);
  other.join();
}

// Counts what is allocated.
class CountingRuntime final : public sim::SimRuntime {
 public:
  CountingRuntime() : SimRuntime(1) {}
  std::byte* AllocateHost(int64_t bytes) override {
    ++count;
    return SimRuntime::AllocateHost(bytes);
  }
  int64_t count = 0;
};

// Whether the ring is empty before the piece is wanted or while it is waited for.
TEST(StagingTest, AnEmptyRingHasRoomForAnyPieceOfItsSize) {
  CountingRuntime runtime;
  Staging staging(runtime, 8192);
  const int64_t ring_alone = runtime.count;
  for (Ticket ticket = 1; ticket <= 400; ticket += 2) {
    staging.Begin(ticket);
    staging.Take(4864);
    staging.Begin(ticket + 1);
    std::thread other([&] { staging.Release(ticket); });
    staging.Take(7168);
    other.join();
    staging.Release(ticket + 1);
  }
  EXPECT_EQ(runtime.count, ring_alone);
}

// Another thread releases them as late as it likes.
TEST(StagingTest, PartsOfHalfTheRingNeedNoOtherMemory) {
  constexpr int64_t kSeed = 6;
  constexpr int64_t kRingBytes = 8192;
  constexpr Ticket kParts = 3000;
  SCOPED_TRACE(kSeed);
  kernels_testing::Random random({kSeed});
  CountingRuntime runtime;
  Staging staging(runtime, kRingBytes);
  const int64_t ring_alone = runtime.count;
  std::atomic<Ticket> ended{0};
  std::thread other([&] {
    for (Ticket part = 1; part <= kParts; ++part) {
      while (ended.load() < part) std::this_thread::yield();
      staging.Release(part);
    }
  });
  for (Ticket part = 1; part <= kParts; ++part) {
    staging.Begin(part);
    for (int64_t left = kRingBytes / 2; left > 0;) {
      const int64_t bytes = RoundUp(random.Between(1, left), Staging::kAlignment);
      staging.Take(bytes);
      left -= bytes;
    }
    ended.store(part);
  }
  other.join();
  EXPECT_EQ(runtime.count, ring_alone);
}

TEST(StagingTest, AnOperationBeyondTheRingGetsMemoryOfItsOwn) {
  sim::SimRuntime runtime(1);
  Staging staging(runtime, 1024);
  staging.Begin(1);
  staging.Take(1000);
  std::memset(staging.Take(5000), 1, 5000);
  std::memset(staging.Take(800), 1, 800);
  staging.Release(1);
}

// Takes the staging's mutex from within: what is called under it would wait forever.
class EnteringRuntime final : public sim::SimRuntime {
 public:
  EnteringRuntime() : SimRuntime(1) {}
  std::byte* AllocateHost(int64_t bytes) override {
    Enter();
    return SimRuntime::AllocateHost(bytes);
  }
  void FreeHost(std::byte* memory) override {
    Enter();
    SimRuntime::FreeHost(memory);
  }
  Staging* staging = nullptr;
  int64_t entered = 0;

 private:
  void Enter() {
    if (staging == nullptr) return;
    staging->Release(0);
    ++entered;
  }
};

TEST(StagingTest, TheDriverIsNotAskedForMemoryUnderTheMutex) {
  EnteringRuntime runtime;
  Staging staging(runtime, 1024);
  runtime.staging = &staging;
  staging.Begin(1);
  staging.Take(5000);
  staging.Release(1);
  EXPECT_EQ(runtime.entered, 2);
  runtime.staging = nullptr;
}

}  // namespace
}  // namespace sluice::device
