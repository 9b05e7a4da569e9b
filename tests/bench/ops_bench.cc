// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Measures the CPU backend's operations other than Attend. Prints one JSON
// object a line: {"name": .., "value": .., "unit": .., ..}. What is compared is
// run in alternating pairs on one thread and timed by that thread's clock (other
// load on the machine then counts little); the median of the pairs' ratios is
// given. Both sides of what is compared by its bytes lie in touched huge pages. Latencies are wall time, through a backend with as many threads as cores.

#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "kernels/core/number.h"
#include "kernels/cpu/append_work.h"
#include "kernels/cpu/compact_work.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/rank.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPairs = 15;

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double SecondsOf(const std::function<void()>& run) {
  const double start = ThreadSeconds();
  run();
  return ThreadSeconds() - start;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Medians over alternating pairs.
struct Comparison {
  double ours = 0.0;    // seconds
  double theirs = 0.0;  // seconds
  double ratio = 0.0;   // theirs / ours
};

Comparison Compare(const std::function<void()>& ours, const std::function<void()>& theirs) {
  std::vector<double> our_times;
  std::vector<double> their_times;
  std::vector<double> ratios;
  for (int i = 0; i < kPairs + 2; ++i) {
    const double mine = SecondsOf(ours);
    const double other = SecondsOf(theirs);
    if (i < 2) continue;  // warm-up
    our_times.push_back(mine);
    their_times.push_back(other);
    ratios.push_back(other / mine);
  }
  return {Median(our_times), Median(their_times), Median(ratios)};
}

void Report(const char* name, double value, const char* unit, const char* more) {
  std::printf("{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\"%s}\n", name, value, unit, more);
  std::fflush(stdout);
}

// Memory on huge pages, as a pool has them, all bytes written once.
class HugeBuffer {
 public:
  explicit HugeBuffer(int64_t bytes)
      : data_(static_cast<std::byte*>(std::aligned_alloc(kHugePageBytes, Rounded(bytes))),
              &std::free) {
    madvise(data_.get(), Rounded(bytes), MADV_HUGEPAGE);
    std::memset(data_.get(), 0, Rounded(bytes));
  }

  std::byte* get() const { return data_.get(); }

 private:
  static constexpr int64_t kHugePageBytes = int64_t{2} << 20;
  static size_t Rounded(int64_t bytes) {
    return static_cast<size_t>(RoundUp(bytes, kHugePageBytes));
  }

  std::unique_ptr<std::byte, decltype(&std::free)> data_;
};

// One sequence with a tail of `tokens` tokens, and fresh pages beside it.
class Cache {
 public:
  static constexpr int32_t kHeads = 8;
  static constexpr int32_t kDim = 128;
  static constexpr int32_t kPageSize = 32;

  explicit Cache(int64_t tokens) : tokens_(tokens) {
    PageFormat& page = format_.page;
    page.dtype = Dtype::kBf16;
    page.pairing = RopePairing::kHalfSplit;
    page.page_size = kPageSize;
    page.k_dim = page.v_dim = page.rotary_dim = kDim;
    const int64_t pages = 2 * kHeads * tokens / kPageSize;
    const int64_t slab_bytes = RoundUp(pages * (PageBytes(page) + kPageSize * 12 + 4) + 4096, 4096);
    format_.slab = MakeSlabLayout(page, slab_bytes);
    memory_ = std::make_unique<HugeBuffer>(slab_bytes);
    FillTables();
    pool.pool = memory_->get();
    pool.slab_bytes = slab_bytes;
    pool.tables = reinterpret_cast<const std::byte*>(tables_.data());
    pool.formats = &format_;
    layer.kv_heads = layer.q_heads = kHeads;
    layer.k_dim = layer.v_dim = kDim;
    entry.block_list_offset = 0;
    entry.token_count = static_cast<int32_t>(tokens);
    view = {&entry, 1, tokens};
  }

  int64_t row_pages() const { return tokens_ / kPageSize; }
  uint32_t FreshPage(int64_t index) const {
    return static_cast<uint32_t>(kHeads * row_pages() + index);
  }

  PoolView pool;
  LayerShape layer;
  ViewEntry entry;
  StepView view;

 private:
  // The block list, then the blocks' page ids.
  void FillTables() {
    const int64_t blocks = row_pages();
    for (int64_t b = 0; b < blocks; ++b) {
      tables_.push_back(static_cast<uint32_t>(blocks + b * kHeads));
    }
    for (uint32_t page = 0; page < blocks * kHeads; ++page) tables_.push_back(page);
  }

  const int64_t tokens_;
  SpanFormat format_;
  std::unique_ptr<HugeBuffer> memory_;
  std::vector<uint32_t> tables_;
};

HugeBuffer RandomValues(int64_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  HugeBuffer values(count * 2);
  auto* bits = reinterpret_cast<uint16_t*>(values.get());
  for (int64_t i = 0; i < count; ++i) bits[i] = FloatToBf16(normal(random));
  return values;
}

// A worker's scratch, for the calling thread.
class Scratch {
 public:
  cpu::WorkerScratch& get() { return scratch_; }

 private:
  const std::unique_ptr<std::byte, decltype(&std::free)> room_{
      static_cast<std::byte*>(std::aligned_alloc(64, cpu::kWorkerScratchBytes)), &std::free};
  cpu::WorkerScratch scratch_{0, room_.get(), cpu::kWorkerScratchBytes};
};

// All of an operation on the calling thread.
void RunHere(cpu::Work& work, cpu::WorkerScratch& scratch) {
  for (int64_t items = work.Plan(); items > 0; items = work.NextPhase()) {
    for (int64_t item = 0; item < items; ++item) work.Run(item, scratch);
  }
  work.Finish();
}

void BenchSelect() {
  constexpr int64_t kScores = 131072;
  constexpr int64_t kKept = kScores / 4;
  std::mt19937 random(2);
  std::exponential_distribution<float> distribution;
  std::vector<float> scores(kScores);
  for (float& score : scores) score = distribution(random);
  std::vector<uint32_t> mask(kScores / 32);
  Scratch scratch;
  std::vector<float> copy;
  const RowRange all{0, kScores};
  const Comparison result = Compare(
      [&] {
        std::fill(mask.begin(), mask.end(), 0u);
        cpu::MarkAbove(scores.data(), all, cpu::FindThreshold(scores.data(), all, kKept, scratch.get()),
                       mask.data());
      },
      [&] {
        copy = scores;
        std::nth_element(copy.begin(), copy.begin() + kKept, copy.end(), std::greater<>());
      });
  char more[128];
  std::snprintf(more, sizeof(more), ", \"scores\": %lld, \"select_us\": %.1f, \"nth_element_us\": %.1f",
                static_cast<long long>(kScores), result.ours * 1e6, result.theirs * 1e6);
  Report("select_vs_nth_element", result.ratio, "x", more);
}

void BenchAppend() {
  constexpr int64_t kTokens = 8192;
  Cache cache(kTokens);
  const int64_t values = kTokens * Cache::kHeads * Cache::kDim;
  const HugeBuffer k = RandomValues(values);
  const HugeBuffer v = RandomValues(values);
  const HugeBuffer copy(values * 4);
  AppendArgs args;
  args.view = &cache.view;
  args.layer = &cache.layer;
  args.k = k.get();
  args.v = v.get();
  args.k_dtype = args.v_dtype = Dtype::kBf16;
  args.token_count = kTokens;
  Scratch scratch;
  cpu::AppendWork work(cache.pool);
  work.Set(args);
  const Comparison result = Compare([&] { RunHere(work, scratch.get()); },
                                    [&] {
                                      std::memcpy(copy.get(), k.get(), values * 2);
                                      std::memcpy(copy.get() + values * 2, v.get(), values * 2);
                                    });
  const double gigabytes = static_cast<double>(values) * 4e-9;
  char more[128];
  std::snprintf(more, sizeof(more), ", \"append_gb_s\": %.2f, \"memcpy_gb_s\": %.2f",
                gigabytes / result.ours, gigabytes / result.theirs);
  Report("append_vs_memcpy", result.ratio, "x", more);
}

// A random mask that keeps `percent` % of each row; returns the kept slots in all.
int64_t RandomMask(int64_t slots, int percent, std::vector<uint32_t>* mask) {
  std::mt19937 random(3);
  mask->assign(static_cast<size_t>(slots / 32), 0);
  int64_t kept = 0;
  for (int64_t slot = 0; slot < slots; ++slot) {
    if (static_cast<int>(random() % 100) >= percent) continue;
    (*mask)[slot / 32] |= 1u << (slot % 32);
    ++kept;
  }
  return kept;
}

void BenchCompact(int percent) {
  constexpr int64_t kTokens = 8192;
  Cache cache(kTokens);
  cache.entry.base_length = kTokens;
  std::vector<uint32_t> mask;
  const int64_t kept = RandomMask(kTokens * Cache::kHeads, percent, &mask);
  std::vector<int64_t> row_offsets;
  std::vector<int64_t> page_offsets;
  std::vector<uint32_t> pages;
  for (int32_t row = 0; row <= Cache::kHeads; ++row) {
    row_offsets.push_back(row * kTokens);
    page_offsets.push_back(row * cache.row_pages());
  }
  for (int64_t i = 0; i < page_offsets.back(); ++i) pages.push_back(cache.FreshPage(i));
  std::vector<uint32_t> reused(pages.size());
  CompactArgs args;
  args.rows = {&cache.entry, 0, Cache::kHeads, row_offsets.data()};
  args.masks = mask.data();
  args.destination_pages = pages.data();
  args.destination_offsets = page_offsets.data();
  args.reused = reused.data();
  const int64_t bytes = kept * Cache::kDim * 4;
  Scratch scratch;
  cpu::CompactWork work(cache.pool);
  work.Set(args);
  const HugeBuffer from(bytes);
  const HugeBuffer to(bytes);
  const Comparison result = Compare([&] { RunHere(work, scratch.get()); },
                                    [&] { std::memcpy(to.get(), from.get(), bytes); });
  char name[64];
  char more[128];
  std::snprintf(name, sizeof(name), "compact_keep_%d_gb_s", percent);
  std::snprintf(more, sizeof(more), ", \"vs_memcpy_of_kept\": %.3f", result.ratio);
  Report(name, static_cast<double>(bytes) * 1e-9 / result.ours, "GB/s of kept bytes", more);
}

// From Submit to the ticket's passing, seen by a thread that polls.
void BenchLatency(std::chrono::microseconds pause, const char* name) {
  Cache cache(64);
  cache.entry.base_length = 64;
  const int64_t row_offsets[] = {0, 64};
  float scores[64];
  CpuBackend backend({cache.pool, 0, nullptr});
  KeyNormScoreArgs args;
  args.rows = {&cache.entry, 0, 1, row_offsets};
  args.scores = scores;
  std::vector<double> times;
  for (int i = 0; i < 2000; ++i) {
    std::this_thread::sleep_for(pause);
    const Clock::time_point start = Clock::now();
    const Ticket ticket = backend.Submit(Lane::kForeground, args);
    while (backend.Completed(Lane::kForeground) < ticket) std::this_thread::yield();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  char more[64];
  std::snprintf(more, sizeof(more), ", \"p99_us\": %.1f",
                times[times.size() * 99 / 100] * 1e6);
  Report(name, Median(times) * 1e6, "us", more);
}

}  // namespace
}  // namespace sluice

int main() {
  sluice::BenchSelect();
  sluice::BenchAppend();
  for (const int percent : {25, 50, 90}) sluice::BenchCompact(percent);
  using std::chrono::microseconds;
  sluice::BenchLatency(microseconds(0), "submit_to_completion_awake");
  sluice::BenchLatency(microseconds(500), "submit_to_completion_asleep");
  return 0;
}
