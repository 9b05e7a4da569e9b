// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/transport.h"
#include "sluice/v1/kv_cache.pb.h"

namespace sluice::client {

// A daemon as this process knows it: how to call it, and what it told of itself.
// Internal; shared by a client and all that came of it.
//
// Thread-safe.
class Connection {
 public:
  explicit Connection(std::shared_ptr<Transport> transport) : transport_(std::move(transport)) {}

  // Asks for the capabilities, and keeps what the other members tell of them.
  absl::StatusOr<v1::GetCapabilitiesResponse> FetchCapabilities(bool wait_for_daemon);

  // One call of the service KvCache.
  absl::Status Call(const char* method, const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite* response,
                    absl::Duration more_time = absl::ZeroDuration());

  // How many bytes of tensors one request may bring.
  int64_t tensor_limit_bytes() const { return tensor_limit_bytes_.load(); }
  // The life of the daemon that the capabilities are of.
  uint64_t epoch() const { return epoch_.load(); }
  Transport& transport() { return *transport_; }

 private:
  const std::shared_ptr<Transport> transport_;
  std::atomic<int64_t> tensor_limit_bytes_{0};
  std::atomic<uint64_t> epoch_{0};
};

// An id for a request that is safe to repeat: 32 random hexadecimal digits.
std::string NewRequestId();

}  // namespace sluice::client
