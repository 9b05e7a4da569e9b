// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs operations over a batch and keeps what they wrote.

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice::kernels_testing {

// Submits one operation and waits until it has passed.
void RunOperation(Backend& backend, const Operation& operation);

// A layer of `kv_heads` rows from `first_row` that fits a page format.
LayerShape MakeLayer(const PageFormat& format, int32_t first_row, int32_t kv_heads, int32_t group);

// A dense array in one element type.
struct Tensor {
  Dtype dtype = Dtype::kF32;
  std::vector<std::byte> bytes;

  Tensor(Dtype type, int64_t count)
      : dtype(type), bytes(static_cast<size_t>(count * DtypeBytes(type))) {}
  void* data() { return bytes.data(); }
  const void* data() const { return bytes.data(); }
  int64_t size() const { return static_cast<int64_t>(bytes.size()) / DtypeBytes(dtype); }
  float Get(int64_t index) const;
  void Set(int64_t index, float value);
};

Tensor RandomTensor(Dtype dtype, int64_t count, Random random, float factor = 1.0f);

// What one Attend gave.
struct AttendResult {
  Tensor out;
  std::vector<float> lse;
  int64_t non_finite = 0;
};

// Attend over the tokens [first, first + count) of the batch's step. `q` is that
// of the whole step; the rule, where given, accumulates mass.
AttendResult RunAttend(Backend& backend, const TestBatch& batch, const LayerShape& layer,
                       const Tensor& q, int64_t first, int64_t count,
                       const MassRule* rule = nullptr);

// Observe over the tokens [first, first + count) of the batch's step. `q` and `lse`
// are those of the whole step; lse may be empty: not known.
void RunObserve(Backend& backend, const TestBatch& batch, const LayerShape& layer, const Tensor& q,
                const std::vector<float>& lse, int64_t first, int64_t count);

// CascadeInsert over the batch's entries.
void RunCascadeInsert(Backend& backend, const TestBatch& batch, const LayerShape& layer,
                      const MassRule& rule);

// Where each row of a RowSet starts in arrays of one value a slot: each rounded
// up to 32 slots.
std::vector<int64_t> RowOffsets(const TestBatch& batch, const ViewEntry& entry, int32_t first_row,
                                int32_t row_count);

}  // namespace sluice::kernels_testing
