// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"

namespace sluice {

// Runs nothing: operations pass when a test says so. Not thread-safe.
class FakeBackend final : public Backend {
 public:
  Ticket Submit(Lane lane, const Operation& operation) override {
    of(lane).operations.push_back(operation);
    return of(lane).operations.size();
  }
  void After(Lane, Ticket) override {}
  Ticket Submitted(Lane lane) const override { return of(lane).operations.size(); }
  Ticket Completed(Lane lane) const override { return of(lane).passed; }
  void WaitIdle() override {
    for (LaneState& lane : lanes_) lane.passed = lane.operations.size();
  }
  const char* name() const override { return "fake"; }
  PageLayout page_layout() const override { return PageLayout::kGroup16; }
  void Clear(std::byte*, int64_t) override {}
  const char* description() const override { return "runs nothing"; }

  void PassOne(Lane lane) {
    if (of(lane).passed < of(lane).operations.size()) ++of(lane).passed;
  }
  const std::vector<Operation>& submitted_operations(Lane lane) const {
    return of(lane).operations;
  }
  int64_t under_way(Lane lane) const {
    return static_cast<int64_t>(of(lane).operations.size() - of(lane).passed);
  }

 private:
  struct LaneState {
    std::vector<Operation> operations;
    Ticket passed = 0;
  };
  LaneState& of(Lane lane) { return lanes_[static_cast<size_t>(lane)]; }
  const LaneState& of(Lane lane) const { return lanes_[static_cast<size_t>(lane)]; }

  std::array<LaneState, 2> lanes_;
};

}  // namespace sluice
