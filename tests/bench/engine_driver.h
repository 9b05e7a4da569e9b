// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/base/check.h"
#include "daemon/engine/engine.h"

namespace sluice::bench {

// CPU time of the calling thread, in microseconds.
double ThreadCpuMicroseconds();

// An engine with one tenant, asked call by call from one thread. Every refusal
// ends the process: a benchmark asks for nothing that can be refused.
//
// Owned by one thread.
class EngineDriver {
 public:
  // A model of `layers` layers with 8 kv heads and 32 query heads.
  struct Shape {
    int32_t layers = 32;
    int32_t dim = 64;
    int32_t page_size_tokens = 32;
    PolicySpec policy;
    int32_t worker_threads = 1;
  };

  EngineDriver(const Shape& shape, int64_t pool_bytes);

  // Posts a command and waits for its answer.
  template <class Result, class Request>
  Result Ask(Request request) {
    std::promise<absl::StatusOr<Result>> answer;
    request.done = [&answer](absl::StatusOr<Result> result) {
      answer.set_value(std::move(result));
    };
    Post(std::move(request));
    absl::StatusOr<Result> result = answer.get_future().get();
    SLUICE_CHECK(result.ok()) << result.status().ToString();
    return *std::move(result);
  }

  // As Ask; returns the CPU time as well, in microseconds, that the engine thread
  // spent from the command's arrival until there was nothing left to do for it, in
  // all its turns. Left out is its waiting for the kernels: the thread is free then,
  // and how it waits (it spins before it sleeps) is not the call's work. The asker
  // spins, so that the engine thread has nobody to wake.
  template <class Result, class Request>
  std::pair<Result, double> AskTimed(Request request) {
    WaitUntilIdle();
    std::atomic<bool> answered{false};
    Result result;
    request.done = [&answered, &result](absl::StatusOr<Result> answer) {
      SLUICE_CHECK(answer.ok()) << answer.status().ToString();
      result = *std::move(answer);
      answered = true;
    };
    const double before = busy_microseconds_;
    Post(std::move(request));
    while (!answered) std::this_thread::yield();
    WaitUntilIdle();
    return {std::move(result), busy_microseconds_ - before};
  }

  void Post(Command command);

  uint64_t OpenSession();
  // Under the shape's policy, unless another is named.
  uint64_t CreateSequence(uint64_t session = 0, std::optional<PolicySpec> policy = std::nullopt);
  // Opens a step of `counts[i]` tokens for `sequences[i]`, whose lengths are `lengths[i]`.
  BeginStep StepOf(const std::vector<uint64_t>& sequences, const std::vector<int64_t>& lengths,
                   const std::vector<int64_t>& counts, Phase phase) const;
  // Brings all of the sequences from length 0 to `lengths`.
  void Fill(const std::vector<uint64_t>& sequences, const std::vector<int64_t>& lengths);
  // Adds `count` tokens to a sequence of length `length`.
  void Extend(uint64_t sequence, int64_t length, int64_t count);
  // A tensor of `rows` tokens over `heads` heads; the same values every time. A
  // larger one makes those before it invalid.
  TensorRef Tensor(int64_t rows, int32_t heads);
  // Returns once nothing is left to give back.
  EngineStatus WaitUntilGivenBack();

  const Shape& shape() const { return shape_; }
  static constexpr int32_t kKvHeads = 8;
  static constexpr int32_t kQueryHeads = 32;

 private:
  void AppendStep(BeginStep begin);
  void OnIdle(bool idle);
  void WaitUntilIdle() const;

  const Shape shape_;
  RealClock clock_;
  std::vector<uint16_t> values_;
  uint64_t model_ = 0;
  double turn_start_ = 0;  // engine thread only
  std::atomic<double> busy_microseconds_{0};
  std::atomic<bool> idle_{false};
  std::unique_ptr<Engine> engine_;
};

// Asks the engine for a trifle again and again, each time as the last was
// answered, and keeps the most CPU time that the engine thread spent between two
// answers: the longest time for which nobody is served.
//
// Start and Stop: the driver's thread.
class StallProbe {
 public:
  explicit StallProbe(EngineDriver& driver) : driver_(driver) {}

  void Start();
  // The longest stall since Start, in microseconds.
  double Stop();

 private:
  void Ask();

  EngineDriver& driver_;
  std::atomic<bool> stopping_{false};
  std::promise<void> stopped_;
  double last_ = 0;     // engine thread only, as the next
  double longest_ = 0;
};

}  // namespace sluice::bench
