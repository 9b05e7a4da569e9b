// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_tensor.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/checked_math.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/validate_common.h"

namespace sluice {
namespace {

constexpr int kRank = 3;

std::string ShapeText(const v1::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.shape(), ", "), "]");
}

int64_t ElementBytes(v1::Dtype dtype) { return dtype == v1::DTYPE_FP32 ? 4 : 2; }

}  // namespace

absl::Status TensorChecker::Check(const FieldPath& path, const v1::Tensor& tensor) {
  SLUICE_RETURN_IF_ERROR(CheckAlone(path, tensor));
  if (rows_ != 0 && tensor.shape(0) != rows_) {
    return RefuseField(FieldPath(path, "shape").ToString(),
                       absl::StrCat("must have ", rows_, " rows as the tensors before, got ",
                                    ShapeText(tensor)));
  }
  rows_ = tensor.shape(0);
  return absl::OkStatus();
}

absl::Status TensorChecker::CheckAlone(const FieldPath& path, const v1::Tensor& tensor) {
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "dtype"), tensor.dtype(),
                                   v1::Dtype_IsValid(tensor.dtype()), /*required=*/true));
  if (tensor.data_case() == v1::Tensor::kSlice) {
    return NotInVersion(FieldPath(path, "slice"), "this version has no arenas; send the bytes inline");
  }
  if (tensor.data_case() != v1::Tensor::kInline) return Missing(FieldPath(path, "inline"));
  SLUICE_RETURN_IF_ERROR(CheckShape(FieldPath(path, "shape"), tensor));
  return CheckBytes(FieldPath(path, "inline"), tensor);
}

absl::Status TensorChecker::CheckShape(const FieldPath& path, const v1::Tensor& tensor) {
  if (tensor.shape_size() != kRank) {
    return RefuseField(path.ToString(), absl::StrCat("must have ", kRank, " dimensions, got ",
                                                     ShapeText(tensor)));
  }
  for (const int64_t dim : tensor.shape()) {
    if (dim < 1) {
      return RefuseField(path.ToString(),
                         absl::StrCat("dimensions must be at least 1, got ", ShapeText(tensor)));
    }
  }
  return absl::OkStatus();
}

absl::Status TensorChecker::CheckBytes(const FieldPath& path, const v1::Tensor& tensor) {
  const std::optional<int64_t> expected = CheckedProduct(
      tensor.shape(0), tensor.shape(1), tensor.shape(2), ElementBytes(tensor.dtype()));
  const auto got = static_cast<int64_t>(tensor.inline_().size());
  if (!expected || *expected != got) {
    return RefuseField(path.ToString(),
                       absl::StrCat("must have ", expected ? absl::StrCat(*expected) : "over 2^63",
                                    " bytes for shape ", ShapeText(tensor), " of ",
                                    v1::Dtype_Name(tensor.dtype()), ", got ", got));
  }
  total_bytes_ += got;  // cannot overflow: the bytes are in memory
  if (total_bytes_ > limit_bytes_) {
    return RefuseField(path.ToString(), absl::StrCat("the request's tensors must have at most ",
                                                     limit_bytes_, " bytes, got ", total_bytes_));
  }
  return absl::OkStatus();
}

}  // namespace sluice
