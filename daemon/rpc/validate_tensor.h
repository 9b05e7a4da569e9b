// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "daemon/rpc/field_path.h"
#include "sluice/v1/types.pb.h"

namespace sluice {

// Checks the tensors of one request, and adds up their bytes.
//
// Not thread-safe: owned by the check of one request.
class TensorChecker {
 public:
  // All tensors together may have `limit_bytes`.
  explicit TensorChecker(int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // A tensor `[rows, heads, dim]`, all at least 1, with as many bytes as shape
  // and dtype say. FIELD_INVALID otherwise, naming `path` or a field of it;
  // NOT_IN_VERSION for a slice of an arena. Every tensor that is checked so has
  // the rows of the first.
  absl::Status Check(const FieldPath& path, const v1::Tensor& tensor);

  // The same for a tensor with rows of its own.
  absl::Status CheckAlone(const FieldPath& path, const v1::Tensor& tensor);

 private:
  absl::Status CheckShape(const FieldPath& path, const v1::Tensor& tensor);
  absl::Status CheckBytes(const FieldPath& path, const v1::Tensor& tensor);

  const int64_t limit_bytes_;
  int64_t total_bytes_ = 0;
  int64_t rows_ = 0;  // 0: no tensor yet
};

}  // namespace sluice
