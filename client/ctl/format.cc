// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/format.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sluice::client {
namespace {

std::string Cut(absl::string_view text, size_t width) {
  if (width == 0) return "";
  return absl::StrCat(text.substr(0, width - 1), "~");
}

}  // namespace

std::string FormatBytes(int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes > -1024 && bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while ((value >= 1023.95 || value <= -1023.95) && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string FormatCount(int64_t count) {
  std::string digits = absl::StrCat(count);
  const int64_t first = count < 0 ? 1 : 0;
  for (int64_t at = std::ssize(digits) - 3; at > first; at -= 3) digits.insert(at, 1, ',');
  return digits;
}

std::string FormatUptime(absl::Duration duration) {
  const int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(duration));
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  if (hours >= 24) return absl::StrCat(hours / 24, " d ", hours % 24, " h");
  if (hours > 0) return absl::StrCat(hours, " h ", minutes % 60, " min");
  if (minutes > 0) return absl::StrCat(minutes, " min ", seconds % 60, " s");
  return absl::StrCat(seconds, " s");
}

std::string FormatShare(int64_t part, int64_t total) {
  const double share = total > 0 ? static_cast<double>(part) / static_cast<double>(total) : 0;
  return absl::StrFormat("%.1f %%", 100 * share);
}

std::string FitLeft(absl::string_view text, size_t width) {
  if (text.size() > width) return Cut(text, width);
  return absl::StrCat(text, std::string(width - text.size(), ' '));
}

std::string FitRight(absl::string_view text, size_t width) {
  if (text.size() > width) return Cut(text, width);
  return absl::StrCat(std::string(width - text.size(), ' '), text);
}

std::string NamedLine(absl::string_view name, absl::string_view value) {
  return absl::StrCat(FitLeft(name, 20), value, "\n");
}

std::string Printable(absl::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, '?');
  return out;
}

}  // namespace sluice::client
