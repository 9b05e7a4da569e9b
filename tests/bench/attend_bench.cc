// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// Measures attend of the CPU backend against what the machine can do.
//
// Prints one JSON object a line: {"name", "value", "unit", ...}. Ratios are
// medians over pairs of measurements that follow one another, so that what else
// the machine does falls on both. Usage: sluice_attend_bench [threads] [pairs] [part ..],
// all parts unless some are named.

#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cpu/attend_work.h"
#include "kernels/cpu/worker_pool.h"
#include "tests/bench/attend_pool.h"
#include "tests/bench/workers.h"

namespace sluice::bench {
namespace {

constexpr int64_t kPoolBytes = int64_t{576} << 20;
constexpr int32_t kDim = 128;
constexpr int64_t kLongSlots = 16384;
constexpr int64_t kShortSlots = 256;
constexpr int64_t kChunkKeys = 4096;
constexpr int32_t kChunkQueries = 512;

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

template <class Function>
double SecondsOf(const Function& function) {
  const auto start = std::chrono::steady_clock::now();
  function();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void Print(const char* name, double value, const char* unit, const std::string& more = "") {
  std::printf("{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\"%s}\n", name, value, unit,
              more.c_str());
  std::fflush(stdout);
}

std::string Field(const char* name, double value) {
  char text[96];
  std::snprintf(text, sizeof(text), ", \"%s\": %.4g", name, value);
  return text;
}

__attribute__((target("avx512f"))) uint64_t SumAvx512(const std::byte* data, int64_t bytes) {
  __m512i sums[8] = {};
  for (int64_t i = 0; i + 512 <= bytes; i += 512) {
    for (int k = 0; k < 8; ++k) {
      __builtin_prefetch(data + i + 64 * k + 4096, 0, 2);
      sums[k] = _mm512_add_epi64(sums[k], _mm512_load_si512(data + i + 64 * k));
    }
  }
  for (int k = 1; k < 8; ++k) sums[0] = _mm512_add_epi64(sums[0], sums[k]);
  alignas(64) uint64_t lanes[8];
  _mm512_store_si512(lanes, sums[0]);
  return std::accumulate(lanes, lanes + 8, uint64_t{0});
}

uint64_t SumSse(const std::byte* data, int64_t bytes) {
  __m128i sums[8] = {};
  for (int64_t i = 0; i + 128 <= bytes; i += 128) {
    for (int k = 0; k < 8; ++k) {
      const auto* at = reinterpret_cast<const __m128i*>(data + i + 16 * k);
      sums[k] = _mm_add_epi64(sums[k], _mm_load_si128(at));
    }
  }
  for (int k = 1; k < 8; ++k) sums[0] = _mm_add_epi64(sums[0], sums[k]);
  return static_cast<uint64_t>(_mm_cvtsi128_si64(sums[0]));
}

// Runs the work of attend as a lane does: phase by phase, items dealt by a count.
class AttendRunner {
 public:
  AttendRunner(const AttendPool& pool, Workers& workers)
      : workers_(workers), work_(pool.view(), cpu::kWorkerScratchBytes) {
    scratch_.resize(static_cast<size_t>(workers.count()));
    for (int32_t i = 0; i < workers.count(); ++i) {
      cpu::WorkerScratch& scratch = scratch_[static_cast<size_t>(i)];
      scratch.worker = i;
      scratch.data = static_cast<std::byte*>(std::aligned_alloc(64, cpu::kWorkerScratchBytes));
      scratch.bytes = cpu::kWorkerScratchBytes;
    }
  }
  ~AttendRunner() {
    for (const cpu::WorkerScratch& scratch : scratch_) std::free(scratch.data);
  }
  AttendRunner(const AttendRunner&) = delete;
  AttendRunner& operator=(const AttendRunner&) = delete;

  void Run(const AttendArgs& args, int32_t threads) {
    work_.Set(args);
    for (int64_t items = work_.Plan(); items > 0; items = work_.NextPhase()) {
      std::atomic<int64_t> next{0};
      workers_.Run(threads, [&](int32_t worker) {
        for (int64_t item = next.fetch_add(1); item < items; item = next.fetch_add(1)) {
          work_.Run(item, scratch_[static_cast<size_t>(worker)]);
        }
      });
    }
    work_.Finish();
  }

 private:
  Workers& workers_;
  cpu::AttendWork work_;
  std::vector<cpu::WorkerScratch> scratch_;
};

class AttendBench {
 public:
  AttendBench(int32_t threads, int32_t pairs)
      : threads_(threads), pairs_(pairs), workers_(threads), pool_(Format(), kPoolBytes, true),
        runner_(pool_, workers_) {
    layer_.kv_heads = AttendPool::kHeads;
    layer_.q_heads = 32;
    layer_.k_dim = kDim;
    layer_.v_dim = kDim;
    layer_.scale = 1.0f / std::sqrt(static_cast<float>(kDim));
  }

  void Decode() {
    Lay(kLongSlots, 1);
    std::vector<double> ratios, kernel_rates, stream_rates;
    for (int32_t i = 0; i <= pairs_; ++i) {
      const double stream = static_cast<double>(pool_.bytes()) / StreamSeconds(threads_) / 1e9;
      const double kernel = held_bytes_ / AttendSeconds(threads_, false) / 1e9;
      if (i == 0) continue;  // warms up
      stream_rates.push_back(stream);
      kernel_rates.push_back(kernel);
      ratios.push_back(kernel / stream);
    }
    Print("decode_vs_stream", Median(ratios), "ratio",
          Field("goal", 0.65) + Field("attend_gb_per_s", Median(kernel_rates)) +
              Field("stream_gb_per_s", Median(stream_rates)) +
              Field("working_set_mb", held_bytes_ / 1e6) + Field("threads", threads_));
    if (Median(ratios) > 1.0) {
      std::fprintf(stderr, "decode cannot read faster than the stream: the benchmark is wrong\n");
      std::exit(1);
    }
  }

  void MassCost() {
    Lay(kLongSlots, 1);
    std::vector<double> ratios;
    for (int32_t i = 0; i <= pairs_; ++i) {
      const double without = AttendSeconds(threads_, false);
      const double with = AttendSeconds(threads_, true);
      if (i > 0) ratios.push_back(with / without);
    }
    Print("mass_cost", Median(ratios), "ratio", Field("goal", 1.10));
  }

  // The same of a chunk: 512 query rows at the end of 4 096 keys.
  void MassCostChunk() {
    Lay(kChunkKeys, kChunkQueries);
    entries_.resize(1);
    Refresh();
    std::vector<double> ratios;
    for (int32_t i = 0; i <= pairs_; ++i) {
      const double without = AttendSeconds(threads_, false);
      const double with = AttendSeconds(threads_, true);
      if (i > 0) ratios.push_back(with / without);
    }
    Print("mass_cost_chunk", Median(ratios), "ratio",
          Field("goal", 1.6) + Field("queries", kChunkQueries) + Field("keys", kChunkKeys));
  }

  // Keys turned by their cache positions against keys that are not, over as many
  // slots: 64 sinks, 4 rings, `group` query heads a kv head. A cascade lives on its
  // mass, so both have it; `over_plain` is against an attend without mass.
  void CascadeCost(const char* name, int32_t group, double goal) {
    constexpr int32_t kSinks = 64;
    constexpr int32_t kRings = 4;
    const int64_t periods[kRings] = {1, 2, 4, 8};
    const auto ring_slots = static_cast<int32_t>((kLongSlots - kSinks) / kRings - 1);
    const CascadeGeometry geometry =
        MakeCascadeGeometry(kSinks, kRings, ring_slots, 512, true, periods);
    std::vector<float> inv_freq;
    for (int32_t pair = 0; pair < kDim / 2; ++pair) {
      inv_freq.push_back(std::pow(1e4f, -static_cast<float>(pair) / (kDim / 2)));
    }
    layer_.q_heads = AttendPool::kHeads * group;
    layer_.rope = {inv_freq.data(), kDim, RopePairing::kHalfSplit, 1.0f, true};
    std::vector<double> ratios, over_plain;
    for (int32_t i = 0; i <= pairs_; ++i) {
      Lay(geometry.body_slots() + 1, 1);
      const double plain = AttendSeconds(threads_, false) / held_bytes_;
      const double mass = AttendSeconds(threads_, true) / held_bytes_;
      slots_ = geometry.body_slots() + 1;
      // Past the eager fill, so that every ring starts inside itself.
      entries_ = pool_.LayCascades(geometry, 5 * kLongSlots + 999);
      Refresh();
      const double cascade = AttendSeconds(threads_, true) / held_bytes_;
      if (i == 0) continue;
      ratios.push_back(cascade / mass);
      over_plain.push_back(cascade / plain);
    }
    Print(name, Median(ratios), "ratio",
          Field("goal", goal) + Field("group", group) + Field("over_plain", Median(over_plain)));
    layer_.q_heads = 32;
    layer_.rope = {};
  }

  // Calls of 256 rows of 256 slots, over the whole pool, against long rows.
  void ShortRows() {
    std::vector<double> ratios;
    for (int32_t i = 0; i <= pairs_; ++i) {
      Lay(kLongSlots, 1);
      const double long_ns = AttendSeconds(threads_, false) * 1e9 / held_bytes_;
      Lay(kShortSlots, 1);
      const double short_ns = CallsSeconds(256 / AttendPool::kHeads) * 1e9 / held_bytes_;
      if (i > 0) ratios.push_back(short_ns / long_ns);
    }
    Print("short_rows_vs_long", Median(ratios), "ratio", Field("goal", 1.3));
  }

  void Scaling() {
    Lay(kLongSlots, 1);
    std::vector<double> attend, stream;
    for (int32_t i = 0; i <= pairs_; ++i) {
      const double one = AttendSeconds(1, false);
      const double all = AttendSeconds(threads_, false);
      const double stream_one = StreamSeconds(1);
      const double stream_all = StreamSeconds(threads_);
      if (i == 0) continue;
      attend.push_back(one / all);
      stream.push_back(stream_one / stream_all);
    }
    Print("decode_scaling", Median(attend), "ratio",
          Field("stream_scaling", Median(stream)) + Field("threads", threads_));
  }

  // 512 query rows at the end of 4 096 keys, causal.
  void Prefill() {
    Lay(kChunkKeys, kChunkQueries);
    entries_.resize(1);
    Refresh();
    std::vector<double> seconds;
    for (int32_t i = 0; i <= pairs_; ++i) {
      const double time = AttendSeconds(threads_, false);
      if (i > 0) seconds.push_back(time);
    }
    const double seen = kChunkQueries * (kChunkKeys - (kChunkQueries - 1) / 2.0);
    const double flops = 4.0 * kDim * seen * layer_.q_heads;
    Print("prefill", flops / Median(seconds) / 1e9, "GFLOP/s",
          Field("goal", 120) + Field("ms", Median(seconds) * 1e3) +
              Field("queries", kChunkQueries) + Field("keys", kChunkKeys) +
              Field("gflop_causal", flops / 1e9) + Field("threads", threads_));
  }

 private:
  static PageFormat Format() {
    PageFormat format;
    format.dtype = Dtype::kBf16;
    format.k_dim = kDim;
    format.v_dim = kDim;
    format.rotary_dim = kDim;
    format.pairing = RopePairing::kHalfSplit;
    return format;
  }

  void Lay(int64_t slots, int32_t step_tokens) {
    entries_ = pool_.LaySequences(slots, step_tokens);
    slots_ = slots;
    Refresh();
  }

  void Refresh() {
    const auto count = static_cast<int64_t>(entries_.size());
    view_ = {entries_.data(), static_cast<int32_t>(count), count * entries_[0].token_count};
    held_bytes_ = static_cast<double>(count * AttendPool::kHeads * slots_ * pool_.slot_bytes());
    q_.resize(static_cast<size_t>(view_.total_tokens * layer_.q_heads * kDim));
    for (size_t i = 0; i < q_.size(); ++i) {
      q_[i] = static_cast<uint16_t>(0x3e80u | (i * 2654435761u >> 7 & 0x807fu));
    }
    out_.resize(q_.size());
  }

  AttendArgs Args(bool mass) {
    AttendArgs args;
    args.view = &view_;
    args.layer = &layer_;
    args.q = q_.data();
    args.out = out_.data();
    args.dtype = Dtype::kBf16;
    args.token_count = view_.total_tokens;
    args.accumulate_mass = mass;
    return args;
  }

  double AttendSeconds(int32_t threads, bool mass) {
    return SecondsOf([&] { runner_.Run(Args(mass), threads); });
  }

  double CallsSeconds(int64_t tokens_per_call) {
    return SecondsOf([&] {
      for (int64_t first = 0; first < view_.total_tokens; first += tokens_per_call) {
        AttendArgs args = Args(false);
        StepView view = view_;
        view.entries += first;
        view.entry_count = static_cast<int32_t>(
            std::min<int64_t>(tokens_per_call, view_.entry_count - first));
        args.view = &view;
        args.first_token = first;
        args.token_count = view.entry_count;
        runner_.Run(args, threads_);
      }
    });
  }

  double StreamSeconds(int32_t threads) {
    const bool wide = __builtin_cpu_supports("avx512f");
    const int64_t share = pool_.bytes() / threads;
    return SecondsOf([&] {
      workers_.Run(threads, [&](int32_t worker) {
        const std::byte* data = pool_.data() + worker * share;
        checksum_ += wide ? SumAvx512(data, share) : SumSse(data, share);
      });
    });
  }

  const int32_t threads_;
  const int32_t pairs_;
  Workers workers_;
  AttendPool pool_;
  AttendRunner runner_;
  LayerShape layer_;
  int64_t slots_ = 0;
  double held_bytes_ = 0.0;
  std::vector<ViewEntry> entries_;
  StepView view_;
  std::vector<uint16_t> q_;
  std::vector<uint16_t> out_;
  std::atomic<uint64_t> checksum_{0};
};

int Main(int argc, char** argv) {
  const int32_t threads = argc > 1 ? std::atoi(argv[1]) : 2;
  const int32_t pairs = argc > 2 ? std::atoi(argv[2]) : 9;
  if (threads < 1 || pairs < 7) {
    std::fprintf(stderr, "usage: sluice_attend_bench [threads >= 1] [pairs >= 7] [part ..]\n");
    return 2;
  }
  AttendBench bench(threads, pairs);
  const std::pair<const char*, std::function<void()>> parts[] = {
      {"decode", [&] { bench.Decode(); }},
      {"mass", [&] { bench.MassCost(); }},
      {"mass_chunk", [&] { bench.MassCostChunk(); }},
      {"cascade", [&] { bench.CascadeCost("cascade_cost", 4, 1.30); }},
      {"cascade_small", [&] { bench.CascadeCost("cascade_cost_small_group", 2, 1.45); }},
      {"short_rows", [&] { bench.ShortRows(); }},
      {"prefill", [&] { bench.Prefill(); }},
      {"scaling", [&] {
         if (threads > 1) bench.Scaling();
       }},
  };
  const auto wanted = [&](const char* part) {
    return argc <= 3 || std::any_of(argv + 3, argv + argc, [part](const char* name) {
             return std::string(name) == part;
           });
  };
  for (const auto& [name, run] : parts) {
    if (wanted(name)) run();
  }
  return 0;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::Main(argc, argv); }
