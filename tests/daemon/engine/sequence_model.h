// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/policy/policy.h"
#include "tests/testing/engine_driver.h"

namespace sluice {

// What a sequence should hold, as lists of positions: steps, rollbacks and
// policies without pages. A copy is a fork.
class SequenceModel {
 public:
  SequenceModel(TestSequence sequence, PolicyPtr policy, const ModelGeometry& geometry);

  // A step was begun for `tokens`, whether it closes or not.
  void Begin(const StepPart& part);
  // It closed.
  void Close(const StepPart& part, const std::vector<int64_t>& tags);
  void Compress(const Policy& policy);

  TestSequence& sequence() { return sequence_; }
  const TestSequence& sequence() const { return sequence_; }
  const HeldPositions& held() const { return held_; }
  int64_t rollback_floor() const { return floor_; }

  static ModelFacts FactsOf(const ModelGeometry& geometry);

 private:
  std::vector<RowFacts> Rows() const;
  void LookAt(Trigger trigger);
  std::vector<float> ScoresOf(size_t row) const;

  TestSequence sequence_;
  PolicyPtr policy_;
  ModelGeometry geometry_;
  HeldPositions held_;
  int64_t floor_ = 0;
  int64_t decoded_ = 0;
  int64_t prefill_ends_ = 0;
  bool in_prefill_ = false;
};

}  // namespace sluice
