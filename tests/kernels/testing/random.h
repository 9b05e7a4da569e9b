// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>

namespace sluice::kernels_testing {

// A small generator with the same values on every machine; any number of seeds
// may be given, so that a value can depend on (seed, row, position) alone.
class Random {
 public:
  explicit Random(std::initializer_list<int64_t> seeds) {
    for (const int64_t seed : seeds) {
      state_ ^= static_cast<uint64_t>(seed);
      Next();
    }
  }

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    state_ ^= z << 1;
    return z;
  }

  // In [0, bound).
  int64_t Below(int64_t bound) {
    return static_cast<int64_t>(Next() % static_cast<uint64_t>(bound));
  }

  // In [low, high].
  int64_t Between(int64_t low, int64_t high) { return low + Below(high - low + 1); }

  bool Chance(double probability) {
    return static_cast<double>(Next() >> 11) * 0x1p-53 < probability;
  }

  // Mean 0, variance 1, within +-3.5: the sum of four uniform numbers.
  float Normal() {
    const uint64_t bits = Next();
    double sum = 0.0;
    for (int i = 0; i < 4; ++i) sum += static_cast<double>(bits >> (16 * i) & 0xffff);
    return static_cast<float>((sum / 65536.0 - 2.0) * 1.7320508);
  }

  template <class T>
  T Of(std::initializer_list<T> choices) {
    return choices.begin()[Below(static_cast<int64_t>(choices.size()))];
  }

 private:
  uint64_t state_ = 0x2545f4914f6cdd1dull;
};

}  // namespace sluice::kernels_testing
