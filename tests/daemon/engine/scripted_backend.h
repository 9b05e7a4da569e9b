// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/core/pooling.h"
#include "kernels/make_backend.h"
#include "kernels/reference/reference_backend.h"

namespace sluice {

// The reference backend with window scores of the test's: before pooling, of each row
// of the model and each of its first slots; those beyond score 0. What a job asks for
// is otherwise as it is. Not thread-safe.
class ScriptedBackend final : public ReferenceBackend {
 public:
  using Scores = std::vector<std::vector<float>>;  // [rows][slots]

  ScriptedBackend(const BackendOptions& options, Scores scores)
      : ReferenceBackend(options.pool, options.signal), scores_(std::move(scores)) {}

  Ticket Submit(Lane lane, const Operation& operation) override {
    const auto* score = std::get_if<WindowScoreArgs>(&operation);
    if (score == nullptr) return ReferenceBackend::Submit(lane, operation);
    for (int32_t row = 0; row < score->rows.row_count; ++row) Write(*score, row);
    return ReferenceBackend::Submit(lane, CopyPagesArgs());  // nothing to copy
  }

 private:
  void Write(const WindowScoreArgs& args, int32_t row) const {
    std::vector<float> scores = scores_[static_cast<size_t>(args.rows.first_row + row)];
    const auto slots = static_cast<int64_t>(scores.size());
    const int64_t room = args.rows.row_offsets[row + 1] - args.rows.row_offsets[row];
    scores.resize(static_cast<size_t>(std::max(room, slots)), 0.0f);
    float* out = args.scores + args.rows.row_offsets[row];
    if (args.pool == WindowPool::kNone) {
      std::copy_n(scores.begin(), room, out);
    } else {
      PoolScores(scores.data(), slots, args.pool, args.pool_width, 0, std::min(slots, room), out);
    }
  }

  const Scores scores_;
};

}  // namespace sluice
