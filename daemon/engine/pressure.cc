// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/pressure.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <tuple>
#include <utility>

#include "daemon/engine/pressure_cut.h"

namespace sluice {
namespace {

int64_t BytesAt(double watermark, int64_t pool_bytes) {
  return static_cast<int64_t>(watermark * static_cast<double>(pool_bytes));
}

// A job that reads rows or scores starts only between steps; one step may be open for
// as long as its client likes.
bool WaitsForItsStep(const SequenceState& sequence) {
  return sequence.step != nullptr && (sequence.policy->scorer() == Scorer::kWindow ||
                                      sequence.policy->scorer() == Scorer::kAccumulated);
}

// Whether pressure may take from it now.
bool MayGive(const SequenceState& sequence) {
  return sequence.policy->triggers().pressure && sequence.job == nullptr &&
         !sequence.free_when_idle && !sequence.cached->lost() && !WaitsForItsStep(sequence);
}

}  // namespace

Pressure::Pressure(Core& core, Jobs& jobs)
    : core_(core),
      jobs_(jobs),
      high_bytes_(BytesAt(core.options.high_watermark, core.cache.pool_bytes().total)),
      low_bytes_(BytesAt(core.options.low_watermark, core.cache.pool_bytes().total)) {}

bool Pressure::Pump(absl::Duration now) {
  const PoolBytes pool = core_.cache.pool_bytes();
  const int64_t used = pool.reserved + pool.in_use;
  SetActive(used > (active_ ? low_bytes_ : high_bytes_));
  if (!under_way_.empty()) ForgetEnded();
  if (!active_) {
    barren_.clear();
    return false;
  }
  was_called_ = now < rests_until_;
  if (was_called_ || !MayPlan()) return false;
  const int64_t wanted_bytes = WantedBytes();
  if (wanted_bytes <= 0) return false;
  const std::vector<SequenceState*> candidates = Candidates(barren_);
  const std::vector<Cut> cuts = Plan(candidates, wanted_bytes, kMostJobs);
  for (const Cut& cut : cuts) Start(cut);
  if (!cuts.empty()) return true;
  if (static_cast<int64_t>(candidates.size()) < kMostLookedAt) return Rest(now);
  for (const SequenceState* sequence : candidates) barren_.insert(sequence->id);
  return true;
}

void Pressure::SetActive(bool active) {
  if (active == active_) return;
  active_ = active;
  core_.backend.SetBackgroundShare(active ? kBackgroundShare : 0);
}

bool Pressure::Rest(absl::Duration now) {
  barren_.clear();
  rests_until_ = now + kRest;
  return false;
}

absl::Duration Pressure::NextDeadline() const {
  return active_ && was_called_ ? rests_until_ : absl::InfiniteDuration();
}

// Jobs that brought nothing are not tried again before all others were.
void Pressure::ForgetEnded() {
  std::erase_if(under_way_, [this](const UnderWay& job) {
    const auto found = core_.sequences.find(job.sequence);
    if (found == core_.sequences.end()) return true;
    const SequenceState& sequence = *found->second;
    if (sequence.job != nullptr && sequence.job->trigger == Trigger::kPressure) return false;
    if (!sequence.last_job.has_value() || sequence.last_job->freed_bytes == 0) {
      barren_.insert(job.sequence);
    }
    return true;
  });
}

// What is given up already comes first, and so do jobs that still have to run; one that
// is built may wait long for its sequence's step to close.
bool Pressure::MayPlan() const {
  if (core_.cache.reclaim_pending()) return false;
  return std::all_of(under_way_.begin(), under_way_.end(), [this](const UnderWay& job) {
    const SequenceState& sequence = *core_.sequences.at(job.sequence);
    const Job::Stage stage = sequence.job->stage;
    return stage == Job::Stage::kReady ||
           (stage == Job::Stage::kQueued && WaitsForItsStep(sequence));
  });
}

int64_t Pressure::WantedBytes() const {
  const PoolBytes pool = core_.cache.pool_bytes();
  int64_t wanted = pool.reserved + pool.in_use - low_bytes_;
  for (const UnderWay& job : under_way_) {
    const SequenceState& sequence = *core_.sequences.at(job.sequence);
    const auto built_pages = static_cast<int64_t>(sequence.job->destination_pages.size());
    wanted -= job.freed.at_least + built_pages * sequence.model->model->page_bytes();
  }
  return wanted;
}

std::vector<SequenceState*> Pressure::Candidates(
    const absl::flat_hash_set<uint64_t>& without) const {
  std::vector<std::tuple<int32_t, int64_t, uint64_t, SequenceState*>> ranked;
  for (const auto& [id, sequence] : core_.sequences) {
    if (!MayGive(*sequence) || without.contains(id)) continue;
    ranked.emplace_back(sequence->priority, -core_.cache.HeldBytes(sequence->handle), id,
                        sequence.get());
  }
  std::sort(ranked.begin(), ranked.end());
  if (static_cast<int64_t>(ranked.size()) > kMostLookedAt) ranked.resize(kMostLookedAt);
  std::vector<SequenceState*> candidates;
  for (const auto& [priority, bytes, id, sequence] : ranked) candidates.push_back(sequence);
  return candidates;
}

std::vector<Pressure::Cut> Pressure::Plan(std::span<SequenceState* const> sequences,
                                          int64_t wanted_bytes, int64_t most_cuts) const {
  std::vector<std::unique_ptr<PressureCut>> holders;
  std::vector<PoolCandidate> candidates;
  for (SequenceState* sequence : sequences) {
    holders.push_back(std::make_unique<PressureCut>(core_, jobs_, *sequence));
    candidates.push_back(holders.back()->Candidate());
  }
  std::vector<Cut> cuts;
  for (const PoolCut& cut : CutPoolBudget(candidates, SpareBytes(), wanted_bytes, most_cuts)) {
    const PressureCut& holder = *holders[cut.candidate];
    absl::StatusOr<PolicyPtr> policy = holder.PolicyUnder(cut.budget_tokens);
    if (policy.ok()) cuts.push_back({&holder.sequence(), *std::move(policy), cut});
  }
  return cuts;
}

// What was given up, or will be by jobs under way, still counts as held.
std::vector<int64_t> Pressure::SpareBytes() const {
  std::vector<int64_t> spare;
  const TenantLedger& tenants = core_.cache.tenants();
  for (uint32_t i = 0; i < static_cast<uint32_t>(tenants.tenant_count()); ++i) {
    const TenantId tenant{i};
    const int64_t guaranteed = tenants.limits(tenant).guaranteed_bytes;
    spare.push_back(guaranteed == 0 ? std::numeric_limits<int64_t>::max()
                                    : tenants.usage(tenant).bytes - guaranteed -
                                          core_.cache.ComingBytes());
  }
  for (const UnderWay& job : under_way_) {
    spare[static_cast<size_t>(job.tenant)] -= job.freed.at_most;
  }
  return spare;
}

void Pressure::Start(const Cut& cut) {
  under_way_.push_back({cut.sequence->id, cut.sequence->tenant, cut.cut.freed});
  jobs_.RequestUnderPressure(*cut.sequence, cut.policy);
}

void Pressure::Reclaim(ReclaimMemory command) {
  const std::vector<Cut> cuts = Plan(Candidates({}), command.target_bytes, kMostCutsOfCall);
  std::vector<BudgetCut> answer;
  for (const Cut& cut : cuts) {
    answer.push_back({cut.sequence->id, cut.sequence->tenant, cut.sequence->priority,
                      cut.policy->spec().preset, cut.cut.budget_tokens,
                      cut.cut.freed.at_least});
    if (!command.dry_run) Start(cut);
  }
  command.done(std::move(answer));
}

}  // namespace sluice
