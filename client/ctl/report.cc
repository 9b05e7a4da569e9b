// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/ctl/format.h"

namespace sluice::client {
namespace {

std::string PoolLine(absl::string_view name, int64_t bytes, int64_t total_bytes) {
  return absl::StrCat(FitLeft(absl::StrCat("  ", name), 20), FitRight(FormatBytes(bytes), 12),
                      FitRight(FormatShare(bytes, total_bytes), 10), "\n");
}

std::string PoolReport(const PoolStatus& pool) {
  return absl::StrCat(NamedLine("pool", FitRight(FormatBytes(pool.total_bytes), 12)),
                      PoolLine("in use", pool.in_use_bytes, pool.total_bytes),
                      PoolLine("cached", pool.cached_bytes, pool.total_bytes),
                      PoolLine("reserved for jobs", pool.reserved_bytes, pool.total_bytes),
                      PoolLine("retired", pool.retired_bytes, pool.total_bytes),
                      PoolLine("free", pool.free_bytes, pool.total_bytes));
}

std::string TotalsReport(const Totals& totals) {
  return absl::StrCat("since its start\n", NamedLine("  tokens", FormatCount(totals.token_count)),
                      NamedLine("  steps closed", FormatCount(totals.closed_step_count)),
                      NamedLine("  steps undone", FormatCount(totals.undone_step_count)),
                      NamedLine("  rows attended", FormatCount(totals.attended_row_count)),
                      NamedLine("  calls refused", FormatCount(totals.refused_call_count)),
                      NamedLine("  jobs committed", FormatCount(totals.committed_job_count)),
                      NamedLine("  slots evicted", FormatCount(totals.evicted_slot_count)),
                      NamedLine("  freed by jobs", FormatBytes(totals.job_freed_bytes)));
}

std::string State(const SequenceSummary& sequence) {
  if (sequence.lost) return "lost";
  return sequence.open_step_id != 0 ? "step" : "idle";
}

// The columns that say most come first: a narrow terminal cuts the others.
std::string Row(const SequenceSummary& sequence) {
  return absl::StrCat(
      FitRight(absl::StrCat(sequence.sequence_id), 20), "  ",
      FitLeft(Printable(sequence.preset), 12), FitRight(FormatCount(sequence.length), 12),
      FitRight(absl::StrFormat("%.1f", sequence.mean_kept_tokens), 12),
      FitRight(FormatBytes(sequence.held_bytes), 12), "  ", FitLeft(State(sequence), 5), " ",
      FitLeft(Printable(sequence.model_name), 16), " ", Printable(sequence.tenant));
}

}  // namespace

std::string StatusReport(const DaemonStatus& status, const std::string& address) {
  return absl::StrCat(
      NamedLine("sluiced",
                absl::StrCat(Printable(status.version), ", ",
                             status.draining ? "shutting down" : "serving", " at ", address)),
      NamedLine("up", FormatUptime(status.uptime)),
      NamedLine("backend", absl::StrCat(Printable(status.backend), ", ",
                                        Printable(status.arithmetic), " arithmetic")),
      PoolReport(status.pool), NamedLine("models", FormatCount(status.model_count)),
      NamedLine("sessions", FormatCount(status.session_count)),
      NamedLine("sequences", FormatCount(status.sequence_count)),
      NamedLine("open steps", FormatCount(status.open_step_count)),
      NamedLine("jobs", FormatCount(status.job_count)), TotalsReport(status.totals));
}

std::vector<std::string> SequenceTable(const std::vector<SequenceSummary>& sequences,
                                       size_t width) {
  std::vector<std::string> lines = {
      absl::StrCat(FitRight("sequence", 20), "  ", FitLeft("policy", 12), FitRight("tokens", 12),
                   FitRight("mean kept", 12), FitRight("held", 12), "  ", FitLeft("state", 5), " ",
                   FitLeft("model", 16), " tenant")};
  for (const SequenceSummary& sequence : sequences) lines.push_back(Row(sequence));
  for (std::string& line : lines) {
    if (width > 0 && line.size() > width) line.resize(width);
  }
  return lines;
}

std::string SequencesReport(const SequenceList& list) {
  if (list.sequences.empty()) return "no sequences\n";
  const std::string more = list.is_complete ? "" : "... and more\n";
  return absl::StrCat(absl::StrJoin(SequenceTable(list.sequences, 0), "\n"), "\n", more);
}

std::string ReclaimReport(const ReclaimResult& result, bool dry_run) {
  std::string text;
  if (result.freed_bytes > 0) {
    text = NamedLine(dry_run ? "would be freed" : "freed", FormatBytes(result.freed_bytes));
  }
  if (result.cuts.empty()) return absl::StrCat(text, "no sequence can give anything\n");
  absl::StrAppend(&text, FitRight("sequence", 20), "  ", FitLeft("policy", 12),
                  FitRight("priority", 10), FitRight("new budget", 12), FitRight("frees", 12),
                  "  tenant\n");
  for (const BudgetCut& cut : result.cuts) {
    absl::StrAppend(&text, FitRight(absl::StrCat(cut.sequence_id), 20), "  ",
                    FitLeft(Printable(cut.preset), 12), FitRight(absl::StrCat(cut.priority), 10),
                    FitRight(FormatCount(cut.budget_tokens), 12),
                    FitRight(FormatBytes(cut.expected_bytes), 12), "  ", Printable(cut.tenant),
                    "\n");
  }
  return absl::StrCat(text, dry_run ? "would free at least " : "frees at least ",
                      FormatBytes(result.expected_bytes), "\n");
}

}  // namespace sluice::client
