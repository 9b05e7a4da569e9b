// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sluice/config/v1/config.pb.h"

namespace sluice {

// Sets every field of `config` that is absent to its default, as config.proto
// names them. Thread-compatible.
void FillDefaults(config::v1::Config& config);

// $XDG_RUNTIME_DIR/sluice/sluice.sock, or /run/sluice/sluice.sock without that
// variable.
std::string DefaultSocketPath();

}  // namespace sluice
