// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>

#include "absl/status/status.h"
#include "client/cpp/admin.h"

namespace sluice::client {

// Shows the daemon live until the user ends it: on the terminal, or where there
// is none as text on `out`, once each refresh, until `out` or the process ends.
// Survives a restart of the daemon on the terminal, saying what is missing;
// as text it ends with the error.
absl::Status RunTop(Admin* admin, std::ostream& out);

}  // namespace sluice::client
