// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/engine_driver.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace sluice::bench {

double ThreadCpuMicroseconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

EngineDriver::EngineDriver(const Shape& shape, int64_t pool_bytes) : shape_(shape) {
  EngineOptions options;
  options.pool_bytes = pool_bytes;
  options.tenants = {{"default", 0}};
  options.worker_threads = shape.worker_threads;
  options.on_idle = [this](bool idle) { OnIdle(idle); };
  auto engine = Engine::Create(options, clock_);
  SLUICE_CHECK(engine.ok()) << engine.status().ToString();
  engine_ = *std::move(engine);

  RegisterModel model;
  model.geometry.name = "benchmark";
  model.geometry.query_heads = kQueryHeads;
  model.geometry.k_dim = shape.dim;
  model.geometry.v_dim = shape.dim;
  model.geometry.page_size_tokens = shape.page_size_tokens;
  model.geometry.layers.resize(static_cast<size_t>(shape.layers));
  for (LayerGeometry& layer : model.geometry.layers) layer.kv_heads = kKvHeads;
  model_ = Ask<ModelInfo>(std::move(model)).model_id;
}

void EngineDriver::Post(Command command) {
  const absl::Status posted = engine_->Post(std::move(command));
  SLUICE_CHECK(posted.ok()) << posted.ToString();
}

uint64_t EngineDriver::OpenSession() {
  struct OpenSession open;
  open.client_name = "benchmark";
  return Ask<uint64_t>(std::move(open));
}

uint64_t EngineDriver::CreateSequence(uint64_t session, std::optional<PolicySpec> policy) {
  struct CreateSequence create;
  create.model_id = model_;
  create.policy = policy.value_or(shape_.policy);
  create.session = session;
  return Ask<SequenceCreated>(std::move(create)).sequence;
}

BeginStep EngineDriver::StepOf(const std::vector<uint64_t>& sequences,
                               const std::vector<int64_t>& lengths,
                               const std::vector<int64_t>& counts, Phase phase) const {
  BeginStep begin;
  for (size_t i = 0; i < sequences.size(); ++i) {
    begin.entries.push_back({sequences[i], lengths[i], counts[i], phase, false, false});
  }
  return begin;
}

void EngineDriver::Fill(const std::vector<uint64_t>& sequences,
                        const std::vector<int64_t>& lengths) {
  AppendStep(StepOf(sequences, std::vector<int64_t>(lengths.size(), 0), lengths,
                    Phase::kPrefill));
}

void EngineDriver::Extend(uint64_t sequence, int64_t length, int64_t count) {
  AppendStep(StepOf({sequence}, {length}, {count}, Phase::kPrefill));
}

void EngineDriver::AppendStep(BeginStep begin) {
  int64_t rows = 0;
  for (const StepEntry& entry : begin.entries) rows += entry.token_count;
  begin.append_only = true;
  Append append;
  append.step = Ask<StepBegun>(std::move(begin)).step;
  for (int32_t layer = 0; layer < shape_.layers; ++layer) {
    append.layers.push_back({layer, Tensor(rows, kKvHeads), Tensor(rows, kKvHeads)});
  }
  SLUICE_CHECK(Ask<AppendResult>(std::move(append)).step_closed);
}

TensorRef EngineDriver::Tensor(int64_t rows, int32_t heads) {
  const auto elements = static_cast<size_t>(rows * heads * shape_.dim);
  for (size_t i = values_.size(); i < elements; ++i) {
    values_.push_back(static_cast<uint16_t>(0x3e80u | (i * 2654435761u >> 7 & 0x807fu)));
  }
  TensorRef tensor;
  tensor.dtype = Dtype::kBf16;
  tensor.rank = 3;
  tensor.shape = {rows, heads, shape_.dim};
  tensor.data = reinterpret_cast<const std::byte*>(values_.data());
  return tensor;
}

EngineStatus EngineDriver::WaitUntilGivenBack() {
  EngineStatus status = Ask<EngineStatus>(GetStatus());
  const auto in_use = [](const EngineStatus& now) { return now.pool.in_use + now.pool.retired; };
  for (int64_t before = -1; before != in_use(status);) {
    before = in_use(status);
    for (int i = 0; i < 200; ++i) status = Ask<EngineStatus>(GetStatus());
  }
  return status;
}

void EngineDriver::OnIdle(bool idle) {
  const double now = ThreadCpuMicroseconds();
  if (idle) {
    busy_microseconds_ = busy_microseconds_ + (now - turn_start_);
  } else {
    turn_start_ = now;
  }
  idle_ = idle;
}

void EngineDriver::WaitUntilIdle() const {
  while (!idle_) std::this_thread::yield();
}

void StallProbe::Start() {
  stopping_ = false;
  stopped_ = std::promise<void>();
  last_ = 0;
  longest_ = 0;
  Ask();
}

void StallProbe::Ask() {
  // An unknown id is the cheapest question.
  GetSequence question;
  question.done = [this](const auto&) {
    const double now = ThreadCpuMicroseconds();
    if (last_ > 0) longest_ = std::max(longest_, now - last_);
    last_ = now;
    if (stopping_) return stopped_.set_value();
    Ask();
  };
  driver_.Post(std::move(question));
}

double StallProbe::Stop() {
  stopping_ = true;
  stopped_.get_future().wait();
  return longest_;
}

}  // namespace sluice::bench
