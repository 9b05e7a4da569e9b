// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/convert_common.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"

namespace sluice {

Dtype ToDtype(v1::Dtype dtype) {
  switch (dtype) {
    case v1::DTYPE_FP32:
      return Dtype::kF32;
    case v1::DTYPE_BF16:
      return Dtype::kBf16;
    default:
      return Dtype::kF16;
  }
}

v1::Dtype FromDtype(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return v1::DTYPE_FP32;
    case Dtype::kBf16:
      return v1::DTYPE_BF16;
    case Dtype::kF16:
      return v1::DTYPE_FP16;
  }
  return v1::DTYPE_UNSPECIFIED;
}

TensorRef ToTensorRef(const v1::Tensor& tensor) {
  TensorRef ref;
  ref.dtype = ToDtype(tensor.dtype());
  ref.rank = tensor.shape_size();
  for (int i = 0; i < tensor.shape_size(); ++i) {
    ref.shape[static_cast<size_t>(i)] = tensor.shape(i);
  }
  ref.data = reinterpret_cast<const std::byte*>(tensor.inline_().data());
  return ref;
}

v1::Reason FromReason(Reason reason) {
  // One list in two places: the wire's names are ours with a prefix, which the
  // test of this file checks for every value.
  v1::Reason wire = v1::REASON_UNSPECIFIED;
  SLUICE_CHECK(v1::Reason_Parse(absl::StrCat("REASON_", std::string(ReasonName(reason))), &wire))
      << ReasonName(reason);
  return wire;
}

void FromRoom(const Room& room, v1::Room* to) {
  to->set_free_bytes(room.free_bytes);
  to->set_block_bytes(room.block_bytes);
  to->set_missing_bytes(room.missing_bytes);
}

}  // namespace sluice
