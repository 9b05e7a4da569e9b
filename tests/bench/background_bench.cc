// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// What decode calls of one sequence wait for jobs of others: calls of at least 2 ms,
// one after the other, alone and while jobs run without a pause on the background
// lane. Blocks of both take turns.
//
// Prints one JSON object a line. Usage: sluice_background_bench [pairs of blocks].

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/engine_driver.h"
#include "tests/bench/measure.h"

namespace sluice::bench {
namespace {

constexpr double kLeastCallMs = 2.0;
constexpr int64_t kChunkTokens = 8192;
constexpr int64_t kMostTokens = 16 * kChunkTokens;
constexpr int64_t kJobTokens = 4096;
constexpr int kCallsPerBlock = 300;
constexpr int kJobChains = 2;

// Forks of one sequence, each compressed to half when its prefill ends and freed
// then, one after the other. Nobody waits for these jobs: who asks what is kept
// looks on.
//
// Start and Stop: the driver's thread.
class JobChain {
 public:
  JobChain(EngineDriver& driver, uint64_t parent)
      : driver_(driver), parent_(parent), row_(driver.Tensor(1, EngineDriver::kKvHeads)) {}

  void Start() {
    stopping_ = false;
    ended_ = std::promise<void>();
    MakeFork();
  }
  // Returns once the chain's last job has ended.
  void Stop() {
    stopping_ = true;
    ended_.get_future().wait();
  }
  int64_t jobs() const { return jobs_; }

 private:
  template <class Result, class Request, class Next>
  void Ask(Request request, Next next) {
    request.done = [next](absl::StatusOr<Result> result) {
      SLUICE_CHECK(result.ok()) << result.status();
      next(*result);
    };
    driver_.Post(std::move(request));
  }

  void MakeFork() {
    ForkSequences fork;
    fork.parents = {parent_};
    Ask<std::vector<uint64_t>>(std::move(fork), [this](const std::vector<uint64_t>& made) {
      EndPrefill(made[0]);
    });
  }
  void EndPrefill(uint64_t sequence) {
    Append append;
    append.entry = StepEntry{sequence, kJobTokens, 1, Phase::kPrefill, /*prefill_end=*/true, false};
    append.layers = {{0, row_, row_}};
    Ask<AppendResult>(std::move(append), [this, sequence](const AppendResult&) {
      AwaitJob(sequence);
    });
  }
  void AwaitJob(uint64_t sequence) {
    ExplainSequence look;
    look.caller.looks_on = true;
    look.sequence = sequence;
    Ask<Explained>(std::move(look), [this, sequence](const Explained& kept) {
      SLUICE_CHECK(static_cast<int64_t>(kept.kept_positions.size()) < kJobTokens)
          << "the job kept all " << kept.kept_positions.size();
      ++jobs_;
      Free(sequence);
    });
  }
  void Free(uint64_t sequence) {
    FreeSequences free;
    free.sequences = {sequence};
    Ask<Empty>(std::move(free), [this](const Empty&) {
      if (stopping_) return ended_.set_value();
      MakeFork();
    });
  }

  EngineDriver& driver_;
  const uint64_t parent_;
  const TensorRef row_;
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> jobs_{0};
  std::promise<void> ended_;
};

double CallMs(EngineDriver& driver, uint64_t sequence, const TensorRef& q) {
  Attend attend;
  attend.sequences = {{sequence, 1}};
  attend.q = q;
  const double start = NowSeconds();
  driver.Ask<AttendResult>(std::move(attend));
  return (NowSeconds() - start) * 1e3;
}

// [kCallsPerBlock], ascending.
std::vector<double> Block(EngineDriver& driver, uint64_t sequence, const TensorRef& q) {
  std::vector<double> calls_ms;
  for (int i = 0; i < kCallsPerBlock; ++i) calls_ms.push_back(CallMs(driver, sequence, q));
  std::sort(calls_ms.begin(), calls_ms.end());
  return calls_ms;
}

double P99(const std::vector<double>& ascending) {
  return ascending[ascending.size() * 99 / 100];
}

// Lets the sequence grow until the quickest call over it takes as long as it should: a
// median would take what the machine's neighbours add for the calls' own length.
void GrowUntilLongEnough(EngineDriver& driver, uint64_t sequence, const TensorRef& q) {
  for (int64_t length = 0; length < kMostTokens; length += kChunkTokens) {
    driver.Extend(sequence, length, kChunkTokens);
    double quickest_ms = CallMs(driver, sequence, q);
    for (int i = 1; i < 25; ++i) quickest_ms = std::min(quickest_ms, CallMs(driver, sequence, q));
    if (quickest_ms >= kLeastCallMs) return;
  }
}

void Measure(EngineDriver& driver, int pairs) {
  const uint64_t sequence = driver.CreateSequence(0, PolicySpec{.preset = "full"});
  const uint64_t parent = driver.CreateSequence();
  driver.Tensor(kChunkTokens, EngineDriver::kKvHeads);  // the largest: the others stay valid
  const TensorRef q = driver.Tensor(1, EngineDriver::kQueryHeads);
  driver.Extend(parent, 0, kJobTokens);
  GrowUntilLongEnough(driver, sequence, q);
  JobChain first(driver, parent);
  JobChain second(driver, parent);
  std::vector<double> ratios, idle_p50, idle_p99, busy_p50, busy_p99;
  const auto jobs = [&] { return first.jobs() + second.jobs(); };
  for (int pair = 0; pair < pairs; ++pair) {
    const std::vector<double> idle = Block(driver, sequence, q);
    const int64_t before = jobs();
    first.Start();
    second.Start();
    const std::vector<double> busy = Block(driver, sequence, q);
    first.Stop();
    second.Stop();
    SLUICE_CHECK(jobs() > before + kJobChains) << "no jobs ran beside the calls";
    idle_p50.push_back(Median(idle));
    idle_p99.push_back(P99(idle));
    busy_p50.push_back(Median(busy));
    busy_p99.push_back(P99(busy));
    ratios.push_back(P99(busy) / P99(idle));
  }
  SLUICE_CHECK(Median(idle_p50) >= kLeastCallMs) << "calls take " << Median(idle_p50) << " ms";
  PrintFigure("background_p99", Median(ratios), "ratio",
              Field("idle_p50_ms", Median(idle_p50)) + Field("idle_p99_ms", Median(idle_p99)) +
                  Field("busy_p50_ms", Median(busy_p50)) + Field("busy_p99_ms", Median(busy_p99)) +
                  Field("jobs", static_cast<double>(jobs())) +
                  Field("pairs", static_cast<double>(pairs)));
}

int Main(int argc, char** argv) {
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 9;
  if (pairs < 1) {
    std::fprintf(stderr, "usage: sluice_background_bench [pairs of blocks >= 1]\n");
    return 2;
  }
  Progress("decode calls beside jobs of other sequences");
  PolicySpec half;
  half.preset = "l2norm";
  half.ratio = Ratio{.value = 0.5};
  half.prune_after_tokens = 0;
  half.triggers = TriggerSpec{.prefill_end = true};
  const auto workers = static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency()));
  EngineDriver driver({.layers = 1, .dim = 128, .page_size_tokens = 32, .policy = half,
                       .worker_threads = workers},
                      int64_t{768} << 20);
  Measure(driver, pairs);
  return 0;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::Main(argc, argv); }
