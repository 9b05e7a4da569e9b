// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/engine/command.h"
#include "daemon/engine/command_sink.h"
#include "kernels/make_backend.h"

namespace sluice {

struct EngineOptions {
  struct Tenant {
    std::string name;
    int64_t maximum_bytes = 0;  // 0: the whole pool
    int64_t guaranteed_bytes = 0;  // what pressure leaves it
  };
  int64_t pool_bytes = int64_t{256} << 20;
  int64_t slab_bytes = int64_t{2} << 20;
  int64_t job_reserve_bytes = -1;  // -1: 2 %, at least 16 MiB, at most half
  // Shares of the pool, of what is reserved and in use: above the high one sequences
  // give budget until the low one. 0 <= low <= high; from 1 on: never.
  double high_watermark = 0.90;
  double low_watermark = 0.80;
  int64_t max_sequences = 4096;         // of a tenant
  int64_t max_sequence_tokens = 1 << 20;
  int64_t max_models = 64;              // of a tenant
  int64_t max_sessions = 256;
  int64_t max_step_entries = 4096;
  int64_t queue_length = 4096;          // commands that nobody has looked at
  int64_t max_waiting = 1024;           // calls of a tenant that wait for others or for memory
  absl::Duration step_time_limit = absl::Seconds(60);
  absl::Duration default_lease = absl::Minutes(10);
  BackendKind backend = BackendKind::kCpu;
  Arithmetic arithmetic = Arithmetic::kFp32;  // one that the backend has
  int32_t worker_threads = 0;  // 0: one a core
  std::vector<Tenant> tenants;  // at least one
  // Makes the backend; empty: TryMakeBackend. For tests.
  std::function<MadeBackend(const BackendOptions&)> make_backend;
  // Called by the engine's own thread when it has nothing to do (true) and when it
  // goes on (false); empty: nobody. For benchmarks.
  std::function<void(bool idle)> on_idle;
};

// Owns the pool and everything in it, and turns commands into state and
// operations, one thread at a time: its own, or one that has posted a command
// and found nobody at work. Who has the turn is "the engine thread" of all that
// the engine is made of.
//
// Post and PostAndWork are thread-safe; everything else belongs to the owner. The
// engine's own thread runs no kernel and waits for none; a poster runs small ones
// alone and middling ones together with the backend's threads, and waits some
// microseconds for what of them is in other hands.
class Engine final : public CommandSink {
 public:
  // Takes and touches the memory, starts backend and thread. `progress` is
  // called with the bytes touched so far, from this thread.
  // RESOURCE_EXHAUSTED: the memory cannot be had, the backend's included.
  // INVALID_ARGUMENT: an option is out of range. UNAVAILABLE, UNIMPLEMENTED: there is no
  // device for the backend, or its driver refuses.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(
      EngineOptions options, const Clock& clock,
      std::function<void(int64_t touched_bytes)> progress = nullptr);

  // Undoes what is open and stops the thread. Waiting commands end with UNAVAILABLE.
  ~Engine() override;

  absl::Status Post(Command command) override;
  absl::Status PostAndWork(Command command) override;

  uint32_t epoch() const;
  const EngineOptions& options() const;
  const Backend& backend() const;  // its constant facts only

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
