// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace sluice {

// A program that runs until this object goes; its output is thrown away.
//
// Owned by one thread.
class ChildProcess {
 public:
  // REQUIRES: `arguments` is not empty. A program that cannot be run ends at once.
  explicit ChildProcess(std::vector<std::string> arguments);
  // As Stop.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Asks it to end (SIGTERM), waits until it has, and returns its exit code; -1 if
  // it has not run, has been ended before, or ended by a signal.
  int Stop();
  // Ends it at once (SIGKILL).
  void Kill();

 private:
  int End(int signal);

  pid_t pid_ = -1;
};

}  // namespace sluice
