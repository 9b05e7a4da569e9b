// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice {

// Takes the first byte as the number of a request type, parses the rest as that
// request, validates it, and converts what passes. Must never crash, nor read
// beyond a tensor's bytes.
void FuzzValidate(const uint8_t* data, size_t size);

}  // namespace sluice
