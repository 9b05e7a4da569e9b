// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// A place where a test can make an error happen that is rare in life:
//
//   SLUICE_RETURN_IF_ERROR(SLUICE_FAILPOINT("slab_store.grow"));
//
// OK and free of cost unless built with SLUICE_FAILPOINTS and armed.
#ifdef SLUICE_FAILPOINTS
#define SLUICE_FAILPOINT(name) ::sluice::FailpointStatus(name)
#else
#define SLUICE_FAILPOINT(name) ::absl::OkStatus()
#endif

namespace sluice {

// The next `count` passes through the failpoint return `status` (then it is OK
// again). Thread-safe.
void ArmFailpoint(absl::string_view name, absl::Status status, int count = 1);

// Makes every failpoint OK again. Thread-safe.
void DisarmFailpoints();

// What a pass through the failpoint returns now. Thread-safe.
absl::Status FailpointStatus(absl::string_view name);

}  // namespace sluice
