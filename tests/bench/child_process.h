// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace sluice::bench {

// A program that runs until this object goes; its output is thrown away.
//
// Owned by one thread.
class ChildProcess {
 public:
  // REQUIRES: `arguments` is not empty. A program that cannot be run ends at once.
  explicit ChildProcess(std::vector<std::string> arguments);
  // Asks it to end (SIGTERM) and waits until it has.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

 private:
  pid_t pid_ = -1;
};

}  // namespace sluice::bench
