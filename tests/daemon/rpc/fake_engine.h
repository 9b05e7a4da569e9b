// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <utility>
#include <variant>

#include "daemon/base/mutex.h"
#include "daemon/engine/command_sink.h"
#include "gtest/gtest.h"

namespace sluice {

// Keeps the commands that it gets; the test takes them, and calls their `done`.
// OpenSession is answered at once, with ids 7 << 32 | 1000, 1001, ...
//
// Thread-safe.
class FakeEngine final : public CommandSink {
 public:
  absl::Status Post(Command command) override {
    MutexLock lock(&mu_);
    if (!refusal_.ok() && !std::holds_alternative<CloseSession>(command)) return refusal_;
    if (auto* open = std::get_if<OpenSession>(&command)) {
      open->done((uint64_t{7} << 32) | next_session_++);
      return absl::OkStatus();
    }
    commands_.push_back(std::move(command));
    changed_.SignalAll();
    return absl::OkStatus();
  }

  // Refuses every command but CloseSession from now on.
  void Refuse(absl::Status refusal) {
    MutexLock lock(&mu_);
    refusal_ = std::move(refusal);
  }

  // The oldest command, which is a C; waits for one.
  template <class C>
  C Take() {
    MutexLock lock(&mu_);
    while (commands_.empty()) changed_.Wait(&mu_);
    Command command = std::move(commands_.front());
    commands_.pop_front();
    EXPECT_TRUE(std::holds_alternative<C>(command)) << "command " << command.index();
    return std::move(std::get<C>(command));
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::deque<Command> commands_ ABSL_GUARDED_BY(mu_);
  absl::Status refusal_ ABSL_GUARDED_BY(mu_);
  uint64_t next_session_ ABSL_GUARDED_BY(mu_) = 1000;
};

}  // namespace sluice
