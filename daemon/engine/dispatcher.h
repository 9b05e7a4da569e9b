// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/backend.h"

namespace sluice {

// Work of one call for the foreground lane, handed out piece by piece.
class Call {
 public:
  virtual ~Call() = default;

  // Writes the next piece, and what it costs in bytes of keys and values read
  // (or the like of it in arithmetic). False: there are no more.
  virtual bool Next(Operation& operation, int64_t& cost_bytes) = 0;

  // Whether Finished need not wait for the piece that Next wrote last, which is then the
  // call's last. What that piece points to outlives the call.
  virtual bool trails() const { return false; }

  // Every piece has passed, but those that trail. Called once, last.
  virtual void Finished() = 0;

  // It will not be run: what it belongs to is gone. Called instead of the others.
  virtual void Dropped() = 0;
};

// Feeds the foreground lane: deficit round robin over tenants by cost. Within a
// tenant a call that has not begun goes before the next piece of one that has,
// and those take turns by pieces. No more than one large piece lies in the lane,
// so that a decode step waits for one piece of somebody's prefill at most.
//
// Not thread-safe: owned by the engine thread. No method waits.
class Dispatcher {
 public:
  Dispatcher(Backend& backend, int32_t tenant_count);

  // Takes a call. It is destroyed after its Finished.
  void Add(int32_t tenant, std::unique_ptr<Call> call);

  // Submits a copy on write ahead of everything that still waits, as soon as the
  // lane has room for it, and keeps the list of pages until it has passed.
  void SubmitCopy(std::vector<PageCopy> pages, int32_t slots, uint16_t format);
  // The same for accumulated scores.
  void SubmitScoreCopies(std::vector<ScoreCopy> scores);
  // The same for rings of observation rows.
  void SubmitCarry(std::vector<RingCarry> rings, const ObservationLayout& layout, int64_t length);

  // Finishes what has passed and submits what there is room for. True if
  // anything was finished or submitted.
  bool Pump();

  // True while copies wait for room. Until they are submitted their source pages
  // must not be given back, nor their sequences be compressed.
  bool copies_wait() const { return !waiting_copies_.empty(); }

  // Whether all that lies in the lane are pieces that cost no more than this.
  bool HasOnly(int64_t most_bytes) const {
    if (in_flight_.empty() || !copies_.empty() || in_flight_bytes_ > most_bytes) return false;
    const Ticket first = in_flight_.front().ticket;  // jobs have tickets of the lane too
    return backend_.Completed(Lane::kForeground) + 1 >= first &&
           backend_.Submitted(Lane::kForeground) + 1 - first == in_flight_.size();
  }

  bool idle() const {
    return in_flight_.empty() && copies_.empty() && waiting_copies_.empty() && waiting_ == 0;
  }

 private:
  struct InFlight {
    Ticket ticket;
    int64_t cost_bytes;
    std::shared_ptr<Call> call;  // freed, and finished, with its last piece; null: it trails
  };
  struct Tenant {
    std::deque<std::shared_ptr<Call>> fresh;    // no piece was submitted yet
    std::deque<std::shared_ptr<Call>> started;  // in turn
    int64_t fresh_bytes = 0;  // of fresh calls since a started one had its turn
    int64_t deficit_bytes = 0;

    bool empty() const { return fresh.empty() && started.empty(); }
  };
  // The operation points into one of the lists.
  struct Copy {
    std::vector<PageCopy> pages;
    std::vector<RingCarry> rings;
    std::vector<ScoreCopy> scores;
    Operation operation;
  };

  bool HasRoom() const;
  void SubmitCopy(Copy copy);
  bool SubmitCopies();
  static std::shared_ptr<Call> TakeNext(Tenant& tenant);
  bool FinishPassed();
  bool SubmitNext();
  void SubmitPieceOf(Tenant& tenant);

  Backend& backend_;
  std::deque<Copy> waiting_copies_;
  std::deque<std::pair<Ticket, Copy>> copies_;  // in flight
  std::vector<Tenant> tenants_;
  size_t next_tenant_ = 0;
  int64_t waiting_ = 0;  // calls with pieces left
  std::deque<InFlight> in_flight_;
  int64_t in_flight_bytes_ = 0;
};

}  // namespace sluice
