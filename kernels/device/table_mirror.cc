// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/table_mirror.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::device {
namespace {

constexpr int64_t kAlignment = 256;
constexpr int64_t kWordBytes = sizeof(uint32_t);
constexpr auto kPieceRecordBytes = static_cast<int64_t>(sizeof(TablePiece));
// Of a block: long changes are many blocks' work.
constexpr int64_t kPieceBytes = 4096;
// Ranges are joined when so many have come, and again when they are twice as many.
constexpr size_t kLeastJoined = 1024;

int64_t FormatBytes(const TableMirror::Options& options) {
  return options.format_count * static_cast<int64_t>(sizeof(SpanFormat));
}

// With a gap, so that ranges of both are never joined.
int64_t FormatOffset(const TableMirror::Options& options) {
  return RoundUp(options.table_bytes, kAlignment) + kAlignment;
}

// 0: nothing is mirrored.
int64_t MirrorBytes(const TableMirror::Options& options) {
  if (options.table_bytes == 0 && options.format_count == 0) return 0;
  return FormatOffset(options) + FormatBytes(options);
}

std::byte* TakeMirror(const TableMirror::Options& options, DeviceRuntime& runtime) {
  const int64_t bytes = MirrorBytes(options);
  if (bytes == 0) return nullptr;
  std::byte* const memory = runtime.AllocateDevice(bytes);
  if (memory != nullptr) runtime.Clear(memory, bytes);
  return memory;
}

std::byte* TakeStaging(const TableMirror::Options& options, int64_t bytes,
                       DeviceRuntime& runtime) {
  if (MirrorBytes(options) == 0) return nullptr;
  return runtime.AllocateHost(bytes);
}

DeviceFault FaultOf(const TableMirror::Options& options, const std::byte* mirror,
                    const std::byte* staging, int64_t staging_bytes,
                    const DeviceRuntime& runtime) {
  const int64_t bytes = MirrorBytes(options);
  if (bytes == 0) return {};
  if (mirror == nullptr) {
    return NoMemory(bytes, "the device's memory for tables", runtime.FreeDeviceBytes());
  }
  if (staging == nullptr) return NoMemory(staging_bytes, "host memory for tables", -1);
  return {};
}

PoolView DevicePool(const TableMirror::Options& options, const std::byte* mirror) {
  PoolView pool = options.pool;
  if (mirror == nullptr) return pool;
  if (options.table_bytes > 0) pool.tables = mirror;
  if (options.format_count > 0) {
    pool.formats = reinterpret_cast<const SpanFormat*>(mirror + FormatOffset(options));
  }
  return pool;
}

}  // namespace

TableMirror::TableMirror(const Options& options, DeviceRuntime& runtime)
    : runtime_(runtime),
      regions_{Region{options.pool.tables, options.table_bytes, 0},
               Region{reinterpret_cast<const std::byte*>(options.pool.formats),
                      FormatBytes(options), FormatOffset(options)}},
      half_bytes_(RoundUp(options.staging_bytes / 2, kAlignment)),
      mirror_(TakeMirror(options, runtime)),
      staging_(TakeStaging(options, 2 * half_bytes_, runtime)),
      fault_(FaultOf(options, mirror_, staging_, 2 * half_bytes_, runtime)),
      device_pool_(DevicePool(options, mirror_)) {}

TableMirror::~TableMirror() {
  if (flushes_ > 0) runtime_.AwaitMark(kTablesLane, flushes_);
  runtime_.FreeHost(staging_);
  runtime_.FreeDevice(mirror_);
}

void TableMirror::Changed(const void* begin, int64_t bytes) {
  const auto address = reinterpret_cast<intptr_t>(begin);
  for (const Region& region : regions_) {
    const int64_t first = address - reinterpret_cast<intptr_t>(region.host);
    const int64_t from = std::max<int64_t>(first, 0);
    const int64_t to = std::min(first + bytes, region.bytes);
    if (from >= to) continue;
    changed_.push_back({region.mirror_offset + from / kWordBytes * kWordBytes,
                        region.mirror_offset + RoundUp(to, kWordBytes)});
  }
  if (changed_.size() < std::max(kLeastJoined, join_from_)) return;
  JoinRanges(&changed_);
  join_from_ = 2 * changed_.size();
}

const std::byte* TableMirror::HostOf(const TableBytes& range) const {
  const Region& region = regions_[range.begin < regions_[1].mirror_offset ? 0 : 1];
  return region.host + (range.begin - region.mirror_offset);
}

uint64_t TableMirror::Capture() {
  if (changed_.empty()) return captured_;
  JoinRanges(&changed_);
  Copy copy;
  copy.ranges = std::exchange(changed_, {});
  join_from_ = 0;
  int64_t bytes = 0;
  for (const TableBytes& range : copy.ranges) bytes += range.end - range.begin;
  copy.bytes.reserve(static_cast<size_t>(bytes));
  for (const TableBytes& range : copy.ranges) {
    const std::byte* const host = HostOf(range);
    copy.bytes.insert(copy.bytes.end(), host, host + (range.end - range.begin));
  }
  const std::lock_guard<std::mutex> lock(copies_mutex_);
  copies_.push_back(std::move(copy));
  return ++captured_;
}

void TableMirror::Bring(Lane lane, uint64_t capture) {
  const std::lock_guard<std::mutex> bringing(bringing_mutex_);
  for (; brought_ < capture; ++brought_) {
    Copy copy;
    {
      const std::lock_guard<std::mutex> lock(copies_mutex_);
      copy = std::move(copies_.front());
      copies_.pop_front();
    }
    Launch(copy);
  }
  Ticket& followed = followed_[static_cast<size_t>(lane)];
  if (std::exchange(followed, flushes_) < flushes_) runtime_.Follow(lane, kTablesLane, flushes_);
}

void TableMirror::Launch(const Copy& copy) {
  const int64_t most_bytes =
      std::min(kPieceBytes, (half_bytes_ - kPieceRecordBytes) / kWordBytes * kWordBytes);
  const std::byte* bytes = copy.bytes.data();
  TablePlace place;
  for (;;) {
    const TableBytes piece = NextPiece(copy.ranges, most_bytes, &place);
    if (piece.begin == piece.end) break;
    Add(piece, bytes);
    bytes += piece.end - piece.begin;
  }
  Flush();
}

void TableMirror::Add(const TableBytes& piece, const std::byte* bytes) {
  const int64_t piece_bytes = piece.end - piece.begin;
  const int64_t used =
      staged_words_ * kWordBytes + (staged_pieces_ + 1) * kPieceRecordBytes;
  if (used + piece_bytes > half_bytes_) Flush();
  // What used this half before has been read by now, or soon will have.
  if (staged_pieces_ == 0 && flushes_ >= 2) runtime_.AwaitMark(kTablesLane, flushes_ - 1);
  std::memcpy(half() + staged_words_ * kWordBytes, bytes, static_cast<size_t>(piece_bytes));
  const TablePiece record = {staged_words_, piece.begin / kWordBytes, piece_bytes / kWordBytes};
  ++staged_pieces_;
  std::memcpy(half() + half_bytes_ - staged_pieces_ * kPieceRecordBytes, &record,
              sizeof(record));
  staged_words_ += record.words;
}

void TableMirror::Flush() {
  if (staged_pieces_ == 0) return;
  UpdateTablesKernel kernel;
  kernel.pieces = reinterpret_cast<const TablePiece*>(half() + half_bytes_ -
                                                      staged_pieces_ * kPieceRecordBytes);
  kernel.piece_count = staged_pieces_;
  kernel.from = reinterpret_cast<const uint32_t*>(half());
  kernel.mirror = reinterpret_cast<uint32_t*>(mirror_);
  runtime_.Launch(kTablesLane, kernel, {staged_pieces_, 128, 0});
  runtime_.Mark(kTablesLane, ++flushes_);
  staged_words_ = staged_pieces_ = 0;
}

}  // namespace sluice::device
