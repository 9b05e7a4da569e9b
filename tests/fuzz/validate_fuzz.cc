// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/validate_fuzz.h"

#include <cstdlib>
#include <string>

#include "daemon/rpc/convert_model.h"
#include "daemon/rpc/convert_sequence.h"
#include "daemon/rpc/convert_step.h"
#include "daemon/rpc/validate_admin.h"
#include "daemon/rpc/validate_model.h"
#include "daemon/rpc/validate_sequence.h"
#include "daemon/rpc/validate_step.h"
#include "sluice/v1/session.pb.h"

namespace sluice {
namespace {

// Small limits are reached by small inputs. Epoch 0: any small number is an id.
constexpr RequestRules kRules{
    .epoch = 0, .inline_tensor_bytes = 256, .step_entries = 8, .sequence_tokens = 4096};

uint8_t ReadAll(const TensorRef& tensor) {
  if (!tensor.present()) return 0;
  int64_t bytes = DtypeBytes(tensor.dtype);
  for (int32_t i = 0; i < tensor.rank; ++i) bytes *= tensor.shape[static_cast<size_t>(i)];
  uint8_t sum = 0;
  for (int64_t i = 0; i < bytes; ++i) sum ^= std::to_integer<uint8_t>(tensor.data[i]);
  return sum;
}

void Use(const Attend& command) {
  volatile uint8_t sink = static_cast<uint8_t>(ReadAll(command.q) ^ ReadAll(command.k) ^
                                               ReadAll(command.v));
  static_cast<void>(sink);
}

void Use(const Append& command) {
  for (const AppendLayer& layer : command.layers) {
    volatile uint8_t sink = static_cast<uint8_t>(ReadAll(layer.k) ^ ReadAll(layer.v));
    static_cast<void>(sink);
  }
}

// A geometry that passes goes on to the model's own checks.
void Use(const RegisterModel& command) {
  Model::Create(command.geometry, int64_t{2} << 20).status().IgnoreError();
}

template <class Command>
void Use(const Command&) {}

template <class Request>
void TryRequest(const Request& request) {
  const absl::Status status = Validate(request, kRules);
  if (status.ok()) return Use(ToCommand(request, Caller{}));
  // Every refusal must say something to the client.
  if (status.message().empty()) std::abort();
}

template <class Request>
void Try(const std::string& bytes) {
  Request request;
  if (request.ParseFromString(bytes)) TryRequest(request);
}

void TrySession(const std::string& bytes) {
  v1::SessionRequest request;
  if (!request.ParseFromString(bytes)) return;
  if (request.has_begin_step()) TryRequest(request.begin_step());
  if (request.has_end_step()) TryRequest(request.end_step());
  if (request.has_append()) TryRequest(request.append());
  if (request.has_attend()) TryRequest(request.attend());
}

void TryAdmin(const std::string& bytes) {
  v1::ListSequencesRequest list;
  if (list.ParseFromString(bytes)) {
    ToPageRequest(list.page_size(), list.page_token()).status().IgnoreError();
  }
  v1::InspectSequenceRequest inspect;
  if (inspect.ParseFromString(bytes)) Validate(inspect, kRules).IgnoreError();
  v1::DrainRequest drain;
  if (drain.ParseFromString(bytes)) Validate(drain).IgnoreError();
}

using TryFunction = void (*)(const std::string&);
constexpr TryFunction kTries[] = {
    Try<v1::RegisterModelRequest>, Try<v1::CreateSequenceRequest>, Try<v1::ForkSequencesRequest>,
    Try<v1::FreeSequencesRequest>, Try<v1::GetSequenceRequest>,    Try<v1::MatchPrefixRequest>,
    Try<v1::SetPolicyRequest>,     Try<v1::CompressRequest>,       Try<v1::ExplainSequenceRequest>,
    Try<v1::BeginStepRequest>,     Try<v1::EndStepRequest>,        Try<v1::AppendRequest>,
    Try<v1::AttendRequest>,        TrySession,                     TryAdmin,
};

}  // namespace

void FuzzValidate(const uint8_t* data, size_t size) {
  if (size == 0) return;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  kTries[data[0] % std::size(kTries)](bytes);
}

}  // namespace sluice
