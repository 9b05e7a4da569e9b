// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// A policy decides when a sequence is compressed and which slots stay.
//
// The engine looks at the triggers between two steps (`Acts`), fixes a snapshot
// (`SnapshotTokens`), asks for a recipe (`Plan`, and `Budget` where that asks for
// counts) and runs it. A policy is made for one model by MakePolicy (registry.h)
// and shared by sequences.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "daemon/policy/accumulated_score.h"
#include "daemon/policy/budget.h"
#include "daemon/policy/cascade_rule.h"
#include "daemon/policy/facts.h"
#include "daemon/policy/policy_spec.h"
#include "daemon/policy/recipe.h"

namespace sluice {

enum class Trigger : uint8_t {
  kPrefillEnd,
  kEvery,     // decode steps added tokens
  kPressure,  // the pool is short of memory
  kRequest,   // a client asked
};

// What a policy needs of whoever uses it.
struct PolicyNeeds {
  int64_t observation_window_tokens = 0;  // the last query rows to keep; 0: none
  bool q_of_every_row = false;            // every query row goes through the daemon's attend
  bool k_v_q_in_one_call = false;
  bool rope_table = false;
  bool allows_rollback = true;  // above the floor; without it drafts are refused too
  bool adopts_prefix = true;    // a sequence may start from a known prefix
  // What each slot gathers, from the sequence's first token on; with q_of_every_row.
  std::optional<AccumulatedScore> accumulated_score = std::nullopt;
  // No job ever runs: the engine moves tokens into the body by this rule.
  std::optional<CascadeRule> cascade = std::nullopt;
};

// Immutable and pure: the same facts give the same answer. Thread-safe.
class Policy {
 public:
  virtual ~Policy() = default;
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  // As resolved: every parameter that the preset has in this combination, with
  // the value in force. Making a policy of it again gives the same policy.
  const PolicySpec& spec() const { return spec_; }
  const TriggerSpec& triggers() const { return *spec_.triggers; }
  Visible visible() const { return spec_.visible.value_or(Visible::kWhenDue); }
  const PolicyNeeds& needs() const { return needs_; }
  // What its jobs' recipes score by.
  virtual Scorer scorer() const { return Scorer::kNone; }

  // The recent window: the newest tokens that every job leaves alone.
  int64_t recent_tokens() const { return recent_tokens_; }

  // What no budget goes below: the tokens of a row that always stay, beside a shared
  // prefix that is to be kept.
  virtual int64_t protected_tokens() const { return recent_tokens_; }

  // The snapshot of a job on a sequence of `length_tokens`: all but its hot
  // tail, which is the recent window or, if more, the tokens that one step
  // brings on trial. Never inside what an earlier job made (`tail_first_token`,
  // the true position of the tail's first slot).
  int64_t SnapshotTokens(int64_t length_tokens, int64_t draft_tokens,
                         int64_t tail_first_token) const {
    return std::max(length_tokens - std::max(recent_tokens_, draft_tokens), tail_first_token);
  }

  // What the budget is compared with: the slots of the fullest row that this policy
  // may shrink or, where rows share a budget, what they hold on average, rounded up;
  // 0 where there is none. Until the next commit every token adds one, every
  // rollback takes its own.
  virtual int64_t MostSlots(std::span<const RowFacts> rows) const = 0;

  // Whether a job is to be planned. Decoded tokens count from the last job that
  // was planned, so where this says no they count on. kRequest: always, but for a
  // policy without jobs (PolicyNeeds::cascade), which never acts.
  virtual bool Acts(Trigger trigger, const SequenceFacts& facts) const = 0;

  // What a job does, or what it is to count first. REQUIRES: one RowFacts for each
  // row of the model; every slot from the snapshot on is held; snapshot_tokens <=
  // length_tokens.
  virtual JobRecipe Plan(const JobFacts& facts) const = 0;

  // What a job does, from `counts` [count segments, rows of the model]: how many
  // slots of a row are among the best k of Plan's count segment; 0 for a row that
  // is not of the segment. REQUIRES: `facts` are those of Plan, whose recipe had
  // count segments.
  virtual JobRecipe Budget(const JobFacts& facts, std::span<const int32_t> counts) const;

 protected:
  // REQUIRES: `spec` is resolved, with triggers.
  Policy(PolicySpec spec, PolicyNeeds needs, int64_t recent_tokens)
      : spec_(std::move(spec)), needs_(std::move(needs)), recent_tokens_(recent_tokens) {}

  // Acts() of a policy whose budget, as MostSlots has it, is `budget`.
  bool ActsOver(const sluice::Budget& budget, Trigger trigger, const SequenceFacts& facts) const;

 private:
  const PolicySpec spec_;
  const PolicyNeeds needs_;
  const int64_t recent_tokens_;
};

using PolicyPtr = std::shared_ptr<const Policy>;

}  // namespace sluice
