// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "daemon/engine/engine.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/gated_backend.h"
#include "tests/testing/token_content.h"

namespace sluice {

// The answer of a command, which may still have to come. Copies are one answer.
template <class Result>
class Answer {
 public:
  void Set(absl::StatusOr<Result> result) const {
    std::lock_guard lock(state_->mu);
    ++state_->count;
    state_->result = std::move(result);
    state_->changed.notify_all();
  }

  bool ready() const {
    std::lock_guard lock(state_->mu);
    return state_->count > 0;
  }

  // How often `done` was called.
  int64_t count() const {
    std::lock_guard lock(state_->mu);
    return state_->count;
  }

  absl::StatusOr<Result> Wait() const {
    std::unique_lock lock(state_->mu);
    state_->changed.wait(lock, [this] { return state_->count > 0; });
    return DeepCopy(*state_->result);
  }

 private:
  // A status of the caller's own: copies share a representation whose count lives
  // in Debian's libabsl, where ThreadSanitizer does not see it.
  static absl::StatusOr<Result> DeepCopy(const absl::StatusOr<Result>& result) {
    if (result.ok()) return result;
    absl::Status copy(result.status().code(), result.status().message());
    result.status().ForEachPayload([&copy](absl::string_view url, const absl::Cord& payload) {
      copy.SetPayload(url, absl::Cord(std::string(payload)));
    });
    return copy;
  }

  struct State {
    std::mutex mu;
    std::condition_variable changed;
    std::optional<absl::StatusOr<Result>> result;
    int64_t count = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

template <class Result>
Result ResultOfDone(const Done<Result>& done);
template <class AnyCommand>
using ResultOf = decltype(ResultOfDone(std::declval<AnyCommand>().done));

// A registered model.
struct TestModel {
  uint64_t id = 0;
  ModelGeometry geometry;
  int64_t block_bytes = 0;
};

// A sequence as its client knows it: one tag a token.
struct TestSequence {
  uint64_t id = 0;
  std::vector<int64_t> tags;
  int64_t length() const { return static_cast<int64_t>(tags.size()); }
};

// An entry of a step of the driver's.
struct StepPart {
  TestSequence* sequence = nullptr;
  int64_t tokens = 1;
  Phase phase = Phase::kDecode;
  bool prefill_end = false;
  std::optional<int64_t> rollback_to = std::nullopt;
  std::vector<int64_t> tags = {};  // of its tokens; empty: new ones

  StepEntry ToEntry() const;
};

StepPart Prefill(TestSequence& sequence, int64_t tokens, bool prefill_end = true);
StepPart Decode(TestSequence& sequence, int64_t tokens = 1);

// Two layers of 2 kv heads and 4 query heads, fp32, pages of 16.
ModelGeometry SmallGeometry();
// 32 MiB in slabs of 1 MiB, one tenant, reference backend.
EngineOptions SmallOptions();

// An engine over a clock that stands still, and calls that wait for their answer.
//
// Thread-safe but for what makes sequences and tags.
class EngineDriver {
 public:
  explicit EngineDriver(EngineOptions options = SmallOptions());

  // An engine over a GatedBackend.
  static std::unique_ptr<EngineDriver> Gated(std::shared_ptr<BackendGate> gate,
                                             EngineOptions options = SmallOptions());

  template <class AnyCommand>
  Answer<ResultOf<AnyCommand>> Send(AnyCommand command, std::shared_ptr<const void> keep = {}) {
    Answer<ResultOf<AnyCommand>> answer;
    command.done = [answer, keep](absl::StatusOr<ResultOf<AnyCommand>> result) {
      answer.Set(std::move(result));
    };
    if (const absl::Status posted = Post(std::move(command)); !posted.ok()) answer.Set(posted);
    return answer;
  }

  template <class AnyCommand>
  absl::StatusOr<ResultOf<AnyCommand>> Call(AnyCommand command) {
    return Send(std::move(command)).Wait();
  }

  // Moves the clock and wakes the engine.
  void Advance(absl::Duration by);

  TestModel Register(ModelGeometry geometry = SmallGeometry(), Caller caller = {});
  TestSequence Create(const TestModel& model, PolicySpec policy = {}, CreateSequence more = {});
  absl::StatusOr<TestSequence> Fork(const TestSequence& parent);
  absl::Status Free(const TestSequence& sequence);
  absl::StatusOr<SequenceInfo> Info(const TestSequence& sequence);
  absl::StatusOr<StepBegun> Begin(const std::vector<StepPart>& parts, BeginStep more = {});
  absl::Status Abort(uint64_t step);

  // Positions that a row holds once its due job is through.
  std::vector<int64_t> Held(const TestSequence& sequence, int32_t layer, int32_t kv_head);
  // Of all rows of a model.
  HeldPositions HeldRows(const TestModel& model, const TestSequence& sequence);

  EngineStatus Status();
  // Asks until `reached`, for some thousand turns; the last status.
  EngineStatus StatusOnce(const std::function<bool(const EngineStatus&)>& reached);
  // Once no job runs and nothing is on its way back to the pool.
  EngineStatus Settled();

  std::vector<int64_t> NewTags(int64_t count);

  FakeClock& clock() { return clock_; }
  Engine& engine() { return *engine_; }
  void DestroyEngine() { engine_.reset(); }

 private:
  // By turns with the engine's thread and with this one doing the work.
  absl::Status Post(Command command);

  FakeClock clock_;
  std::unique_ptr<Engine> engine_;
  int64_t next_tag_ = kFirstRandomTag;
  std::atomic<uint64_t> posted_{0};
};

}  // namespace sluice
