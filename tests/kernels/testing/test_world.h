// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/view.h"
#include "kernels/make_backend.h"
#include "tests/kernels/testing/random.h"

namespace sluice::kernels_testing {

// The layout of the formats that worlds are given from now on: that of the backend under
// test.
void UsePageLayout(PageLayout layout);

// A pool and its tables in plain memory. Copyable: a copy holds the same bytes,
// and what was said in offsets and page ids means the same in it.
//
// Memory that nobody wrote is 0xff bytes: NaN in every element type. Pages come
// in random order. Not thread-safe.
class TestWorld {
 public:
  explicit TestWorld(int64_t seed) : random_({seed, 1}) {}
  TestWorld(const TestWorld&) = default;
  TestWorld& operator=(const TestWorld&) = default;

  static constexpr int64_t kSlabBytes = int64_t{1} << 21;

  // Formats must be added before View is first called. The layout is UsePageLayout's.
  uint16_t AddFormat(const PageFormat& format);
  const SpanFormat& format(uint16_t index) const { return formats_[index]; }

  // A page that nobody has.
  uint32_t TakePage(uint16_t format);

  // Offset of fresh bytes in the tables or in the pool, 128-byte aligned.
  uint64_t TakeTable(int64_t bytes);
  uint64_t TakePoolBytes(int64_t bytes);

  // What lies there. Invalid after the next Take.
  template <class T>
  T* Table(uint64_t offset) {
    return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(tables_.data()) + offset);
  }
  template <class T>
  T* Pool(uint64_t offset) {
    return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(pool_.data()) + offset);
  }

  // Pointers into this object: valid until the next Take, copy or move.
  PoolView View() const;

  int64_t PoolBytes() const { return static_cast<int64_t>(pool_.size()) * kLineBytes; }
  int64_t TableBytes() const { return static_cast<int64_t>(tables_.size()) * kLineBytes; }
  int64_t FormatCount() const { return static_cast<int64_t>(formats_.size()); }
  // All memory that the view leads to.
  std::vector<HostRange> Memory() const;

  // The format of each slab; kScoreSlab where TakePoolBytes took it.
  static constexpr uint16_t kScoreSlab = 0xffff;
  const std::vector<uint16_t>& slab_formats() const { return slab_formats_; }

 private:
  static constexpr int64_t kLineBytes = 128;
  struct alignas(kLineBytes) Line {
    std::byte bytes[kLineBytes];
  };

  uint64_t AddSlab(uint16_t format);

  Random random_;
  std::vector<SpanFormat> formats_;
  std::vector<std::vector<uint32_t>> free_pages_;  // by format
  std::vector<uint16_t> slab_formats_;
  std::vector<Line> pool_;
  std::vector<Line> tables_;
  int64_t score_bytes_left_ = 0;  // at the end of the last score slab
  uint64_t score_slab_end_ = 0;
};

// How far two pools may lie apart: key norms relative to their size, scores
// relative to 1 + their size.
struct PoolTolerance {
  double key_norm = 1e-6;
  double score = 1e-5;
};

inline constexpr PoolTolerance kBitForBit{0.0, 0.0};

// Expects the pools of two worlds to hold the same bytes: key norms and scores
// within the tolerance, all else bit for bit.
void ExpectSamePools(const TestWorld& expected, const TestWorld& actual,
                     const PoolTolerance& tolerance = {});

}  // namespace sluice::kernels_testing
