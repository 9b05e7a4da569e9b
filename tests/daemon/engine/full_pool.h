// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/step_driver.h"

namespace sluice {

// A pool that a step of another sequence fills but for some blocks.
//
// Not thread-safe.
class FullPool {
 public:
  static constexpr int64_t kPageSize = 16;
  static constexpr int64_t kRows = 4;

  explicit FullPool(std::unique_ptr<EngineDriver> driver,
                    ModelGeometry geometry = SmallGeometry())
      : driver_(std::move(driver)), model_(driver_->Register(std::move(geometry))) {}

  EngineDriver& driver() { return *driver_; }
  const TestModel& model() const { return model_; }

  void Add(TestSequence& sequence, int64_t tokens, std::vector<int64_t> tags = {}) {
    StepPart part = Prefill(sequence, tokens, false);
    part.tags = std::move(tags);
    ASSERT_TRUE(AppendStep(*driver_, model_, part).ok());
  }
  TestSequence Filled(int64_t tokens, std::vector<int64_t> tags = {}, PolicySpec policy = {}) {
    TestSequence sequence = driver_->Create(model_, std::move(policy));
    Add(sequence, tokens, std::move(tags));
    return sequence;
  }

  // Leaves room for `blocks` blocks, and less than one more.
  void Fill(int64_t blocks) {
    filler_ = driver_->Create(model_);
    driver_->Settled();
    constexpr int64_t kMany = 10000;
    const auto refused = driver_->Begin({Prefill(filler_, kPageSize * kMany)});
    const int64_t missing = DetailsOf(refused.status()).room->missing_bytes;
    const int64_t room = kMany - (missing + model_.block_bytes - 1) / model_.block_bytes;
    const auto begun = driver_->Begin({Prefill(filler_, kPageSize * (room - blocks))});
    ASSERT_TRUE(begun.ok()) << begun.status();
    filling_step_ = begun->step;
    room_pages_ = (blocks + 1) * kRows - 1;
  }
  void Empty() {
    ASSERT_TRUE(driver_->Abort(filling_step_).ok());
    ASSERT_TRUE(driver_->Free(filler_).ok());
  }
  int64_t most_room_pages() const { return room_pages_; }

  Answer<Compressed> Send(const TestSequence& sequence, const PolicySpec& policy) {
    struct Compress command;
    command.sequence = sequence.id;
    command.policy = policy;
    return driver_->Send(command);
  }
  absl::StatusOr<Compressed> Compress(const TestSequence& sequence, const PolicySpec& policy) {
    return Send(sequence, policy).Wait();
  }
  HeldPositions Held(const TestSequence& sequence) { return driver_->HeldRows(model_, sequence); }
  // What its last rows attend to.
  std::string Answers(TestSequence& sequence) {
    std::string answers;
    for (int32_t layer = 0; layer < 2; ++layer) {
      answers += AttendNamed(*driver_, model_, layer, {&sequence}, 3)->out;
    }
    return answers;
  }

  // Of bodies that keep so many tokens a row.
  static int64_t PagesOf(const std::vector<int64_t>& kept_tokens) {
    return std::accumulate(kept_tokens.begin(), kept_tokens.end(), int64_t{0},
                           [](int64_t sum, int64_t tokens) {
                             return sum + (tokens + kPageSize - 1) / kPageSize;
                           });
  }

 private:
  std::unique_ptr<EngineDriver> driver_;
  TestModel model_;
  TestSequence filler_;
  uint64_t filling_step_ = 0;
  int64_t room_pages_ = 0;
};

}  // namespace sluice
