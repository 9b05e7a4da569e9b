// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/contest.h"

#include <algorithm>

#include "kernels/cpu/rank.h"

namespace sluice::cpu {
namespace {

// Slots of a tile: counted in some 20 microseconds.
constexpr int64_t kTileSlots = 32768;

int64_t Bounded(int64_t above, const ContestRow& row, const Contests::Bounds& bounds) {
  return BoundedCount(above, row.slots.slots(), bounds.at_least, bounds.at_most);
}

}  // namespace

void Contests::Clear() {
  contests_.clear();
  progress_.clear();
  tiles_.clear();
}

void Contests::Add(ContestRow* rows, int64_t row_count, int64_t k, const Bounds& bounds) {
  int64_t least = 0;
  int64_t with_protected = 0;
  int64_t most = 0;
  for (int64_t r = 0; r < row_count; ++r) {
    least += Bounded(0, rows[r], bounds);
    with_protected += Bounded(rows[r].slots.protected_slots(), rows[r], bounds);
    most += Bounded(rows[r].slots.slots(), rows[r], bounds);
  }
  if (k <= least || k >= most) {
    for (int64_t r = 0; r < row_count; ++r) {
      rows[r].kept = Bounded(k <= least ? 0 : rows[r].slots.slots(), rows[r], bounds);
    }
    return;
  }
  Contest contest{rows, row_count, k, bounds, with_protected >= k, 0,
                  static_cast<int64_t>(progress_.size())};
  contests_.push_back(contest);
  for (int64_t r = 0; r < row_count; ++r) {
    const SelectRow& slots = rows[r].slots;
    Progress progress;
    progress.above = contest.among_protected ? 0 : slots.protected_slots();
    progress.equal = contest.among_protected ? slots.protected_slots() : slots.ranked.size();
    progress.first_tile = tiles();
    if (contest.among_protected) {
      AddTiles(rows[r], slots.low, &progress);
      AddTiles(rows[r], slots.high, &progress);
    } else {
      AddTiles(rows[r], slots.ranked, &progress);
    }
    progress_.push_back(progress);
  }
  if (rows[0].scores == nullptr) {
    Share(contest);
    progress_.resize(static_cast<size_t>(contest.first_progress));
    contests_.pop_back();
  }
}

void Contests::AddTiles(const ContestRow& row, const RowRange& range, Progress* progress) {
  if (row.scores == nullptr) return;
  for (int64_t slot = range.begin; slot < range.end; slot += kTileSlots) {
    const RowRange part{slot, std::min(range.end, slot + kTileSlots)};
    tiles_.push_back({contests() - 1, row.scores, part});
    ++progress->tile_count;
  }
}

void Contests::Start() {
  const size_t wanted = tiles_.size() * kTileBins;
  if (histograms_.size() < wanted) histograms_.resize(wanted);
}

void Contests::Count(int64_t tile, int32_t digit) {
  const Tile& t = tiles_[tile];
  CountDigits(t.scores, t.range, contests_[t.contest].prefix, digit,
              histograms_.data() + tile * kTileBins);
}

int64_t Contests::KeptAbove(const Contest& contest, bool with_upper) const {
  int64_t kept = 0;
  for (int64_t r = 0; r < contest.row_count; ++r) {
    const Progress& progress = progress_[contest.first_progress + r];
    kept += Bounded(progress.above + (with_upper ? progress.upper : 0), contest.rows[r],
                    contest.bounds);
  }
  return kept;
}

void Contests::SumBins(const Contest& contest, int32_t first_bin, int32_t bins) {
  for (int64_t r = 0; r < contest.row_count; ++r) {
    Progress& progress = progress_[contest.first_progress + r];
    progress.upper = 0;
    for (int64_t t = 0; t < progress.tile_count; ++t) {
      const uint32_t* bin = histograms_.data() + (progress.first_tile + t) * kTileBins + first_bin;
      uint32_t sum = 0;
      for (int32_t i = 0; i < bins; ++i) sum += bin[i];
      progress.upper += sum;
    }
  }
}

void Contests::Decide(int64_t index, int32_t digit) {
  Contest& contest = contests_[index];
  int32_t bin = 0;
  for (int32_t half = kTileBins / 2; half > 0; half /= 2) {
    SumBins(contest, bin + half, half);
    if (KeptAbove(contest, true) >= contest.k) {
      bin += half;
      continue;
    }
    for (int64_t r = 0; r < contest.row_count; ++r) {
      Progress& progress = progress_[contest.first_progress + r];
      progress.above += progress.upper;
    }
  }
  contest.prefix |= static_cast<uint32_t>(bin) << (24 - 8 * digit);
  if (digit + 1 < kTileDigits) return;
  SumBins(contest, bin, 1);
  for (int64_t r = 0; r < contest.row_count; ++r) {
    Progress& progress = progress_[contest.first_progress + r];
    progress.equal = progress.upper;
  }
  Share(contest);
}

// Gives the places that are left to the slots at the threshold, row by row.
void Contests::Share(const Contest& contest) {
  int64_t left = contest.k - KeptAbove(contest, false);
  for (int64_t r = 0; r < contest.row_count; ++r) {
    ContestRow& row = contest.rows[r];
    const Progress& progress = progress_[contest.first_progress + r];
    const int64_t without = Bounded(progress.above, row, contest.bounds);
    const int64_t with = Bounded(progress.above + progress.equal, row, contest.bounds);
    const int64_t gained = std::min(left, with - without);
    left -= gained;
    row.kept = without + gained;
    row.threshold = {contest.prefix, row.kept - progress.above};
  }
}

}  // namespace sluice::cpu
