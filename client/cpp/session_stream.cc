// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/session_stream.h"

#include <grpc/support/time.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/async_stream.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/convert_common.h"
#include "client/cpp/errors.h"

namespace sluice::client {
namespace {

using std::chrono::steady_clock;

// A daemon that pings an idle connection is answered in time only if somebody
// polls it at least so often.
constexpr absl::Duration kMaxHeartbeatInterval = absl::Seconds(3);
constexpr absl::Duration kGoodbyeTime = absl::Seconds(1);
constexpr absl::Duration kMaxTimeout = absl::Hours(24);

enum Tag : intptr_t { kStart = 1, kRead, kWrite, kFinish };

void* ToPointer(Tag tag) { return reinterpret_cast<void*>(tag); }

steady_clock::time_point After(absl::Duration timeout) {
  return steady_clock::now() + absl::ToChronoNanoseconds(std::min(timeout, kMaxTimeout));
}

gpr_timespec ToGpr(steady_clock::time_point deadline) {
  const auto left = std::max(deadline - steady_clock::now(), steady_clock::duration::zero());
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(std::chrono::nanoseconds(left).count(), GPR_TIMESPAN));
}

absl::Status SessionEnded(const absl::Status& reason) {
  absl::Status status(
      reason.code(),
      absl::StrCat(reason.message(),
                   " (the session has ended, with all that belonged to it; open a new one)"));
  reason.ForEachPayload([&status](absl::string_view type, const absl::Cord& payload) {
    status.SetPayload(type, payload);
  });
  return status;
}

}  // namespace

struct SessionStream::Rpc {
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::SessionRequest, v1::SessionResponse>> stream;
  grpc::Status status;
};

SessionStream::SessionStream(std::shared_ptr<Connection> connection)
    : connection_(std::move(connection)), rpc_(std::make_unique<Rpc>()) {}

SessionStream::~SessionStream() { Close(); }

absl::StatusOr<std::shared_ptr<SessionStream>> SessionStream::Open(
    std::shared_ptr<Connection> connection) {
  if (absl::Status status = connection->transport().CheckProcess(); !status.ok()) return status;
  // Not deleted after a fork: that would wait for threads of the parent.
  std::shared_ptr<SessionStream> stream(new SessionStream(std::move(connection)),
                                        [](SessionStream* self) {
                                          if (self->connection_->transport().CheckProcess().ok())
                                            delete self;
                                        });
  if (absl::Status status = stream->Start(); !status.ok()) return status;
  return stream;
}

absl::Status SessionStream::Start() {
  const ConnectOptions& options = connection_->transport().options();
  const bool waits = options.wait_for_daemon > absl::ZeroDuration();
  rpc_->context.set_wait_for_ready(waits);
  grpc::TemplatedGenericStub<v1::SessionRequest, v1::SessionResponse> stub(
      connection_->transport().channel());
  rpc_->stream = stub.PrepareCall(&rpc_->context, "/sluice.v1.KvCache/Session", &rpc_->queue);
  rpc_->stream->StartCall(ToPointer(kStart));
  v1::SessionRequest request;
  v1::SessionResponse response;
  request.mutable_open()->set_client_name(options.client_name);
  absl::Status status =
      Exchange(&request, &response, waits ? options.wait_for_daemon : options.call_timeout);
  if (waits && absl::IsDeadlineExceeded(status)) {
    return absl::UnavailableError(absl::StrCat("no session at ", options.address, " within ",
                                               absl::FormatDuration(options.wait_for_daemon)));
  }
  if (!status.ok()) return status;
  if (!response.has_open()) return BadAnswer("no `open` to the request `open`");
  id_ = response.open().session_id();
  epoch_ = response.open().epoch();
  StartHeartbeats(FromWire(response.open().heartbeat_limit()));
  return absl::OkStatus();
}

void SessionStream::StartHeartbeats(absl::Duration limit) {
  // A third: one lost or late beat does not end the session.
  absl::Duration interval = limit / 3;
  if (interval <= absl::ZeroDuration()) interval = kMaxHeartbeatInterval;
  interval = std::clamp(interval, absl::Milliseconds(1), kMaxHeartbeatInterval);
  heartbeat_ = std::make_unique<Heartbeat>(interval, [this] {
    // A beat that was refused or late may be followed by a better one.
    Ping().IgnoreError();
    return status().ok();
  });
}

absl::Status SessionStream::Ping() {
  v1::SessionRequest request;
  v1::SessionResponse response;
  request.mutable_heartbeat();
  absl::Status status = Call(&request, &response);
  if (status.ok() && response.heartbeat().draining()) draining_ = true;
  return status;
}

absl::Status SessionStream::Call(v1::SessionRequest* request, v1::SessionResponse* response,
                                 absl::Duration more_time) {
  if (absl::Status status = connection_->transport().CheckProcess(); !status.ok()) return status;
  return Exchange(request, response, connection_->transport().options().call_timeout + more_time);
}

absl::Status SessionStream::Exchange(v1::SessionRequest* request, v1::SessionResponse* response,
                                     absl::Duration timeout) {
  const TimePoint deadline = After(timeout);
  Waiter waiter{response};
  Lock lock(mu_);
  const auto may_write = [this] { return (started_ && !writing_) || ended_ || closed_; };
  if (!Await(&lock, deadline, may_write)) {
    return absl::DeadlineExceededError("the session did not take the call in time");
  }
  if (closed_) return absl::FailedPreconditionError("the session is closed");
  if (ended_) return end_status_;
  const uint64_t call_id = ++last_call_id_;
  request->set_call_id(call_id);
  waiting_.emplace(call_id, &waiter);
  writing_ = true;
  lock.unlock();
  // Serializes here, outside the lock; the request is not needed afterwards.
  rpc_->stream->Write(*request, ToPointer(kWrite));
  lock.lock();
  if (!Await(&lock, deadline, [&waiter] { return waiter.done; })) {
    waiting_.erase(call_id);
    return absl::DeadlineExceededError(
        "no answer in time; the call may or may not have been applied");
  }
  if (!waiter.status.ok()) return waiter.status;
  return response->has_error() ? FromWire(response->error()) : absl::OkStatus();
}

bool SessionStream::Await(Lock* lock, TimePoint deadline, const std::function<bool()>& condition) {
  while (!condition()) {
    if (steady_clock::now() >= deadline) return false;
    if (polling_) {
      ++sleeping_;
      changed_.wait_until(*lock, deadline);
      --sleeping_;
    } else {
      Poll(lock, deadline);
    }
  }
  return true;
}

void SessionStream::Poll(Lock* lock, TimePoint deadline) {
  void* tag = nullptr;
  bool ok = false;
  polling_ = true;
  lock->unlock();
  const auto next = rpc_->queue.AsyncNext(&tag, &ok, ToGpr(deadline));
  lock->lock();
  polling_ = false;
  if (next == grpc::CompletionQueue::GOT_EVENT) Handle(reinterpret_cast<intptr_t>(tag), ok);
  if (sleeping_ > 0) changed_.notify_all();
}

void SessionStream::Handle(intptr_t tag, bool ok) {
  switch (tag) {
    case kStart:
      started_ = true;
      // The read fails if the call has failed; only then may Finish come.
      Read();
      break;
    case kRead:
      if (!ok) {
        Finish();
        break;
      }
      Deliver();
      Read();
      break;
    case kWrite:
      // A write that failed is followed by a read that does.
      writing_ = false;
      break;
    case kFinish:
      End();
      break;
    default:
      break;
  }
}

void SessionStream::Read() { rpc_->stream->Read(&incoming_, ToPointer(kRead)); }

void SessionStream::Deliver() {
  const auto found = waiting_.find(incoming_.call_id());
  if (found != waiting_.end()) {
    found->second->response->Swap(&incoming_);
    found->second->done = true;
    waiting_.erase(found);
  }
  incoming_.Clear();
}

void SessionStream::Finish() {
  if (std::exchange(finishing_, true)) return;
  rpc_->stream->Finish(&rpc_->status, ToPointer(kFinish));
}

void SessionStream::End() {
  const std::string& address = connection_->transport().options().address;
  absl::Status reason = rpc_->status.ok() ? absl::UnavailableError("the daemon ended it")
                                          : ToAbsl(rpc_->status, rpc_->context, address);
  end_status_ = id_ == 0 ? reason : SessionEnded(reason);
  ended_ = true;
  for (auto& [call_id, waiter] : waiting_) {
    waiter->status = end_status_;
    waiter->done = true;
  }
  waiting_.clear();
}

absl::Status SessionStream::status() const {
  if (absl::Status status = connection_->transport().CheckProcess(); !status.ok()) return status;
  std::lock_guard<std::mutex> lock(mu_);
  if (closed_) return absl::FailedPreconditionError("the session is closed");
  return ended_ ? end_status_ : absl::OkStatus();
}

void SessionStream::Close() {
  if (!connection_->transport().CheckProcess().ok()) return;
  Lock lock(mu_);
  if (closed_ || rpc_->stream == nullptr) return;
  closed_ = true;
  CloseNow(&lock);
  lock.unlock();
  heartbeat_.reset();
}

void SessionStream::CloseNow(Lock* lock) {
  const TimePoint forever = After(kMaxTimeout);
  const auto ended = [this] { return ended_; };
  // Calls under way, and a goodbye, would wait for a daemon that may be stuck.
  if (!waiting_.empty() || !started_ || writing_) {
    rpc_->context.TryCancel();
  } else if (!ended_) {
    writing_ = true;
    rpc_->stream->WritesDone(ToPointer(kWrite));
  }
  if (!Await(lock, After(kGoodbyeTime), ended)) rpc_->context.TryCancel();
  Await(lock, forever, ended);
  // A write may end after the stream: nothing may be left in the queue when it goes.
  Await(lock, forever, [this] { return !writing_; });
}

}  // namespace sluice::client
