// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "client/cpp/session_stream.h"
#include "client/cpp/step_types.h"

namespace sluice::client {

// Internal: `Append`, over as many requests as its size needs: by layer, then by
// tokens. Thread-safe.

// Into an open step, from its token `first_token` on.
absl::StatusOr<AppendResult> AppendToStep(SessionStream* stream, uint64_t step_id,
                                          int64_t first_token, std::span<const AppendLayer> layers);

// As a step of its own. Where it has to be split it is a step opened, filled and,
// on an error, aborted here.
absl::StatusOr<AppendResult> AppendAsStep(SessionStream* stream, const StepEntry& entry,
                                          std::span<const AppendLayer> layers);

// Undoes a step; the sequences that are lost by it.
absl::StatusOr<std::vector<uint64_t>> AbortStep(SessionStream* stream, uint64_t step_id);

}  // namespace sluice::client
