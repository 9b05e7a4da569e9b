// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/step.h"
#include "client/cpp/step_types.h"

namespace sluice::client {

class Connection;
class SessionStream;

// A session: the stream by which steps go, and the owner of the sequences that
// name it. A thread of this library sends its heartbeats. The destructor ends the
// session, and the daemon frees what belongs to it.
//
// When the daemon goes, or ends the session, every call fails with the reason and
// leaves the process alone: UNAVAILABLE (kDraining where it shut down in order),
// or ABORTED with kLeaseExpired after a freeze. The session's sequences and open
// steps are gone then. Reconnect() makes the object usable again, with a new id:
// register the model, create the sequences and prefill again; ids from before are
// FAILED_PRECONDITION with kStaleEpoch if the daemon was restarted, NOT_FOUND if
// it only lost this session.
//
// After fork() the child's calls are FAILED_PRECONDITION, and its copy of the
// object may be destroyed without harm to the parent's.
//
// Thread-safe: calls of several threads are under way at once; one Step belongs
// to one thread at a time.
class Session {
 public:
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The session, for SequenceOptions::session_id. Another one after Reconnect.
  uint64_t id() const;
  // The life of the daemon: another one after Reconnect means that nothing from
  // before is left.
  uint64_t epoch() const;
  // OK while the session lives, else why it ended. Asks nobody: an end shows
  // with the next call or heartbeat.
  absl::Status status() const;
  // The daemon said, with a heartbeat, that it shuts down.
  bool draining() const;

  // Asks the daemon, and opens a new session if this one has ended: of several
  // threads that call it after an end, the first opens. UNAVAILABLE: no daemon
  // there, within ConnectOptions::wait_for_daemon; the session stays ended, try
  // again.
  absl::Status Reconnect();

  // Opens a step. Errors: those of sluice.v1.KvCache.BeginStep, and as Step's. On
  // DEADLINE_EXCEEDED begin again; kStepOpen then names the step to abort.
  absl::StatusOr<Step> BeginStep(std::span<const StepEntry> entries,
                                 const StepOptions& options = {});

  // Undoes a step by its id, for answers that were lost; the sequences that are
  // lost by it. NOT_FOUND (kUnknownStep): it is closed or undone.
  absl::StatusOr<std::vector<uint64_t>> AbortStep(uint64_t step_id);

  // Appends every layer of one entry, as a step of its own, all or nothing. Sent
  // in several requests if larger than one may be. Errors: as Step's.
  absl::StatusOr<AppendResult> Append(const StepEntry& entry, std::span<const AppendLayer> layers);

  // Attends over what sequences hold, without a step, k and v; nothing is stored
  // or scored. Sent in several requests, by sequences, if larger than one may be.
  // Errors: as Step's; INVALID_ARGUMENT too where one sequence's rows are larger.
  absl::StatusOr<AttendResult> Attend(std::span<const SequenceRows> sequences,
                                      const AttendInput& input, const AttendOutput& output = {});

 private:
  friend class Client;
  Session(std::shared_ptr<Connection> connection, std::shared_ptr<SessionStream> stream);

  static absl::StatusOr<std::shared_ptr<SessionStream>> Open(
      const std::shared_ptr<Connection>& connection);
  std::shared_ptr<SessionStream> stream() const;

  const std::shared_ptr<Connection> connection_;
  std::mutex reconnect_mu_;  // one Reconnect at a time; taken before mu_
  mutable std::mutex mu_;
  std::shared_ptr<SessionStream> stream_;  // guarded by mu_, never null
};

}  // namespace sluice::client
