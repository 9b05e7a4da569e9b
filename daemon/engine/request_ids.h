// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace sluice {

// Which call a request id is for: the same id may serve both.
enum class CreatingCall : uint8_t { kCreate, kFork };

// Answers of calls that create, by the caller's request id: a retry gets the
// answer of the first call. Remembers the newest ones.
//
// Not thread-safe: owned by the engine thread.
class RequestIds {
 public:
  struct Answer {
    size_t parameters = 0;  // a hash of what the call was for
    std::vector<uint64_t> made;
  };

  explicit RequestIds(size_t capacity) : capacity_(capacity) {}

  // The answer to the tenant's earlier call of that kind and id; null if there is
  // none. It is of the same call if the parameters' hash is the same.
  const Answer* Find(int32_t tenant, CreatingCall call, const std::string& request_id) const {
    const auto found = answers_.find({tenant, call, request_id});
    return found == answers_.end() ? nullptr : &found->second;
  }

  // No effect without a request id. REQUIRES: Find() gives null.
  void Add(int32_t tenant, CreatingCall call, const std::string& request_id, Answer answer) {
    if (request_id.empty()) return;
    if (order_.size() == capacity_) {
      answers_.erase(order_.front());
      order_.pop_front();
    }
    order_.emplace_back(tenant, call, request_id);
    answers_[order_.back()] = std::move(answer);
  }

 private:
  using Key = std::tuple<int32_t, CreatingCall, std::string>;

  const size_t capacity_;
  absl::flat_hash_map<Key, Answer> answers_;
  std::deque<Key> order_;
};

}  // namespace sluice
