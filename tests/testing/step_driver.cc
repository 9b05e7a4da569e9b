// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/testing/step_driver.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"

namespace sluice {
namespace {

constexpr double kTolerance = 1e-5;

int32_t LayerCount(const TestModel& model) {
  return static_cast<int32_t>(model.geometry.layers.size());
}

bool OwnsCache(const TestModel& model, int32_t layer) {
  return model.geometry.layers[static_cast<size_t>(layer)].source_layer < 0;
}

FloatTensor TensorOf(const ModelGeometry& geometry, int32_t layer, VectorKind kind,
                     const std::vector<int64_t>& tags) {
  const bool query = kind == VectorKind::kQuery;
  const int32_t heads =
      query ? geometry.query_heads : geometry.layers[static_cast<size_t>(layer)].kv_heads;
  const int32_t dim = kind == VectorKind::kValue ? geometry.v_dim : geometry.k_dim;
  return {TokenVectors(tags, layer, kind, heads, dim),
          {static_cast<int64_t>(tags.size()), heads, dim}};
}

float FloatAt(const std::string& bytes, int64_t index) {
  float value = 0;
  std::memcpy(&value, bytes.data() + index * 4, sizeof(value));
  return value;
}

}  // namespace

FloatTensor::FloatTensor(const std::vector<float>& values, std::vector<int64_t> shape)
    : bytes_(values.size() * sizeof(float) + 1, '\0'), shape_(std::move(shape)) {
  std::memcpy(bytes_.data() + 1, values.data(), values.size() * sizeof(float));
}

TensorRef FloatTensor::ref() const {
  TensorRef ref;
  ref.dtype = Dtype::kF32;
  ref.rank = static_cast<int32_t>(shape_.size());
  for (size_t i = 0; i < shape_.size(); ++i) ref.shape[i] = shape_[i];
  ref.data = reinterpret_cast<const std::byte*>(bytes_.data() + 1);
  return ref;
}

LayerTensors::LayerTensors(const ModelGeometry& geometry, int32_t layer,
                           const std::vector<int64_t>& tags)
    : q(TensorOf(geometry, layer, VectorKind::kQuery, tags)),
      k(TensorOf(geometry, layer, VectorKind::kKey, tags)),
      v(TensorOf(geometry, layer, VectorKind::kValue, tags)) {}

Answer<AttendResult> SendAttend(EngineDriver& driver, const TestModel& model, uint64_t step,
                                int32_t layer, const std::vector<int64_t>& tags,
                                int64_t first_token) {
  auto tensors = std::make_shared<LayerTensors>(model.geometry, layer, tags);
  Attend command;
  command.step = step;
  command.layer = layer;
  command.first_token = first_token;
  command.q = tensors->q.ref();
  if (OwnsCache(model, layer)) {
    command.k = tensors->k.ref();
    command.v = tensors->v.ref();
  }
  command.want_lse = true;
  return driver.Send(std::move(command), tensors);
}

Answer<AppendResult> SendAppend(EngineDriver& driver, const TestModel& model, Append command,
                                const std::vector<int64_t>& tags) {
  auto tensors = std::make_shared<std::vector<std::unique_ptr<LayerTensors>>>();
  for (int32_t layer = 0; layer < LayerCount(model); ++layer) {
    if (!OwnsCache(model, layer)) continue;
    tensors->push_back(std::make_unique<LayerTensors>(model.geometry, layer, tags));
    command.layers.push_back({layer, tensors->back()->k.ref(), tensors->back()->v.ref()});
  }
  return driver.Send(std::move(command), tensors);
}

absl::StatusOr<AttendResult> AttendNamed(EngineDriver& driver, const TestModel& model,
                                         int32_t layer, const std::vector<TestSequence*>& named,
                                         int64_t rows_each) {
  Attend command;
  std::vector<int64_t> tags;
  for (const TestSequence* sequence : named) {
    command.sequences.push_back({sequence->id, rows_each});
    tags.insert(tags.end(), sequence->tags.end() - rows_each, sequence->tags.end());
  }
  auto tensors = std::make_shared<LayerTensors>(model.geometry, layer, tags);
  command.layer = layer;
  command.q = tensors->q.ref();
  command.want_lse = true;
  return driver.Send(std::move(command), tensors).Wait();
}

absl::StatusOr<StepOutcome> RunStep(EngineDriver& driver, const TestModel& model,
                                    std::vector<StepPart> parts, BeginStep more) {
  StepOutcome outcome;
  SLUICE_ASSIGN_OR_RETURN(outcome.begun, driver.Begin(parts, std::move(more)));
  std::vector<int64_t> tags;
  for (StepPart& part : parts) {
    if (part.tags.empty()) part.tags = driver.NewTags(part.tokens);
    tags.insert(tags.end(), part.tags.begin(), part.tags.end());
  }
  for (int32_t layer = 0; layer < LayerCount(model); ++layer) {
    SLUICE_ASSIGN_OR_RETURN(
        AttendResult result, SendAttend(driver, model, outcome.begun.step, layer, tags).Wait());
    outcome.layers.push_back(std::move(result));
  }
  for (const StepPart& part : parts) {
    std::vector<int64_t>& known = part.sequence->tags;
    if (part.rollback_to) known.resize(static_cast<size_t>(*part.rollback_to));
    known.insert(known.end(), part.tags.begin(), part.tags.end());
  }
  return outcome;
}

absl::Status AppendStep(EngineDriver& driver, const TestModel& model, StepPart part) {
  if (part.tags.empty()) part.tags = driver.NewTags(part.tokens);
  Append append;
  append.entry = part.ToEntry();
  const auto result = SendAppend(driver, model, append, part.tags).Wait();
  if (!result.ok()) return result.status();
  std::vector<int64_t>& known = part.sequence->tags;
  if (part.rollback_to) known.resize(static_cast<size_t>(*part.rollback_to));
  known.insert(known.end(), part.tags.begin(), part.tags.end());
  return absl::OkStatus();
}

std::string Difference(const TestModel& model, int32_t layer, const AttendResult& got, int64_t row,
                       const TestSequence& sequence, int64_t position, const HeldPositions& held) {
  const PlainAttention want = AttendPlainly(model.geometry, layer, sequence.tags, position, held);
  const auto width = static_cast<int64_t>(want.out.size());
  const auto heads = static_cast<int64_t>(want.lse.size());
  for (int64_t i = 0; i < width + heads; ++i) {
    const bool is_out = i < width;
    const double expected =
        is_out ? want.out[static_cast<size_t>(i)] : want.lse[static_cast<size_t>(i - width)];
    const float value =
        is_out ? FloatAt(got.out, row * width + i) : FloatAt(got.lse, row * heads + i - width);
    if (std::abs(double{value} - expected) <= kTolerance * (1 + std::abs(expected))) continue;
    if (double{value} == expected) continue;  // infinite
    return absl::StrCat("layer ", layer, " position ", position, is_out ? " out " : " lse ", i,
                        ": got ", value, ", want ", expected);
  }
  return "";
}

std::string StepDifference(const TestModel& model, const StepOutcome& outcome,
                           const TestSequence& sequence, int64_t tokens, int64_t first_row,
                           const HeldPositions& held) {
  for (int32_t layer = 0; layer < LayerCount(model); ++layer) {
    for (int64_t i = 0; i < tokens; ++i) {
      const std::string difference =
          Difference(model, layer, outcome.layers[static_cast<size_t>(layer)], first_row + i,
                     sequence, sequence.length() - tokens + i, held);
      if (!difference.empty()) return difference;
    }
  }
  return "";
}

std::string NamedDifference(EngineDriver& driver, const TestModel& model, TestSequence& sequence,
                            int64_t rows, const HeldPositions& held) {
  for (int32_t layer = 0; layer < LayerCount(model); ++layer) {
    const auto result = AttendNamed(driver, model, layer, {&sequence}, rows);
    if (!result.ok()) return std::string(result.status().message());
    for (int64_t i = 0; i < rows; ++i) {
      std::string difference = Difference(model, layer, *result, i, sequence,
                                          sequence.length() - rows + i, held);
      if (!difference.empty()) return difference;
    }
  }
  return "";
}

}  // namespace sluice
