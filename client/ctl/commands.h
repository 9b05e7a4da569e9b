// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>
#include <span>
#include <string>

namespace sluice::client {

// Exit codes of sluicectl.
inline constexpr int kCtlDone = 0;
inline constexpr int kCtlFailed = 1;  // the daemon refused, or cannot be reached
inline constexpr int kCtlUsage = 2;

// Runs sluicectl with the words after the program's name: results go to `out`,
// complaints to `err`; `top` draws on the terminal if there is one and prints to
// `out` otherwise, until it is interrupted or the daemon is gone. Returns the
// exit code.
int RunCtl(std::span<const std::string> words, std::ostream& out, std::ostream& err);

}  // namespace sluice::client
