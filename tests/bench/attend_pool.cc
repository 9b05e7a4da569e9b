// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/attend_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace sluice::bench {

AttendPool::AttendPool(const PageFormat& format, int64_t bytes, bool with_scores) : bytes_(bytes) {
  format_ = {format, MakeSlabLayout(format, kSlabBytes)};
  formats_[0] = formats_[1] = format_;
  formats_[1].page.key_space = KeySpace::kCachePosition;
  // Scores: up to 8 bytes a slot of a row, against slot_bytes() of keys and values.
  score_bytes_ = with_scores ? RoundUp(bytes / slot_bytes() * 8, kSlabBytes) : 0;
  const auto size = static_cast<size_t>(bytes_ + score_bytes_);
  void* memory = mmap(nullptr, size + kSlabBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("mmap of the benchmark's pool");
    std::exit(1);
  }
  const auto address = reinterpret_cast<uintptr_t>(memory);
  pool_ = reinterpret_cast<std::byte*>(RoundUp(static_cast<int64_t>(address), kSlabBytes));
  madvise(pool_, size, MADV_HUGEPAGE);
  FillPages();
  ShufflePages();
  view_ = {pool_, kSlabBytes, nullptr, formats_};
}

// The mapping lives as long as the process; a benchmark has one pool at a time.
AttendPool::~AttendPool() { munmap(pool_, static_cast<size_t>(bytes_ + score_bytes_)); }

int64_t AttendPool::slot_bytes() const {
  return (format_.page.k_dim + format_.page.v_dim) * DtypeBytes(format_.page.dtype);
}

// 2-byte values with any sign and mantissa, of size 1/4 to 1; side arrays 0.
void AttendPool::FillPages() {
  uint64_t state = 88172645463325252u;
  for (int64_t slab = 0; slab < bytes_ / kSlabBytes; ++slab) {
    std::byte* base = pool_ + slab * kSlabBytes;
    auto* words = reinterpret_cast<uint64_t*>(base);
    const int64_t count = format_.slab.pages * format_.slab.page_bytes / 8;
    for (int64_t i = 0; i < count; ++i) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      // bf16: sign, 7 exponent bits fixed, the lowest and the mantissa random.
      words[i] = (state & 0x80ff80ff80ff80ffu) | 0x3e003e003e003e00u;
    }
    std::fill_n(base + format_.slab.position_offset, kSlabBytes - format_.slab.position_offset,
                std::byte{0});
  }
  std::fill_n(pool_ + bytes_, score_bytes_, std::byte{0});
}

void AttendPool::ShufflePages() {
  for (int64_t slab = 0; slab < bytes_ / kSlabBytes; ++slab) {
    for (int32_t page = 0; page < format_.slab.pages; ++page) {
      pages_.push_back(static_cast<uint32_t>(slab << kPageIndexBits) | static_cast<uint32_t>(page));
    }
  }
  std::shuffle(pages_.begin(), pages_.end(), std::mt19937_64(7));
}

std::vector<ViewEntry> AttendPool::LaySequences(int64_t slots, int32_t step_tokens) {
  const int64_t page_size = format_.page.page_size;
  const int64_t blocks = (slots + page_size - 1) / page_size;
  const int64_t count = static_cast<int64_t>(pages_.size()) / (blocks * kHeads);
  // Per sequence: the page ids of its blocks, its block list, its score list.
  const int64_t words = blocks * kHeads + RoundUp(blocks, 2) + 2 * blocks;
  tables_.assign(static_cast<size_t>(count * words / 2), 0);
  auto* table = reinterpret_cast<uint32_t*>(tables_.data());
  std::vector<ViewEntry> entries(static_cast<size_t>(count));
  size_t next_page = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t pages_at = i * words;
    const int64_t list_at = pages_at + blocks * kHeads;
    const int64_t scores_at = list_at + RoundUp(blocks, 2);
    for (int64_t block = 0; block < blocks; ++block) {
      table[list_at + block] = static_cast<uint32_t>(pages_at + block * kHeads);
      for (int32_t row = 0; row < kHeads; ++row) {
        table[pages_at + block * kHeads + row] = pages_[next_page++];
      }
      const int64_t block_number = i * blocks + block;
      tables_[static_cast<size_t>(scores_at / 2 + block)] =
          static_cast<uint64_t>(bytes_ + block_number * kHeads * page_size * 4);
    }
    ViewEntry& entry = entries[static_cast<size_t>(i)];
    entry.block_list_offset = static_cast<uint64_t>(list_at * 4);
    if (score_bytes_ > 0) entry.score_list_offset = static_cast<uint64_t>(scores_at * 4);
    entry.base_length = slots - step_tokens;
    entry.token_count = step_tokens;
    entry.first_token = i * step_tokens;
  }
  view_.tables = reinterpret_cast<const std::byte*>(tables_.data());
  return entries;
}

// Per sequence: its geometry, the page ids of its body's blocks and of its pending
// block, the list of the former and then the latter, and the same of their scores.
std::vector<ViewEntry> AttendPool::LayCascades(const CascadeGeometry& geometry,
                                               int64_t inserted) {
  const int64_t blocks =
      1 + RoundUp(geometry.body_slots(), format_.page.page_size) / format_.page.page_size;
  const int64_t count = static_cast<int64_t>(pages_.size()) / (blocks * kHeads);
  const int64_t words = RoundUp(static_cast<int64_t>(sizeof(CascadeGeometry)) / 4, 2) +
                        RoundUp(blocks * (kHeads + 1), 2) + 2 * blocks;
  tables_.assign(static_cast<size_t>(count * words / 2), 0);
  std::vector<ViewEntry> entries;
  size_t next_page = 0;
  for (int64_t i = 0; i < count; ++i) {
    entries.push_back(LayCascade(geometry, inserted, i, blocks, words, &next_page));
  }
  view_.tables = reinterpret_cast<const std::byte*>(tables_.data());
  return entries;
}

ViewEntry AttendPool::LayCascade(const CascadeGeometry& geometry, int64_t inserted,
                                 int64_t number, int64_t blocks, int64_t words,
                                 size_t* next_page) {
  const int64_t score_bytes = int64_t{kHeads} * format_.page.page_size * 8;
  auto* table = reinterpret_cast<uint32_t*>(tables_.data());
  const int64_t pages_at =
      number * words + RoundUp(static_cast<int64_t>(sizeof(CascadeGeometry)) / 4, 2);
  const int64_t list_at = pages_at + blocks * kHeads;
  const int64_t scores_at = (number + 1) * words - 2 * blocks;
  *reinterpret_cast<CascadeGeometry*>(table + number * words) = geometry;
  for (int64_t block = 0; block < blocks; ++block) {
    table[list_at + block] = static_cast<uint32_t>(pages_at + block * kHeads);
    for (int32_t row = 0; row < kHeads; ++row) {
      table[pages_at + block * kHeads + row] = pages_[(*next_page)++];
    }
    tables_[static_cast<size_t>(scores_at / 2 + block)] =
        static_cast<uint64_t>(bytes_ + (number * blocks + block) * score_bytes);
  }
  ViewEntry entry;
  entry.cascade_offset = static_cast<uint64_t>(number * words * 4);
  entry.body_list_offset = static_cast<uint64_t>(list_at * 4);
  entry.body_score_list_offset = static_cast<uint64_t>(scores_at * 4);
  entry.block_list_offset = static_cast<uint64_t>((list_at + blocks - 1) * 4);
  entry.score_list_offset = static_cast<uint64_t>((scores_at + 2 * (blocks - 1)) * 4);
  entry.tail_first_position = entry.base_length = inserted;
  entry.token_count = 1;
  entry.first_token = number;
  entry.tail_format = entry.body_format = 1;
  return entry;
}

}  // namespace sluice::bench
