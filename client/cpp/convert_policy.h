// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client/cpp/policy.h"
#include "sluice/v1/policy.pb.h"

namespace sluice::client {

// Internal: policies on the wire. All are thread-safe.

void ToWire(const Policy& policy, v1::Policy* out);
ResolvedPolicy FromWire(const v1::ResolvedPolicy& policy);
JobReport FromWire(const v1::JobReport& report);

}  // namespace sluice::client
