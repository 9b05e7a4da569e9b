// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/top_view.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/ctl/format.h"
#include "client/ctl/report.h"

namespace sluice::client {
namespace {

constexpr size_t kMaxBarWidth = 100;
constexpr char kFreeMark = '.';

struct Part {
  char mark;
  int64_t bytes;
};

std::array<Part, 4> HeldParts(const PoolStatus& pool) {
  return {{{'#', pool.in_use_bytes},
           {'c', pool.cached_bytes},
           {'r', pool.reserved_bytes},
           {'x', pool.retired_bytes}}};
}

size_t CharactersOf(int64_t bytes, int64_t total_bytes, size_t width) {
  if (bytes <= 0 || total_bytes <= 0) return 0;
  const double share = static_cast<double>(bytes) / static_cast<double>(total_bytes);
  const auto characters = static_cast<size_t>(std::min(share, 1.0) * static_cast<double>(width));
  return std::max<size_t>(1, characters);
}

std::string Rate(int64_t count, absl::Duration time, absl::string_view unit) {
  const double per_second = static_cast<double>(count) / absl::ToDoubleSeconds(time);
  return absl::StrFormat("%.1f %s/s", std::max(0.0, per_second), unit);
}

std::string RatesLine(const TopSnapshot& now, const TopSnapshot* before) {
  const bool is_same_life = before != nullptr && before->status.epoch == now.status.epoch;
  if (!is_same_life || now.time <= before->time) return "rates: with the next refresh";
  const absl::Duration time = now.time - before->time;
  const Totals& to = now.status.totals;
  const Totals& from = before->status.totals;
  return absl::StrCat(Rate(to.token_count - from.token_count, time, "tokens"), "   ",
                      Rate(to.closed_step_count - from.closed_step_count, time, "steps"), "   ",
                      Rate(to.attended_row_count - from.attended_row_count, time, "rows"), "   ",
                      Rate(to.evicted_slot_count - from.evicted_slot_count, time, "evicted slots"),
                      "   ",
                      Rate(to.refused_call_count - from.refused_call_count, time, "refused"));
}

std::string CountsLine(const DaemonStatus& status) {
  return absl::StrCat(status.model_count, " models   ", status.session_count, " sessions   ",
                      status.sequence_count, " sequences   ", status.open_step_count,
                      " open steps   ", status.job_count, " jobs");
}

std::string LegendLine(const PoolStatus& pool) {
  return absl::StrCat("# in use ", FormatBytes(pool.in_use_bytes), "   c cached ",
                      FormatBytes(pool.cached_bytes), "   r reserved ",
                      FormatBytes(pool.reserved_bytes), "   x retired ",
                      FormatBytes(pool.retired_bytes), "   . free ", FormatBytes(pool.free_bytes));
}

std::vector<SequenceSummary> LargestFirst(std::vector<SequenceSummary> sequences) {
  std::stable_sort(sequences.begin(), sequences.end(),
                   [](const auto& a, const auto& b) { return a.held_bytes > b.held_bytes; });
  return sequences;
}

}  // namespace

std::string PoolBar(const PoolStatus& pool, size_t width) {
  std::string bar;
  for (const Part& part : HeldParts(pool)) {
    bar.append(CharactersOf(part.bytes, pool.total_bytes, width), part.mark);
  }
  bar.resize(width, kFreeMark);
  return absl::StrCat("[", bar, "]");
}

std::vector<std::string> TopView(const TopSnapshot& now, const TopSnapshot* before, size_t rows,
                                 size_t columns) {
  const DaemonStatus& status = now.status;
  const size_t bar_width = std::min(columns > 2 ? columns - 2 : 0, kMaxBarWidth);
  std::vector<std::string> lines = {
      absl::StrCat("sluiced ", Printable(status.version), " (", Printable(status.backend), ", ",
                   Printable(status.arithmetic), ")   up ", FormatUptime(status.uptime),
                   status.draining ? "   SHUTTING DOWN" : ""),
      CountsLine(status),
      RatesLine(now, before),
      absl::StrCat(
          "pool ", FormatBytes(status.pool.total_bytes), ", ",
          FormatShare(status.pool.in_use_bytes, status.pool.total_bytes), " in use"),
      PoolBar(status.pool, bar_width),
      LegendLine(status.pool),
      ""};
  for (std::string& line : SequenceTable(LargestFirst(now.sequences.sequences), columns)) {
    lines.push_back(std::move(line));
  }
  if (lines.size() > rows) lines.resize(rows);
  for (std::string& line : lines) {
    if (line.size() > columns) line.resize(columns);
  }
  return lines;
}

}  // namespace sluice::client
