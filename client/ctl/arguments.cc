// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/arguments.h"

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/cpp/address.h"

namespace sluice::client {
namespace {

struct Name {
  absl::string_view name;
  CtlCommand command;
};

constexpr Name kNames[] = {
    {"help", CtlCommand::kHelp},
    {"--help", CtlCommand::kHelp},
    {"-h", CtlCommand::kHelp},
    {"version", CtlCommand::kVersion},
    {"--version", CtlCommand::kVersion},
    {"status", CtlCommand::kStatus},
    {"sequences", CtlCommand::kSequences},
    {"explain", CtlCommand::kExplain},
    {"reclaim", CtlCommand::kReclaim},
    {"top", CtlCommand::kTop},
    {"health", CtlCommand::kHealth},
    {"doctor", CtlCommand::kDoctor},
};

std::optional<CtlCommand> FindCommand(absl::string_view word) {
  for (const Name& name : kNames) {
    if (name.name == word) return name.command;
  }
  return std::nullopt;
}

absl::Status SetAddress(absl::string_view address, Arguments* arguments) {
  arguments->address = std::string(address);
  return CheckAddress(address);
}

absl::Status Refuse(absl::string_view what, absl::string_view word) {
  return absl::InvalidArgumentError(absl::StrCat(what, " \"", word, "\""));
}

absl::Status SetCommand(absl::string_view word, std::optional<CtlCommand>* command) {
  const std::optional<CtlCommand> found = FindCommand(word);
  if (!found) return Refuse(word.substr(0, 1) == "-" ? "unknown option" : "unknown command", word);
  // `status --help` asks for help, not for two things.
  if (*command && **command != CtlCommand::kHelp && *found != CtlCommand::kHelp) {
    return Refuse("one command at a time, not also", word);
  }
  if (*command != CtlCommand::kHelp) *command = found;
  return absl::OkStatus();
}

// A word that is neither an option nor a command's name: explain's sequence or
// reclaim's bytes, if any.
bool IsOperand(absl::string_view word, std::optional<CtlCommand> command,
               const Arguments& arguments) {
  const bool is_wanted = (command == CtlCommand::kExplain && arguments.sequence_id == 0) ||
                         (command == CtlCommand::kReclaim && arguments.target_bytes < 0);
  return is_wanted && word.substr(0, 1) != "-" && !FindCommand(word);
}

absl::Status SetOperand(absl::string_view word, CtlCommand command, Arguments* arguments) {
  if (command == CtlCommand::kReclaim) {
    if (absl::SimpleAtoi(word, &arguments->target_bytes)) return absl::OkStatus();
    return Refuse("reclaim takes a number of bytes, not", word);
  }
  if (absl::SimpleAtoi(word, &arguments->sequence_id) && arguments->sequence_id > 0) {
    return absl::OkStatus();
  }
  return Refuse("explain takes the id of a sequence, as `sluicectl sequences` lists it, not", word);
}

absl::Status CheckTogether(const Arguments& arguments) {
  const CtlCommand command = arguments.command;
  if (command == CtlCommand::kExplain && arguments.sequence_id == 0) {
    return absl::InvalidArgumentError(
        "explain needs the id of a sequence; `sluicectl sequences` lists them");
  }
  if (command == CtlCommand::kReclaim && arguments.target_bytes < 0) {
    return absl::InvalidArgumentError("reclaim needs the bytes that are to come back");
  }
  if (arguments.dry_run && command != CtlCommand::kReclaim && command != CtlCommand::kHelp) {
    return absl::InvalidArgumentError("--dry-run is for reclaim");
  }
  const bool has_json = command == CtlCommand::kStatus || command == CtlCommand::kSequences ||
                        command == CtlCommand::kExplain || command == CtlCommand::kReclaim ||
                        command == CtlCommand::kHelp;
  if (!arguments.json || has_json) return absl::OkStatus();
  return absl::InvalidArgumentError("--json is for status, sequences, explain and reclaim");
}

}  // namespace

absl::StatusOr<Arguments> ParseArguments(std::span<const std::string> words) {
  Arguments arguments;
  std::optional<CtlCommand> command;
  for (size_t i = 0; i < words.size(); ++i) {
    absl::string_view word = words[i];
    absl::Status status;
    if (word == "--json") {
      arguments.json = true;
    } else if (word == "--dry-run") {
      arguments.dry_run = true;
    } else if (word == "--address") {
      if (++i == words.size()) return absl::InvalidArgumentError("--address needs a value");
      status = SetAddress(words[i], &arguments);
    } else if (absl::ConsumePrefix(&word, "--address=")) {
      status = SetAddress(word, &arguments);
    } else if (IsOperand(word, command, arguments)) {
      status = SetOperand(word, *command, &arguments);
    } else {
      status = SetCommand(word, &command);
    }
    if (!status.ok()) return status;
  }
  if (!command) return absl::InvalidArgumentError("no command given");
  arguments.command = *command;
  if (absl::Status status = CheckTogether(arguments); !status.ok()) return status;
  return arguments;
}

std::string HelpText() {
  return absl::StrCat(
      "sluicectl: looks into a running sluiced, and makes room in it\n"
      "\n"
      "usage: sluicectl [--address=ADDRESS] COMMAND\n"
      "\n"
      "  status       the daemon and its pool          (--json: as JSON)\n"
      "  sequences    every sequence, by id            (--json: as JSON)\n"
      "  explain ID   what that sequence keeps by layer, and what its policy did\n"
      "               and would do now               (--json: as JSON)\n"
      "  reclaim BYTES\n"
      "               takes budget from sequences whose policy names the trigger\n"
      "               pressure, by the admin socket  (--json: as JSON;\n"
      "               --dry-run: only says from which)\n"
      "  top          a live view of both; q ends it\n"
      "  health       nothing but the exit code: 0 if the daemon serves, else 1\n"
      "  doctor       what of this machine and its daemon works, and what is missing\n"
      "  version      the version of this program\n"
      "  help         this text\n"
      "\n"
      "ADDRESS is unix:/path or host:port; default: ",
      DefaultAddress(),
      "\n"
      "Exit codes: 0 done, 1 the daemon refused or cannot be reached, 2 wrong usage\n");
}

}  // namespace sluice::client
