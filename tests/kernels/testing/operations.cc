// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/testing/operations.h"

#include <cmath>

#include "kernels/core/number.h"
#include "kernels/core/rows.h"

namespace sluice::kernels_testing {

void RunOperation(Backend& backend, const Operation& operation) {
  backend.Submit(Lane::kForeground, operation);
  backend.WaitIdle();
}

LayerShape MakeLayer(const PageFormat& format, int32_t first_row, int32_t kv_heads, int32_t group) {
  LayerShape layer;
  layer.first_row = first_row;
  layer.kv_heads = kv_heads;
  layer.q_heads = kv_heads * group;
  layer.k_dim = format.k_dim;
  layer.v_dim = format.v_dim;
  layer.scale = 1.0f / std::sqrt(static_cast<float>(format.k_dim));
  layer.rope.pairing = format.pairing;
  layer.rope.rotary_dim = format.rotary_dim;
  return layer;
}

float Tensor::Get(int64_t index) const { return LoadAsFloat(bytes.data(), dtype, index); }

void Tensor::Set(int64_t index, float value) { StoreFloat(bytes.data(), dtype, index, value); }

Tensor RandomTensor(Dtype dtype, int64_t count, Random random, float factor) {
  Tensor tensor(dtype, count);
  for (int64_t i = 0; i < count; ++i) tensor.Set(i, factor * random.Normal());
  return tensor;
}

AttendResult RunAttend(Backend& backend, const TestBatch& batch, const LayerShape& layer,
                       const Tensor& q, int64_t first, int64_t count, const MassRule* rule) {
  AttendResult result{Tensor(q.dtype, count * layer.q_heads * layer.v_dim),
                      std::vector<float>(static_cast<size_t>(count * layer.q_heads)), 0};
  const StepView view = batch.View();
  AttendArgs args;
  args.view = &view;
  args.layer = &layer;
  args.q = q.bytes.data() + first * layer.q_heads * layer.k_dim * DtypeBytes(q.dtype);
  args.out = result.out.data();
  args.lse = result.lse.data();
  args.dtype = q.dtype;
  args.first_token = first;
  args.token_count = count;
  args.accumulate_mass = rule != nullptr;
  if (rule != nullptr) args.mass = *rule;
  args.non_finite_count = &result.non_finite;
  RunOperation(backend, args);
  return result;
}

void RunObserve(Backend& backend, const TestBatch& batch, const LayerShape& layer, const Tensor& q,
                const std::vector<float>& lse, int64_t first, int64_t count) {
  const StepView view = batch.View();
  ObserveArgs args;
  args.view = &view;
  args.layer = &layer;
  args.q = q.bytes.data() + first * layer.q_heads * layer.k_dim * DtypeBytes(q.dtype);
  args.lse = lse.empty() ? nullptr : lse.data() + first * layer.q_heads;
  args.dtype = q.dtype;
  args.first_token = first;
  args.token_count = count;
  RunOperation(backend, args);
}

void RunCascadeInsert(Backend& backend, const TestBatch& batch, const LayerShape& layer,
                      const MassRule& rule) {
  const StepView view = batch.View();
  CascadeInsertArgs args;
  args.view = &view;
  args.layer = &layer;
  args.mass = rule;
  RunOperation(backend, args);
}

std::vector<int64_t> RowOffsets(const TestBatch& batch, const ViewEntry& entry, int32_t first_row,
                                int32_t row_count) {
  std::vector<int64_t> offsets = {0};
  for (int32_t r = 0; r < row_count; ++r) {
    const Row row = MakeRow(batch.pool(), entry, first_row + r, entry.base_length);
    offsets.push_back(offsets.back() + RoundUp(row.slots, 32));
  }
  return offsets;
}

}  // namespace sluice::kernels_testing
