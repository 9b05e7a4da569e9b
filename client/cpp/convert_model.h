// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client/cpp/capabilities.h"
#include "client/cpp/model.h"
#include "sluice/v1/kv_cache.pb.h"

namespace sluice::client {

// Internal: models and capabilities on the wire. All are thread-safe.

void ToWire(const ModelGeometry& geometry, v1::ModelGeometry* out);
Capabilities FromWire(const v1::GetCapabilitiesResponse& response);

}  // namespace sluice::client
