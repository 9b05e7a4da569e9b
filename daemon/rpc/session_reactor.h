// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/mutex.h"
#include "daemon/rpc/service_context.h"
#include "daemon/rpc/session_call.h"

namespace sluice {

// One client session, alive as long as its stream. When the stream ends for any
// reason (clean close, kill -9, heartbeat limit, drain) the engine is told once,
// and hands back what the session held.
//
// Up to `calls_per_session` calls are under way, read but not yet answered in
// writing, or as many as have `message_bytes` together with their answers, one at
// least; then nothing more is read, so that a slow reader stalls only itself.
// One write is in flight at a time; answers are written in the order in which
// they come, from the thread that brings them.
//
// Thread-safe. Owned by gRPC and by the calls that the engine has: goes with the
// last of them, so that tensors stay as they are until the engine is done.
class SessionReactor final
    : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>,
      public SessionControl,
      public std::enable_shared_from_this<SessionReactor> {
 public:
  SessionReactor(std::shared_ptr<const ServiceContext> service, int32_t tenant,
                 grpc::CallbackServerContext* context);
  ~SessionReactor() override;

  // Enters the table and begins to read, or ends the stream.
  void Begin();

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mu_);
  void OnDone() override;

  uint64_t id() const override { return session_id_.load(std::memory_order_relaxed); }
  absl::Duration IdleTime() const override ABSL_LOCKS_EXCLUDED(mu_);
  void EndNow(absl::Status status) override ABSL_LOCKS_EXCLUDED(mu_);
  void EndAfterAnswers(absl::Status status) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Which part of the protocol the stream is in.
  enum class Phase : uint8_t { kNew, kOpening, kOpen };

  absl::Status Admit(SessionCall* call) ABSL_LOCKS_EXCLUDED(mu_);
  void Dispatch(SessionCall* call);
  void Open(SessionCall* call);
  void GiveUp(SessionCall* call, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  void FinishOpen(SessionCall* call, absl::StatusOr<uint64_t> session);
  void AnswerHeartbeat(SessionCall* call);
  template <class Request>
  void Serve(SessionCall* call, Method method, const Request& request);
  template <class Request>
  absl::Status Post(SessionCall* call, const Request& request);
  void Refuse(SessionCall* call, const absl::Status& status);

  // Queues the answer of `call`, or forgets it if the stream has ended.
  void Answer(SessionCall* call) ABSL_LOCKS_EXCLUDED(mu_);

  // Reads on, if the limits allow and nobody does.
  void ReadOn() ABSL_LOCKS_EXCLUDED(mu_);
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  SessionCall* TakeFreeCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutFreeCall(SessionCall* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void End(absl::Status status, bool now) ABSL_LOCKS_EXCLUDED(mu_);
  // Finishes the stream, if its end has been decided and nothing is in the way.
  void FinishIfDue() ABSL_LOCKS_EXCLUDED(mu_);
  // Tells the engine that the session is over, once.
  void CloseOnce();

  const std::shared_ptr<const ServiceContext> shared_service_;
  const ServiceContext& service_ = *shared_service_;
  const int32_t tenant_;
  grpc::CallbackServerContext* const context_;
  const CancelFlag cancelled_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<uint64_t> session_id_{0};
  std::atomic<bool> closed_{false};
  ObservedCall observed_;
  std::shared_ptr<SessionReactor> self_;  // gRPC's share; set by Begin, gone in OnDone

  mutable Mutex mu_;
  Phase phase_ ABSL_GUARDED_BY(mu_) = Phase::kNew;
  absl::flat_hash_set<uint64_t> call_ids_ ABSL_GUARDED_BY(mu_);  // without an answer yet
  int64_t calls_under_way_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t bytes_under_way_ ABSL_GUARDED_BY(mu_) = 0;  // of these, as size_bytes says
  SessionCall* reading_ ABSL_GUARDED_BY(mu_) = nullptr;   // being read, or not posted yet
  bool reading_on_ ABSL_GUARDED_BY(mu_) = false;          // being read
  int64_t reading_since_ns_ ABSL_GUARDED_BY(mu_) = 0;
  SessionCall* writing_ ABSL_GUARDED_BY(mu_) = nullptr;   // the write in flight sends it
  int64_t writing_since_ns_ ABSL_GUARDED_BY(mu_) = 0;
  int starting_ ABSL_GUARDED_BY(mu_) = 0;  // threads about to start a read
  std::deque<SessionCall*> answers_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);  // how the stream is to end
  bool end_now_ ABSL_GUARDED_BY(mu_) = false;             // without waiting for answers
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::unique_ptr<SessionCall>> calls_ ABSL_GUARDED_BY(mu_);  // all there are
  std::vector<SessionCall*> free_calls_ ABSL_GUARDED_BY(mu_);
};

// The reactor of a new stream.
grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* StartSession(
    std::shared_ptr<const ServiceContext> service, int32_t tenant,
    grpc::CallbackServerContext* context);

}  // namespace sluice
