// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace sluice {

// Answers of calls that create, by the caller's request id: a retry gets the
// answer of the first call. Remembers the newest ones.
//
// Not thread-safe: owned by the engine thread.
class RequestIds {
 public:
  explicit RequestIds(size_t capacity) : capacity_(capacity) {}

  // The ids made by an earlier call of that scope (tenant and session) and id.
  const std::vector<uint64_t>* Find(uint64_t scope, const std::string& request_id) const {
    const auto found = answers_.find({scope, request_id});
    return found == answers_.end() ? nullptr : &found->second;
  }

  // No effect without a request id.
  void Add(uint64_t scope, const std::string& request_id, std::vector<uint64_t> made) {
    if (request_id.empty()) return;
    if (order_.size() == capacity_) {
      answers_.erase(order_.front());
      order_.pop_front();
    }
    order_.emplace_back(scope, request_id);
    answers_[order_.back()] = std::move(made);
  }

 private:
  using Key = std::pair<uint64_t, std::string>;

  const size_t capacity_;
  absl::flat_hash_map<Key, std::vector<uint64_t>> answers_;
  std::deque<Key> order_;
};

}  // namespace sluice
