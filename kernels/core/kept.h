// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Walking the slots that a mask keeps. Stateless, thread-safe.

#include <cstdint>

#include "kernels/core/host_device.h"

namespace sluice {

SLUICE_HD inline int32_t CountBits(uint32_t word) {
#ifdef __CUDA_ARCH__
  return __popc(word);
#else
  return __builtin_popcount(word);
#endif
}

SLUICE_HD inline int32_t LowestBitIndex(uint32_t word) {
#ifdef __CUDA_ARCH__
  return __ffs(static_cast<int>(word)) - 1;
#else
  return __builtin_ctz(word);
#endif
}

// Word `word` of a row's mask without the bits of slots at or beyond `slots`;
// a null mask keeps all.
SLUICE_HD inline uint32_t MaskWord(const uint32_t* mask, int64_t word, int64_t slots) {
  const uint32_t bits = mask == nullptr ? 0xffffffffu : mask[word];
  const int64_t rest = slots - word * 32;
  return rest >= 32 ? bits : bits & ((1u << rest) - 1u);
}

// The kept slot number `n` (from 0) of `word`. REQUIRES: n < CountBits(word).
SLUICE_HD inline int32_t NthBitIndex(uint32_t word, int32_t n) {
  for (; n > 0; --n) word &= word - 1;
  return LowestBitIndex(word);
}

// Writes up to `count` kept slots from slot `first` on, in order; returns how
// many there were.
SLUICE_HD inline int32_t ListKept(const uint32_t* mask, int64_t slots, int64_t first, int32_t count,
                                  int64_t* kept) {
  int32_t found = 0;
  for (int64_t word = first / 32; word * 32 < slots && found < count; ++word) {
    uint32_t bits = MaskWord(mask, word, slots);
    if (word * 32 < first) bits &= ~((1u << (first % 32)) - 1u);
    for (; bits != 0 && found < count; bits &= bits - 1) {
      kept[found++] = word * 32 + LowestBitIndex(bits);
    }
  }
  return found;
}

}  // namespace sluice
