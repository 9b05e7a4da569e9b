// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "kernels/backend.h"
#include "kernels/core/view.h"
#include "kernels/device/device_fault.h"
#include "kernels/device/device_runtime.h"
#include "kernels/device/table_kernels.h"
#include "kernels/device/table_ranges.h"

namespace sluice::device {

// The tables and formats that kernels read, in memory of the device: a copy of what the
// engine writes in host memory, brought there piece by piece.
//
// What was told with Changed is copied once, by Capture, and goes to the device in that
// order, on a lane of its own; a lane's launches wait for it there, on the device. Both lanes
// read one mirror. That relies on what holds for the tables themselves (core/view.h): bytes
// change only while no operation that was submitted and has not passed reads them. So an
// operation may meet later changes of bytes that it does not read, and those alone. All of
// the mirror is 0 at first.
//
// Changed, Capture: the submitting thread. Bring: the lanes' launching threads.
class TableMirror {
 public:
  struct Options {
    PoolView pool;             // as the host reaches it
    int64_t table_bytes = 0;   // from pool.tables on; a multiple of 4; 0: not mirrored
    int64_t format_count = 0;  // from pool.formats on; 0: not mirrored
    int64_t staging_bytes = int64_t{1} << 20;  // host memory; at least 1 KiB
  };

  // `runtime` outlives the object. Takes all memory now; where there is none, fault() says so.
  TableMirror(const Options& options, DeviceRuntime& runtime);
  ~TableMirror();  // returns once the device has what was brought

  TableMirror(const TableMirror&) = delete;
  TableMirror& operator=(const TableMirror&) = delete;

  // Why nothing may be told or brought. Constant.
  const DeviceFault& fault() const { return fault_; }

  // The pool with tables and formats as kernels reach them.
  const PoolView& device_pool() const { return device_pool_; }

  // Host memory was written, or will be before the next Capture. What is not mirrored is
  // passed over.
  void Changed(const void* begin, int64_t bytes);

  // Copies what changed, as it is now. Returns the number of the newest copy, from 1 up; 0:
  // there was none.
  uint64_t Capture();

  // Launches on `lane` from now on see the copies up to number `capture`.
  void Bring(Lane lane, uint64_t capture);

 private:
  // Host memory and where the mirror has it.
  struct Region {
    const std::byte* host = nullptr;
    int64_t bytes = 0;
    int64_t mirror_offset = 0;
  };
  struct Copy {
    std::vector<TableBytes> ranges;  // of the mirror
    std::vector<std::byte> bytes;    // range by range
  };

  const std::byte* HostOf(const TableBytes& range) const;
  void Launch(const Copy& copy);
  void Add(const TableBytes& piece, const std::byte* bytes);
  void Flush();
  std::byte* half() { return staging_ + static_cast<int64_t>(flushes_ % 2) * half_bytes_; }

  DeviceRuntime& runtime_;
  const std::array<Region, 2> regions_;
  const int64_t half_bytes_;
  std::byte* const mirror_;   // null: nothing is mirrored
  std::byte* const staging_;  // two halves, in turns
  const DeviceFault fault_;
  const PoolView device_pool_;

  std::vector<TableBytes> changed_;  // the submitting thread's
  size_t join_from_ = 0;
  uint64_t captured_ = 0;

  std::mutex copies_mutex_;
  std::deque<Copy> copies_;  // not brought yet

  std::mutex bringing_mutex_;  // guards the rest; taken before copies_mutex_
  uint64_t brought_ = 0;
  Ticket flushes_ = 0;  // marks of the tables' lane
  std::array<Ticket, 2> followed_ = {};  // by lane, the newest mark that it waits for
  // In the half in use: words from its begin on, pieces from its end on.
  int64_t staged_words_ = 0;
  int64_t staged_pieces_ = 0;
};

}  // namespace sluice::device
