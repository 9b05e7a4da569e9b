// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sluice {

// Where a field is in its request: `entries[17].base_length`. Written out only
// when the field is refused, so that good requests pay nothing for it.
//
// Immutable; refers to its parent and names, so a path lives on the stack.
class FieldPath {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a name is the path of a field of the request.
  FieldPath(const char* name) : name_(name) {}
  FieldPath(const FieldPath& parent, const char* name) : parent_(&parent), name_(name) {}
  // An element of a repeated field.
  FieldPath(const char* name, int64_t index) : name_(name), index_(index) {}
  FieldPath(const FieldPath& parent, const char* name, int64_t index)
      : parent_(&parent), name_(name), index_(index) {}
  FieldPath(const FieldPath&) = delete;
  FieldPath& operator=(const FieldPath&) = delete;

  std::string ToString() const;

 private:
  const FieldPath* parent_ = nullptr;
  absl::string_view name_;
  int64_t index_ = -1;  // -1: not an element
};

}  // namespace sluice
