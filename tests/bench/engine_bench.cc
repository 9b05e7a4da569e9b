// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// Measures what calls cost on the engine thread, as CPU time of that thread, so
// that neither kernels nor what else the machine does is counted. Nor is its
// waiting for them: see EngineDriver::AskTimed.
//
// Prints one JSON object a line: {"name", "value", "unit", ...}. Each value is a
// median over repetitions, or the least of such medians (Blocks). Usage: sluice_engine_bench [repetitions].

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "kernels/page_format.h"
#include "tests/bench/engine_driver.h"
#include "tests/bench/measure.h"

namespace sluice::bench {
namespace {

// 256 pages a block: 32 layers of 8 kv heads.
constexpr int64_t kPagesPerBlock = 256;
constexpr int32_t kSequences = 256;
constexpr int64_t kPagesPerSlice = 1024;
constexpr int kBlocks = 12;
// The unit of what AskTimed measures: CPU time, without waits.
constexpr char kUnit[] = "cpu_us";

std::vector<uint64_t> CreateSequences(EngineDriver& driver, int32_t count) {
  std::vector<uint64_t> sequences;
  for (int32_t i = 0; i < count; ++i) sequences.push_back(driver.CreateSequence());
  return sequences;
}

EndStep Abort(uint64_t step) {
  EndStep end;
  end.step = step;
  end.abort = true;
  return end;
}

// 256 decode entries, of which every 32nd opens a new block.
std::vector<double> BeginStepCosts(EngineDriver& driver, const std::vector<uint64_t>& sequences,
                                   const std::vector<int64_t>& lengths, int repetitions) {
  std::vector<double> microseconds;
  for (int i = 0; i < repetitions; ++i) {
    BeginStep begin = driver.StepOf(sequences, lengths,
                                    std::vector<int64_t>(sequences.size(), 1), Phase::kDecode);
    const auto [begun, cost] = driver.AskTimed<StepBegun>(std::move(begin));
    microseconds.push_back(cost);
    driver.Ask<std::vector<uint64_t>>(Abort(begun.step));
    driver.WaitUntilGivenBack();
  }
  return microseconds;
}

// One attend with k and v for each sequence, call by call as an engine asks, and
// with storage for the answer as rpc brings it.
std::vector<double> LayerCallsOfStep(EngineDriver& driver, const std::vector<uint64_t>& sequences,
                                     const std::vector<int64_t>& lengths) {
  const auto rows = static_cast<int64_t>(sequences.size());
  const TensorRef q = driver.Tensor(rows, EngineDriver::kQueryHeads);
  const TensorRef kv = driver.Tensor(rows, EngineDriver::kKvHeads);
  const auto begun = driver.Ask<StepBegun>(driver.StepOf(
      sequences, lengths, std::vector<int64_t>(sequences.size(), 1), Phase::kDecode));
  std::string out(static_cast<size_t>(rows * EngineDriver::kQueryHeads * driver.shape().dim * 2),
                  '\0');
  std::vector<double> costs;
  // The last layer is left out: it would close the step.
  for (int32_t layer = 0; layer + 1 < driver.shape().layers; ++layer) {
    Attend attend;
    attend.step = begun.step;
    attend.layer = layer;
    attend.q = q;
    attend.k = kv;
    attend.v = kv;
    attend.out = std::move(out);
    auto [result, cost] = driver.AskTimed<AttendResult>(std::move(attend));
    out = std::move(result.out);
    costs.push_back(cost);
  }
  driver.Ask<std::vector<uint64_t>>(Abort(begun.step));
  driver.WaitUntilGivenBack();
  return costs;
}

// Of the calls of `repetitions` steps with the first `entries` sequences.
std::vector<double> LayerCallCosts(EngineDriver& driver, std::vector<uint64_t> sequences,
                                   std::vector<int64_t> lengths, size_t entries,
                                   int repetitions) {
  sequences.resize(entries);
  lengths.resize(entries);
  std::vector<double> microseconds;
  for (int i = 0; i < repetitions; ++i) {
    const std::vector<double> costs = LayerCallsOfStep(driver, sequences, lengths);
    microseconds.insert(microseconds.end(), costs.begin(), costs.end());
  }
  return microseconds;
}

// What the blocks of one measure took, each by its median. The figure is the least:
// the same work is done in each, and what others do on the host can only add to it,
// for seconds at a time.
class Blocks {
 public:
  void Add(std::vector<double> microseconds) {
    medians_.push_back(Median(std::move(microseconds)));
  }
  double Least() const { return *std::min_element(medians_.begin(), medians_.end()); }
  std::string Fields() const {
    return Field("blocks", static_cast<double>(medians_.size())) +
           Field("median_block_us", Median(medians_)) +
           Field("worst_block_us", *std::max_element(medians_.begin(), medians_.end()));
  }

 private:
  std::vector<double> medians_;
};

void MeasureSteps(EngineDriver& driver, int repetitions) {
  const std::vector<uint64_t> sequences = CreateSequences(driver, kSequences);
  std::vector<int64_t> lengths;
  for (int32_t i = 0; i < kSequences; ++i) lengths.push_back(i % 32 + 1);
  driver.Fill(sequences, lengths);
  Blocks begin;
  Blocks call;
  Blocks call_of_1;
  for (int block = 0; block < kBlocks; ++block) {
    const auto call_costs = [&](size_t entries) {
      return LayerCallCosts(driver, sequences, lengths, entries, repetitions);
    };
    begin.Add(BeginStepCosts(driver, sequences, lengths, repetitions));
    call.Add(call_costs(kSequences));
    call_of_1.Add(call_costs(1));
  }
  PrintFigure("begin_step_us", begin.Least(), kUnit,
              Field("entries", kSequences) + Field("new_blocks", 8) +
                  Field("pages_per_block", kPagesPerBlock) + begin.Fields());
  PrintFigure("layer_call_us", call.Least(), kUnit,
              Field("entries", kSequences) + Field("of_1_entry_us", call_of_1.Least()) +
                  call.Fields());
}

void FreeAll(EngineDriver& driver, std::vector<uint64_t> sequences) {
  FreeSequences free;
  free.sequences = std::move(sequences);
  driver.Ask<Empty>(std::move(free));
  driver.WaitUntilGivenBack();
}

// The longest time without service while a job of 16 slices is planned, built
// and committed and the old pages are given back.
void MeasureCommit(EngineDriver& driver, int repetitions) {
  constexpr int64_t kTokens = 2048;
  std::vector<double> microseconds;
  StallProbe probe(driver);
  for (int i = 0; i < repetitions; ++i) {
    const uint64_t sequence = driver.CreateSequence();
    driver.Fill({sequence}, {kTokens});
    probe.Start();
    struct Compress compress;
    compress.sequence = sequence;
    const auto compressed = driver.Ask<Compressed>(std::move(compress));
    SLUICE_CHECK(compressed.job.outcome == JobOutcome::kCommitted);
    driver.WaitUntilGivenBack();
    microseconds.push_back(probe.Stop());
    FreeAll(driver, {sequence});
  }
  PrintFigure("commit_slice_us", Median(microseconds), "us",
              Field("pages", kTokens / 32 * kPagesPerBlock) + Field("slice_pages", kPagesPerSlice));
}

void MeasureFree(EngineDriver& driver, int repetitions) {
  std::vector<double> microseconds;
  StallProbe probe(driver);
  for (int i = 0; i < repetitions; ++i) {
    const uint64_t sequence = driver.CreateSequence();
    driver.Fill({sequence}, {2048});
    probe.Start();
    FreeAll(driver, {sequence});
    microseconds.push_back(probe.Stop());
  }
  PrintFigure("free_slice_us", Median(microseconds), "us",
              Field("slice_pages", kPagesPerSlice));
}

// A session with 64 sequences ends in the middle of a step.
void MeasureClientDeath(EngineDriver& driver, int repetitions) {
  std::vector<double> microseconds;
  StallProbe probe(driver);
  for (int i = 0; i < repetitions; ++i) {
    const uint64_t session = driver.OpenSession();
    std::vector<uint64_t> sequences;
    for (int32_t k = 0; k < 64; ++k) sequences.push_back(driver.CreateSequence(session));
    const std::vector<int64_t> lengths(sequences.size(), 32);
    driver.Fill(sequences, lengths);
    BeginStep begin = driver.StepOf(sequences, lengths,
                                    std::vector<int64_t>(sequences.size(), 1), Phase::kDecode);
    begin.caller.session = session;
    driver.Ask<StepBegun>(std::move(begin));
    probe.Start();
    driver.Post(CloseSession{session});
    driver.WaitUntilGivenBack();
    microseconds.push_back(probe.Stop());
  }
  PrintFigure("client_death_slice_us", Median(microseconds), "us",
              Field("sequences", 64) + Field("slice_pages", kPagesPerSlice));
}

// What the pool spends beside keys and values, at head dim 128 in bf16: tables,
// side arrays, and what is left over in slabs, over the pages' own bytes.
void MeasureOverhead() {
  constexpr int64_t kTokens = 1024;
  constexpr int64_t kSlabBytes = int64_t{2} << 20;
  EngineDriver driver({.layers = 32, .dim = 128, .page_size_tokens = 32, .policy = {}},
                      int64_t{320} << 20);
  const uint64_t sequence = driver.CreateSequence();
  driver.Fill({sequence}, {kTokens});
  const EngineStatus status = driver.Ask<EngineStatus>(GetStatus());
  PageFormat format;
  format.k_dim = 128;
  format.v_dim = 128;
  const SlabLayout layout = MakeSlabLayout(format, kSlabBytes);
  const double pages = static_cast<double>(kTokens / 32 * kPagesPerBlock);
  const double payload = pages * static_cast<double>(layout.page_bytes);
  const double slabs = pages / layout.pages * static_cast<double>(kSlabBytes);
  const double tables = static_cast<double>(status.table_used_bytes);
  PrintFigure("pool_overhead_percent", 100 * (slabs + tables - payload) / payload, "%",
              Field("side_percent", 100 * (slabs - payload) / payload) +
                  Field("table_percent", 100 * tables / payload));
}

int Main(int argc, char** argv) {
  const int repetitions = argc > 1 ? std::atoi(argv[1]) : 15;
  if (repetitions < 1) {
    std::fprintf(stderr, "usage: sluice_engine_bench [repetitions >= 1]\n");
    return 2;
  }
  {
    Progress("engine thread: 256 sequences");
    EngineDriver driver({}, int64_t{640} << 20);
    MeasureSteps(driver, repetitions);
  }
  {
    Progress("engine thread: commit, free, client death");
    PolicySpec half;
    half.preset = "l2norm";
    half.ratio = Ratio{.value = 0.5};
    half.triggers = TriggerSpec{};
    EngineDriver driver({.policy = half}, int64_t{640} << 20);
    MeasureCommit(driver, repetitions);
    MeasureFree(driver, repetitions);
    MeasureClientDeath(driver, repetitions);
  }
  MeasureOverhead();
  return 0;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::Main(argc, argv); }
