// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "sluice/v1/admin.pb.h"
#include "sluice/v1/kv_cache.pb.h"

namespace sluice::client {

// What a fake daemon tells of itself.
struct FakeOptions {
  uint64_t epoch = 1;
  int64_t inline_tensor_bytes = 1 << 20;
  absl::Duration heartbeat_limit = absl::Seconds(30);
};

// A daemon made of answers, behind real gRPC on a temporary Unix socket. Attend
// answers 2 * q (as fp32) and, as log-sum-exp, its first_token; the call of layer 9
// closes the step.
//
// Thread-safe but for Stop and Start.
class FakeDaemon {
 public:
  explicit FakeDaemon(FakeOptions options = {});
  ~FakeDaemon();

  // "unix:/tmp/..."
  std::string address() const;

  // As kill -9 does: streams end at once. Start comes back on the same socket.
  void Stop();
  void Start(FakeOptions options);

  // The requests of that kind, in order, since the last Start.
  std::vector<v1::SessionRequest> Requests(v1::SessionRequest::RequestCase kind);
  // Waits until there are `count` of them; false after ten seconds.
  bool WaitForRequests(v1::SessionRequest::RequestCase kind, size_t count);
  std::vector<std::string> UnaryCalls();
  std::vector<uint64_t> FreedSequences();

  // The next requests of that kind are refused with `error`, or not answered
  // where its code is 0.
  void Refuse(v1::SessionRequest::RequestCase kind, v1::Error error, int count = 1);
  // The next unary calls of that method end so; details as trailing metadata.
  void RefuseUnary(const std::string& method, v1::Error error, int count = 1);
  // Spoils every answer on the stream before it leaves.
  void SpoilAnswers(std::function<void(v1::SessionResponse*)> spoil);
  void SetStatus(v1::GetStatusResponse status);
  void SetSequences(std::vector<v1::SequenceSummary> sequences);
  void SetInspection(v1::InspectSequenceResponse inspection);
  void SetServing(bool serving);

  struct State;

 private:
  struct Server;
  std::shared_ptr<State> state_;
  std::unique_ptr<Server> server_;
  std::string folder_;
};

}  // namespace sluice::client
