// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/top.h"

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/ctl/format.h"
#include "client/ctl/terminal.h"
#include "client/ctl/top_view.h"

namespace sluice::client {
namespace {

constexpr absl::Duration kRefresh = absl::Seconds(1);
constexpr int64_t kMaxListed = 1000;  // one page; a screen shows fewer
constexpr size_t kTextRows = 40;
constexpr size_t kTextColumns = 160;

absl::StatusOr<TopSnapshot> Take(Admin* admin) {
  auto status = admin->GetStatus();
  if (!status.ok()) return status.status();
  auto sequences = admin->ListSequences(kMaxListed);
  if (!sequences.ok()) return sequences.status();
  return TopSnapshot{absl::Now(), *std::move(status), *std::move(sequences)};
}

absl::Status PrintTop(Admin* admin, std::ostream& out) {
  std::optional<TopSnapshot> before;
  while (true) {
    auto now = Take(admin);
    if (!now.ok()) return now.status();
    const auto lines = TopView(*now, before ? &*before : nullptr, kTextRows, kTextColumns);
    out << absl::StrJoin(lines, "\n") << "\n\n" << std::flush;
    if (!out.good()) return absl::OkStatus();
    before = *std::move(now);
    std::this_thread::sleep_for(absl::ToChronoMilliseconds(kRefresh));
  }
}

absl::Status DrawTop(Admin* admin, TopSnapshot first) {
  Terminal terminal;
  std::optional<TopSnapshot> before;
  absl::StatusOr<TopSnapshot> now = std::move(first);
  while (true) {
    std::vector<std::string> lines;
    if (now.ok()) {
      lines = TopView(*now, before ? &*before : nullptr, terminal.rows(), terminal.columns());
    } else {
      lines = {FitLeft(absl::StrCat("waiting for the daemon: ", now.status().message()),
                       terminal.columns())};
    }
    terminal.Draw(lines);
    if (now.ok()) before = *std::move(now);
    if (terminal.WaitForEnd(kRefresh)) return absl::OkStatus();
    now = Take(admin);
  }
}

}  // namespace

absl::Status RunTop(Admin* admin, std::ostream& out) {
  if (!Terminal::IsThere()) return PrintTop(admin, out);
  // A daemon that is not there from the start is an error, not a screen.
  auto first = Take(admin);
  if (!first.ok()) return first.status();
  return DrawTop(admin, *std::move(first));
}

}  // namespace sluice::client
