// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <termios.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace sluice::client {

// The terminal of standard input and output, taken over for a screen that is
// drawn again and again: its own screen, no echo, keys at once, no cursor. The
// destructor gives it back as it was; so it does after SIGINT, SIGTERM and
// SIGHUP, which WaitForEnd reports instead of letting them end the process.
//
// Not thread-safe; one at a time.
class Terminal {
 public:
  // Whether standard input and output both are a terminal.
  static bool IsThere();

  // REQUIRES: IsThere().
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // The size in characters; 24 x 80 where the terminal does not say.
  size_t rows() const;
  size_t columns() const;

  // Shows the lines, which must fit, in place of what was there.
  void Draw(const std::vector<std::string>& lines);

  // Waits for `timeout`, or until the window has another size; true as soon as
  // the user pressed q or Ctrl-C, the input ended, or a signal asks to end.
  bool WaitForEnd(absl::Duration timeout);

 private:
  termios before_;
};

}  // namespace sluice::client
