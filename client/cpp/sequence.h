// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/policy.h"
#include "client/cpp/sequence_types.h"

namespace sluice::client {

class Connection;

// Holds a sequence, and frees it when destroyed. Made by Client::CreateSequence,
// Client::ForkSequences and Client::Adopt.
//
// Errors of the calls are those of sluice.v1.KvCache's, and as Client's.
//
// Thread-compatible; the calls of different objects never wait for each other.
class Sequence {
 public:
  ~Sequence();
  Sequence(Sequence&& other) noexcept;
  Sequence& operator=(Sequence&& other) noexcept;

  uint64_t id() const { return id_; }
  // How many tokens of the prompt were adopted when it was created: its length
  // then. 0 for a fork or one that was adopted.
  int64_t matched_length() const { return matched_length_; }
  // The policy as resolved when it was created or last set by this object.
  const ResolvedPolicy& policy() const { return policy_; }

  absl::StatusOr<SequenceState> Get() const;
  // Replaces the policy, from the next trigger on.
  absl::Status SetPolicy(const Policy& policy, std::optional<absl::Duration> max_wait = {});
  // Compresses now, and returns when it is done.
  absl::StatusOr<CompressResult> Compress(const CompressOptions& options = {}) const;
  absl::StatusOr<Explanation> Explain(int32_t layer, int32_t kv_head) const;

  // Frees it now, and says whether that worked. The object holds nothing then.
  absl::Status Free();
  // Gives it to the caller, who frees it by its id: the object holds nothing.
  uint64_t Release();

 private:
  friend class Client;
  Sequence(std::shared_ptr<Connection> connection, uint64_t id)
      : connection_(std::move(connection)), id_(id) {}

  std::shared_ptr<Connection> connection_;  // none once freed or released
  uint64_t id_ = 0;
  int64_t matched_length_ = 0;
  ResolvedPolicy policy_;
};

}  // namespace sluice::client
