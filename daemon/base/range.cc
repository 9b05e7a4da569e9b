// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/range.h"

#include <array>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "daemon/base/reason.h"

namespace sluice {
namespace {

// To one decimal, without a zero there.
std::string BinarySize(int64_t bytes) {
  constexpr std::array kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes);
  size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  const std::string number = absl::StrFormat("%.1f", size);
  return absl::StrCat(absl::StripSuffix(number, ".0"), " ", kUnits[unit]);
}

std::string UnitText(absl::string_view field, int64_t low, int64_t high) {
  if (absl::EndsWith(field, "tokens") || absl::EndsWith(field, "token_count")) return " tokens";
  if (!absl::EndsWith(field, "bytes")) return "";
  return absl::StrCat(" bytes (", BinarySize(low), " to ", BinarySize(high), ")");
}

}  // namespace

absl::Status RefuseRange(absl::string_view field, int64_t value, int64_t low, int64_t high) {
  return RefuseField(field, absl::StrCat("must be in [", low, ", ", high, "]",
                                         UnitText(field, low, high), ", got ", value));
}

}  // namespace sluice
