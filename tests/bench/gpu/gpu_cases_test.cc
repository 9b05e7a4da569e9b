// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// The benchmark's cases are what they are taken for: made small, they run over the emulated
// block and write what such an operation writes.

#include "tests/bench/gpu/gpu_cases.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/core/number.h"
#include "tests/bench/gpu/lowered_case.h"
#include "tests/kernels/sim/sim_runtime.h"

namespace sluice::bench {
namespace {

class SimDevice : public BenchDevice {
 public:
  device::DeviceRuntime& runtime() override { return runtime_; }
  void FillBf16(std::byte* memory, int64_t bytes) override {
    auto* const words = reinterpret_cast<uint32_t*>(memory);
    for (int64_t i = 0; i < bytes / 4; ++i) words[i] = Bf16Word(static_cast<uint64_t>(i));
  }
  void FillFloats(float* memory, int64_t count) override {
    auto* const words = reinterpret_cast<uint32_t*>(memory);
    for (int64_t i = 0; i < count; ++i) words[i] = FloatWord(static_cast<uint64_t>(i));
  }
  void Upload(void* memory, const void* host, int64_t bytes) override {
    std::memcpy(memory, host, static_cast<size_t>(bytes));
  }

 private:
  sim::SimRuntime runtime_{3};
};

class GpuCasesTest : public ::testing::Test {
 protected:
  // Twice, as a graph is launched again.
  const void* Run(Case made) {
    EXPECT_GE(made.bytes, 0.0);
    LoweredCase lowered(pool_, std::move(made), int64_t{1} << 20);
    lowered.Launch();
    lowered.Launch();
    return lowered.made().output;
  }

  // Attention over random values of size 1/4 to 1 is smaller than 1, and not 0.
  void ExpectAttended(Case made, int64_t queries) {
    const auto* const out = static_cast<const uint16_t*>(Run(std::move(made)));
    for (int64_t query = 0; query < queries; ++query) {
      float sum = 0.0f;
      for (int32_t dim = 0; dim < GpuPool::kDim; ++dim) {
        sum += std::fabs(Bf16ToFloat(out[query * GpuPool::kDim + dim]));
      }
      EXPECT_GT(sum, 0.1f) << query;
      EXPECT_LT(sum, GpuPool::kDim) << query;
    }
  }

  SimDevice device_;
  GpuPool pool_{device_, 8, int64_t{8} << 20, int64_t{1} << 20};
  CaseMaker maker_{pool_, 64};
};

TEST_F(GpuCasesTest, DecodeAttends) {
  ExpectAttended(maker_.Decode("decode", 128, 4096, 32, false), 64);
}

TEST_F(GpuCasesTest, DecodeWithMassScoresWhatItSees) {
  const Case made = maker_.Decode("mass", 64, 4096, 32, true);
  ExpectAttended(made, 32);
  const ViewEntry& entry = made.arrays->entries[0];
  const auto* const offsets =
      reinterpret_cast<const uint64_t*>(pool_.view().tables + entry.score_list_offset);
  const auto* const scores = reinterpret_cast<const float*>(pool_.view().pool + offsets[0]);
  EXPECT_GT(scores[0], 0.0f);
}

TEST_F(GpuCasesTest, RaggedRowsHaveTheSameSum) {
  const Case made = maker_.DecodeRagged("ragged", 128, 4096, 32);
  EXPECT_DOUBLE_EQ(made.bytes, 2.0 * CaseMaker::kHeads * (64 + 1) * GpuPool::kSlotBytes);
  ExpectAttended(made, 64);
}

TEST_F(GpuCasesTest, CascadesAttendAndInsert) {
  ExpectAttended(maker_.DecodeCascade("cascade", 64, 8192, 16), 16);
  Run(maker_.InsertCascade("insert", 64, 8192, 16));
}

TEST_F(GpuCasesTest, PrefillAttendsAllItsTokens) {
  const Case made = maker_.Prefill("prefill", 2560, 16);
  EXPECT_DOUBLE_EQ(made.flops, 4.0 * 40 * 41 / 2 * 128 * 16);
  ExpectAttended(made, 40 * 16);
}

TEST_F(GpuCasesTest, AppendStoresItsKeys) {
  const Case made = maker_.Append("append", 64, 4096);
  Run(made);
  const auto* const words = reinterpret_cast<const uint32_t*>(pool_.view().tables);
  const auto* const blocks = reinterpret_cast<const uint32_t*>(
      pool_.view().tables + made.arrays->entries[0].block_list_offset);
  const float norm =
      *PageKeyNorms(pool_.view(), pool_.view().formats[0].slab, words[blocks[0]]);
  EXPECT_GT(norm, 1.0f);
  EXPECT_LT(norm, 12.0f);
}

TEST_F(GpuCasesTest, CompactWritesHalfAndReusesTheWhole) {
  const auto reused = [this](bool whole) {
    return *static_cast<const uint32_t*>(Run(maker_.Compact("compact", 128, 8192, whole)));
  };
  EXPECT_EQ(reused(false), kNoPage);
  EXPECT_NE(reused(true), kNoPage);
}

TEST_F(GpuCasesTest, SelectKeepsAFourth) {
  for (const bool together : {false, true}) {
    const auto* const mask =
        static_cast<const uint32_t*>(Run(maker_.Select("select", 192, 16384, together)));
    int32_t kept = 0;
    for (int32_t word = 0; word < 3 * 256 / 32; ++word) kept += __builtin_popcount(mask[word]);
    EXPECT_EQ(kept, 3 * 256 / 4) << together;
  }
}

TEST_F(GpuCasesTest, ScoresAreWritten) {
  const auto* const window =
      static_cast<const float*>(Run(maker_.WindowScore("window", 8192, 16)));
  EXPECT_GT(window[0], 0.0f);
  EXPECT_LT(window[CaseMaker::kHeads * 128 - 1], 100.0f);
  const auto* const norms =
      static_cast<const float*>(Run(maker_.KeyNormScore("norms", 128, 8192)));
  EXPECT_EQ(norms[2 * 128 - 1], 0.0f);
}

TEST_F(GpuCasesTest, PagesAreCopied) {
  const Case made = maker_.CopyPages("copy", 192);
  Run(made);
  const SlabLayout& slab = pool_.view().formats[0].slab;
  const PageCopy& copy = made.arrays->copies[2];
  EXPECT_EQ(std::memcmp(PageData(pool_.view(), slab, copy.source),
                        PageData(pool_.view(), slab, copy.destination),
                        static_cast<size_t>(slab.page_bytes)),
            0);
}

}  // namespace
}  // namespace sluice::bench
