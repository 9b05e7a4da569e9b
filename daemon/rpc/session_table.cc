// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/session_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"

namespace sluice {

bool SessionTable::Add(std::shared_ptr<SessionControl> session) {
  MutexLock lock(&mu_);
  if (draining_ || static_cast<int64_t>(sessions_.size()) >= max_sessions_) return false;
  const SessionControl* key = session.get();
  sessions_.emplace(key, std::move(session));
  return true;
}

void SessionTable::Remove(const SessionControl* session) {
  std::shared_ptr<SessionControl> removed;  // may be the last holder: ends outside the lock
  MutexLock lock(&mu_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  removed = std::move(found->second);
  sessions_.erase(found);
}

bool SessionTable::WasJustStopped(absl::Duration limit) {
  MutexLock lock(&mu_);
  const auto now = std::chrono::steady_clock::now();
  const auto half = absl::ToChronoNanoseconds(limit / 2);
  if (now - std::exchange(last_check_, now).value_or(now) > half) patient_until_ = now + half;
  return now < patient_until_;
}

void SessionTable::EndIdle(absl::Duration limit) {
  if (WasJustStopped(limit)) return;
  for (const auto& session : All()) {
    const absl::Duration idle = session->IdleTime();
    if (idle < limit) continue;
    session->EndNow(Refuse(absl::StatusCode::kAborted, Reason::kLeaseExpired, "",
                           absl::StrCat("nothing came, or was taken, for ",
                                        absl::FormatDuration(idle), "; the limit is ",
                                        absl::FormatDuration(limit))));
  }
}

void SessionTable::Drain() {
  {
    MutexLock lock(&mu_);
    draining_ = true;
  }
  for (const auto& session : All()) {
    session->EndAfterAnswers(Refuse(absl::StatusCode::kUnavailable, Reason::kDraining, "",
                                    "the daemon shuts down"));
  }
}

absl::flat_hash_map<uint64_t, absl::Duration> SessionTable::IdleTimes() const {
  absl::flat_hash_map<uint64_t, absl::Duration> times;
  for (const auto& session : All()) times[session->id()] = session->IdleTime();
  return times;
}

int64_t SessionTable::size() const {
  MutexLock lock(&mu_);
  return static_cast<int64_t>(sessions_.size());
}

std::vector<std::shared_ptr<SessionControl>> SessionTable::All() const {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<SessionControl>> all;
  all.reserve(sessions_.size());
  for (const auto& [key, session] : sessions_) all.push_back(session);
  return all;
}

}  // namespace sluice
