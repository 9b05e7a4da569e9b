// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/field_path.h"

#include "absl/strings/str_cat.h"

namespace sluice {

std::string FieldPath::ToString() const {
  std::string path = parent_ == nullptr ? "" : absl::StrCat(parent_->ToString(), ".");
  absl::StrAppend(&path, name_);
  if (index_ >= 0) absl::StrAppend(&path, "[", index_, "]");
  return path;
}

}  // namespace sluice
