// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/core/ring.h"
#include "kernels/core/view.h"
#include "kernels/device/table_mirror.h"
#include "tests/bench/gpu/bench_device.h"

namespace sluice::bench {

// A sequence of a case.
struct SequenceShape {
  std::vector<int32_t> body_slots;  // of each row; empty: no body
  int64_t tail_slots = 0;           // those of the step's tokens included
  int32_t step_tokens = 1;
};

// A pool of random keys and values in a device's memory, bf16, 128 dims, and behind its slabs
// a workspace for what operations read and write. Tables are mirrored there, as the daemon's
// are. Not thread-safe.
//
// Each Lay begins with the same pages in the same shuffled order: cases share their content.
class GpuPool {
 public:
  static constexpr int64_t kSlabBytes = int64_t{2} << 20;
  static constexpr int32_t kDim = 128;
  static constexpr int32_t kPageSize = 32;
  static constexpr int64_t kSlotBytes = 2 * kDim * 2;  // keys and values of one slot of one row

  // `device` outlives the object. Ends the process where there is no such memory.
  GpuPool(BenchDevice& device, int64_t slab_count, int64_t workspace_bytes, int64_t table_bytes);
  ~GpuPool();
  GpuPool(const GpuPool&) = delete;
  GpuPool& operator=(const GpuPool&) = delete;

  // Lays sequences of `rows` rows over the pages; over some of them again where there are too
  // few. `with_scores`: with score memory.
  std::vector<ViewEntry> Lay(const std::vector<SequenceShape>& shapes, int32_t rows,
                             bool with_scores);

  // The same of `count` sequences under a cascade, with `inserted` tokens in their bodies and
  // a pending chunk of one new token, with scores of one pending sum.
  std::vector<ViewEntry> LayCascades(const CascadeGeometry& geometry, int64_t inserted,
                                     int64_t count, int32_t rows);

  // The next page that the last Lay did not use.
  uint32_t NextPage();

  // `bytes` of the workspace, 256-byte aligned, as they are; until StartOver.
  std::byte* TakeWork(int64_t bytes);
  template <class T>
  T* TakeWork(int64_t count) {
    return reinterpret_cast<T*>(TakeWork(count * static_cast<int64_t>(sizeof(T))));
  }

  // Brings the tables as they are to the device, before what is launched from now on. Returns
  // how kernels reach them.
  const device::TableMirror& BringTables();

  // Gives back the tables and the workspace: earlier entries become invalid.
  void StartOver();

  BenchDevice& device() { return device_; }
  const PoolView& view() const { return view_; }
  int64_t bytes() const { return slab_bytes_ + workspace_bytes_; }

 private:
  void FillSlabs();
  void ShufflePages(int64_t slab_count);
  // A piece of the tables, 8-byte aligned.
  template <class T>
  T* TakeTable(int64_t count);
  template <class T>
  uint64_t OffsetOf(const T* table) const;
  uint64_t LayBodies(const std::vector<int32_t>& slots);
  // The blocks' page ids and the list of them.
  uint64_t LayBlocks(int64_t blocks, int32_t rows);
  // The list of where the blocks' scores lie, `block_bytes` each, cleared.
  uint64_t LayScores(int64_t blocks, int64_t block_bytes);

  BenchDevice& device_;
  const int64_t slab_bytes_;
  const int64_t workspace_bytes_;
  const int64_t table_bytes_;
  std::byte* const memory_;  // slabs, then workspace
  std::byte* const tables_;
  SpanFormat* const formats_;  // [2]: the pages', and the same of keys at cache positions
  int64_t work_used_ = 0;
  int64_t table_used_ = 0;
  std::vector<uint32_t> pages_;
  size_t next_page_ = 0;
  const PoolView view_;
  device::TableMirror mirror_;
};

}  // namespace sluice::bench
