// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// Times of the engine thread's work on the cache, as JSON lines. The goals:
// begin_step 100 us, free_slice 1 ms.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>

#include "daemon/base/check.h"
#include "daemon/cache/cache.h"

namespace sluice {
namespace {

constexpr int kRowCount = 256;
constexpr int kPageSize = 32;
constexpr int kEntries = 256;
constexpr int kNewBlocks = 8;
constexpr int kRounds = 200;

struct Setup {
  // 40 GB of pages of 16 KiB.
  Cache cache{{.slab_count = 20000, .slab_bytes = 2 << 20, .job_reserve_bytes = 800 << 20}};
  TenantId tenant = cache.tenants().Add({});
  CacheGeometry geometry{.row_count = kRowCount,
                         .page_size = kPageSize,
                         .size_class = cache.AddSizeClass(125, 16 << 10)};

  SequenceId Create(int32_t tokens) {
    const SequenceId id = *cache.CreateSequence(geometry, tenant);
    const StepEntryRequest entry{id, 0, tokens};
    SLUICE_CHECK(cache.BeginStep({&entry, 1}).ok());
    cache.CloseStep(id);
    return id;
  }

  void Settle() {
    while (cache.ReclaimSlice(1024, {}).more) {
    }
    while (cache.Passed({}, 1024)) {
    }
  }
};

double MicrosecondsOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const auto end = std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::micro>(end - start).count();
}

void Print(const char* name, std::vector<double> times_us) {
  std::sort(times_us.begin(), times_us.end());
  std::printf("{\"name\": \"%s\", \"value\": %.2f, \"p99\": %.2f, \"unit\": \"us\"}\n", name,
              times_us[times_us.size() / 2], times_us[times_us.size() * 99 / 100]);
}

// 256 decode entries, of which eight need a block of 256 pages.
void BenchBeginStep() {
  Setup setup;
  std::vector<StepEntryRequest> entries;
  for (int i = 0; i < kEntries; ++i) {
    const int32_t length = i < kNewBlocks ? 4 * kPageSize : 4 * kPageSize - 16;
    entries.push_back({setup.Create(length), length, 1});
  }
  std::vector<double> times_us;
  for (int round = 0; round < kRounds; ++round) {
    times_us.push_back(MicrosecondsOf([&] { SLUICE_CHECK(setup.cache.BeginStep(entries).ok()); }));
    for (const StepEntryRequest& entry : entries) setup.cache.UndoStep(entry.sequence);
    setup.Settle();
  }
  Print("begin_step_us", times_us);
}

// A sequence of 32 768 tokens: 1 024 blocks.
void BenchFork() {
  Setup setup;
  const SequenceId parent = setup.Create(32768);
  std::vector<double> times_us;
  for (int round = 0; round < kRounds; ++round) {
    SequenceId child;
    times_us.push_back(MicrosecondsOf([&] { child = *setup.cache.Fork(parent); }));
    SLUICE_CHECK(setup.cache.Free(child).ok());
    setup.Settle();
  }
  Print("fork_us", times_us);
}

void BenchGivingBack() {
  Setup setup;
  std::vector<double> free_us;
  std::vector<double> slice_us;
  std::vector<double> passed_us;
  for (int round = 0; round < 4; ++round) {
    const SequenceId id = setup.Create(8192);
    free_us.push_back(MicrosecondsOf([&] { SLUICE_CHECK(setup.cache.Free(id).ok()); }));
    bool more = true;
    while (more) {
      slice_us.push_back(
          MicrosecondsOf([&] { more = setup.cache.ReclaimSlice(1024, {}).more; }));
    }
    for (more = true; more;) {
      passed_us.push_back(MicrosecondsOf([&] { more = setup.cache.Passed({}, 1024); }));
    }
  }
  Print("free_us", free_us);
  Print("free_slice_1024_pages_us", slice_us);
  Print("passed_slice_1024_pages_us", passed_us);
}

}  // namespace
}  // namespace sluice

int main() {
  sluice::BenchBeginStep();
  sluice::BenchFork();
  sluice::BenchGivingBack();
  return 0;
}
