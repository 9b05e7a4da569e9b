// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/free_set.h"

#include <bit>

namespace sluice {
namespace {

constexpr int kWordBits = 64;

uint64_t BitOf(int64_t number) { return uint64_t{1} << (number % kWordBits); }

size_t WordOf(int64_t number) { return static_cast<size_t>(number / kWordBits); }

}  // namespace

FreeSet::FreeSet(int64_t size) {
  do {
    size = (size + kWordBits - 1) / kWordBits;
    levels_.emplace_back(static_cast<size_t>(size > 0 ? size : 1));
  } while (size > 1);
}

void FreeSet::Insert(int64_t number) {
  for (std::vector<uint64_t>& level : levels_) {
    level[WordOf(number)] |= BitOf(number);
    number /= kWordBits;
  }
}

void FreeSet::Erase(int64_t number) {
  for (std::vector<uint64_t>& level : levels_) {
    uint64_t& word = level[WordOf(number)];
    word &= ~BitOf(number);
    if (word != 0) return;
    number /= kWordBits;
  }
}

bool FreeSet::Contains(int64_t number) const {
  const std::vector<uint64_t>& members = levels_.front();
  return WordOf(number) < members.size() && (members[WordOf(number)] & BitOf(number)) != 0;
}

std::optional<int64_t> FreeSet::Smallest() const {
  if (levels_.back().front() == 0) return std::nullopt;
  int64_t number = 0;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    number = number * kWordBits + std::countr_zero((*level)[static_cast<size_t>(number)]);
  }
  return number;
}

}  // namespace sluice
