// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/policy/policy_spec.h"
#include "sluice/v1/policy.pb.h"

namespace sluice {

// The parameters of the window-score presets; others are left as they are.
void ToWindowSpec(const v1::Parameters& from, PolicySpec& spec);
void FromWindowSpec(const PolicySpec& spec, v1::Parameters* to);

// Those of the presets that score by accumulated attention alone.
void ToAccumulatedSpec(const v1::Parameters& from, PolicySpec& spec);
void FromAccumulatedSpec(const PolicySpec& spec, v1::Parameters* to);

}  // namespace sluice
