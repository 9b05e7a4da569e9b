// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sluice::client {

// Numbers for people. All are pure and thread-safe.

// In the largest binary unit that leaves at least 1: "512 B", "1.5 MiB".
std::string FormatBytes(int64_t bytes);

// With a separator between thousands: "1,234,567".
std::string FormatCount(int64_t count);

// The two largest units: "3 d 4 h", "12 min 5 s", "5 s".
std::string FormatUptime(absl::Duration duration);

// A share in percent, "25.0 %"; "0.0 %" of nothing.
std::string FormatShare(int64_t part, int64_t total);

// `text` in exactly `width` columns: filled with spaces, or cut with "~".
std::string FitLeft(absl::string_view text, size_t width);
std::string FitRight(absl::string_view text, size_t width);

// A whole line of a report: the name in a column of its own, then the value.
std::string NamedLine(absl::string_view name, absl::string_view value);

// `text` with control characters, which a terminal would obey, as "?".
std::string Printable(absl::string_view text);

}  // namespace sluice::client
