// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/data_calls.h"

#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/calls.h"
#include "daemon/engine/job.h"
#include "daemon/engine/tensor_check.h"

namespace sluice {
namespace {

using Outcome = WaitList::Outcome;

std::string LayerField(size_t index, absl::string_view name) {
  return absl::StrCat("layers[", index, "].", name);
}

// What BeginStep says of its one entry, as said of `entry`.
absl::Status OfOwnEntry(const absl::Status& status) {
  const std::optional<Refusal> refusal = RefusalOf(status);
  if (!refusal || refusal->field.empty()) return status;
  absl::string_view message = status.message();
  absl::ConsumePrefix(&message, absl::StrCat(refusal->field, ": "));
  absl::string_view field = refusal->field;
  if (!absl::ConsumePrefix(&field, "entries[0]")) absl::ConsumePrefix(&field, "entries");
  return WithDetails(Refuse(status.code(), refusal->reason, absl::StrCat("entry", field), message,
                            refusal->retry_after_ms),
                     DetailsOf(status));
}

// The last queries of each entry, as many as its policy's window.
absl::Status CheckQueries(const std::string& field, const TensorRef& queries,
                          const LayerShape& shape, std::span<const OpenEntry> entries) {
  if (!queries.present()) return absl::OkStatus();
  int64_t rows = 0;
  for (const OpenEntry& entry : entries) rows += ObservationQueriesOf(entry);
  if (rows == 0) {
    return RefuseField(field, "no policy of the step's entries has an observation window");
  }
  return CheckShape(field, queries, {rows, shape.q_heads, shape.k_dim},
                    "[sum over entries of min(observation window, token_count), num_q_heads, "
                    "k_dim]");
}

absl::Status CheckLayerNumber(const std::string& field, const Model& model, int32_t layer) {
  if (layer >= 0 && layer < model.layer_count()) return absl::OkStatus();
  return RefuseField(field, absl::StrCat("must be in [0, ", model.layer_count() - 1, "], got ",
                                         layer));
}

}  // namespace

// The range [first_token, first_token + rows) must begin where the layer ends.
absl::Status DataCalls::CheckRange(const StepState& step, int64_t had, int64_t first_token,
                                   int64_t rows, const char* what) const {
  const int64_t total = step.view.total_tokens;
  if (first_token < 0 || rows > total - first_token) {
    return RefuseField("first_token",
                       absl::StrCat(rows, " tokens from ", first_token,
                                    " on are not within the step's ", total));
  }
  if (first_token < had) {
    return Refuse(absl::StatusCode::kAborted, Reason::kRangeRepeated, "first_token",
                  absl::StrCat("the layer's ", what, " of the tokens before ", had,
                               " have come already, got ", first_token));
  }
  if (first_token > had) {
    return RefuseField("first_token",
                       absl::StrCat("the layer's next token is ", had, ", got ", first_token));
  }
  return absl::OkStatus();
}

// ---- append

absl::Status DataCalls::CheckAppendLayer(const struct Append& command, size_t index,
                                         const ModelState& model,
                                         std::span<const OpenEntry> entries, int64_t rows) const {
  const AppendLayer& layer = command.layers[index];
  SLUICE_RETURN_IF_ERROR(CheckLayerNumber(LayerField(index, "layer"), *model.model, layer.layer));
  if (!model.model->owns_cache(layer.layer)) {
    return RefuseField(LayerField(index, "layer"),
                       absl::StrCat("layer ", layer.layer, " reads another layer's cache"));
  }
  const LayerShape& shape = model.model->shape(layer.layer);
  SLUICE_RETURN_IF_ERROR(CheckShape(LayerField(index, "k"), layer.k,
                                    {rows, shape.kv_heads, shape.k_dim},
                                    "[rows, kv_heads, k_dim]"));
  SLUICE_RETURN_IF_ERROR(CheckShape(LayerField(index, "v"), layer.v,
                                    {rows, shape.kv_heads, shape.v_dim},
                                    "[rows, kv_heads, v_dim]"));
  return CheckQueries(LayerField(index, "observation_queries"), layer.observation_queries, shape,
                      entries);
}

absl::Status DataCalls::CheckAppendLayers(const struct Append& command, const ModelState& model,
                                          std::span<const OpenEntry> entries,
                                          int64_t rows) const {
  absl::flat_hash_set<int32_t> seen;
  for (size_t i = 0; i < command.layers.size(); ++i) {
    SLUICE_RETURN_IF_ERROR(CheckAppendLayer(command, i, model, entries, rows));
    if (!seen.insert(command.layers[i].layer).second) {
      return RefuseField(LayerField(i, "layer"),
                         absl::StrCat("layer ", command.layers[i].layer, " is named twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status DataCalls::TryAppend(struct Append& command) {
  SLUICE_ASSIGN_OR_RETURN(StepState* step, core_.FindStep(command.caller, command.step));
  if (command.layers.empty()) return RefuseField("layers", "must name at least one layer");
  const TensorRef& first = command.layers[0].k;
  const int64_t rows = first.rank > 0 ? first.shape[0] : 0;
  if (rows < 1) {
    return RefuseField("layers[0].k.shape",
                       absl::StrCat("must be [rows, kv_heads, k_dim] with rows >= 1, got ",
                                    ShapeText(first)));
  }
  SLUICE_RETURN_IF_ERROR(CheckAppendLayers(command, *step->model, step->entries, rows));
  for (const OpenEntry& entry : step->entries) {
    if (!entry.sequence->policy->needs().k_v_q_in_one_call) continue;
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "layers",
                  absl::StrCat("the policy of sequence ", entry.sequence->id,
                               " takes keys and values with Attend only"));
  }
  const bool is_last = command.first_token == step->view.total_tokens - rows;
  for (size_t i = 0; i < command.layers.size(); ++i) {
    const AppendLayer& layer = command.layers[i];
    const int64_t had = step->appended[static_cast<size_t>(layer.layer)];
    SLUICE_RETURN_IF_ERROR(CheckRange(*step, had, command.first_token, rows, "keys"));
    if (!layer.observation_queries.present() || is_last) continue;
    return RefuseField(LayerField(i, "observation_queries"),
                       "are for the call that brings the layer's last tokens of the step");
  }
  for (const AppendLayer& layer : command.layers) {
    step->appended[static_cast<size_t>(layer.layer)] += rows;
    if (layer.observation_queries.present()) ++step->observed_layers;
    CountLayer(*step, layer.layer);
  }
  steps_.AddCall(*step,
                 std::make_unique<AppendCall>(core_, steps_, *step, std::move(command), rows));
  return absl::OkStatus();
}

void DataCalls::Append(struct Append command) {
  if (command.entry.has_value()) return AppendOwnStep(std::move(command));
  const absl::Status status = TryAppend(command);
  if (status.ok()) return;
  ++core_.totals.refused_calls;
  command.done(status);
}

absl::Status DataCalls::CheckOwnStep(const struct Append& command) const {
  SLUICE_ASSIGN_OR_RETURN(
      SequenceState* const sequence,
      core_.FindWhole(command.caller, command.entry->sequence, "entry.sequence_id"));
  if (command.first_token != 0) {
    return RefuseField("first_token", absl::StrCat("must be 0 with an entry, got ",
                                                   command.first_token));
  }
  if (sequence->policy->needs().q_of_every_row) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "layers",
                  absl::StrCat("the policy of sequence ", sequence->id,
                               " needs every query row: its tokens come with Attend"));
  }
  const ModelState& model = *sequence->model;
  const OpenEntry entry{sequence, *command.entry, command.entry->base_length, std::nullopt};
  SLUICE_RETURN_IF_ERROR(
      CheckAppendLayers(command, model, {&entry, 1}, command.entry->token_count));
  const int64_t own_layers = model.model->own_layer_count();
  if (static_cast<int64_t>(command.layers.size()) != own_layers) {
    return RefuseField("layers", absl::StrCat("must name all ", own_layers,
                                              " layers that have their own cache, got ",
                                              command.layers.size()));
  }
  return absl::OkStatus();
}

void DataCalls::AppendOwnStep(struct Append command) {
  if (absl::Status status = CheckOwnStep(command); !status.ok()) {
    ++core_.totals.refused_calls;
    return command.done(std::move(status));
  }
  BeginStep begin;
  begin.caller = command.caller;
  begin.entries = {*command.entry};
  begin.append_only = true;
  begin.cancelled = command.cancelled;
  auto shared = std::make_shared<struct Append>(std::move(command));
  begin.done = [this, shared](absl::StatusOr<StepBegun> begun) {
    if (!begun.ok()) return shared->done(OfOwnEntry(begun.status()));
    struct Append& append = *shared;
    append.step = begun->step;
    append.entry.reset();
    append.done = [done = std::move(append.done),
                   entry = begun->entries[0]](absl::StatusOr<AppendResult> result) {
      if (result.ok()) result->entry = entry;
      done(std::move(result));
    };
    const absl::Status status = TryAppend(append);
    if (status.ok()) return;
    steps_.Undo(*core_.steps.at(begun->step));
    ++core_.totals.refused_calls;
    append.done(status);
  };
  steps_.Begin(std::move(begin));
}

// ---- attend

absl::StatusOr<int64_t> DataCalls::CheckAttendTensors(const struct Attend& command,
                                                      const ModelState& model) const {
  SLUICE_RETURN_IF_ERROR(CheckLayerNumber("layer", *model.model, command.layer));
  const LayerShape& shape = model.model->shape(command.layer);
  const int64_t rows = command.q.rank > 0 ? command.q.shape[0] : 0;
  if (rows < 1) {
    return RefuseField("q.shape",
                       absl::StrCat("must be [rows, num_q_heads, k_dim] with rows >= 1, got ",
                                    ShapeText(command.q)));
  }
  SLUICE_RETURN_IF_ERROR(CheckShape("q", command.q, {rows, shape.q_heads, shape.k_dim},
                                    "[rows, num_q_heads, k_dim]"));
  if (command.k.present() != command.v.present()) {
    return RefuseField(command.k.present() ? "v" : "k", "k and v come together");
  }
  if (!command.k.present()) return rows;
  if (!model.model->owns_cache(command.layer)) {
    return RefuseField("k", absl::StrCat("layer ", command.layer, " reads another layer's cache"));
  }
  SLUICE_RETURN_IF_ERROR(
      CheckShape("k", command.k, {rows, shape.kv_heads, shape.k_dim}, "[rows, kv_heads, k_dim]"));
  SLUICE_RETURN_IF_ERROR(
      CheckShape("v", command.v, {rows, shape.kv_heads, shape.v_dim}, "[rows, kv_heads, v_dim]"));
  return rows;
}

absl::Status DataCalls::CheckAttendOrder(const struct Attend& command, const StepState& step,
                                         int64_t rows) const {
  const auto layer = static_cast<size_t>(command.layer);
  SLUICE_RETURN_IF_ERROR(
      CheckRange(step, step.attended[layer], command.first_token, rows, "queries"));
  if (command.k.present()) {
    return CheckRange(step, step.appended[layer], command.first_token, rows, "keys");
  }
  const int32_t source = step.model->model->geometry().layers[layer].source_layer;
  const int64_t had = step.appended[source < 0 ? layer : static_cast<size_t>(source)];
  if (had >= command.first_token + rows) return absl::OkStatus();
  return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kFieldInvalid, "k",
                absl::StrCat("the keys of the tokens from ", had, " on have not come"));
}

absl::Status DataCalls::TryAttendStep(struct Attend& command) {
  SLUICE_ASSIGN_OR_RETURN(StepState* step, core_.FindStep(command.caller, command.step));
  if (step->append_only) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kFieldInvalid, "step_id",
                  "the step was begun with append_only");
  }
  SLUICE_ASSIGN_OR_RETURN(const int64_t rows, CheckAttendTensors(command, *step->model));
  SLUICE_RETURN_IF_ERROR(CheckAttendOrder(command, *step, rows));
  const auto layer = static_cast<size_t>(command.layer);
  step->attended[layer] += rows;
  if (command.k.present()) step->appended[layer] += rows;
  CountLayer(*step, command.layer);
  steps_.AddCall(*step,
                 std::make_unique<StepAttendCall>(core_, steps_, *step, std::move(command), rows));
  return absl::OkStatus();
}

bool DataCalls::WaitsForJob(SequenceState& sequence, const Caller& caller) {
  if (sequence.job == nullptr || !sequence.job->holds_steps()) return false;
  // Who only looks on waits, but makes nothing more urgent.
  if (!caller.looks_on) sequence.job->waited = true;
  return true;
}

absl::Status DataCalls::CheckReadable(const SequenceState& sequence,
                                      const std::string& field) const {
  if (sequence.step == nullptr) return absl::OkStatus();
  RefusalDetails details;
  details.open_step_id = sequence.step->id;
  return WithDetails(Refuse(absl::StatusCode::kFailedPrecondition, Reason::kStepOpen, field,
                            absl::StrCat("step ", details.open_step_id, " is open on sequence ",
                                         sequence.id)),
                     details);
}

absl::StatusOr<Outcome> DataCalls::TryAttendSequences(struct Attend& command) {
  if (command.sequences.empty()) return RefuseField("sequences.sequences", "must name at least one");
  if (command.first_token != 0) {
    return RefuseField("first_token", absl::StrCat("must be 0 with sequences, got ",
                                                   command.first_token));
  }
  if (command.k.present() || command.v.present()) {
    return RefuseField(command.k.present() ? "k" : "v", "keys and values need a step");
  }
  std::vector<SequenceState*> sequences;
  absl::flat_hash_set<uint64_t> seen;
  int64_t total_rows = 0;
  for (size_t i = 0; i < command.sequences.size(); ++i) {
    const std::string field = absl::StrCat("sequences.sequences[", i, "]");
    const SequenceRows& named = command.sequences[i];
    SLUICE_ASSIGN_OR_RETURN(
        SequenceState* sequence,
        core_.FindWhole(command.caller, named.sequence, field + ".sequence_id"));
    SLUICE_RETURN_IF_ERROR(CheckReadable(*sequence, field + ".sequence_id"));
    const int64_t length = core_.cached(*sequence).length();
    if (named.row_count < 1 || named.row_count > length) {
      return RefuseField(field + ".row_count",
                         absl::StrCat("must be in [1, ", length, "], got ", named.row_count));
    }
    if (!seen.insert(named.sequence).second) {
      return RefuseField(field + ".sequence_id",
                         absl::StrCat("sequence ", named.sequence, " is named twice"));
    }
    sequences.push_back(sequence);
    if (sequence->model != sequences[0]->model) {
      return RefuseField(field + ".sequence_id", "is of another model than the first");
    }
    if (sequence->policy->needs().k_v_q_in_one_call) {
      return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds,
                    field + ".sequence_id", "its policy attends within steps only");
    }
    core_.RenewLease(*sequence);
    total_rows += named.row_count;
  }
  SLUICE_ASSIGN_OR_RETURN(const int64_t rows,
                          CheckAttendTensors(command, *sequences[0]->model));
  if (rows != total_rows) {
    return RefuseField("q.shape", absl::StrCat("has ", rows, " rows, the sequences ask for ",
                                               total_rows));
  }
  bool waits = false;
  for (SequenceState* one : sequences) waits = WaitsForJob(*one, command.caller) || waits;
  if (waits) return Outcome::kWaits;
  const auto range =
      core_.tables.Allocate(static_cast<int64_t>(sequences.size() * sizeof(ViewEntry)));
  if (!range.has_value()) {
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                  "the table segment is full");
  }
  const int32_t tenant = command.caller.tenant;
  core_.dispatcher.Add(tenant,
                       std::make_unique<SequenceAttendCall>(core_, steps_, std::move(sequences),
                                                            *range, std::move(command), rows));
  return Outcome::kAnswered;
}

// What a sequence holds is what a step that began now would see, so that a due
// job comes first.
template <class Command>
void DataCalls::RunOnceIdle(Command command,
                            absl::StatusOr<Outcome> (DataCalls::*attempt)(Command&)) {
  const int32_t tenant = command.caller.tenant;
  auto shared = std::make_shared<Command>(std::move(command));
  core_.waiting.Add(tenant, core_.now(), core_.now(),
                    [this, shared, attempt](const WaitList::Attempt& now) {
                      const absl::Status ended = core_.EndOfWait(nullptr, now);
                      const auto outcome = ended.ok() ? (this->*attempt)(*shared)
                                                      : absl::StatusOr<Outcome>(ended);
                      if (outcome.ok()) return *outcome;
                      ++core_.totals.refused_calls;
                      shared->done(outcome.status());
                      return Outcome::kAnswered;
                    });
}

void DataCalls::Attend(struct Attend command) {
  if (command.step == 0) return RunOnceIdle(std::move(command), &DataCalls::TryAttendSequences);
  const absl::Status status = TryAttendStep(command);
  if (status.ok()) return;
  ++core_.totals.refused_calls;
  command.done(status);
}

// REQUIRES: tokens came just now to a layer that lacked some.
void DataCalls::CountLayer(StepState& step, int32_t layer) const {
  const auto index = static_cast<size_t>(layer);
  const int64_t total = step.view.total_tokens;
  const bool stored =
      !step.model->model->owns_cache(layer) || step.appended[index] == total;
  const bool attended = step.append_only || step.attended[index] == total;
  if (stored && attended) --step.layers_left;
}

// ---- explain

absl::StatusOr<Outcome> DataCalls::TryExplain(ExplainSequence& command) {
  SLUICE_ASSIGN_OR_RETURN(SequenceState* sequence,
                          core_.FindWhole(command.caller, command.sequence, "sequence_id"));
  const Model& model = *sequence->model->model;
  SLUICE_RETURN_IF_ERROR(CheckLayerNumber("layer", model, command.layer));
  if (!model.owns_cache(command.layer)) {
    return RefuseField("layer",
                       absl::StrCat("layer ", command.layer, " reads another layer's cache"));
  }
  const LayerShape& shape = model.shape(command.layer);
  if (command.kv_head < 0 || command.kv_head >= shape.kv_heads) {
    return RefuseField("kv_head", absl::StrCat("must be in [0, ", shape.kv_heads - 1, "], got ",
                                               command.kv_head));
  }
  if (WaitsForJob(*sequence, command.caller)) return Outcome::kWaits;
  const auto row = static_cast<size_t>(shape.first_row + command.kv_head);
  const Sequence& state = core_.cached(*sequence);
  const int64_t body = state.bodies().has_value()
                           ? core_.cache.BodiesOf(*state.bodies()).rows[row].slots
                           : state.body_slots();
  const int64_t slots = body + state.length() - state.tail_first_position();
  auto bytes = static_cast<int64_t>(sizeof(ViewEntry));
  if (sequence->cascade != nullptr) {
    // A step changes the body layer by layer.
    SLUICE_RETURN_IF_ERROR(CheckReadable(*sequence, "sequence_id"));
    bytes += CascadeTableBytes(static_cast<int64_t>(state.blocks().size()),
                               static_cast<int64_t>(state.body_blocks().size()));
  }
  const auto range = core_.tables.Allocate(bytes);
  if (!range.has_value()) {
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                  "the table segment is full");
  }
  if (!command.caller.looks_on) core_.RenewLease(*sequence);
  const int32_t tenant = sequence->tenant;
  core_.dispatcher.Add(tenant, std::make_unique<ExplainCall>(core_, steps_, *sequence, *range,
                                                             std::move(command), slots, body));
  return Outcome::kAnswered;
}

void DataCalls::Explain(ExplainSequence command) {
  RunOnceIdle(std::move(command), &DataCalls::TryExplain);
}

}  // namespace sluice
