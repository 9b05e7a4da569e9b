// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "client/cpp/policy.h"

namespace sluice::client {

// Policies and jobs in words, without line ends. All are pure and thread-safe.

// The preset, and every size that it has: "l2norm: budget_tokens 300, ...".
std::string PolicyText(const Policy& policy);

// When a policy acts by itself; a cascade has no triggers: "as tokens come; in prefill
// every 1,024 tokens".
std::string ActsText(const Policy& policy);

// The same of triggers: "at the end of prefill; every 32 decoded tokens".
std::string TriggersText(const std::optional<Triggers>& triggers);

// What started a job, and how it ended; a number where the daemon knows more.
std::string TriggerText(JobReport::Trigger trigger);
std::string OutcomeText(JobReport::Outcome outcome);

}  // namespace sluice::client
