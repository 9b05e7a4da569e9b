// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/client/cpp/fake_daemon.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "sluice/v1/admin.grpc.pb.h"
#include "sluice/v1/kv_cache.grpc.pb.h"

namespace sluice::client {
namespace {

using Kind = v1::SessionRequest::RequestCase;

struct Refusals {
  v1::Error error;
  int count = 0;
};

}  // namespace

struct FakeDaemon::State {
  FakeOptions options;
  Mutex mu;
  CondVar changed;
  std::vector<v1::SessionRequest> requests ABSL_GUARDED_BY(mu);
  std::vector<std::string> unary_calls ABSL_GUARDED_BY(mu);
  std::vector<uint64_t> freed ABSL_GUARDED_BY(mu);
  std::map<int, Refusals> refusals ABSL_GUARDED_BY(mu);
  std::map<std::string, Refusals> unary_refusals ABSL_GUARDED_BY(mu);
  std::function<void(v1::SessionResponse*)> spoil ABSL_GUARDED_BY(mu);
  v1::GetStatusResponse status ABSL_GUARDED_BY(mu);
  std::vector<v1::SequenceSummary> sequences ABSL_GUARDED_BY(mu);
  v1::InspectSequenceResponse inspection ABSL_GUARDED_BY(mu);
  uint64_t last_id ABSL_GUARDED_BY(mu) = 0;

  uint64_t NewId() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return (options.epoch << 40) + ++last_id; }
  template <class Key>
  static bool Take(std::map<Key, Refusals>* from, const Key& key, v1::Error* error) {
    const auto found = from->find(key);
    if (found == from->end() || found->second.count == 0) return false;
    --found->second.count;
    *error = found->second.error;
    return true;
  }
};

namespace {

void Attend(const v1::AttendRequest& request, v1::AttendResponse* response) {
  v1::Tensor* out = response->mutable_out();
  *out = request.q();
  std::string* bytes = out->mutable_inline_();
  auto* values = reinterpret_cast<float*>(bytes->data());
  for (size_t i = 0; i < bytes->size() / sizeof(float); ++i) values[i] *= 2;
  if (!request.want_lse()) return;
  const int64_t rows = request.q().shape(0) * request.q().shape(1);
  const std::vector<float> lse(rows, static_cast<float>(request.first_token()));
  response->mutable_lse()->set_dtype(v1::DTYPE_FP32);
  response->mutable_lse()->set_inline_(lse.data(), lse.size() * sizeof(float));
}

void Answer(FakeDaemon::State* state, const v1::SessionRequest& request,
            v1::SessionResponse* response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state->mu) {
  switch (request.request_case()) {
    case Kind::kOpen:
      response->mutable_open()->set_session_id(state->NewId());
      response->mutable_open()->set_epoch(state->options.epoch);
      response->mutable_open()->mutable_heartbeat_limit()->set_nanos(static_cast<int32_t>(
          absl::ToInt64Nanoseconds(state->options.heartbeat_limit) % 1'000'000'000));
      response->mutable_open()->mutable_heartbeat_limit()->set_seconds(
          absl::ToInt64Seconds(state->options.heartbeat_limit));
      break;
    case Kind::kHeartbeat:
      response->mutable_heartbeat()->set_draining(false);
      break;
    case Kind::kBeginStep:
      response->mutable_begin_step()->set_step_id(state->NewId());
      for (const v1::StepEntry& entry : request.begin_step().entries()) {
        response->mutable_begin_step()->add_entries()->set_sequence_id(entry.sequence_id());
      }
      break;
    case Kind::kEndStep:
      response->mutable_end_step();
      break;
    case Kind::kAppend:
      response->mutable_append()->mutable_non_finite()->set_key_value_row_count(1);
      response->mutable_append()->set_step_closed(request.append().layers(0).layer() == 9);
      break;
    case Kind::kAttend:
      Attend(request.attend(), response->mutable_attend());
      response->mutable_attend()->set_step_closed(request.attend().layer() == 9);
      break;
    default:
      break;
  }
}

// A refusal as the end of a unary call, or OK.
grpc::Status Enter(FakeDaemon::State* state, const std::string& method,
                   grpc::ServerContext* context) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state->mu) {
  state->unary_calls.push_back(method);
  v1::Error error;
  if (!FakeDaemon::State::Take(&state->unary_refusals, method, &error)) return grpc::Status::OK;
  const std::string reason = v1::Reason_Name(error.reason()).substr(7);
  context->AddTrailingMetadata("sluice-reason", reason);
  context->AddTrailingMetadata("sluice-field", error.field());
  context->AddTrailingMetadata("sluice-retry-after-ms", absl::StrCat(error.retry_after_ms()));
  context->AddTrailingMetadata("sluice-open-step-id", absl::StrCat(error.open_step_id()));
  context->AddTrailingMetadata("sluice-length", absl::StrCat(error.length()));
  context->AddTrailingMetadata("sluice-free-bytes", absl::StrCat(error.room().free_bytes()));
  return grpc::Status(static_cast<grpc::StatusCode>(error.code()), error.message());
}

class FakeKvCache final : public v1::KvCache::Service {
 public:
  explicit FakeKvCache(FakeDaemon::State* state) : state_(state) {}

  grpc::Status GetCapabilities(grpc::ServerContext* context, const v1::GetCapabilitiesRequest*,
                               v1::GetCapabilitiesResponse* response) override {
    MutexLock lock(&state_->mu);
    response->set_version("1.2.3");
    response->set_epoch(state_->options.epoch);
    response->add_dtypes(v1::DTYPE_BF16);
    response->mutable_limits()->set_inline_tensor_bytes(state_->options.inline_tensor_bytes);
    return Enter(state_, "GetCapabilities", context);
  }
  grpc::Status RegisterModel(grpc::ServerContext* context, const v1::RegisterModelRequest* request,
                             v1::RegisterModelResponse* response) override {
    MutexLock lock(&state_->mu);
    response->set_model_id(state_->NewId());
    response->set_fingerprint(request->geometry().name());
    return Enter(state_, "RegisterModel", context);
  }
  grpc::Status CreateSequence(grpc::ServerContext* context,
                              const v1::CreateSequenceRequest* request,
                              v1::CreateSequenceResponse* response) override {
    MutexLock lock(&state_->mu);
    response->set_sequence_id(state_->NewId());
    response->set_matched_length(request->token_ids_size());
    response->mutable_policy()->set_preset(request->policy().preset());
    *response->mutable_policy()->mutable_parameters() = request->policy().parameters();
    return Enter(state_, "CreateSequence", context);
  }
  grpc::Status ForkSequences(grpc::ServerContext* context, const v1::ForkSequencesRequest* request,
                             v1::ForkSequencesResponse* response) override {
    MutexLock lock(&state_->mu);
    for (int i = 0; i < request->parents_size(); ++i) {
      response->add_sequence_ids(state_->NewId());
    }
    return Enter(state_, "ForkSequences", context);
  }
  grpc::Status FreeSequences(grpc::ServerContext* context, const v1::FreeSequencesRequest* request,
                             v1::FreeSequencesResponse*) override {
    MutexLock lock(&state_->mu);
    for (const uint64_t id : request->sequence_ids()) state_->freed.push_back(id);
    return Enter(state_, "FreeSequences", context);
  }
  grpc::Status GetSequence(grpc::ServerContext* context, const v1::GetSequenceRequest* request,
                           v1::GetSequenceResponse* response) override {
    MutexLock lock(&state_->mu);
    response->set_sequence_id(request->sequence_id());
    response->set_length(7);
    response->add_layers()->add_kept_tokens(5);
    response->mutable_last_job()->set_freed_bytes(64);
    return Enter(state_, "GetSequence", context);
  }
  grpc::Status Compress(grpc::ServerContext* context, const v1::CompressRequest* request,
                        v1::CompressResponse* response) override {
    MutexLock lock(&state_->mu);
    response->set_freed_now_bytes(request->budget_tokens());
    response->add_layers()->add_kept_tokens(3);
    return Enter(state_, "Compress", context);
  }
  grpc::Status ExplainSequence(grpc::ServerContext* context,
                               const v1::ExplainSequenceRequest* request,
                               v1::ExplainSequenceResponse* response) override {
    MutexLock lock(&state_->mu);
    response->add_kept_positions(request->layer());
    response->add_kept_positions(request->kv_head());
    return Enter(state_, "ExplainSequence", context);
  }
  grpc::Status Session(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::SessionResponse, v1::SessionRequest>* stream) override {
    v1::SessionRequest request;
    while (stream->Read(&request)) {
      v1::SessionResponse response;
      if (Serve(request, &response)) stream->Write(response);
    }
    return grpc::Status::OK;
  }

 private:
  bool Serve(const v1::SessionRequest& request, v1::SessionResponse* response) {
    MutexLock lock(&state_->mu);
    state_->requests.push_back(request);
    state_->changed.SignalAll();
    response->set_call_id(request.call_id());
    v1::Error error;
    if (FakeDaemon::State::Take(&state_->refusals, static_cast<int>(request.request_case()),
                                &error)) {
      *response->mutable_error() = error;
      return error.code() != 0;
    }
    Answer(state_, request, response);
    if (state_->spoil) state_->spoil(response);
    return true;
  }

  FakeDaemon::State* const state_;
};

class FakeAdmin final : public v1::Admin::Service {
 public:
  explicit FakeAdmin(FakeDaemon::State* state) : state_(state) {}

  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest*,
                         v1::GetStatusResponse* response) override {
    MutexLock lock(&state_->mu);
    *response = state_->status;
    return Enter(state_, "GetStatus", context);
  }
  grpc::Status ListSequences(grpc::ServerContext* context, const v1::ListSequencesRequest* request,
                             v1::ListSequencesResponse* response) override {
    MutexLock lock(&state_->mu);
    const size_t first = request->page_token().empty() ? 0 : std::stoul(request->page_token());
    const size_t end =
        std::min(state_->sequences.size(), first + static_cast<size_t>(request->page_size()));
    for (size_t i = first; i < end; ++i) *response->add_sequences() = state_->sequences[i];
    if (end < state_->sequences.size()) response->set_next_page_token(absl::StrCat(end));
    return Enter(state_, "ListSequences", context);
  }
  grpc::Status InspectSequence(grpc::ServerContext* context,
                               const v1::InspectSequenceRequest* request,
                               v1::InspectSequenceResponse* response) override {
    MutexLock lock(&state_->mu);
    *response = state_->inspection;
    response->mutable_sequence()->set_sequence_id(request->sequence_id());
    return Enter(state_, "InspectSequence", context);
  }
  // Sequence 7 gives what is asked for, in a real run twice that.
  grpc::Status Reclaim(grpc::ServerContext* context, const v1::ReclaimRequest* request,
                       v1::ReclaimResponse* response) override {
    MutexLock lock(&state_->mu);
    const int64_t bytes = request->target_bytes() * (request->dry_run() ? 1 : 2);
    response->set_expected_bytes(bytes);
    if (bytes == 0) return Enter(state_, "Reclaim", context);
    v1::ReclaimResponse::BudgetCut* cut = response->add_cuts();
    cut->set_sequence_id(7);
    cut->set_tenant("first");
    cut->set_priority(-3);
    cut->set_preset("l2norm");
    cut->set_budget_tokens(1234);
    cut->set_expected_bytes(bytes);
    return Enter(state_, "Reclaim", context);
  }

 private:
  FakeDaemon::State* const state_;
};

}  // namespace

struct FakeDaemon::Server {
  explicit Server(State* state) : kv_cache(state), admin(state) {}
  FakeKvCache kv_cache;
  FakeAdmin admin;
  std::unique_ptr<grpc::Server> grpc;
};

FakeDaemon::FakeDaemon(FakeOptions options) : state_(std::make_shared<State>()) {
  char folder[] = "/tmp/sluice-fake-XXXXXX";
  SLUICE_CHECK(mkdtemp(folder) != nullptr);
  folder_ = folder;
  Start(options);
}

FakeDaemon::~FakeDaemon() {
  Stop();
  unlink(address().substr(5).c_str());
  rmdir(folder_.c_str());
}

std::string FakeDaemon::address() const { return "unix:" + folder_ + "/sluice.sock"; }

void FakeDaemon::Stop() {
  if (server_) server_->grpc->Shutdown(std::chrono::system_clock::now());
  server_.reset();
}

void FakeDaemon::Start(FakeOptions options) {
  grpc::EnableDefaultHealthCheckService(true);
  {
    MutexLock lock(&state_->mu);
    state_->options = options;
    state_->requests.clear();
  }
  server_ = std::make_unique<Server>(state_.get());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
  builder.RegisterService(&server_->kv_cache);
  builder.RegisterService(&server_->admin);
  builder.SetMaxReceiveMessageSize(-1);
  server_->grpc = builder.BuildAndStart();
  SLUICE_CHECK(server_->grpc != nullptr);
}

std::vector<v1::SessionRequest> FakeDaemon::Requests(Kind kind) {
  MutexLock lock(&state_->mu);
  std::vector<v1::SessionRequest> found;
  for (const v1::SessionRequest& request : state_->requests) {
    if (request.request_case() == kind) found.push_back(request);
  }
  return found;
}

bool FakeDaemon::WaitForRequests(Kind kind, size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (Requests(kind).size() < count) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    MutexLock lock(&state_->mu);
    state_->changed.WaitFor(&state_->mu, absl::Milliseconds(10));
  }
  return true;
}

std::vector<std::string> FakeDaemon::UnaryCalls() {
  MutexLock lock(&state_->mu);
  return state_->unary_calls;
}

std::vector<uint64_t> FakeDaemon::FreedSequences() {
  MutexLock lock(&state_->mu);
  return state_->freed;
}

void FakeDaemon::Refuse(Kind kind, v1::Error error, int count) {
  MutexLock lock(&state_->mu);
  state_->refusals[static_cast<int>(kind)] = {std::move(error), count};
}

void FakeDaemon::RefuseUnary(const std::string& method, v1::Error error, int count) {
  MutexLock lock(&state_->mu);
  state_->unary_refusals[method] = {std::move(error), count};
}

void FakeDaemon::SpoilAnswers(std::function<void(v1::SessionResponse*)> spoil) {
  MutexLock lock(&state_->mu);
  state_->spoil = std::move(spoil);
}

void FakeDaemon::SetStatus(v1::GetStatusResponse status) {
  MutexLock lock(&state_->mu);
  state_->status = std::move(status);
}

void FakeDaemon::SetSequences(std::vector<v1::SequenceSummary> sequences) {
  MutexLock lock(&state_->mu);
  state_->sequences = std::move(sequences);
}

void FakeDaemon::SetInspection(v1::InspectSequenceResponse inspection) {
  MutexLock lock(&state_->mu);
  state_->inspection = std::move(inspection);
}

void FakeDaemon::SetServing(bool serving) {
  server_->grpc->GetHealthCheckService()->SetServingStatus(serving);
}

}  // namespace sluice::client
