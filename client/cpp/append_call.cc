// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/append_call.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/convert_common.h"
#include "client/cpp/convert_step.h"
#include "client/cpp/errors.h"
#include "client/cpp/split.h"

namespace sluice::client {
namespace {

using Requests = std::vector<std::vector<LayerPart>>;

absl::Status CheckLayer(const AppendLayer& layer, int64_t index) {
  const std::string field = absl::StrCat("layers[", index, "]");
  if (absl::Status status = CheckView(field + ".k", layer.k); !status.ok()) return status;
  if (absl::Status status = CheckView(field + ".v", layer.v); !status.ok()) return status;
  if (layer.v.rows != layer.k.rows) {
    return FieldError(field + ".v.shape",
                      absl::StrCat("has ", layer.v.rows, " rows, k has ", layer.k.rows));
  }
  if (!layer.observation_queries) return absl::OkStatus();
  return CheckView(field + ".observation_queries", *layer.observation_queries);
}

absl::StatusOr<Requests> Plan(std::span<const AppendLayer> layers, int64_t limit_bytes) {
  if (layers.empty()) return FieldError("layers", "must name at least one layer");
  std::vector<LayerSize> sizes;
  for (int64_t index = 0; index < std::ssize(layers); ++index) {
    const AppendLayer& layer = layers[index];
    if (absl::Status status = CheckLayer(layer, index); !status.ok()) return status;
    const auto& observed = layer.observation_queries;
    sizes.push_back(
        {layer.k.rows, layer.k.RowBytes() + layer.v.RowBytes(), observed ? observed->Bytes() : 0});
  }
  Requests requests = SplitLayers(sizes, limit_bytes);
  if (requests.empty()) {
    return FieldError("layers", absl::StrCat("a single row is larger than the ", limit_bytes,
                                             " bytes of tensors that a request may bring"));
  }
  return requests;
}

void AddPart(const AppendLayer& layer, const RowRange& rows, v1::AppendLayer* out) {
  out->set_layer(layer.layer);
  ToWire(layer.k.Rows(rows.first, rows.count), out->mutable_k());
  ToWire(layer.v.Rows(rows.first, rows.count), out->mutable_v());
  const bool is_last = rows.first + rows.count == layer.k.rows;
  if (is_last && layer.observation_queries) {
    ToWire(*layer.observation_queries, out->mutable_observation_queries());
  }
}

absl::Status Send(SessionStream* stream, v1::SessionRequest* request,
                  std::span<const AppendLayer> layers, const std::vector<LayerPart>& parts,
                  AppendResult* result) {
  for (const LayerPart& part : parts) {
    AddPart(layers[part.layer_index], part.rows, request->mutable_append()->add_layers());
  }
  v1::SessionResponse response;
  if (absl::Status status = stream->Call(request, &response); !status.ok()) return status;
  if (!response.has_append()) return BadAnswer("no `append` to the request `append`");
  Add(response.append().non_finite(), &result->non_finite);
  result->step_closed = response.append().step_closed();
  return absl::OkStatus();
}

absl::StatusOr<AppendResult> SendAll(SessionStream* stream, uint64_t step_id, int64_t first_token,
                                     std::span<const AppendLayer> layers,
                                     const Requests& requests) {
  AppendResult result;
  for (const std::vector<LayerPart>& parts : requests) {
    v1::SessionRequest request;
    request.mutable_append()->set_step_id(step_id);
    request.mutable_append()->set_first_token(first_token + parts.front().rows.first);
    absl::Status status = Send(stream, &request, layers, parts, &result);
    if (!status.ok()) return status;
  }
  return result;
}

}  // namespace

absl::StatusOr<AppendResult> AppendToStep(SessionStream* stream, uint64_t step_id,
                                          int64_t first_token,
                                          std::span<const AppendLayer> layers) {
  const auto requests = Plan(layers, stream->connection().tensor_limit_bytes());
  if (!requests.ok()) return requests.status();
  return SendAll(stream, step_id, first_token, layers, *requests);
}

absl::StatusOr<AppendResult> AppendAsStep(SessionStream* stream, const StepEntry& entry,
                                          std::span<const AppendLayer> layers) {
  const auto requests = Plan(layers, stream->connection().tensor_limit_bytes());
  if (!requests.ok()) return requests.status();
  v1::SessionRequest request;
  if (requests->size() == 1) {
    AppendResult result;
    ToWire(entry, request.mutable_append()->mutable_entry());
    absl::Status status = Send(stream, &request, layers, requests->front(), &result);
    if (!status.ok()) return status;
    return result;
  }
  StepOptions options;
  options.append_only = true;
  ToWire(std::span(&entry, 1), options, request.mutable_begin_step());
  v1::SessionResponse response;
  if (absl::Status status = stream->Call(&request, &response); !status.ok()) return status;
  const uint64_t step_id = response.begin_step().step_id();
  auto result = SendAll(stream, step_id, 0, layers, *requests);
  if (!result.ok() || !result->step_closed) AbortStep(stream, step_id).IgnoreError();
  if (result.ok() && !result->step_closed) {
    return FieldError("layers", "must have every layer of the model that has its own cache");
  }
  return result;
}

absl::StatusOr<std::vector<uint64_t>> AbortStep(SessionStream* stream, uint64_t step_id) {
  v1::SessionRequest request;
  request.mutable_end_step()->set_step_id(step_id);
  request.mutable_end_step()->set_abort(true);
  v1::SessionResponse response;
  if (absl::Status status = stream->Call(&request, &response); !status.ok()) return status;
  return FromWire(response.end_step().lost_sequence_ids());
}

}  // namespace sluice::client
