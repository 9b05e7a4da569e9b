// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/completion_signal.h"
#include "kernels/ops.h"
#include "kernels/page_format.h"

namespace sluice {

enum class Lane : uint8_t { kForeground = 0, kBackground = 1 };

// Number of an operation in its lane, from 1 up.
using Ticket = uint64_t;

// Runs operations over one pool on two lanes.
//
// A lane runs its operations in order; the lanes run beside each other, the
// foreground first. Nothing here blocks, allocates or calls back. All methods
// but Completed, WaitIdle and FormatFault: owned by one thread (the engine's).
// Those: thread-safe.
class Backend {
 public:
  // Operations that a lane's ring holds.
  static constexpr int64_t kLaneCapacity = 1024;

  virtual ~Backend() = default;

  // The caller wrote a range of the tables or formats (core/view.h), or will before the
  // next Submit: operations submitted from then on read what it wrote. REQUIRES: no
  // operation under way reads the range. Backends that read where the caller writes ignore
  // it.
  virtual void TablesChanged(const void* /*begin*/, int64_t /*bytes*/) {}

  // Queues an operation; what it points to must live until its ticket passed.
  // REQUIRES: fewer than kLaneCapacity operations are under way in the lane.
  virtual Ticket Submit(Lane lane, const Operation& operation) = 0;

  // Operations submitted to `lane` from now on start after `ticket` of the
  // other lane has passed.
  virtual void After(Lane lane, Ticket ticket) = 0;

  // The newest ticket given, and the newest that has passed, with all before it.
  virtual Ticket Submitted(Lane lane) const = 0;
  virtual Ticket Completed(Lane lane) const = 0;

  // Of the time that the backend works, the background lane gets at least `share`
  // while it has work: in [0, 1), 0 (as it starts): what the foreground leaves. Measured
  // by time over some milliseconds. Backends that run operations as they come ignore it.
  virtual void SetBackgroundShare(double /*share*/) {}

  // While set, Submit wakes none of the backend's own threads: the caller means to
  // Help. Clearing it wakes them for what is left. Backends without such threads
  // ignore it.
  virtual void SetQuiet(bool /*quiet*/) {}

  // Runs operations of the foreground lane on the calling thread beside the
  // backend's own, until all that were submitted to it have passed or what is left
  // is in other hands for some microseconds. Raises no signal of the engine's.
  // Backends without threads of their own return at once.
  virtual void Help() {}

  // Returns when every operation submitted so far has passed. For tests,
  // benchmarks and shutdown.
  virtual void WaitIdle() = 0;

  // Fills a range of the pool with zero bytes, before any operation submitted later.
  // REQUIRES: no operation under way reads or writes it. May block for some microseconds.
  virtual void Clear(std::byte* memory, int64_t bytes) = 0;

  // Why operations cannot work over pages of a format here, for people: what of it they have
  // no room for, and what fits; empty: they can. Submit takes no others. Constant.
  virtual std::string FormatFault(const PageFormat& /*format*/) const { return ""; }

  // "reference", "cpu", ...; the layout of the pages that it reads and writes; what
  // arithmetic it does and on which instruction set, for people ("fp32, AVX3, 2 threads").
  virtual const char* name() const = 0;
  virtual PageLayout page_layout() const = 0;
  virtual const char* description() const = 0;

  // The arithmetic in force.
  virtual Arithmetic arithmetic() const { return Arithmetic::kFp32; }
};

// WaitIdle of backends that raise `passed` after every operation.
void WaitUntilPassed(const Backend& backend, CompletionSignal& passed);

}  // namespace sluice
