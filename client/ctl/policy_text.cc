// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/policy_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/ctl/format.h"

namespace sluice::client {
namespace {

std::string RatioText(const Ratio& ratio) {
  return absl::StrFormat("%s %g %% of a head's tokens, rounded %s",
                         ratio.of == Ratio::Of::kKept ? "keeps" : "removes", 100 * ratio.value,
                         ratio.rounding == Ratio::Rounding::kCeil ? "up" : "down");
}

std::string LayersText(const std::vector<int32_t>& layers) {
  return absl::StrCat("skip_layers ", layers.empty() ? "none" : absl::StrJoin(layers, " "));
}

}  // namespace

std::string PolicyText(const Policy& policy) {
  const std::pair<const char*, std::optional<int64_t>> counts[] = {
      {"sink_tokens", policy.sink_tokens},
      {"cascade_tokens", policy.cascade_tokens},
      {"cascades", policy.cascades},
      {"stride_tokens", policy.stride_tokens},
      {"heavy_tokens", policy.heavy_tokens},
      {"recent_tokens", policy.recent_tokens},
      {"budget_tokens", policy.budget_tokens},
      {"window_tokens", policy.window_tokens},
      {"low_end_tokens", policy.low_end_tokens},
      {"prune_after_tokens", policy.prune_after_tokens},
      {"protect_first_tokens", policy.protect_first_tokens},
      {"protect_last_tokens", policy.protect_last_tokens}};
  std::vector<std::string> parts;
  if (policy.ratio) parts.push_back(RatioText(*policy.ratio));
  for (const auto& [name, value] : counts) {
    if (value) parts.push_back(absl::StrCat(name, " ", FormatCount(*value)));
  }
  if (policy.periods) parts.push_back(absl::StrCat("periods ", absl::StrJoin(*policy.periods, " ")));
  if (policy.skip_layers) parts.push_back(LayersText(*policy.skip_layers));
  const std::string preset = Printable(policy.preset);
  return parts.empty() ? preset : absl::StrCat(preset, ": ", absl::StrJoin(parts, ", "));
}

std::string ActsText(const Policy& policy) {
  if (!policy.stride_tokens) return TriggersText(policy.triggers);
  return absl::StrCat("as tokens come; in prefill every ", FormatCount(*policy.stride_tokens),
                      " tokens");
}

std::string TriggersText(const std::optional<Triggers>& triggers) {
  std::vector<std::string> parts;
  if (triggers && triggers->prefill_end) {
    parts.push_back(triggers->once ? "at the first end of prefill" : "at the end of prefill");
  }
  if (triggers && triggers->every) {
    parts.push_back(
        absl::StrCat("every ", FormatCount(triggers->every->tokens), " decoded tokens"));
    if (const auto hysteresis = triggers->every->hysteresis_tokens) {
      parts.back() += absl::StrCat(", ", FormatCount(*hysteresis), " over its budget");
    }
  }
  if (triggers && triggers->pressure) parts.push_back("under memory pressure");
  return parts.empty() ? "on request only" : absl::StrJoin(parts, "; ");
}

std::string TriggerText(JobReport::Trigger trigger) {
  switch (trigger) {
    case JobReport::Trigger::kPrefillEnd:
      return "the end of prefill";
    case JobReport::Trigger::kEvery:
      return "decoded tokens";
    case JobReport::Trigger::kPressure:
      return "memory pressure";
    case JobReport::Trigger::kRequest:
      return "a request";
    default:
      return absl::StrCat("cause ", static_cast<int>(trigger));
  }
}

std::string OutcomeText(JobReport::Outcome outcome) {
  switch (outcome) {
    case JobReport::Outcome::kCommitted:
      return "committed";
    case JobReport::Outcome::kNothingToEvict:
      return "nothing to evict";
    case JobReport::Outcome::kCancelled:
      return "cancelled";
    case JobReport::Outcome::kSkipped:
      return "skipped";
    case JobReport::Outcome::kDryRun:
      return "dry run";
    case JobReport::Outcome::kRunning:
      return "running";
    default:
      return absl::StrCat("outcome ", static_cast<int>(outcome));
  }
}

}  // namespace sluice::client
