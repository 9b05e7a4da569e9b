// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/session_reactor.h"

#include <chrono>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/convert_step.h"
#include "daemon/rpc/error_mapping.h"
#include "daemon/rpc/status_mapping.h"
#include "daemon/rpc/unary_call.h"
#include "daemon/rpc/validate_step.h"

namespace sluice {
namespace {

constexpr int64_t kMaxClientNameLength = 64;

// How much larger than its queries an answer can be: v_dim over k_dim.
constexpr int64_t kMostAnswerPerQuery = 256 / 16;

int64_t MostAnswerBytes(const v1::SessionRequest& request) {
  if (!request.has_attend()) return 0;
  return kMostAnswerPerQuery * static_cast<int64_t>(request.attend().q().inline_().size());
}

int64_t AnswerBytes(const v1::SessionResponse& response) {
  return response.has_attend() ? static_cast<int64_t>(response.attend().out().inline_().size()) : 0;
}

int64_t NowNanoseconds() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

// The part of an answer that a result goes into.
v1::BeginStepResponse* PartFor(const StepBegun&, v1::SessionResponse* response) {
  return response->mutable_begin_step();
}
v1::EndStepResponse* PartFor(const std::vector<uint64_t>&, v1::SessionResponse* response) {
  return response->mutable_end_step();
}
v1::AppendResponse* PartFor(const AppendResult&, v1::SessionResponse* response) {
  return response->mutable_append();
}
v1::AttendResponse* PartFor(const AttendResult&, v1::SessionResponse* response) {
  return response->mutable_attend();
}

}  // namespace

SessionReactor::SessionReactor(std::shared_ptr<const ServiceContext> service, int32_t tenant,
                               grpc::CallbackServerContext* context)
    : shared_service_(std::move(service)),
      tenant_(tenant),
      context_(context) {
  service_.calls.Enter();
  observed_.Start(service_.observer.get(), Method::kSession);
}

SessionReactor::~SessionReactor() = default;

void SessionReactor::Begin() {
  self_ = shared_from_this();
  if (service_.sessions->Add(self_)) {
    ReadOn();
    return;
  }
  EndNow(service_.draining.load(std::memory_order_relaxed)
             ? sluice::Refuse(absl::StatusCode::kUnavailable, Reason::kDraining, "",
                              "the daemon shuts down")
             : sluice::Refuse(absl::StatusCode::kResourceExhausted, Reason::kTenantQuota, "",
                              "the daemon has as many sessions as it may have"));
}

void SessionReactor::OnReadDone(bool ok) {
  SessionCall* call = nullptr;
  {
    MutexLock lock(&mu_);
    reading_on_ = false;
    if (ok && end_now_) {
      PutFreeCall(std::exchange(reading_, nullptr));
      return;
    }
    call = reading_;  // stays set until the call is posted, so that calls keep their order
  }
  if (!ok) {  // the client has said its last word, or is gone: then OnCancel comes
    EndAfterAnswers(absl::OkStatus());  // reading_ stays set: nothing is read any more
    return;
  }
  const absl::Status status = Guarded([&]() -> absl::Status {
    SLUICE_RETURN_IF_ERROR(Admit(call));
    Dispatch(call);
    return absl::OkStatus();
  });
  if (!status.ok()) GiveUp(call, status);
  {
    MutexLock lock(&mu_);
    reading_ = nullptr;
  }
  ReadOn();
}

absl::Status SessionReactor::Admit(SessionCall* call) {
  const uint64_t call_id = call->request->call_id();
  const bool opens = call->request->has_open();
  call->size_bytes =
      static_cast<int64_t>(call->request->ByteSizeLong()) + MostAnswerBytes(*call->request);
  call->response->set_call_id(call_id);
  MutexLock lock(&mu_);
  ++calls_under_way_;
  bytes_under_way_ += call->size_bytes;
  if (call_id == 0) return RefuseField("call_id", "must not be 0");
  if (!call_ids_.insert(call_id).second) {
    return RefuseField("call_id", absl::StrCat(call_id, " has no answer yet"));
  }
  if (opens != (phase_ == Phase::kNew)) {
    return RefuseField("open", opens ? "the session is open already"
                                     : "must be the first request of the stream");
  }
  if (opens) phase_ = Phase::kOpening;
  return absl::OkStatus();
}

void SessionReactor::Dispatch(SessionCall* call) {
  const v1::SessionRequest& request = *call->request;
  switch (request.request_case()) {
    case v1::SessionRequest::kOpen:
      return Open(call);
    case v1::SessionRequest::kHeartbeat:
      return AnswerHeartbeat(call);
    case v1::SessionRequest::kBeginStep:
      return Serve(call, Method::kSessionBeginStep, request.begin_step());
    case v1::SessionRequest::kEndStep:
      return Serve(call, Method::kSessionEndStep, request.end_step());
    case v1::SessionRequest::kAppend:
      return Serve(call, Method::kSessionAppend, request.append());
    case v1::SessionRequest::kAttend:
      return Serve(call, Method::kSessionAttend, request.attend());
    case v1::SessionRequest::REQUEST_NOT_SET:
      return Refuse(call, RefuseField("request", "one of the calls must be set, got none"));
  }
}

void SessionReactor::Open(SessionCall* call) {
  const std::string& name = call->request->open().client_name();
  absl::Status status = CheckAscii("open.client_name", name, kMaxClientNameLength);
  if (status.ok()) {
    OpenSession command;
    command.caller.tenant = tenant_;
    command.client_name = name;
    command.done = [call](absl::StatusOr<uint64_t> session) {
      call->session->FinishOpen(call, std::move(session));
    };
    call->session = shared_from_this();
    status = service_.engine->Post(std::move(command));
  }
  if (!status.ok()) GiveUp(call, status);
}

// The engine does not have the call; what the call holds would hold itself.
void SessionReactor::GiveUp(SessionCall* call, const absl::Status& status) {
  call->session.reset();
  EndNow(status);
}

void SessionReactor::FinishOpen(SessionCall* call, absl::StatusOr<uint64_t> session) {
  const std::shared_ptr<SessionReactor> self = shared_from_this();
  if (!session.ok()) {
    EndNow(session.status());
    Answer(call);
    return;
  }
  session_id_.store(*session, std::memory_order_relaxed);
  bool ended = false;
  {
    MutexLock lock(&mu_);
    phase_ = Phase::kOpen;
    ended = end_.has_value() && end_now_;
  }
  if (ended) CloseOnce();  // the stream ended before the session had an id
  v1::OpenSessionResponse* response = call->response->mutable_open();
  response->set_session_id(*session);
  FromDuration(service_.heartbeat_limit, response->mutable_heartbeat_limit());
  response->set_epoch(service_.rules.epoch);
  Answer(call);
  ReadOn();
}

void SessionReactor::AnswerHeartbeat(SessionCall* call) {
  call->observed.Start(service_.observer.get(), Method::kSessionHeartbeat);
  call->response->mutable_heartbeat()->set_draining(
      service_.draining.load(std::memory_order_relaxed));
  call->observed.Finish(absl::OkStatus());
  Answer(call);
}

template <class Request>
void SessionReactor::Serve(SessionCall* call, Method method, const Request& request) {
  call->observed.Start(service_.observer.get(), method);
  const absl::Status status = Guarded([&] { return Post(call, request); });
  if (!status.ok()) Refuse(call, status);
}

template <class Request>
absl::Status SessionReactor::Post(SessionCall* call, const Request& request) {
  SLUICE_RETURN_IF_ERROR(Validate(request, service_.rules));
  auto command = ToCommand(request, Caller{.tenant = tenant_, .session = id()});
  if constexpr (requires { command.cancelled; }) command.cancelled = cancelled_;
  call->session = shared_from_this();
  command.done = [call](auto result) {
    const absl::Status done = Guarded([&]() -> absl::Status {
      SLUICE_RETURN_IF_ERROR(result.status());
      FillResponse(*std::move(result), PartFor(*result, call->response));
      return absl::OkStatus();
    });
    if (!done.ok()) return call->session->Refuse(call, done);
    call->observed.Finish(done);
    call->session->Answer(call);
  };
  return service_.engine->PostAndWork(std::move(command));
}

void SessionReactor::Refuse(SessionCall* call, const absl::Status& status) {
  call->observed.Finish(status);
  FillError(status, call->response->mutable_error());
  Answer(call);
}

void SessionReactor::Answer(SessionCall* call) {
  const std::shared_ptr<SessionReactor> self = std::move(call->session);
  bool start = false;
  {
    MutexLock lock(&mu_);
    call_ids_.erase(call->response->call_id());
    const int64_t spared = MostAnswerBytes(*call->request) - AnswerBytes(*call->response);
    call->size_bytes -= spared;
    bytes_under_way_ -= spared;
    if (end_now_) {
      --calls_under_way_;
      bytes_under_way_ -= call->size_bytes;
      PutFreeCall(call);
    } else if (writing_ != nullptr) {
      answers_.push_back(call);
    } else {
      writing_ = call;
      writing_since_ns_ = NowNanoseconds();
      start = true;
    }
  }
  if (start) StartWrite(call->response);
}

void SessionReactor::OnWriteDone(bool ok) {
  SessionCall* next = nullptr;
  {
    MutexLock lock(&mu_);
    SessionCall* written = std::exchange(writing_, nullptr);
    --calls_under_way_;
    bytes_under_way_ -= written->size_bytes;
    PutFreeCall(written);
    if (ok && !end_now_ && !answers_.empty()) {
      next = writing_ = answers_.front();
      writing_since_ns_ = NowNanoseconds();
      answers_.pop_front();
    }
  }
  if (next != nullptr) StartWrite(next->response);
  if (!ok) EndNow(absl::CancelledError("the stream broke"));
  ReadOn();
  FinishIfDue();
}

void SessionReactor::ReadOn() {
  SessionCall* call = nullptr;
  {
    MutexLock lock(&mu_);
    if (!MayRead()) return;
    call = reading_ = TakeFreeCall();
    ++starting_;
    reading_since_ns_ = NowNanoseconds();
    reading_on_ = true;
  }
  StartRead(call->request);
  {
    MutexLock lock(&mu_);
    --starting_;
  }
  FinishIfDue();
}

// Between `open` and its answer nothing is read: the calls need the session's id.
bool SessionReactor::MayRead() const {
  return reading_ == nullptr && !end_.has_value() && phase_ != Phase::kOpening &&
         calls_under_way_ < service_.calls_per_session &&
         bytes_under_way_ <= service_.message_bytes;
}

SessionCall* SessionReactor::TakeFreeCall() {
  if (free_calls_.empty()) {
    free_calls_.reserve(calls_.size() + 1);  // so that putting one back needs no memory
    calls_.push_back(std::make_unique<SessionCall>());
    return calls_.back().get();
  }
  SessionCall* call = free_calls_.back();
  free_calls_.pop_back();
  return call;
}

void SessionReactor::PutFreeCall(SessionCall* call) {
  call->Reset();
  free_calls_.push_back(call);
}

absl::Duration SessionReactor::IdleTime() const {
  MutexLock lock(&mu_);
  if (reading_on_) return absl::Nanoseconds(NowNanoseconds() - reading_since_ns_);
  const bool posting = reading_ != nullptr && !end_.has_value();
  if (posting || writing_ == nullptr) return absl::ZeroDuration();
  return absl::Nanoseconds(NowNanoseconds() - writing_since_ns_);
}

void SessionReactor::EndNow(absl::Status status) { End(std::move(status), /*now=*/true); }

void SessionReactor::EndAfterAnswers(absl::Status status) {
  End(std::move(status), /*now=*/false);
}

void SessionReactor::OnCancel() { EndNow(absl::CancelledError("the client is gone")); }

void SessionReactor::End(absl::Status status, bool now) {
  {
    MutexLock lock(&mu_);
    if (!end_) end_ = std::move(status);
    if (now && !end_now_) {
      end_now_ = true;
      for (SessionCall* call : answers_) {
        --calls_under_way_;
        bytes_under_way_ -= call->size_bytes;
        PutFreeCall(call);
      }
      answers_.clear();
    }
  }
  if (now) CloseOnce();
  FinishIfDue();
}

void SessionReactor::FinishIfDue() {
  absl::Status status;
  {
    MutexLock lock(&mu_);
    if (!end_ || finished_ || starting_ > 0 || writing_ != nullptr) return;
    if (!end_now_ && calls_under_way_ > 0) return;
    finished_ = end_now_ = true;
    status = *end_;
  }
  CloseOnce();
  observed_.Finish(status);
  Finish(ToGrpcStatus(status, context_));
}

void SessionReactor::CloseOnce() {
  cancelled_->store(true, std::memory_order_relaxed);
  const uint64_t session = id();
  if (session == 0 || closed_.exchange(true)) return;
  service_.engine->Post(CloseSession{.session = session}).IgnoreError();
}

void SessionReactor::OnDone() {
  service_.sessions->Remove(this);
  service_.calls.Leave();
  const std::shared_ptr<SessionReactor> last = std::move(self_);
}

grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* StartSession(
    std::shared_ptr<const ServiceContext> service, int32_t tenant,
    grpc::CallbackServerContext* context) {
  const auto session = std::make_shared<SessionReactor>(std::move(service), tenant, context);
  session->Begin();
  return session.get();
}

}  // namespace sluice
