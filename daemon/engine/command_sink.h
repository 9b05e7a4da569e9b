// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "daemon/engine/command.h"

namespace sluice {

// Where commands go: the engine, or a test in its place.
//
// Thread-safe.
class CommandSink {
 public:
  virtual ~CommandSink() = default;

  // Queues `command`. RESOURCE_EXHAUSTED (QUEUE_FULL): the queue is full; UNAVAILABLE
  // (DRAINING): the engine stops. Then `done` has not been and will not be called.
  // CloseSession is never refused.
  virtual absl::Status Post(Command command) = 0;

  // As Post; then the calling thread does the engine's work itself if nobody else
  // does, so that a small call needs no other thread. `done` of any command may be
  // called before this returns. Not to be called from within a `done`.
  virtual absl::Status PostAndWork(Command command) { return Post(std::move(command)); }
};

}  // namespace sluice
