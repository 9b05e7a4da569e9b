// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/repeated_field.h>

#include <span>
#include <vector>

#include "absl/time/time.h"

namespace sluice::client {

// Internal: small pieces of the conversions between our types and the wire's.

inline absl::Duration FromWire(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

inline void ToWire(absl::Duration duration, google::protobuf::Duration* out) {
  out->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  out->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
}

template <class T>
std::vector<T> FromWire(const google::protobuf::RepeatedField<T>& field) {
  return {field.begin(), field.end()};
}

template <class T>
void ToWire(std::span<const T> values, google::protobuf::RepeatedField<T>* out) {
  out->Assign(values.begin(), values.end());
}

template <class T>
void ToWire(const std::vector<T>& values, google::protobuf::RepeatedField<T>* out) {
  out->Assign(values.begin(), values.end());
}

}  // namespace sluice::client
