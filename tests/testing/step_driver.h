// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/testing/engine_driver.h"

namespace sluice {

// fp32 data at an odd address, as protobuf may put it.
class FloatTensor {
 public:
  FloatTensor(const std::vector<float>& values, std::vector<int64_t> shape);
  TensorRef ref() const;

 private:
  std::string bytes_;
  std::vector<int64_t> shape_;
};

// q, k and v of some tokens at one layer.
struct LayerTensors {
  LayerTensors(const ModelGeometry& geometry, int32_t layer, const std::vector<int64_t>& tags);
  FloatTensor q, k, v;
};

// Sends the attend of tokens with `tags` from `first_token` on; with k and v
// where the layer has its own cache.
Answer<AttendResult> SendAttend(EngineDriver& driver, const TestModel& model, uint64_t step,
                                int32_t layer, const std::vector<int64_t>& tags,
                                int64_t first_token = 0);

// Sends the keys and values of the layers, all that have their own cache.
Answer<AppendResult> SendAppend(EngineDriver& driver, const TestModel& model, Append command,
                                const std::vector<int64_t>& tags);

// Attends over named sequences with their last rows' own queries.
absl::StatusOr<AttendResult> AttendNamed(EngineDriver& driver, const TestModel& model,
                                         int32_t layer, const std::vector<TestSequence*>& named,
                                         int64_t rows_each);

// A whole step: begins it, attends at every layer, and gives the sequences their
// new tags.
struct StepOutcome {
  StepBegun begun;
  std::vector<AttendResult> layers;
};
absl::StatusOr<StepOutcome> RunStep(EngineDriver& driver, const TestModel& model,
                                    std::vector<StepPart> parts, BeginStep more = {});

// As RunStep with one part, but stores only.
absl::Status AppendStep(EngineDriver& driver, const TestModel& model, StepPart part);

// Compares row `row` of an answer with plain attention at `position`.
// Returns what differs, or nothing.
std::string Difference(const TestModel& model, int32_t layer, const AttendResult& got, int64_t row,
                       const TestSequence& sequence, int64_t position,
                       const HeldPositions& held = {});

// Compares the answers for the last `tokens` tokens of one sequence, from row
// `first_row` on, at every layer.
std::string StepDifference(const TestModel& model, const StepOutcome& outcome,
                           const TestSequence& sequence, int64_t tokens, int64_t first_row = 0,
                           const HeldPositions& held = {});

// Compares what the sequence's last `rows` rows attend to now, at every layer.
std::string NamedDifference(EngineDriver& driver, const TestModel& model, TestSequence& sequence,
                            int64_t rows, const HeldPositions& held = {});

}  // namespace sluice
