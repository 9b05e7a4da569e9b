// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace sluice::bench {

// A process beside this one, with a context of its own on the GPU. It ends with this one.
//
// The methods say in a sentence what was wrong, or end with an empty one. Not thread-safe.
class SecondProcess {
 public:
  // REQUIRES: nothing of CUDA was called yet in this process, which has one thread.
  SecondProcess();
  ~SecondProcess();
  SecondProcess(const SecondProcess&) = delete;
  SecondProcess& operator=(const SecondProcess&) = delete;

  // The other process says something back; with `launch` after it ran an empty kernel.
  std::string Ping(bool launch);

  // The other process maps memory of this one only to be read, and gives back its first
  // word in `first_word`.
  std::string Map(int descriptor, int64_t bytes, uint32_t* first_word);

  // The other process writes to what it has mapped, and says whether its device refused.
  // It is of no more use then.
  std::string Write(bool* refused);

 private:
  pid_t process_ = -1;
  int socket_ = -1;
};

}  // namespace sluice::bench
