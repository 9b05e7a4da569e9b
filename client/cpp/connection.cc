// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/connection.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sluice::client {
namespace {

// Of a daemon that names no limit: the documented default.
constexpr int64_t kDefaultTensorBytes = int64_t{64} << 20;
// What a message holds besides its tensors.
constexpr int64_t kEnvelopeBytes = int64_t{64} << 10;

int64_t TensorLimit(const v1::Limits& limits) {
  int64_t bytes = limits.inline_tensor_bytes();
  if (bytes <= 0) bytes = kDefaultTensorBytes;
  const int64_t room = limits.message_bytes() - kEnvelopeBytes;
  return room > 0 ? std::min(bytes, room) : bytes;
}

}  // namespace

absl::StatusOr<v1::GetCapabilitiesResponse> Connection::FetchCapabilities(bool wait_for_daemon) {
  v1::GetCapabilitiesResponse response;
  absl::Status status =
      transport_->Call("/sluice.v1.KvCache/GetCapabilities", v1::GetCapabilitiesRequest(),
                       &response, absl::ZeroDuration(), wait_for_daemon);
  if (!status.ok()) return status;
  tensor_limit_bytes_ = TensorLimit(response.limits());
  epoch_ = response.epoch();
  return response;
}

absl::Status Connection::Call(const char* method, const google::protobuf::MessageLite& request,
                              google::protobuf::MessageLite* response, absl::Duration more_time) {
  return transport_->Call(absl::StrCat("/sluice.v1.KvCache/", method), request, response,
                          more_time);
}

std::string NewRequestId() {
  std::random_device device;
  return absl::StrFormat("%08x%08x%08x%08x", device(), device(), device(), device());
}

}  // namespace sluice::client
