// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <google/protobuf/arena.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "daemon/rpc/call_observer.h"
#include "sluice/v1/session.pb.h"

namespace sluice {

class SessionReactor;

// One request of a session stream and its answer, from the read to the written
// answer. Both lie in an arena that is used again for the next call.
//
// Thread-compatible: the one who reads, serves or writes the call owns it.
class SessionCall {
 public:
  SessionCall() { Reset(); }
  SessionCall(const SessionCall&) = delete;
  SessionCall& operator=(const SessionCall&) = delete;

  // Forgets request and answer, their tensors too.
  void Reset() {
    arena_.Reset();
    request = google::protobuf::Arena::CreateMessage<v1::SessionRequest>(&arena_);
    response = google::protobuf::Arena::CreateMessage<v1::SessionResponse>(&arena_);
    session.reset();
    size_bytes = 0;
  }

  v1::SessionRequest* request = nullptr;
  v1::SessionResponse* response = nullptr;
  int64_t size_bytes = 0;  // of the request and its answer, at most while that is not known
  ObservedCall observed;
  std::shared_ptr<SessionReactor> session;  // while the engine has the call

 private:
  alignas(std::max_align_t) std::array<char, 2048> first_block_;
  google::protobuf::Arena arena_{first_block_.data(), first_block_.size()};
};

}  // namespace sluice
