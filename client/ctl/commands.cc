// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/commands.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cpp/address.h"
#include "client/cpp/admin.h"
#include "client/ctl/arguments.h"
#include "client/ctl/doctor.h"
#include "client/ctl/explain.h"
#include "client/ctl/report.h"
#include "client/ctl/top.h"

namespace sluice::client {
namespace {

constexpr int64_t kMaxListed = 100'000;
// An operator, or a probe, wants to know of a stuck daemon sooner than an engine.
constexpr absl::Duration kTimeout = absl::Seconds(5);

absl::Status PrintStatus(Admin* admin, const Arguments& arguments, std::ostream& out) {
  const auto status = admin->GetStatus();
  if (!status.ok()) return status.status();
  out << (arguments.json ? status->json : StatusReport(*status, arguments.address));
  return absl::OkStatus();
}

absl::Status PrintSequences(Admin* admin, const Arguments& arguments, std::ostream& out) {
  const auto list = admin->ListSequences(kMaxListed);
  if (!list.ok()) return list.status();
  out << (arguments.json ? list->json : SequencesReport(*list));
  return absl::OkStatus();
}

absl::Status PrintExplanation(Admin* admin, const Arguments& arguments, std::ostream& out) {
  const auto inspection = admin->InspectSequence(arguments.sequence_id);
  if (!inspection.ok()) return inspection.status();
  out << (arguments.json ? inspection->json : ExplainReport(*inspection));
  return absl::OkStatus();
}

absl::Status Reclaim(Admin* admin, const Arguments& arguments, std::ostream& out) {
  const auto result = admin->Reclaim(arguments.target_bytes, arguments.dry_run);
  if (!result.ok()) return result.status();
  out << (arguments.json ? result->json : ReclaimReport(*result, arguments.dry_run));
  return absl::OkStatus();
}

absl::Status Doctor(Admin* admin, const Arguments& arguments, std::ostream& out) {
  const std::vector<Finding> findings =
      Diagnose(admin->GetStatus(), arguments.address, LookAtMachine());
  out << DoctorReport(findings);
  return AnyMissing(findings) ? absl::FailedPreconditionError("something is missing")
                              : absl::OkStatus();
}

absl::Status Run(const Arguments& arguments, std::ostream& out) {
  if (arguments.command == CtlCommand::kHelp) {
    out << HelpText();
    return absl::OkStatus();
  }
  if (arguments.command == CtlCommand::kVersion) {
    out << "sluicectl " << SLUICE_VERSION << "\n";
    return absl::OkStatus();
  }
  ConnectOptions options;
  options.address = arguments.address;
  options.client_name = "sluicectl";
  options.call_timeout = kTimeout;
  auto admin = Admin::Create(options);
  if (!admin.ok()) return admin.status();
  switch (arguments.command) {
    case CtlCommand::kStatus:
      return PrintStatus(admin->get(), arguments, out);
    case CtlCommand::kSequences:
      return PrintSequences(admin->get(), arguments, out);
    case CtlCommand::kExplain:
      return PrintExplanation(admin->get(), arguments, out);
    case CtlCommand::kReclaim:
      return Reclaim(admin->get(), arguments, out);
    case CtlCommand::kDoctor:
      return Doctor(admin->get(), arguments, out);
    case CtlCommand::kTop:
      return RunTop(admin->get(), out);
    default:
      return (*admin)->CheckHealth();
  }
}

}  // namespace

int RunCtl(std::span<const std::string> words, std::ostream& out, std::ostream& err) {
  auto arguments = ParseArguments(words);
  if (!arguments.ok()) {
    err << "sluicectl: " << arguments.status().message() << "\nTry: sluicectl help\n";
    return kCtlUsage;
  }
  if (arguments->address.empty()) arguments->address = DefaultAddress();
  const absl::Status status = Run(*arguments, out);
  out.flush();
  if (status.ok()) return kCtlDone;
  err << "sluicectl: " << status.message() << "\n";
  if (absl::IsUnavailable(status)) err << "Is sluiced running? --address names its socket.\n";
  return kCtlFailed;
}

}  // namespace sluice::client
