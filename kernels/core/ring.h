// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The Cascading KV cache (Willette et al., ICLR 2025): how its body is divided,
// where each slot of it stands, and which token each slot holds after an
// insertion.
//
// A body is one linear range of slots: the sinks, then ring 0, ring 1, .. of
// `ring_slots` each. Ring 0 holds the newest tokens. A token that is displaced
// from a full ring is offered to the next one, which accepts it into the place
// of its own oldest, or lets it fight its newest; the loser is lost. All of that
// but who wins follows from the number of tokens alone, so heads and layers have
// one geometry. Stateless, thread-safe.

#include <cstdint>

#include "kernels/core/host_device.h"

namespace sluice {

inline constexpr int32_t kMaxCascadeRings = 16;

// When a ring accepts what it is offered. x counts the stream's tokens behind
// the sinks, from 0; what is displaced is offered at the x of the new token.
struct CascadeRing {
  int64_t first_offer = 0;    // before this x the ring is offered nothing
  int64_t accepts_until = 0;  // up to this x, included, it accepts everything
  int64_t period = 1;         // from then on it accepts where x is a multiple of this
};

// Made by MakeCascadeGeometry; immutable. Lies in the tables, so that view
// entries can name it.
struct CascadeGeometry {
  int32_t sinks = 0;       // >= 0
  int32_t ring_count = 0;  // 1 .. kMaxCascadeRings
  int32_t ring_slots = 0;  // >= 1
  int32_t stride = 1;      // tokens of a whole pending chunk, >= 1
  CascadeRing rings[kMaxCascadeRings];

  SLUICE_HD constexpr int32_t body_slots() const { return sinks + ring_count * ring_slots; }
  SLUICE_HD constexpr int32_t first_slot(int32_t ring) const { return sinks + ring * ring_slots; }
};

// Stands for an x that no stream reaches.
inline constexpr int64_t kNeverReached = INT64_MAX;

// a * b of numbers >= 0, at most kNeverReached.
SLUICE_HD constexpr int64_t MultiplyOrNever(int64_t a, int64_t b) {
  return b != 0 && a > kNeverReached / b ? kNeverReached : a * b;
}

SLUICE_HD constexpr int64_t GreatestCommonDivisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// A ring sees only what the rings before it accepted, so the periods that count
// are the least common multiples of those given.
//
// `periods`: [ring_count], acceptance periods e_i >= 1. `eager_fill`: until as
// many tokens as all rings hold have been seen, and one more, everything is
// accepted; without it a ring accepts out of turn only its first.
SLUICE_HD inline CascadeGeometry MakeCascadeGeometry(int32_t sinks, int32_t ring_count,
                                                     int32_t ring_slots, int32_t stride,
                                                     bool eager_fill, const int64_t* periods) {
  CascadeGeometry geometry;
  geometry.sinks = sinks;
  geometry.ring_count = ring_count;
  geometry.ring_slots = ring_slots;
  geometry.stride = stride;
  int64_t period = 1;
  int64_t offered = 0;
  for (int32_t i = 0; i < ring_count; ++i) {
    CascadeRing& ring = geometry.rings[i];
    period = MultiplyOrNever(period / GreatestCommonDivisor(period, periods[i]), periods[i]);
    ring.period = period;
    if (eager_fill) {
      ring.first_offer = int64_t{i} * ring_slots;
      ring.accepts_until = int64_t{ring_count} * ring_slots;
      continue;
    }
    ring.first_offer = ring.accepts_until = offered;
    // It is full with its accept number ring_slots; the one after displaces.
    if (offered < kNeverReached) offered = MultiplyOrNever(offered / period + ring_slots, period);
  }
  return geometry;
}

// The tokens behind the sinks among the first `tokens` of a stream.
SLUICE_HD constexpr int64_t TokensBehindSinks(const CascadeGeometry& geometry, int64_t tokens) {
  return tokens > geometry.sinks ? tokens - geometry.sinks : 0;
}

SLUICE_HD constexpr bool Accepts(const CascadeRing& ring, int64_t x) {
  return x <= ring.accepts_until || x % ring.period == 0;
}

// How many tokens the ring has accepted when x stands for the next token.
SLUICE_HD constexpr int64_t AcceptedBefore(const CascadeRing& ring, int64_t x) {
  if (x <= ring.first_offer) return 0;
  const int64_t last = x - 1;
  if (last <= ring.accepts_until) return last - ring.first_offer + 1;
  return ring.accepts_until - ring.first_offer + 1 + last / ring.period -
         ring.accepts_until / ring.period;
}

// The place of a ring's oldest entry and how many it has; they lie in the order
// of their age from there on, around the ring's end.
struct RingState {
  int32_t start = 0;
  int32_t count = 0;

  // The place of the newest. REQUIRES: count > 0.
  SLUICE_HD constexpr int32_t newest() const { return (start + count - 1) % count; }
};

// A ring after the first `tokens` tokens of the stream were inserted.
SLUICE_HD constexpr RingState RingAfter(const CascadeGeometry& geometry, int32_t ring,
                                        int64_t tokens) {
  const int64_t accepted =
      AcceptedBefore(geometry.rings[ring], TokensBehindSinks(geometry, tokens));
  if (accepted <= geometry.ring_slots) return {0, static_cast<int32_t>(accepted)};
  return {static_cast<int32_t>(accepted % geometry.ring_slots), geometry.ring_slots};
}

// How many slots of the body are in use; they are its first ones. A row's
// pending tokens stand at this cache position and those behind it.
SLUICE_HD constexpr int32_t CascadeSlots(const CascadeGeometry& geometry, int64_t tokens) {
  int32_t slots = static_cast<int32_t>(tokens < geometry.sinks ? tokens : geometry.sinks);
  for (int32_t ring = 0; ring < geometry.ring_count; ++ring) {
    slots += RingAfter(geometry, ring, tokens).count;
  }
  return slots;
}

// The smallest number of inserted tokens with which a slot of the body is in
// use: when its page must be there.
SLUICE_HD constexpr int64_t TokensToReach(const CascadeGeometry& geometry, int32_t slot) {
  if (slot < geometry.sinks) return slot + 1;
  const CascadeRing& ring = geometry.rings[(slot - geometry.sinks) / geometry.ring_slots];
  const int64_t number = (slot - geometry.sinks) % geometry.ring_slots;  // of the accept
  int64_t x = kNeverReached;
  if (ring.first_offer == kNeverReached) return x;
  if (number <= ring.accepts_until - ring.first_offer) {
    x = ring.first_offer + number;
  } else {
    const int64_t later = number - (ring.accepts_until - ring.first_offer);
    x = MultiplyOrNever(ring.accepts_until / ring.period + later, ring.period);
  }
  return x > kNeverReached - 1 - geometry.sinks ? kNeverReached : x + 1 + geometry.sinks;
}

// Where the pending chunk that holds position `position` ends in prefill: chunks
// are counted from the sequence's start.
SLUICE_HD constexpr int64_t PendingChunkEnd(const CascadeGeometry& geometry, int64_t position) {
  return (position / geometry.stride + 1) * geometry.stride;
}

// A run of body slots at consecutive cache positions.
struct CascadePiece {
  int32_t first_slot = 0;
  int32_t slots = 0;  // may be 0
};

inline constexpr int32_t kMaxCascadePieces = 1 + 2 * kMaxCascadeRings;

// Piece `index` of 0 .. 2 * ring_count, in the order of cache positions: the sinks, then
// of the last ring to the first what lies from the oldest to the ring's end, and
// what lies before it.
SLUICE_HD constexpr CascadePiece CascadePieceAt(const CascadeGeometry& geometry, int64_t tokens,
                                                int32_t index) {
  if (index == 0) {
    return {0, static_cast<int32_t>(tokens < geometry.sinks ? tokens : geometry.sinks)};
  }
  const int32_t ring = geometry.ring_count - 1 - (index - 1) / 2;
  const RingState state = RingAfter(geometry, ring, tokens);
  const int32_t first = geometry.first_slot(ring);
  if (index % 2 == 1) return {first + state.start, state.count - state.start};
  return {first, state.start};
}

// What an insertion of the tokens [first_token, first_token + count) may change,
// from the counters alone: the sinks that it fills, and of every ring a run of
// places, around the ring's end. The changes are numbered through them.
struct CascadeChanges {
  struct Run {
    int32_t first = 0;   // place in the ring
    int32_t slots = 0;   // <= ring_slots
    int32_t offset = 0;  // number of its first change
  };
  int64_t first_token = 0;
  int64_t count = 0;
  int32_t first_sink = 0;
  int32_t sinks = 0;  // changes [0, sinks)
  Run rings[kMaxCascadeRings];
  int32_t slots = 0;  // changes in all, at most body_slots()
};

// A ring's writes go to its newest entry and, with every accept, to the place
// behind it.
SLUICE_HD inline CascadeChanges ChangesOf(const CascadeGeometry& geometry, int64_t first_token,
                                          int64_t count) {
  CascadeChanges changes;
  changes.first_token = first_token;
  changes.count = count;
  if (first_token < geometry.sinks) {
    const int64_t left = geometry.sinks - first_token;
    changes.first_sink = static_cast<int32_t>(first_token);
    changes.sinks = static_cast<int32_t>(count < left ? count : left);
  }
  changes.slots = changes.sinks;
  for (int32_t i = 0; i < geometry.ring_count; ++i) {
    const RingState before = RingAfter(geometry, i, first_token);
    const CascadeRing& ring = geometry.rings[i];
    int64_t slots =
        AcceptedBefore(ring, TokensBehindSinks(geometry, first_token + count)) -
        AcceptedBefore(ring, TokensBehindSinks(geometry, first_token));
    CascadeChanges::Run& run = changes.rings[i];
    if (before.count > 0) {
      run.first = before.newest();
      ++slots;
    }
    if (slots > geometry.ring_slots) slots = geometry.ring_slots;
    run.slots = static_cast<int32_t>(slots);
    run.offset = changes.slots;
    changes.slots += run.slots;
  }
  return changes;
}

// The body slot of change number `offset + index` of a ring's run.
SLUICE_HD constexpr int32_t ChangedSlot(const CascadeGeometry& geometry,
                                        const CascadeChanges& changes, int32_t ring,
                                        int32_t index) {
  return geometry.first_slot(ring) + (changes.rings[ring].first + index) % geometry.ring_slots;
}

// -inf for a score that is not a number: it loses.
SLUICE_HD inline float FightingScore(float score) {
  return score == score ? score : -__builtin_huge_valf();
}

// What a ring makes of what is offered to it.
struct RingOffer {
  int32_t change = 0;      // number of the change whose content it meets
  bool accepted = false;   // it takes the place; else the two fight for it
  bool displaces = false;  // accepted, and what was there is offered to the next ring
};

// Offers something at x to a ring of `ring_slots`, and brings its state up to date. `run`:
// its changes.
SLUICE_HD inline RingOffer OfferToRing(const CascadeRing& ring, const CascadeChanges::Run& run,
                                       int32_t ring_slots, int64_t x, RingState* state) {
  const bool accepts = Accepts(ring, x);
  const bool full = state->count == ring_slots;
  const int32_t place = !accepts ? state->newest() : (full ? state->start : state->count);
  const int32_t distance = place - run.first;
  if (accepts && full) {
    state->start = (state->start + 1) % ring_slots;
  } else if (accepts) {
    ++state->count;
  }
  return {run.offset + (distance < 0 ? distance + ring_slots : distance), accepts,
          accepts && full};
}

// Whether what is offered wins against what is there: equal scores are won by the
// challenger.
SLUICE_HD inline bool ChallengerWins(float challenger, float holder) {
  return FightingScore(challenger) >= FightingScore(holder);
}

// The rule, token by token (core-methods 3, c.2).
//
// `score(source)` is the score of a slot of the body (source < body_slots) or of
// pending token source - body_slots. sources: [changes.slots], where the content
// of each changed slot comes from afterwards, as the body was before the call;
// its own number: it stays. Content moves to rings behind its own only: who
// writes the rings from the last to the first, and then the sinks, reads nothing
// that was overwritten.
template <class Score>
SLUICE_HD inline void DecideCascade(const CascadeGeometry& geometry,
                                    const CascadeChanges& changes, const Score& score,
                                    int32_t* sources) {
  RingState states[kMaxCascadeRings];
  for (int32_t i = 0; i < geometry.ring_count; ++i) {
    states[i] = RingAfter(geometry, i, changes.first_token);
    const CascadeChanges::Run& run = changes.rings[i];
    for (int32_t k = 0; k < run.slots; ++k) {
      sources[run.offset + k] = ChangedSlot(geometry, changes, i, k);
    }
  }
  const int32_t first_pending = geometry.body_slots();
  for (int64_t token = 0; token < changes.count; ++token) {
    int32_t current = first_pending + static_cast<int32_t>(token);
    if (token < changes.sinks) {
      sources[token] = current;
      continue;
    }
    const int64_t x = changes.first_token + token - geometry.sinks;
    for (int32_t i = 0; i < geometry.ring_count; ++i) {
      const RingOffer offer = OfferToRing(geometry.rings[i], changes.rings[i],
                                          geometry.ring_slots, x, &states[i]);
      int32_t& holder = sources[offer.change];
      if (!offer.accepted) {
        if (ChallengerWins(score(current), score(holder))) holder = current;
        break;
      }
      const int32_t displaced = holder;
      holder = current;
      if (!offer.displaces) break;
      current = displaced;
    }
  }
}

}  // namespace sluice
