// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// The API from end to end: one layer of one prefill step. Needs a running daemon;
// its socket may be given as the only argument.
#include <iostream>
#include <span>
#include <vector>

#include "client/cpp/client.h"

namespace {

using sluice::client::TensorView;

absl::Status Run(const char* address) {
  auto client = sluice::client::Client::Connect({.address = address});
  if (!client.ok()) return client.status();
  auto model = (*client)->RegisterModel({.name = "example",
                                         .query_head_count = 8,
                                         .k_dim = 64,
                                         .v_dim = 64,
                                         .layers = {{.kv_head_count = 2}}});
  if (!model.ok()) return model.status();
  auto session = (*client)->OpenSession();
  if (!session.ok()) return session.status();
  sluice::client::SequenceOptions options;
  options.model_id = model->model_id;
  options.session_id = (*session)->id();
  auto sequence = (*client)->CreateSequence(options);
  if (!sequence.ok()) return sequence.status();

  const std::vector<float> q(5 * 8 * 64, 0.5f), k(5 * 2 * 64, 0.5f), v(5 * 2 * 64, 2.0f);
  const sluice::client::StepEntry prompt{
      .sequence_id = sequence->id(), .token_count = 5, .phase = sluice::client::Phase::kPrefill};
  auto step = (*session)->BeginStep({&prompt, 1});
  if (!step.ok()) return step.status();
  auto attended = step->Attend({.layer = 0,
                                .q = TensorView::Fp32(q.data(), 5, 8, 64),
                                .k = TensorView::Fp32(k.data(), 5, 2, 64),
                                .v = TensorView::Fp32(v.data(), 5, 2, 64)});
  if (!attended.ok()) return attended.status();
  const std::span<const float> out = attended->out.As<float>();
  std::cout << "attended " << out.size() << " values, the first is " << out[0] << "\n";
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status = Run(argc > 1 ? argv[1] : "");
  if (status.ok()) return 0;
  const auto reason = sluice::client::ErrorInfoOf(status).reason;
  std::cerr << status.code() << ", reason " << sluice::client::ReasonName(reason) << ": "
            << status.message() << "\n";
  return 1;
}
