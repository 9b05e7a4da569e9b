// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/policy/policy_spec.h"
#include "sluice/v1/policy.pb.h"

namespace sluice {

// The parameters that only cascades have; others are left as they are.
void ToCascadeSpec(const v1::Parameters& from, PolicySpec& spec);
void FromCascadeSpec(const PolicySpec& spec, v1::Parameters* to);

}  // namespace sluice
