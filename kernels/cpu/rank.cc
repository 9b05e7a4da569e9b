// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/rank.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "kernels/core/number.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rank.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

#ifndef SLUICE_KERNELS_CPU_RANK_ONCE
#define SLUICE_KERNELS_CPU_RANK_ONCE
namespace sluice::cpu {

// Histograms are kept in tables side by side, so that equal digits in a row do
// not wait for each other's increment.
inline constexpr int32_t kTables = 4;

// Digits of FindThreshold, the most significant first.
inline constexpr int32_t kRankDigits = 3;
inline constexpr int32_t kRankShift[kRankDigits] = {21, 10, 0};
inline constexpr int32_t kRankBins[kRankDigits] = {2048, 2048, 1024};

// Below this many keys clearing the tables costs more than it gains.
inline constexpr int64_t kFewKeys = 1024;

// What FindThreshold keeps in the worker's scratch.
struct RankRoom {
  uint16_t tables[kTables][2048];
  uint32_t histogram[2048];
  uint32_t keys[kMaxRankedSlots + 64];
};
static_assert(kMaxRankedSlots / kTables <= 0xffff, "a table counts in 16 bits");

}  // namespace sluice::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::ScalableTag<uint32_t>;

// OrderedKey of a vector of scores.
inline hn::Vec<Words> Keys(const float* scores) {
  const Words d;
  const hn::RebindToSigned<Words> di;
  const auto bits = hn::BitCast(di, hn::LoadU(hn::RebindToFloat<Words>(), scores));
  const auto sign = hn::BroadcastSignBit(bits);
  const auto magnitude = hn::And(bits, hn::Set(di, 0x7fffffff));
  const auto number = hn::Sub(hn::Xor(magnitude, sign), sign);
  const auto is_nan = hn::Gt(magnitude, hn::Set(di, 0x7f800000));
  const auto lowest = hn::Set(di, INT32_MIN);
  return hn::Xor(hn::BitCast(d, hn::IfThenElse(is_nan, lowest, number)), hn::Set(d, 0x80000000u));
}

// Calls `body(keys)` on whole vectors of keys of a range, `rest(key)` on the others.
template <class Body, class Rest>
HWY_INLINE void ForEachKey(const float* scores, const RowRange& range, const Body& body,
                           const Rest& rest) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Words()));
  int64_t slot = range.begin;
  for (; slot + lanes <= range.end; slot += lanes) body(Keys(scores + slot));
  for (; slot < range.end; ++slot) rest(OrderedKey(scores[slot]));
}

int64_t StoreKeys(const float* scores, const RowRange& range, uint32_t* keys) {
  uint32_t* to = keys;
  ForEachKey(
      scores, range,
      [&](hn::Vec<Words> key) {
        hn::StoreU(key, Words(), to);
        to += hn::Lanes(Words());
      },
      [&](uint32_t key) { *to++ = key; });
  return to - keys;
}

Threshold ThresholdOfFew(const float* scores, const RowRange& range, int64_t k, uint32_t* keys) {
  const int64_t count = StoreKeys(scores, range, keys);
  std::nth_element(keys, keys + (k - 1), keys + count, std::greater<>());
  const uint32_t threshold = keys[k - 1];
  // What the partition left before place k - 1 is at least the threshold.
  const int64_t above =
      std::count_if(keys, keys + (k - 1), [&](uint32_t key) { return key > threshold; });
  return {threshold, k - above};
}

void SumTables(int32_t bins, RankRoom* room) {
  for (int32_t bin = 0; bin < bins; ++bin) {
    uint32_t sum = 0;
    for (const auto& table : room->tables) sum += table[bin];
    room->histogram[bin] = sum;
  }
}

void CountFirstDigit(const float* scores, const RowRange& range, RankRoom* room) {
  std::memset(room->tables, 0, sizeof(room->tables));
  HWY_ALIGN uint32_t digits[hn::MaxLanes(Words())];
  ForEachKey(
      scores, range,
      [&](hn::Vec<Words> key) {
        hn::Store(hn::ShiftRight<kRankShift[0]>(key), Words(), digits);
        for (size_t i = 0; i < hn::Lanes(Words()); ++i) ++room->tables[i % kTables][digits[i]];
      },
      [&](uint32_t key) { ++room->tables[0][key >> kRankShift[0]]; });
  SumTables(kRankBins[0], room);
}

void CountDigit(const uint32_t* keys, int64_t count, int32_t digit, RankRoom* room) {
  std::memset(room->tables, 0, sizeof(room->tables));
  const uint32_t mask = static_cast<uint32_t>(kRankBins[digit]) - 1;
  for (int64_t i = 0; i < count; ++i) {
    ++room->tables[i % kTables][(keys[i] >> kRankShift[digit]) & mask];
  }
  SumTables(kRankBins[digit], room);
}

// The keys of a range whose first digit is `digit`.
int64_t KeepFirstDigit(const float* scores, const RowRange& range, uint32_t digit,
                       uint32_t* keys) {
  const Words d;
  const auto wanted = hn::Set(d, digit);
  uint32_t* to = keys;
  ForEachKey(
      scores, range,
      [&](hn::Vec<Words> key) {
        const auto equal = hn::Eq(hn::ShiftRight<kRankShift[0]>(key), wanted);
        // The store may write a whole vector: the room has a vector's slack.
        hn::StoreU(hn::Compress(key, equal), d, to);
        to += hn::CountTrue(d, equal);
      },
      [&](uint32_t key) {
        if (key >> kRankShift[0] == digit) *to++ = key;
      });
  return to - keys;
}

int64_t KeepDigit(uint32_t* keys, int64_t count, uint32_t prefix, int32_t digit) {
  return std::remove_if(keys, keys + count,
                        [&](uint32_t key) { return key >> kRankShift[digit] != prefix; }) -
         keys;
}

Threshold FindThresholdImpl(const float* scores, const RowRange& range, int64_t k,
                            WorkerScratch& scratch) {
  auto* room = reinterpret_cast<RankRoom*>(scratch.data);
  if (range.size() <= kFewKeys) return ThresholdOfFew(scores, range, k, room->keys);
  CountFirstDigit(scores, range, room);
  DigitPlace place = FindDigit(room->histogram, kRankBins[0], k);
  uint32_t prefix = static_cast<uint32_t>(place.digit);
  int64_t count = KeepFirstDigit(scores, range, prefix, room->keys);
  for (int32_t digit = 1; digit < kRankDigits; ++digit) {
    k -= place.above;
    CountDigit(room->keys, count, digit, room);
    place = FindDigit(room->histogram, kRankBins[digit], k);
    prefix = prefix * static_cast<uint32_t>(kRankBins[digit]) + static_cast<uint32_t>(place.digit);
    if (digit + 1 < kRankDigits) count = KeepDigit(room->keys, count, prefix, digit);
  }
  return {prefix, k - place.above};
}

template <class Mask>
HWY_INLINE uint32_t BitsOf(Mask mask) {
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(Words(), mask, bytes);
  return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8;
}

int64_t MarkAboveImpl(const float* scores, const RowRange& range, const Threshold& threshold,
                      uint32_t* mask) {
  const Words d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto key = hn::Set(d, threshold.key);
  int64_t ties = threshold.ties;
  for (int64_t word = range.begin / 32; word * 32 < range.end; ++word) {
    uint32_t above = 0;
    uint32_t equal = 0;
    for (int64_t i = 0; i < 32; i += lanes) {
      const auto keys = Keys(scores + word * 32 + i);
      above |= BitsOf(hn::Gt(keys, key)) << i;
      equal |= BitsOf(hn::Eq(keys, key)) << i;
    }
    const uint32_t in_range = RangeBits(range, word);
    equal &= in_range;
    const int64_t equal_count = __builtin_popcount(equal);
    if (equal_count > ties) equal = LowestBits(equal, ties);
    ties -= std::min(ties, equal_count);
    mask[word] |= (above & in_range) | equal;
  }
  return ties;
}

void CountDigitsImpl(const float* scores, const RowRange& range, uint32_t prefix, int32_t digit,
                     uint32_t* histogram) {
  const Words d;
  const int shift = 24 - 8 * digit;
  const uint32_t high = digit == 0 ? 0u : ~0u << (shift + 8);
  const auto high_bits = hn::Set(d, high);
  const auto wanted = hn::Set(d, prefix & high);
  uint32_t tables[kTables][kTileBins] = {};
  HWY_ALIGN uint32_t matches[hn::MaxLanes(Words())];
  ForEachKey(
      scores, range,
      [&](hn::Vec<Words> key) {
        const auto match = hn::Eq(hn::And(key, high_bits), wanted);
        hn::Store(hn::Compress(key, match), d, matches);
        const size_t count = hn::CountTrue(d, match);
        for (size_t i = 0; i < count; ++i) ++tables[i % kTables][(matches[i] >> shift) & 0xff];
      },
      [&](uint32_t key) {
        if ((key & high) == (prefix & high)) ++tables[0][(key >> shift) & 0xff];
      });
  for (int32_t bin = 0; bin < kTileBins; ++bin) {
    histogram[bin] = tables[0][bin] + tables[1][bin] + tables[2][bin] + tables[3][bin];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::cpu {

HWY_EXPORT(FindThresholdImpl);
HWY_EXPORT(MarkAboveImpl);
HWY_EXPORT(CountDigitsImpl);

static_assert(sizeof(RankRoom) <= static_cast<size_t>(int64_t{1} << 20),
              "the worker's scratch holds it");

Threshold FindThreshold(const float* scores, const RowRange& range, int64_t k,
                        WorkerScratch& scratch) {
  return HWY_DYNAMIC_DISPATCH(FindThresholdImpl)(scores, range, k, scratch);
}

int64_t MarkAbove(const float* scores, const RowRange& range, const Threshold& threshold,
                  uint32_t* mask) {
  return HWY_DYNAMIC_DISPATCH(MarkAboveImpl)(scores, range, threshold, mask);
}

void CountDigits(const float* scores, const RowRange& range, uint32_t prefix, int32_t digit,
                 uint32_t* histogram) {
  HWY_DYNAMIC_DISPATCH(CountDigitsImpl)(scores, range, prefix, digit, histogram);
}

}  // namespace sluice::cpu
#endif  // HWY_ONCE
