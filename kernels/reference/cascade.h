// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.h"

namespace sluice::reference {

void RunCascadeInsert(const PoolView& pool, const CascadeInsertArgs& args);

}  // namespace sluice::reference
