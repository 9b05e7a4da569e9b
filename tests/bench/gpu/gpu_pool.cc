// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/gpu/gpu_pool.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace sluice::bench {
namespace {

std::byte* NotNull(std::byte* memory, int64_t bytes) {
  if (memory != nullptr) return memory;
  std::fprintf(stderr, "no memory for the benchmark's pool: %lld bytes\n",
               static_cast<long long>(bytes));
  std::exit(1);
}

constexpr int64_t kFormats = 2;

PageFormat Format(KeySpace key_space) {
  PageFormat format;
  format.dtype = Dtype::kBf16;
  format.key_space = key_space;
  format.pairing = RopePairing::kHalfSplit;
  format.page_size = GpuPool::kPageSize;
  format.k_dim = format.v_dim = format.rotary_dim = GpuPool::kDim;
  format.layout = PageLayout::kSwizzled;
  return format;
}

int64_t BlocksOf(int64_t slots) {
  return RoundUp(slots, GpuPool::kPageSize) / GpuPool::kPageSize;
}

}  // namespace

GpuPool::GpuPool(BenchDevice& device, int64_t slab_count, int64_t workspace_bytes,
                 int64_t table_bytes)
    : device_(device),
      slab_bytes_(slab_count * kSlabBytes),
      workspace_bytes_(workspace_bytes),
      table_bytes_(table_bytes),
      memory_(NotNull(device.runtime().AllocateDevice(bytes()), bytes())),
      tables_(NotNull(device.runtime().AllocateHost(table_bytes), table_bytes)),
      formats_(reinterpret_cast<SpanFormat*>(NotNull(
          device.runtime().AllocateHost(kFormats * static_cast<int64_t>(sizeof(SpanFormat))), 0))),
      view_{memory_, kSlabBytes, tables_, formats_},
      mirror_({view_, table_bytes, kFormats}, device.runtime()) {
  for (const KeySpace key_space : {KeySpace::kRotated, KeySpace::kCachePosition}) {
    const PageFormat format = Format(key_space);
    formats_[static_cast<size_t>(key_space)] = {format, MakeSlabLayout(format, kSlabBytes)};
  }
  mirror_.Changed(formats_, kFormats * static_cast<int64_t>(sizeof(SpanFormat)));
  FillSlabs();
  ShufflePages(slab_count);
}

GpuPool::~GpuPool() {
  device_.runtime().FreeHost(reinterpret_cast<std::byte*>(formats_));
  device_.runtime().FreeHost(tables_);
  device_.runtime().FreeDevice(memory_);
}

// Pages hold random values, side arrays zeros.
void GpuPool::FillSlabs() {
  const SlabLayout& slab = formats_[0].slab;
  device_.FillBf16(memory_, slab_bytes_);
  for (int64_t at = 0; at < slab_bytes_; at += kSlabBytes) {
    device_.runtime().Clear(memory_ + at + slab.position_offset,
                            kSlabBytes - slab.position_offset);
  }
}

void GpuPool::ShufflePages(int64_t slab_count) {
  for (int64_t slab = 0; slab < slab_count; ++slab) {
    for (int32_t page = 0; page < formats_[0].slab.pages; ++page) {
      pages_.push_back(static_cast<uint32_t>(slab << kPageIndexBits) |
                       static_cast<uint32_t>(page));
    }
  }
  std::shuffle(pages_.begin(), pages_.end(), std::mt19937_64(7));
}

uint32_t GpuPool::NextPage() { return pages_[next_page_++ % pages_.size()]; }

std::byte* GpuPool::TakeWork(int64_t bytes) {
  std::byte* const piece = memory_ + slab_bytes_ + work_used_;
  work_used_ += RoundUp(bytes, 256);
  if (work_used_ > workspace_bytes_) NotNull(nullptr, work_used_);
  return piece;
}

const device::TableMirror& GpuPool::BringTables() {
  mirror_.Changed(tables_, table_used_);
  mirror_.Bring(Lane::kForeground, mirror_.Capture());
  return mirror_;
}

void GpuPool::StartOver() {
  work_used_ = 0;
  table_used_ = 0;
}

template <class T>
T* GpuPool::TakeTable(int64_t count) {
  auto* const piece = reinterpret_cast<T*>(tables_ + table_used_);
  table_used_ += RoundUp(count * static_cast<int64_t>(sizeof(T)), 8);
  if (table_used_ > table_bytes_) NotNull(nullptr, table_used_);
  std::fill_n(piece, count, T{});
  return piece;
}

template <class T>
uint64_t GpuPool::OffsetOf(const T* table) const {
  return static_cast<uint64_t>(reinterpret_cast<const std::byte*>(table) - tables_);
}

// The record, the rows and the page ids follow one another without gaps.
uint64_t GpuPool::LayBodies(const std::vector<int32_t>& slots) {
  const auto rows = static_cast<int64_t>(slots.size());
  int64_t pages = 0;
  for (const int32_t count : slots) pages += BlocksOf(count);
  auto* const words = TakeTable<uint32_t>(2 + 2 * rows + pages);
  auto* const record = reinterpret_cast<BodiesRecord*>(words);
  *record = {static_cast<int32_t>(rows), static_cast<uint32_t>(pages)};
  auto* const body_rows = reinterpret_cast<BodyRow*>(record + 1);
  auto* page_id = reinterpret_cast<uint32_t*>(body_rows + rows);
  uint32_t first_page = 0;
  for (int64_t row = 0; row < rows; ++row) {
    body_rows[row] = {first_page, slots[static_cast<size_t>(row)]};
    for (int64_t i = 0; i < BlocksOf(body_rows[row].slots); ++i) *page_id++ = NextPage();
    first_page += static_cast<uint32_t>(BlocksOf(body_rows[row].slots));
  }
  return OffsetOf(words);
}

uint64_t GpuPool::LayBlocks(int64_t blocks, int32_t rows) {
  auto* const ids = TakeTable<uint32_t>(blocks * rows);
  for (int64_t i = 0; i < blocks * rows; ++i) ids[i] = NextPage();
  auto* const list = TakeTable<uint32_t>(blocks);
  const auto first_word = static_cast<uint32_t>(OffsetOf(ids) / 4);
  for (int64_t block = 0; block < blocks; ++block) {
    list[block] = first_word + static_cast<uint32_t>(block * rows);
  }
  return OffsetOf(list);
}

uint64_t GpuPool::LayScores(int64_t blocks, int64_t block_bytes) {
  std::byte* const scores = TakeWork(blocks * block_bytes);
  device_.runtime().Clear(scores, blocks * block_bytes);
  auto* const list = TakeTable<uint64_t>(blocks);
  for (int64_t block = 0; block < blocks; ++block) {
    list[block] = static_cast<uint64_t>(scores - memory_ + block * block_bytes);
  }
  return OffsetOf(list);
}

std::vector<ViewEntry> GpuPool::Lay(const std::vector<SequenceShape>& shapes, int32_t rows,
                                    bool with_scores) {
  next_page_ = 0;
  int64_t first_token = 0;
  std::vector<ViewEntry> entries;
  for (const SequenceShape& shape : shapes) {
    ViewEntry& entry = entries.emplace_back();
    if (!shape.body_slots.empty()) {
      entry.bodies_offset = LayBodies(shape.body_slots);
      entry.tail_first_position =
          *std::max_element(shape.body_slots.begin(), shape.body_slots.end());
    }
    const int64_t blocks = BlocksOf(shape.tail_slots);
    entry.block_list_offset = LayBlocks(blocks, rows);
    if (with_scores) entry.score_list_offset = LayScores(blocks, int64_t{rows} * kPageSize * 4);
    entry.base_length = entry.tail_first_position + shape.tail_slots - shape.step_tokens;
    entry.token_count = shape.step_tokens;
    entry.first_token = first_token;
    first_token += shape.step_tokens;
  }
  return entries;
}

std::vector<ViewEntry> GpuPool::LayCascades(const CascadeGeometry& geometry, int64_t inserted,
                                            int64_t count, int32_t rows) {
  next_page_ = 0;
  const int64_t block_bytes = int64_t{rows} * kPageSize * 8;
  std::vector<ViewEntry> entries;
  for (int64_t i = 0; i < count; ++i) {
    ViewEntry& entry = entries.emplace_back();
    auto* const placed = TakeTable<CascadeGeometry>(1);
    *placed = geometry;
    entry.cascade_offset = OffsetOf(placed);
    const int64_t blocks = BlocksOf(geometry.body_slots());
    entry.body_list_offset = LayBlocks(blocks, rows);
    entry.body_score_list_offset = LayScores(blocks, block_bytes);
    entry.block_list_offset = LayBlocks(1, rows);
    entry.score_list_offset = LayScores(1, block_bytes);
    entry.tail_first_position = entry.base_length = inserted;
    entry.token_count = 1;
    entry.first_token = i;
    entry.tail_format = entry.body_format = static_cast<uint16_t>(KeySpace::kCachePosition);
  }
  return entries;
}

}  // namespace sluice::bench
