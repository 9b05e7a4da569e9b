// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace sluice::client {

// What sluicectl is to do.
enum class CtlCommand {
  kHelp,
  kVersion,
  kStatus,
  kSequences,
  kExplain,
  kReclaim,
  kTop,
  kHealth,
  kDoctor,
};

// The command line of sluicectl.
struct Arguments {
  CtlCommand command = CtlCommand::kHelp;
  std::string address;  // empty: the daemon's default
  bool json = false;
  uint64_t sequence_id = 0;   // of kExplain only
  int64_t target_bytes = -1;  // of kReclaim only
  bool dry_run = false;       // of kReclaim only
};

// Reads the words after the program's name; options may stand anywhere.
// INVALID_ARGUMENT with a sentence for the user: an unknown command or option, a
// missing value, more than one command, `explain` without an id, `reclaim` without
// bytes, or --json or --dry-run where it means nothing.
absl::StatusOr<Arguments> ParseArguments(std::span<const std::string> words);

// The text of `sluicectl help`.
std::string HelpText();

}  // namespace sluice::client
