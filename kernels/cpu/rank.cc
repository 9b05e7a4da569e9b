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

// From this many keys on, a sample tells first which of them are in question.
// The k-th largest lies within the margin with four standard deviations or more.
inline constexpr int64_t kManyKeys = 16384;
inline constexpr int64_t kSamples = 1024;
inline constexpr int64_t kSampleMargin = 64;

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
  int64_t above = 0;
  for (int64_t i = 0; i + 1 < k; ++i) above += keys[i] > threshold ? 1 : 0;
  return {threshold, k - above};
}

void SumTables(int32_t bins, RankRoom* room) {
  for (int32_t bin = 0; bin < bins; ++bin) {
    uint32_t sum = 0;
    for (const auto& table : room->tables) sum += table[bin];
    room->histogram[bin] = sum;
  }
}

void CountDigit(const uint32_t* keys, int64_t count, int32_t digit, RankRoom* room) {
  std::memset(room->tables, 0, sizeof(room->tables));
  const uint32_t mask = static_cast<uint32_t>(kRankBins[digit]) - 1;
  for (int64_t i = 0; i < count; ++i) {
    ++room->tables[i % kTables][(keys[i] >> kRankShift[digit]) & mask];
  }
  SumTables(kRankBins[digit], room);
}

// Two keys that enclose the k-th largest of a range in all likelihood.
struct Bracket {
  uint32_t low = 0;
  uint32_t high = ~0u;
};

Bracket GuessBracket(const float* scores, const RowRange& range, int64_t k, uint32_t* sample) {
  for (int64_t i = 0; i < kSamples; ++i) {
    sample[i] = OrderedKey(scores[range.begin + i * range.size() / kSamples]);
  }
  const int64_t place = k * kSamples / range.size();
  const int64_t high = place - kSampleMargin;
  const int64_t low = place + kSampleMargin;
  Bracket bracket;
  if (high > 0) {
    std::nth_element(sample, sample + high, sample + kSamples, std::greater<>());
    bracket.high = sample[high];
  }
  if (low < kSamples) {
    uint32_t* begin = sample + std::max<int64_t>(high, 0);
    std::nth_element(begin, sample + low, sample + kSamples, std::greater<>());
    bracket.low = sample[low];
  }
  return bracket;
}

// Keeps the keys within a bracket; returns how many, and how many lie above.
int64_t KeepBracket(const float* scores, const RowRange& range, const Bracket& bracket,
                    uint32_t* keys, int64_t* above) {
  const Words d;
  const auto low = hn::Set(d, bracket.low);
  const auto high = hn::Set(d, bracket.high);
  uint32_t* to = keys;
  int64_t larger_keys = 0;
  ForEachKey(
      scores, range,
      [&](hn::Vec<Words> key) {
        const auto larger = hn::Gt(key, high);
        const auto within = hn::Not(hn::Or(larger, hn::Gt(low, key)));
        larger_keys += static_cast<int64_t>(hn::CountTrue(d, larger));
        // The store may write a whole vector: the room has a vector's slack.
        hn::StoreU(hn::Compress(key, within), d, to);
        to += hn::CountTrue(d, within);
      },
      [&](uint32_t key) {
        larger_keys += key > bracket.high ? 1 : 0;
        if (key >= bracket.low && key <= bracket.high) *to++ = key;
      });
  *above = larger_keys;
  return to - keys;
}

// Keeps, in place, the keys whose digits up to `digit` are `prefix`.
int64_t KeepDigit(uint32_t* keys, int64_t count, uint32_t prefix, int32_t digit) {
  const Words d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto wanted = hn::Set(d, prefix);
  uint32_t* to = keys;
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto key = hn::LoadU(d, keys + i);
    const auto equal = hn::Eq(hn::ShiftRightSame(key, kRankShift[digit]), wanted);
    // The store may write a whole vector: no further than what has been read.
    hn::StoreU(hn::Compress(key, equal), d, to);
    to += hn::CountTrue(d, equal);
  }
  for (; i < count; ++i) {
    if (keys[i] >> kRankShift[digit] == prefix) *to++ = keys[i];
  }
  return to - keys;
}

Threshold ThresholdOfKeys(int64_t count, int64_t k, RankRoom* room) {
  uint32_t prefix = 0;
  for (int32_t digit = 0; digit < kRankDigits; ++digit) {
    CountDigit(room->keys, count, digit, room);
    const DigitPlace place = FindDigit(room->histogram, kRankBins[digit], k);
    prefix = prefix * static_cast<uint32_t>(kRankBins[digit]) + static_cast<uint32_t>(place.digit);
    k -= place.above;
    if (digit + 1 < kRankDigits) count = KeepDigit(room->keys, count, prefix, digit);
  }
  return {prefix, k};
}

Threshold FindThresholdImpl(const float* scores, const RowRange& range, int64_t k,
                            WorkerScratch& scratch) {
  auto* room = reinterpret_cast<RankRoom*>(scratch.data);
  if (range.size() <= kFewKeys) return ThresholdOfFew(scores, range, k, room->keys);
  if (range.size() >= kManyKeys) {
    const Bracket bracket = GuessBracket(scores, range, k, room->keys);
    int64_t above = 0;
    const int64_t count = KeepBracket(scores, range, bracket, room->keys, &above);
    if (above < k && k <= above + count) return ThresholdOfKeys(count, k - above, room);
  }
  return ThresholdOfKeys(StoreKeys(scores, range, room->keys), k, room);
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
