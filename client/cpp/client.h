// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cpp/capabilities.h"
#include "client/cpp/connect_options.h"
#include "client/cpp/error_info.h"
#include "client/cpp/model.h"
#include "client/cpp/sequence.h"
#include "client/cpp/sequence_types.h"
#include "client/cpp/session.h"

namespace sluice::client {

// An engine's way to one daemon. See example.cc for a use of all of it.
//
// Every call has a deadline (ConnectOptions::call_timeout) and returns a status;
// none throws or ends the process, whatever the daemon answers. ErrorInfoOf gives
// a refusal's reason, field and details. Besides the errors of sluice.v1.KvCache:
//   UNAVAILABLE without a reason: the daemon cannot be reached. The connection is
//     made again by itself: repeat the call. Calls that may be repeated without
//     harm are, twice, within a second.
//   DEADLINE_EXCEEDED: no answer; the call may or may not have been applied
//   FAILED_PRECONDITION with kStaleEpoch: the daemon was restarted and has
//     forgotten models and sequences; register and create again. Sessions:
//     Session::Reconnect
//   FAILED_PRECONDITION without a reason: a client made before fork() was used
//     after it, in the child; connect anew there
//
// Thread-safe. Sequences and sessions may outlive it.
class Client {
 public:
  // Connects and asks for the capabilities. INVALID_ARGUMENT: an option is
  // malformed. UNAVAILABLE: no daemon there, within `wait_for_daemon`.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const ConnectOptions& options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // What the daemon can do; asks anew.
  absl::StatusOr<Capabilities> GetCapabilities();

  // Makes a model known, or attaches to it: the same geometry gets the same id.
  // FAILED_PRECONDITION (kFingerprintMismatch): `expected_fingerprint`, unless
  // empty, is not the model's.
  absl::StatusOr<RegisteredModel> RegisterModel(const ModelGeometry& geometry,
                                                absl::string_view expected_fingerprint = "");

  // Makes a sequence, and adopts the longest known prefix of its prompt.
  absl::StatusOr<Sequence> CreateSequence(const SequenceOptions& options);

  // Copies sequences, which may occur several times; the copies in the same order
  // share all blocks with them. `session_id` 0: they go to their parents' owner.
  absl::StatusOr<std::vector<Sequence>> ForkSequences(std::span<const uint64_t> parents,
                                                      uint64_t session_id = 0,
                                                      std::optional<absl::Duration> max_wait = {});

  // Frees sequences by id, all or none: for those that were released. Sequence
  // objects do it by themselves.
  absl::Status FreeSequences(std::span<const uint64_t> sequence_ids);

  // Takes over a sequence that another object or process released.
  Sequence Adopt(uint64_t sequence_id);

  // Opens a session.
  absl::StatusOr<std::unique_ptr<Session>> OpenSession();

 private:
  explicit Client(std::shared_ptr<Connection> connection);

  const std::shared_ptr<Connection> connection_;
};

}  // namespace sluice::client
