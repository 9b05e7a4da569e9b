// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "daemon/policy/policy.h"

namespace sluice {

// Every preset with its defaults, as a model of many layers gets it, in the
// order in which a reader should meet them.
std::vector<PolicyPtr> PresetPolicies();

}  // namespace sluice
