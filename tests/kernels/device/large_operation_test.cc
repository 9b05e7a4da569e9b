// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Operations that are larger than staging: they take no other memory, and write what they
// write where all of them fits.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/device/device_backend.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/operations.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice {
namespace {

using kernels_testing::AttendResult;
using kernels_testing::FillOptions;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::RunOperation;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

constexpr int64_t kLargeBytes = int64_t{16} << 20;
constexpr int64_t kSmallBytes = int64_t{48} << 10;
constexpr int32_t kRows = 4;

// Counts what is allocated of the host's memory.
class CountingRuntime final : public sim::SimRuntime {
 public:
  explicit CountingRuntime(int64_t* count) : SimRuntime(5), count_(*count) {}
  std::byte* AllocateHost(int64_t bytes) override {
    ++count_;
    return SimRuntime::AllocateHost(bytes);
  }

 private:
  int64_t& count_;
};

std::unique_ptr<DeviceBackend> Make(const PoolView& pool, int64_t staging_bytes, int64_t* count) {
  DeviceBackend::Options options;
  options.pool = pool;
  options.staging_bytes = staging_bytes;
  options.scratch_bytes = int64_t{1} << 20;
  return std::make_unique<DeviceBackend>(options, "emulated",
                                         std::make_unique<CountingRuntime>(count));
}

// What operations wrote outside of the pool.
using Written = std::vector<std::vector<std::byte>>;

template <class T>
void Note(const std::vector<T>& values, Written* written) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(values.data());
  written->emplace_back(bytes, bytes + values.size() * sizeof(T));
}

using Operations = std::function<Written(Backend& backend, TestBatch& batch)>;

// Expects the same from little staging as from much, and no memory beside it.
void ExpectSame(const TestBatch& batch, const Operations& run,
                int64_t staging_bytes = kSmallBytes) {
  int64_t large_count = 0, small_count = 0;
  TestBatch large = batch, small = batch;
  const auto backend = Make(small.pool(), staging_bytes, &small_count);
  const int64_t before = small_count;
  const Written actual = run(*backend, small);
  EXPECT_EQ(small_count, before);
  EXPECT_EQ(run(*Make(large.pool(), kLargeBytes, &large_count), large), actual);
  ExpectSamePools(large.world(), small.world(), kernels_testing::kBitForBit);
}

class LargeOperationTest : public testing::Test {
 protected:
  LargeOperationTest() { kernels_testing::UsePageLayout(PageLayout::kSwizzled); }

  const PageFormat format_{Dtype::kBf16, {}, {}, 16, 64, 32, 0, PageLayout::kSwizzled};

  // A chunk, and as many decode steps.
  TestBatch Step(int32_t chunk_tokens, int32_t sequences, int32_t tokens_each) const {
    TestBatch batch(format_, kRows, 11, FillOptions{0.05, 0.05, true});
    if (chunk_tokens > 0) batch.AddSequence(SequenceShape{40, -1, -1, 50, chunk_tokens});
    for (int32_t i = 0; i < sequences; ++i) {
      batch.AddSequence(SequenceShape{i % 3 * 20, -1, -1, 7 * i % 40, tokens_each});
    }
    return batch;
  }

  // One long sequence with ragged rows.
  TestBatch LongSequence() const {
    TestBatch batch(format_, 64, 12, FillOptions{0.05, 0.05, true});
    batch.AddSequence(SequenceShape{600, -1, -1, 700, 9});
    batch.StoreStepTokens();
    batch.FillScores();
    return batch;
  }
};

TEST_F(LargeOperationTest, Append) {
  const LayerShape layer = MakeLayer(format_, 0, kRows, 2);
  ExpectSame(Step(150, 40, 3), [&](Backend& backend, TestBatch& batch) {
    const StepView view = batch.View();
    const int64_t vectors = view.total_tokens * kRows;
    Tensor k = RandomTensor(Dtype::kF32, vectors * layer.k_dim, Random({1}));
    const Tensor v = RandomTensor(Dtype::kF32, vectors * layer.v_dim, Random({2}));
    k.Set(12345, HUGE_VALF);
    int64_t non_finite = 0;
    AppendArgs args;
    args.view = &view;
    args.layer = &layer;
    args.k = k.data();
    args.v = v.data();
    args.token_count = view.total_tokens;
    args.non_finite_count = &non_finite;
    RunOperation(backend, args);
    EXPECT_EQ(non_finite, 1);
    return Written();
  });
}

TEST_F(LargeOperationTest, Attend) {
  for (const int32_t group : {1, 3, 4}) {
    SCOPED_TRACE(group);
    TestBatch batch = Step(100, 30, 2);
    batch.StoreStepTokens();
    const LayerShape layer = MakeLayer(format_, 0, kRows, group);
    ExpectSame(batch, [&](Backend& backend, TestBatch& of_run) {
      const int64_t tokens = of_run.View().total_tokens;
      Tensor q = RandomTensor(Dtype::kF32, tokens * layer.q_heads * layer.k_dim, Random({3}));
      q.Set(777, HUGE_VALF);
      const AttendResult result = RunAttend(backend, of_run, layer, q, 0, tokens);
      EXPECT_EQ(result.non_finite, 1);
      Written written = {result.out.bytes};
      Note(result.lse, &written);
      return written;
    }, 4 * kSmallBytes);  // half of it has room for the 16 tokens of a group of 3
  }
}

// Mass is summed over an entry's tokens together.
TEST_F(LargeOperationTest, AttendWithMassAndObserve) {
  TestBatch batch = Step(0, 40, 4);
  batch.StoreStepTokens();
  batch.FillScores();
  const LayerShape layer = MakeLayer(format_, 0, kRows, 2);
  batch.AddObservations(layer, 3);
  const MassRule rule{0.9f, false, GroupReduce::kMean};
  ExpectSame(batch, [&](Backend& backend, TestBatch& of_run) {
    const int64_t tokens = of_run.View().total_tokens;
    const Tensor q =
        RandomTensor(Dtype::kF32, tokens * layer.q_heads * layer.k_dim, Random({3}));
    const AttendResult result = RunAttend(backend, of_run, layer, q, 0, tokens, &rule);
    RunObserve(backend, of_run, layer, q, result.lse, 0, tokens);
    Written written = {result.out.bytes};
    Note(result.lse, &written);
    return written;
  });
}

TEST_F(LargeOperationTest, ExportAndImport) {
  TestBatch batch = LongSequence();
  std::vector<uint32_t> pages;
  for (int i = 0; i < 80; ++i) pages.push_back(batch.world().TakePage(batch.format()));
  ExpectSame(batch, [&](Backend& backend, TestBatch& of_run) {
    const ViewEntry& entry = of_run.entries()[0];
    const std::vector<int64_t> offsets = RowOffsets(of_run, entry, 0, 1);
    const int64_t slots = 1205;
    Tensor k(Dtype::kBf16, slots * format_.k_dim), v(Dtype::kBf16, slots * format_.v_dim);
    std::vector<int32_t> positions(slots);
    std::vector<float> log_mass(slots), norms(slots);
    RunOperation(backend, ExportArgs{RowSet{&entry, 0, 1, offsets.data()}, 13, slots, k.data(),
                                     v.data(), positions.data(), log_mass.data(), norms.data()});
    RunOperation(backend, ImportArgs{pages.data(), slots, of_run.format(), k.data(), v.data(),
                                     positions.data(), log_mass.data()});
    Written written = {k.bytes, v.bytes};
    Note(positions, &written);
    Note(norms, &written);
    return written;
  });
}

TEST_F(LargeOperationTest, Copies) {
  TestBatch batch = LongSequence();
  std::vector<PageCopy> pages;
  for (uint32_t page = 0; page < 4000; ++page) pages.push_back({page % 40, kNoPage});
  for (PageCopy& copy : pages) copy.destination = batch.world().TakePage(batch.format());
  ExpectSame(batch, [&](Backend& backend, TestBatch& of_run) {
    RunOperation(backend, CopyPagesArgs{pages.data(), static_cast<int64_t>(pages.size()), 9,
                                        of_run.format()});
    std::vector<float> from(60000), to(60000);
    Random random({4});
    for (float& value : from) value = random.Normal();
    std::vector<ScoreCopy> copies = {{from.data(), to.data(), 30001}};
    for (int64_t first = 30001; first < 60000; first += 300) {
      copies.push_back({from.data() + first, to.data() + first,
                        std::min<int64_t>(299, 60000 - first)});
    }
    RunOperation(backend, CopyScoresArgs{copies.data(), static_cast<int64_t>(copies.size())});
    Written written;
    Note(to, &written);
    return written;
  });
}

// A job over all rows, from its scores to what it builds.
TEST_F(LargeOperationTest, Jobs) {
  TestBatch batch = LongSequence();
  std::vector<uint32_t> pages;
  for (int i = 0; i < 64 * 60; ++i) pages.push_back(batch.world().TakePage(batch.format()));
  ExpectSame(batch, [&](Backend& backend, TestBatch& of_run) {
    const ViewEntry& entry = of_run.entries()[0];
    const std::vector<int64_t> offsets = RowOffsets(of_run, entry, 0, 64);
    const RowSet rows{&entry, 0, 64, offsets.data()};
    std::vector<float> norms(static_cast<size_t>(offsets.back())), moved(norms.size());
    std::vector<uint32_t> masks(norms.size() / 32);
    std::vector<SelectSegment> segments;
    std::vector<int64_t> destinations = {0};
    for (int32_t row = 0; row < 64; ++row) {
      segments.push_back({row, 1, 900, 4, entry.base_length - 5, 0});
      destinations.push_back(destinations.back() + 60);
    }
    std::vector<int32_t> counts(64 * 64, -1);
    std::vector<double> sums(128);
    std::vector<uint32_t> reused(pages.size());
    RunOperation(backend, KeyNormScoreArgs{rows, norms.data()});
    SelectArgs select;
    select.rows = rows;
    select.scores = norms.data();
    select.segments = segments.data();
    select.segment_count = 64;
    select.masks = masks.data();
    select.counts = counts.data();
    RunOperation(backend, select);
    RunOperation(backend, SumScoresArgs{rows, norms.data(), masks.data(), sums.data()});
    MoveScoresArgs move;
    move.rows = rows;
    move.masks = masks.data();
    move.destination_offsets = offsets.data();
    move.destination = moved.data();
    RunOperation(backend, move);
    CompactArgs compact{rows, masks.data(), pages.data(), destinations.data(), of_run.format(),
                        reused.data()};
    RunOperation(backend, compact);
    Written written;
    Note(norms, &written);
    Note(masks, &written);
    Note(counts, &written);
    Note(sums, &written);
    Note(moved, &written);
    Note(reused, &written);
    return written;
  });
}

TEST_F(LargeOperationTest, WindowScore) {
  TestBatch batch = LongSequence();
  const LayerShape layer = MakeLayer(format_, 8, 24, 2);
  batch.AddObservations(layer, 3);
  ExpectSame(batch, [&](Backend& backend, TestBatch& of_run) {
    const ViewEntry& entry = of_run.entries()[0];
    const Tensor q =
        RandomTensor(Dtype::kBf16, 9 * layer.q_heads * layer.k_dim, Random({6}));
    RunObserve(backend, of_run, layer, q, {}, 0, 9);
    const std::vector<int64_t> offsets = RowOffsets(of_run, entry, 8, 24);
    std::vector<float> scores(static_cast<size_t>(offsets.back()), -1.0f);
    WindowScoreArgs args;
    args.rows = RowSet{&entry, 8, 24, offsets.data()};
    args.layer = &layer;
    args.length = entry.base_length + entry.token_count;
    args.observation = of_run.Ring(0, layer);
    args.layout = of_run.RingLayout(0, layer);
    args.window = 3;
    args.pool = WindowPool::kMax;
    args.pool_width = 5;
    args.scores = scores.data();
    RunOperation(backend, args);
    Written written;
    Note(scores, &written);
    return written;
  });
}

}  // namespace
}  // namespace sluice
