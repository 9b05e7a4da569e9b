// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/base/reason.h"
#include "daemon/engine/refusal_details.h"
#include "daemon/engine/tensor_ref.h"
#include "sluice/v1/types.pb.h"

namespace sluice {

// REQUIRES, all of this file and of the other convert headers: the request
// passed Validate. Pure functions: thread-safe.
Dtype ToDtype(v1::Dtype dtype);
v1::Dtype FromDtype(Dtype dtype);

// Refers to the bytes where protobuf put them.
TensorRef ToTensorRef(const v1::Tensor& tensor);

v1::Reason FromReason(Reason reason);
void FromRoom(const Room& room, v1::Room* to);

}  // namespace sluice
