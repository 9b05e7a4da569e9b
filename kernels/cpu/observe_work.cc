// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/observe_work.h"

#include <algorithm>

#include "kernels/cpu/query_store.h"

namespace sluice::cpu {
namespace {

// Elements of an item: some 0.1 ms where every one is converted by itself.
constexpr int64_t kItemElements = 32768;

}  // namespace

int64_t ObserveWork::Plan() {
  runs_.clear();
  for (int32_t i = 0; i < args_.view->entry_count; ++i) AddEntry(args_.view->entries[i]);
  item_starts_.assign(1, 0);
  const int64_t token_elements = int64_t{args_.layer->q_heads} * args_.layer->k_dim;
  int64_t elements = 0;
  for (size_t i = 0; i < runs_.size(); ++i) {
    elements += runs_[i].tokens * token_elements;
    if (elements < kItemElements && i + 1 < runs_.size()) continue;
    item_starts_.push_back(static_cast<int64_t>(i) + 1);
    elements = 0;
  }
  return static_cast<int64_t>(item_starts_.size()) - 1;
}

void ObserveWork::AddEntry(const ViewEntry& entry) {
  std::byte* const ring = ObservationRingOf(pool_, entry, args_.layer->layer);
  if (ring == nullptr) return;
  const int64_t entry_end = entry.first_token + entry.token_count;
  const int64_t kept_from = FirstObservedPosition(entry_end, entry.observation_capacity);
  const int64_t begin = std::max({entry.first_token, args_.first_token, kept_from});
  const int64_t end = std::min(entry_end, args_.first_token + args_.token_count);
  TokenRun run;
  run.ring = ring;
  run.layout = ObservationLayoutOf(pool_, entry, args_.layer->q_heads, args_.layer->k_dim);
  const int64_t token_elements = int64_t{args_.layer->q_heads} * args_.layer->k_dim;
  const int64_t most = std::max<int64_t>(1, kItemElements / token_elements);
  for (int64_t token = begin; token < end; token += run.tokens) {
    run.call_token = token - args_.first_token;
    run.position = entry.base_length + token - entry.first_token;
    run.tokens = std::min(most, end - token);
    runs_.push_back(run);
  }
}

void ObserveWork::Run(int64_t item, WorkerScratch&) {
  const int32_t heads = args_.layer->q_heads;
  const int64_t token_bytes = int64_t{heads} * args_.layer->k_dim * DtypeBytes(args_.dtype);
  for (int64_t i = item_starts_[item]; i < item_starts_[item + 1]; ++i) {
    const TokenRun& run = runs_[i];
    for (int64_t t = 0; t < run.tokens; ++t) {
      const int64_t call_token = run.call_token + t;
      QueryToken token;
      token.q = static_cast<const std::byte*>(args_.q) + call_token * token_bytes;
      token.lse = args_.lse == nullptr ? nullptr : args_.lse + call_token * heads;
      token.dtype = args_.dtype;
      token.position = run.position + t;
      StoreQueryToken(token, run.layout, run.ring);
    }
  }
}

}  // namespace sluice::cpu
