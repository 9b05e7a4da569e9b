// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/testing/engine_driver.h"

#include <numeric>

#include "daemon/base/check.h"

namespace sluice {

StepEntry StepPart::ToEntry() const {
  StepEntry entry;
  entry.sequence = sequence->id;
  entry.base_length = rollback_to.value_or(sequence->length());
  entry.token_count = tokens;
  entry.phase = phase;
  entry.prefill_end = prefill_end;
  entry.rollback = rollback_to.has_value();
  return entry;
}

StepPart Prefill(TestSequence& sequence, int64_t tokens, bool prefill_end) {
  return {&sequence, tokens, Phase::kPrefill, prefill_end};
}

StepPart Decode(TestSequence& sequence, int64_t tokens) { return {&sequence, tokens}; }

ModelGeometry SmallGeometry() {
  ModelGeometry geometry;
  geometry.name = "small";
  geometry.query_heads = 4;
  geometry.k_dim = 16;
  geometry.v_dim = 32;
  geometry.dtype = Dtype::kF32;
  geometry.page_size_tokens = 16;
  LayerGeometry layer;
  layer.kv_heads = 2;
  geometry.layers.assign(2, layer);
  return geometry;
}

EngineOptions SmallOptions() {
  EngineOptions options;
  options.pool_bytes = int64_t{32} << 20;
  options.slab_bytes = int64_t{1} << 20;
  options.job_reserve_bytes = 0;
  options.backend = BackendKind::kReference;
  options.tenants = {{"first", 0}, {"second", 0}};
  return options;
}

EngineDriver::EngineDriver(EngineOptions options) {
  auto engine = Engine::Create(std::move(options), clock_);
  SLUICE_CHECK(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
}

std::unique_ptr<EngineDriver> EngineDriver::Gated(std::shared_ptr<BackendGate> gate,
                                                  EngineOptions options) {
  options.make_backend = [gate](const BackendOptions& backend) {
    return std::make_unique<GatedBackend>(backend, gate);
  };
  return std::make_unique<EngineDriver>(std::move(options));
}

absl::Status EngineDriver::Post(Command command) {
  if (posted_.fetch_add(1) % 2 == 0) return engine_->Post(std::move(command));
  return engine_->PostAndWork(std::move(command));
}

void EngineDriver::Advance(absl::Duration by) {
  constexpr int kMostCommandsPerTurn = 64;
  clock_.Advance(by);
  // Time is looked at once a turn, after its commands.
  for (int i = 0; i <= kMostCommandsPerTurn; ++i) Status();
}

TestModel EngineDriver::Register(ModelGeometry geometry, Caller caller) {
  RegisterModel command;
  command.caller = caller;
  command.geometry = geometry;
  const auto info = Call(std::move(command));
  SLUICE_CHECK(info.ok()) << info.status();
  return {info->model_id, std::move(geometry), info->block_bytes};
}

TestSequence EngineDriver::Create(const TestModel& model, PolicySpec policy, CreateSequence more) {
  more.model_id = model.id;
  more.policy = std::move(policy);
  const auto created = Call(std::move(more));
  SLUICE_CHECK(created.ok()) << created.status();
  return {created->sequence, {}};
}

absl::StatusOr<TestSequence> EngineDriver::Fork(const TestSequence& parent) {
  ForkSequences command;
  command.parents = {parent.id};
  auto made = Call(std::move(command));
  if (!made.ok()) return made.status();
  return TestSequence{made->front(), parent.tags};
}

absl::Status EngineDriver::Free(const TestSequence& sequence) {
  FreeSequences command;
  command.sequences = {sequence.id};
  return Call(std::move(command)).status();
}

absl::StatusOr<SequenceInfo> EngineDriver::Info(const TestSequence& sequence) {
  GetSequence command;
  command.sequence = sequence.id;
  return Call(std::move(command));
}

absl::StatusOr<StepBegun> EngineDriver::Begin(const std::vector<StepPart>& parts, BeginStep more) {
  for (const StepPart& part : parts) more.entries.push_back(part.ToEntry());
  return Call(std::move(more));
}

absl::Status EngineDriver::Abort(uint64_t step) {
  EndStep command;
  command.step = step;
  command.abort = true;
  return Call(std::move(command)).status();
}

std::vector<int64_t> EngineDriver::Held(const TestSequence& sequence, int32_t layer,
                                        int32_t kv_head) {
  ExplainSequence command;
  command.sequence = sequence.id;
  command.layer = layer;
  command.kv_head = kv_head;
  const auto explained = Call(std::move(command));
  SLUICE_CHECK(explained.ok()) << explained.status();
  return explained->kept_positions;
}

HeldPositions EngineDriver::HeldRows(const TestModel& model, const TestSequence& sequence) {
  HeldPositions rows;
  for (size_t layer = 0; layer < model.geometry.layers.size(); ++layer) {
    const LayerGeometry& shape = model.geometry.layers[layer];
    if (shape.source_layer >= 0) continue;
    for (int32_t head = 0; head < shape.kv_heads; ++head) {
      rows.push_back(Held(sequence, static_cast<int32_t>(layer), head));
    }
  }
  return rows;
}

EngineStatus EngineDriver::Status() {
  auto status = Call(GetStatus());
  SLUICE_CHECK(status.ok()) << status.status();
  return *std::move(status);
}

EngineStatus EngineDriver::StatusOnce(
    const std::function<bool(const EngineStatus&)>& reached) {
  constexpr int kTurns = 20000;
  EngineStatus status = Status();
  for (int turn = 0; turn < kTurns && !reached(status); ++turn) status = Status();
  return status;
}

EngineStatus EngineDriver::Settled() {
  return StatusOnce([](const EngineStatus& status) {
    return status.running_jobs == 0 && status.pool.retired == 0 && !status.giving_back;
  });
}

std::vector<int64_t> EngineDriver::NewTags(int64_t count) {
  std::vector<int64_t> tags(static_cast<size_t>(count));
  std::iota(tags.begin(), tags.end(), next_tag_);
  next_tag_ += count;
  return tags;
}

}  // namespace sluice
