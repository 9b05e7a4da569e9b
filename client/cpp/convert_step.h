// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cpp/step_types.h"
#include "sluice/v1/step.pb.h"

namespace sluice::client {

// Internal: steps and tensors on the wire. All are thread-safe.

void ToWire(const StepEntry& entry, v1::StepEntry* out);
void ToWire(std::span<const StepEntry> entries, const StepOptions& options,
            v1::BeginStepRequest* out);
// Copies the elements.
void ToWire(const TensorView& view, v1::Tensor* out);
StepState FromWire(const v1::BeginStepResponse& response);

// INVALID_ARGUMENT, naming `field`, unless all dimensions are at least 1, the
// size in bytes fits in 63 bits, and there is data.
absl::Status CheckView(absl::string_view field, const TensorView& view);

void Add(const v1::NonFiniteCounts& counts, NonFiniteCounts* sum);

}  // namespace sluice::client
