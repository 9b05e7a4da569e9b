// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/tensor_check.h"

#include <algorithm>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/reason.h"

namespace sluice {

std::string ShapeText(const TensorRef& tensor) {
  const std::span dims(tensor.shape.data(), static_cast<size_t>(tensor.rank));
  return absl::StrCat("[", absl::StrJoin(dims, ", "), "]");
}

absl::Status CheckShape(const std::string& field, const TensorRef& tensor,
                        std::initializer_list<int64_t> expected, const char* meaning) {
  const std::span dims(tensor.shape.data(), static_cast<size_t>(tensor.rank));
  if (std::equal(dims.begin(), dims.end(), expected.begin(), expected.end())) {
    return absl::OkStatus();
  }
  return RefuseField(field + ".shape",
                     absl::StrCat("must be ", meaning, " = [", absl::StrJoin(expected, ", "),
                                  "], got ", ShapeText(tensor)));
}

}  // namespace sluice
