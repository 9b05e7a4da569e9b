// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the function with the status of `expression` unless it is OK.
#define SLUICE_RETURN_IF_ERROR(expression)                            \
  do {                                                                \
    if (absl::Status sluice_status = (expression); !sluice_status.ok()) { \
      return sluice_status;                                           \
    }                                                                 \
  } while (false)

// Assigns the value of a StatusOr, or returns from the function with its status.
//
//   SLUICE_ASSIGN_OR_RETURN(const KvLayout layout, KvLayout::Create(options));
#define SLUICE_ASSIGN_OR_RETURN(target, expression) \
  SLUICE_ASSIGN_OR_RETURN_IMPL(SLUICE_CONCAT(sluice_status_or_, __LINE__), target, expression)

#define SLUICE_ASSIGN_OR_RETURN_IMPL(temporary, target, expression) \
  auto temporary = (expression);                                    \
  if (!temporary.ok()) return std::move(temporary).status();        \
  target = *std::move(temporary)

#define SLUICE_CONCAT(a, b) SLUICE_CONCAT_IMPL(a, b)
#define SLUICE_CONCAT_IMPL(a, b) a##b
