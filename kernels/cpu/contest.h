// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/core/select.h"

namespace sluice::cpu {

// A row in a contest: what competes, and what came of it.
struct ContestRow {
  const float* scores = nullptr;  // of the row's first slot; null: all equal
  SelectRow slots;
  int64_t kept = 0;     // result: how many slots of the row stay
  Threshold threshold;  // result: ties are those of this row
};

// Several contests in lock step: in each, the slots of a run of rows compete
// for k places, within bounds for every row. Protected slots come first, then
// larger keys, then earlier rows.
//
// Keys are looked at digit by digit; a digit is first counted (items: tiles of
// rows), then decided (items: contests). Count and Decide: any worker, each
// item once; the rest: one thread between them. The rows outlive the object's use.
class Contests {
 public:
  struct Bounds {
    int64_t at_least = 0;
    int64_t at_most = std::numeric_limits<int64_t>::max();
  };

  void Clear();

  // Lets `rows[0 .. row_count)` compete. Their results are there at once, or
  // after the last digit was decided.
  void Add(ContestRow* rows, int64_t row_count, int64_t k, const Bounds& bounds);

  bool empty() const { return contests_.empty(); }
  int64_t tiles() const { return static_cast<int64_t>(tiles_.size()); }
  int64_t contests() const { return static_cast<int64_t>(contests_.size()); }

  // To be called before the tiles are counted for the first time.
  void Start();

  void Count(int64_t tile, int32_t digit);
  void Decide(int64_t contest, int32_t digit);

 private:
  struct Contest {
    ContestRow* rows = nullptr;
    int64_t row_count = 0;
    int64_t k = 0;
    Bounds bounds;
    bool among_protected = false;  // the threshold lies among the protected slots
    uint32_t prefix = 0;           // digits decided so far
    int64_t first_progress = 0;
  };

  struct Tile {
    int64_t contest = 0;
    const float* scores = nullptr;
    RowRange range;
  };

  // What is known of a row: slots above the digits decided so far.
  struct Progress {
    int64_t above = 0;
    int64_t equal = 0;  // with the last digit, once it is decided
    int64_t upper = 0;  // keys in the upper half of the bins still in question
    int64_t first_tile = 0;
    int64_t tile_count = 0;
  };

  int64_t KeptAbove(const Contest& contest, bool with_upper) const;
  void AddTiles(const ContestRow& row, const RowRange& range, Progress* progress);
  void SumBins(const Contest& contest, int32_t first_bin, int32_t bins);
  void Share(const Contest& contest);

  std::vector<Contest> contests_;
  std::vector<Progress> progress_;
  std::vector<Tile> tiles_;
  std::vector<uint32_t> histograms_;  // [tiles, kTileBins]
};

}  // namespace sluice::cpu
