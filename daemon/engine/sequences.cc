// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/sequences.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/range.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/scores.h"
#include "daemon/policy/registry.h"

namespace sluice {
namespace {

constexpr size_t kRememberedRequests = 8192;
constexpr int64_t kMaxDraftTokens = 1024;
constexpr int64_t kFormatsOfAModel = 2;

ModelFacts FactsOf(const Model& model) {
  ModelFacts facts;
  facts.page_size = model.format().page.page_size;
  for (int32_t layer = 0; layer < model.layer_count(); ++layer) {
    const LayerGeometry& geometry = model.geometry().layers[static_cast<size_t>(layer)];
    const LayerShape& shape = model.shape(layer);
    if (model.owns_cache(layer)) {
      facts.layers.push_back({shape.first_row, shape.kv_heads, geometry.window_tokens});
      continue;
    }
    facts.layers.push_back({shape.first_row, 0, 0});
    // The widest of the windows that look at one cache counts; 0 is no window.
    LayerFacts& source = facts.layers[static_cast<size_t>(geometry.source_layer)];
    const bool all = source.window_tokens == 0 || geometry.window_tokens == 0;
    source.window_tokens = all ? 0 : std::max(source.window_tokens, geometry.window_tokens);
  }
  return facts;
}

// Nothing but a cascade rotates keys, so that any other policy would give wrong answers.
absl::Status CheckKeySpace(const Policy& policy, const Model& model) {
  const std::vector<LayerGeometry>& layers = model.geometry().layers;
  const auto has_table = [](const LayerGeometry& layer) { return layer.rope_table >= 0; };
  if (policy.needs().rope_table && !std::all_of(layers.begin(), layers.end(), has_table)) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "policy.preset",
                  absl::StrCat("the policy ", policy.spec().preset,
                               " needs a RoPE table for every layer of the model"));
  }
  if (policy.needs().cascade.has_value() || model.geometry().keys_rotated ||
      !std::any_of(layers.begin(), layers.end(), has_table)) {
    return absl::OkStatus();
  }
  return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "policy.preset",
                absl::StrCat("the policy ", policy.spec().preset,
                             " takes rotated keys and queries, those of the model come "
                             "un-rotated"));
}

}  // namespace

Sequences::Sequences(Core& core, Jobs& jobs, Steps& steps)
    : core_(core), jobs_(jobs), request_ids_(kRememberedRequests) {
  steps.OnIdle([this](SequenceState& sequence) { Destroy(sequence); });
}

absl::Status Sequences::Quota(absl::string_view message) {
  return Refuse(absl::StatusCode::kResourceExhausted, Reason::kTenantQuota, "", message);
}

// ---- models

int64_t Sequences::ModelCount(int32_t tenant) const {
  return std::count_if(core_.models.begin(), core_.models.end(),
                       [&](const auto& model) { return model.second->tenant == tenant; });
}

absl::StatusOr<ModelInfo> Sequences::TryRegister(RegisterModel& command) {
  if (core_.draining) return Draining();
  SLUICE_ASSIGN_OR_RETURN(
      Model model, Model::Create(std::move(command.geometry), core_.memory.pool.slab_bytes,
                                 core_.backend.page_layout()));
  if (const std::string fault = core_.backend.FormatFault(model.format().page); !fault.empty()) {
    return RefuseField("k_dim", fault);
  }
  const auto mismatch = [](absl::string_view field, const std::string& message) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kFingerprintMismatch, field,
                  message);
  };
  if (!command.expected_fingerprint.empty() &&
      command.expected_fingerprint != model.fingerprint()) {
    return mismatch("expected_fingerprint",
                    absl::StrCat("the geometry's fingerprint is ", model.fingerprint(), ", got ",
                                 command.expected_fingerprint));
  }
  for (const auto& [id, known] : core_.models) {
    if (known->tenant != command.caller.tenant ||
        known->model->geometry().name != model.geometry().name) {
      continue;
    }
    if (known->model->fingerprint() == model.fingerprint()) {
      return ModelInfo{id, model.fingerprint(), model.block_bytes()};
    }
    return mismatch("geometry", absl::StrCat("the model ", model.geometry().name,
                                             " is registered with the fingerprint ",
                                             known->model->fingerprint(), ", got ",
                                             model.fingerprint()));
  }
  const int64_t pool_bytes = core_.memory.slab_count * core_.memory.pool.slab_bytes;
  if (model.block_bytes() > pool_bytes) {
    return RefuseField("layers",
                       absl::StrCat("a block of ", model.block_bytes(),
                                    " bytes does not fit the pool of ", pool_bytes, " bytes"));
  }
  if (ModelCount(command.caller.tenant) >= core_.options.max_models ||
      static_cast<int64_t>(core_.models.size()) >= Core::kMaxFormats / kFormatsOfAModel) {
    return Quota(absl::StrCat("the tenant has ", core_.options.max_models, " models"));
  }
  auto state = std::make_unique<ModelState>();
  state->id = core_.NewId();
  state->tenant = command.caller.tenant;
  state->facts = FactsOf(model);
  state->size_class = core_.cache.AddSizeClass(model.format().slab.pages, model.page_bytes(),
                                               model.format().page.page_size);
  state->format = static_cast<uint16_t>(kFormatsOfAModel * core_.models.size());
  core_.memory.formats[state->format] = model.format();
  state->cascade_format = static_cast<uint16_t>(state->format + 1);
  core_.memory.formats[state->cascade_format] = model.format();
  core_.memory.formats[state->cascade_format].page.key_space = KeySpace::kCachePosition;
  core_.backend.TablesChanged(core_.memory.formats + state->format,
                              kFormatsOfAModel * int64_t{sizeof(SpanFormat)});
  const ModelInfo info{state->id, model.fingerprint(), model.block_bytes()};
  state->model = std::make_shared<const Model>(std::move(model));
  core_.models[info.model_id] = std::move(state);
  return info;
}

void Sequences::Register(RegisterModel command) {
  auto info = TryRegister(command);
  if (!info.ok()) ++core_.totals.refused_calls;
  command.done(std::move(info));
}

// ---- create

absl::StatusOr<PolicyPtr> Sequences::MakePolicyFor(const PolicySpec& spec,
                                                   const ModelState& model,
                                                   int64_t draft_tokens) const {
  SLUICE_ASSIGN_OR_RETURN(PolicyPtr policy, MakePolicy(spec, model.facts));
  if (draft_tokens > 0 && !policy->needs().allows_rollback) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "draft_tokens",
                  absl::StrCat("the policy ", policy->spec().preset, " allows no drafts, got ",
                               draft_tokens));
  }
  SLUICE_RETURN_IF_ERROR(CheckKeySpace(*policy, *model.model));
  if (policy->needs().cascade.has_value()) {
    const SpanFormat& format = core_.memory.formats[model.cascade_format];
    if (const std::string fault = core_.backend.FormatFault(format.page); !fault.empty()) {
      return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "policy.preset",
                    absl::StrCat("the policy ", policy->spec().preset,
                                 " turns keys by their place: ", fault));
    }
  }
  SLUICE_RETURN_IF_ERROR(CheckBodyScores(core_, *model.model, *policy));
  return policy;
}

absl::StatusOr<std::optional<ObservationRings>> Sequences::RingsFor(
    const Policy& policy, const ModelState& model, int64_t draft_tokens) const {
  const int64_t window = policy.needs().observation_window_tokens;
  if (window == 0) return std::optional<ObservationRings>();
  return MakeObservationRings(core_, model, window + draft_tokens);
}

absl::StatusOr<std::optional<SizeClassId>> Sequences::ScoresFor(const Policy& policy,
                                                                const ModelState& model) const {
  if (!policy.needs().accumulated_score.has_value()) return std::optional<SizeClassId>();
  SLUICE_ASSIGN_OR_RETURN(const PageClass page, TailScorePage(core_, model, policy.needs()));
  return page.size_class;
}

absl::Status Sequences::CheckScores(const Policy& policy, const SequenceState& sequence,
                                    bool may_begin) const {
  const std::optional<AccumulatedScore>& score = policy.needs().accumulated_score;
  if (!score.has_value() || score == sequence.policy->needs().accumulated_score ||
      (may_begin && core_.cached(sequence).length() == 0)) {
    return absl::OkStatus();
  }
  return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "policy.preset",
                absl::StrCat("the policy ", policy.spec().preset,
                             " needs the attention of every query row from the sequence's first "
                             "token on, added up by its own rule"));
}

absl::Status Sequences::CheckCreate(const CreateSequence& command) const {
  if (core_.draining) return Draining();
  if (command.draft_tokens < 0 || command.draft_tokens > kMaxDraftTokens) {
    return RefuseRange("draft_tokens", command.draft_tokens, 0, kMaxDraftTokens);
  }
  if (command.lease < absl::ZeroDuration()) {
    return RefuseField("lease", absl::StrCat("must not be negative, got ",
                                             absl::FormatDuration(command.lease)));
  }
  return absl::OkStatus();
}

SequenceState& Sequences::Adopt(std::unique_ptr<SequenceState> state) {
  SequenceState& sequence = *state;
  sequence.id = core_.NewId();
  if (const auto session = core_.sessions.find(sequence.session);
      session != core_.sessions.end()) {
    ++session->second->sequences;
  }
  core_.sequences[sequence.id] = std::move(state);
  core_.RenewLease(sequence);
  jobs_.CountSlots(sequence);
  return sequence;
}

absl::StatusOr<const std::vector<uint64_t>*> Sequences::MadeBefore(
    int32_t tenant, CreatingCall call, const std::string& request_id, size_t parameters) const {
  const RequestIds::Answer* answer = request_ids_.Find(tenant, call, request_id);
  if (answer == nullptr) return nullptr;
  if (answer->parameters == parameters) return &answer->made;
  return RefuseField("request_id", absl::StrCat("\"", request_id,
                                                "\" was given to a call for something else"));
}

absl::StatusOr<SequenceCreated> Sequences::TryCreate(const CreateSequence& command) {
  SLUICE_RETURN_IF_ERROR(CheckCreate(command));
  SLUICE_ASSIGN_OR_RETURN(ModelState* model,
                          core_.FindModel(command.caller, command.model_id, "model_id"));
  if (command.session != 0) {
    SLUICE_RETURN_IF_ERROR(
        core_.FindSession(command.caller, command.session, "session_id").status());
  }
  const int32_t tenant = command.caller.tenant;
  const size_t parameters = absl::HashOf(command.model_id);
  SLUICE_ASSIGN_OR_RETURN(const auto* made, MadeBefore(tenant, CreatingCall::kCreate,
                                                       command.request_id, parameters));
  if (made != nullptr) {
    SLUICE_ASSIGN_OR_RETURN(const SequenceState* known,
                            core_.FindSequence(command.caller, made->front(), "request_id"));
    return SequenceCreated{known->id, 0, known->policy, known->lease};
  }
  SLUICE_ASSIGN_OR_RETURN(PolicyPtr policy,
                          MakePolicyFor(command.policy, *model, command.draft_tokens));
  SLUICE_ASSIGN_OR_RETURN(std::optional<ObservationRings> rings,
                          RingsFor(*policy, *model, command.draft_tokens));
  SLUICE_ASSIGN_OR_RETURN(const std::optional<SizeClassId> scores, ScoresFor(*policy, *model));
  const CacheGeometry geometry{model->model->row_count(), model->model->format().page.page_size,
                               model->size_class};
  SLUICE_ASSIGN_OR_RETURN(
      const SequenceId handle,
      core_.cache.CreateSequence(geometry,
                                 TenantId{static_cast<uint32_t>(command.caller.tenant)}));
  if (scores.has_value()) core_.cache.KeepScores(handle, *scores);
  auto state = std::make_unique<SequenceState>();
  state->handle = handle;
  state->cached = core_.cache.Find(handle);
  state->model = model;
  state->tenant = command.caller.tenant;
  state->session = command.session;
  if (command.session == 0) {
    state->lease =
        command.lease > absl::ZeroDuration() ? command.lease : core_.options.default_lease;
  }
  state->priority = command.priority;
  state->cascade = MakeCascadeGeometry(*policy);
  state->policy = std::move(policy);
  state->rings = std::move(rings);
  state->draft_tokens = command.draft_tokens;
  const SequenceState& sequence = Adopt(std::move(state));
  request_ids_.Add(tenant, CreatingCall::kCreate, command.request_id,
                   {parameters, {sequence.id}});
  return SequenceCreated{sequence.id, 0, sequence.policy, sequence.lease};
}

void Sequences::Create(CreateSequence command) {
  auto created = TryCreate(command);
  if (!created.ok()) ++core_.totals.refused_calls;
  command.done(std::move(created));
}

void Sequences::Match(MatchPrefix command) {
  const auto model = core_.FindModel(command.caller, command.model_id, "model_id");
  if (!model.ok()) return command.done(model.status());
  const auto policy = MakePolicyFor(command.policy, **model, 0);
  if (!policy.ok()) return command.done(policy.status());
  const auto rings = RingsFor(**policy, **model, 0);
  if (!rings.ok()) return command.done(rings.status());
  command.done(int64_t{0});
}

// ---- free

void Sequences::Free(FreeSequences command) {
  std::vector<SequenceState*> freed;
  absl::Status status;
  absl::flat_hash_set<uint64_t> seen;
  if (command.sequences.empty()) status = RefuseField("sequence_ids", "must name at least one");
  for (size_t i = 0; i < command.sequences.size() && status.ok(); ++i) {
    const std::string field = absl::StrCat("sequence_ids[", i, "]");
    const auto sequence = core_.FindSequence(command.caller, command.sequences[i], field);
    status = sequence.status();
    if (status.ok() && !seen.insert(command.sequences[i]).second) {
      status = RefuseField(field, absl::StrCat("sequence ", command.sequences[i],
                                               " is named twice"));
    }
    if (status.ok()) freed.push_back(*sequence);
  }
  if (!status.ok()) {
    ++core_.totals.refused_calls;
    return command.done(std::move(status));
  }
  for (SequenceState* sequence : freed) Release(*sequence);
  command.done(Empty());
}

void Sequences::Release(SequenceState& sequence) {
  sequence.free_when_idle = true;
  sequence.prefill_end_due = false;
  sequence.every_due = false;
  jobs_.Cancel(sequence);
  if (sequence.step == nullptr && sequence.readers == 0) Destroy(sequence);
}

void Sequences::Destroy(SequenceState& sequence) {
  jobs_.Cancel(sequence);
  core_.leases.Remove(sequence.id);
  core_.tables.Drop(sequence.list);
  core_.tables.Free(sequence.ring_list);
  core_.tables.FreeWhenPassed(sequence.score_list, core_.submitted());
  if (const auto session = core_.sessions.find(sequence.session);
      session != core_.sessions.end()) {
    --session->second->sequences;
  }
  const absl::Status freed = core_.cache.Free(sequence.handle);
  SLUICE_CHECK(freed.ok()) << freed;
  core_.sequences.erase(sequence.id);
  core_.waiting.Changed();
}

// ---- reading

SequenceInfo Sequences::InfoOf(const SequenceState& sequence) const {
  const Sequence& state = core_.cached(sequence);
  SequenceInfo info;
  info.sequence = sequence.id;
  info.model_id = sequence.model->id;
  info.model = sequence.model->model;
  info.tenant = sequence.tenant;
  info.length = state.length();
  info.rollback_floor = state.rollback_floor();
  const int64_t page_size = state.geometry().page_size;
  const int64_t page_bytes = sequence.model->model->page_bytes();
  const auto tail_pages = static_cast<int64_t>(state.blocks().size());
  const int64_t tail_slots = state.length() - state.tail_first_position();
  for (const int64_t kept : core_.cache.KeptSlots(sequence.handle)) {
    const int64_t body_pages = (kept - tail_slots + page_size - 1) / page_size;
    info.rows.push_back({kept, (body_pages + tail_pages) * page_bytes});
  }
  info.held_bytes = core_.cache.HeldBytes(sequence.handle);
  info.policy = sequence.policy;
  info.last_job = sequence.last_job;
  info.open_step = sequence.step == nullptr ? 0 : sequence.step->id;
  info.session = sequence.session;
  const auto deadline = core_.leases.DeadlineOf(sequence.id);
  if (deadline) info.lease_left = std::max(*deadline - core_.now(), absl::ZeroDuration());
  info.lost = state.lost();
  return info;
}

void Sequences::Get(GetSequence command) {
  const auto sequence = core_.FindSequence(command.caller, command.sequence, "sequence_id");
  if (!sequence.ok()) {
    ++core_.totals.refused_calls;
    return command.done(sequence.status());
  }
  if (!command.caller.looks_on) core_.RenewLease(**sequence);
  SequenceInfo info = InfoOf(**sequence);
  info.bytes_alone = core_.cache.BytesAlone((*sequence)->handle);
  command.done(std::move(info));
}

void Sequences::Inspect(InspectSequence command) {
  const auto found = core_.FindSequence(command.caller, command.sequence, "sequence_id");
  if (!found.ok()) {
    ++core_.totals.refused_calls;
    return command.done(found.status());
  }
  const SequenceState& sequence = **found;
  Inspected inspected;
  inspected.info = InfoOf(sequence);
  inspected.info.bytes_alone = core_.cache.BytesAlone(sequence.handle);
  inspected.evictions = sequence.evictions;
  // What a job would do now can be told only of what none is about to change; a cascade
  // has none.
  if (!inspected.info.lost && sequence.step == nullptr && sequence.job == nullptr &&
      sequence.cascade == nullptr) {
    const std::optional<JobEnd> end = jobs_.Foresee(sequence, *sequence.policy);
    if (end.has_value()) {
      inspected.plan = Compressed{sequence.model->model, end->kept_tokens, end->freed_now_bytes,
                                  end->freed_later_bytes, end->report};
    }
  }
  command.done(std::move(inspected));
}

void Sequences::List(ListSequences command) {
  std::vector<SequenceInfo> list;
  for (auto place = core_.sequences.upper_bound(command.after);
       place != core_.sequences.end() && static_cast<int64_t>(list.size()) < command.limit;
       ++place) {
    const SequenceState& sequence = *place->second;
    if (command.tenant.has_value() && *command.tenant != sequence.tenant) continue;
    list.push_back(InfoOf(sequence));
  }
  command.done(std::move(list));
}

}  // namespace sluice
