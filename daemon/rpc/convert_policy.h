// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/engine/command.h"
#include "daemon/policy/policy.h"
#include "sluice/v1/policy.pb.h"

namespace sluice {

PolicySpec ToPolicySpec(const v1::Policy& policy);
void FromPolicy(const Policy& policy, v1::ResolvedPolicy* to);
void FromJobReport(const JobReport& report, v1::JobReport* to);

}  // namespace sluice
