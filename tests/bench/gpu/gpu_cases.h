// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/ops.h"
#include "tests/bench/gpu/gpu_pool.h"

namespace sluice::bench {

// What an operation points to and the pool does not hold.
struct CaseArrays {
  std::vector<ViewEntry> entries;
  StepView view;
  LayerShape layer;
  std::vector<float> inv_freq;
  std::vector<int64_t> row_offsets;
  std::vector<int64_t> page_offsets;
  std::vector<uint32_t> pages;
  std::vector<PageCopy> copies;
  std::vector<SelectSegment> segments;
};

// An operation over a GpuPool, and the least that it can cost.
struct Case {
  std::string name;
  Operation operation;
  double bytes = 0.0;  // read and written in the device's memory, each once
  double flops = 0.0;  // of matrix products; 0: not what bounds it
  std::shared_ptr<CaseArrays> arrays;
  const void* output = nullptr;  // in the pool: the first of what it writes
};

// Makes cases over a pool, until its StartOver. What they read lies in the pool, but for
// records, which are passed with each launch as the daemon's are. A case can run any number of
// times.
//
// `divide`: cases are so many times smaller, for tests. Not thread-safe.
class CaseMaker {
 public:
  static constexpr int32_t kHeads = 8;

  explicit CaseMaker(GpuPool& pool, int64_t divide = 1) : pool_(pool), divide_(divide) {}

  // The newest token of each of `sequences` of `slots` slots.
  Case Decode(const char* name, int64_t sequences, int64_t slots, int32_t q_heads, bool mass);
  // The same where rows have lognormal lengths with a maximum of 8 times their mean.
  Case DecodeRagged(const char* name, int64_t sequences, int64_t mean_slots, int32_t q_heads);
  // The same over keys that are turned by their cache positions: 64 sinks and 4 rings.
  Case DecodeCascade(const char* name, int64_t sequences, int64_t slots, int32_t q_heads);
  // One token of each sequence is moved into such a body.
  Case InsertCascade(const char* name, int64_t sequences, int64_t slots, int32_t q_heads);
  // All tokens of a sequence, causal.
  Case Prefill(const char* name, int64_t tokens, int32_t q_heads);
  // `tokens` new tokens of each sequence.
  Case Append(const char* name, int64_t sequences, int64_t tokens);
  // Half of each row is kept; `whole`: all of it, so that no page is written.
  Case Compact(const char* name, int32_t rows, int64_t slots, bool whole);
  Case CopyPages(const char* name, int64_t pages);
  // A fourth of `rows` rows: of each, or of all together.
  Case Select(const char* name, int32_t rows, int64_t slots, bool together);
  Case KeyNormScore(const char* name, int32_t rows, int64_t slots);
  // The last 32 query rows, whose log-sum-exp is known.
  Case WindowScore(const char* name, int64_t slots, int32_t q_heads);

 private:
  int64_t Part(int64_t whole, int64_t least) const;
  void SetLayer(int32_t q_heads, CaseArrays* arrays) const;
  void SetView(CaseArrays* arrays) const;
  // A sequence of `rows` rows of `slots` slots below its snapshot.
  RowSet Rows(int32_t rows, int64_t slots, CaseArrays* arrays);
  AttendArgs Attend(CaseArrays* arrays);
  CascadeGeometry Cascade(int64_t slots) const;
  // The same with the layer and the entries.
  void LayCascades(int64_t sequences, int64_t slots, int32_t q_heads, CaseArrays* arrays);

  GpuPool& pool_;
  const int64_t divide_;
};

}  // namespace sluice::bench
