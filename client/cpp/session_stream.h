// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/connection.h"
#include "client/cpp/heartbeat.h"
#include "sluice/v1/session.pb.h"

namespace sluice::client {

// One open session: its gRPC stream and its heartbeats. Internal.
//
// There is no thread that reads: of the threads that wait for an answer one
// polls, hands the others theirs, and passes the polling on when it has its own.
// So a lone caller pays no switch between threads.
//
// Thread-safe. After its end, whatever the reason, every call fails with the
// reason; a new session needs a new object.
class SessionStream {
 public:
  // Opens a session. Errors: as the stream's own; UNAVAILABLE where there is no
  // daemon.
  static absl::StatusOr<std::shared_ptr<SessionStream>> Open(
      std::shared_ptr<Connection> connection);

  ~SessionStream();

  // Sends the request, whose call_id is set here, and waits for the answer. A
  // refusal is returned as its status. DEADLINE_EXCEEDED: the answer did not come
  // in the connection's call_timeout + `more_time`, and is dropped when it comes.
  absl::Status Call(v1::SessionRequest* request, v1::SessionResponse* response,
                    absl::Duration more_time = absl::ZeroDuration());

  // Asks the daemon whether the session lives.
  absl::Status Ping();

  // Ends the session: ends the calls under way, then says goodbye for at most a
  // second. Later calls are FAILED_PRECONDITION.
  void Close();

  // OK while the session lives, then why it ended.
  absl::Status status() const;
  uint64_t id() const { return id_; }
  uint64_t epoch() const { return epoch_; }
  // Whether the daemon said that it shuts down.
  bool draining() const { return draining_.load(); }
  Connection& connection() const { return *connection_; }

 private:
  using Lock = std::unique_lock<std::mutex>;
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Rpc;
  struct Waiter {
    v1::SessionResponse* response;
    bool done = false;
    absl::Status status = absl::OkStatus();
  };

  explicit SessionStream(std::shared_ptr<Connection> connection);

  absl::Status Start();
  void StartHeartbeats(absl::Duration limit);
  absl::Status Exchange(v1::SessionRequest* request, v1::SessionResponse* response,
                        absl::Duration timeout);
  void CloseNow(Lock* lock);

  // Waits until `condition` holds, polling if nobody else does. False: the time
  // is over.
  bool Await(Lock* lock, TimePoint deadline, const std::function<bool()>& condition);
  void Poll(Lock* lock, TimePoint deadline);
  void Handle(intptr_t tag, bool ok);
  void Deliver();
  void Read();
  void Finish();
  void End();

  const std::shared_ptr<Connection> connection_;
  const std::unique_ptr<Rpc> rpc_;
  uint64_t id_ = 0;  // this and the next set before the object is shared
  uint64_t epoch_ = 0;
  std::atomic<bool> draining_{false};

  // mu_ guards all below but heartbeat_, which Open and Close alone touch.
  mutable std::mutex mu_;
  std::condition_variable changed_;
  std::unordered_map<uint64_t, Waiter*> waiting_;  // by call id
  v1::SessionResponse incoming_;                   // the read under way fills it
  uint64_t last_call_id_ = 0;
  int sleeping_ = 0;  // threads in changed_
  bool polling_ = false;
  bool started_ = false;
  bool writing_ = false;
  bool finishing_ = false;
  bool ended_ = false;
  bool closed_ = false;
  absl::Status end_status_;
  std::unique_ptr<Heartbeat> heartbeat_;
};

}  // namespace sluice::client
