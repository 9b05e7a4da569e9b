// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/base/logging.h"
#include "daemon/engine/engine.h"
#include "sluice/config/v1/config.pb.h"

namespace sluice {

// What the layers below are told of a configuration. REQUIRES: from MakeConfig.
EngineOptions ToEngineOptions(const config::v1::Config& config);
LogOptions ToLogOptions(const config::v1::Logging& logging);

}  // namespace sluice
