// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/launcher.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace sluice::device {
namespace {

constexpr int64_t kScratchAlignment = 256;

// Pieces of a part that nobody counts, each of which may lose an alignment.
constexpr int64_t kPartPieces = 32;

[[noreturn]] void End(const char* what, int64_t bytes) {
  std::fprintf(stderr, "%s: %lld bytes\n", what, static_cast<long long>(bytes));
  std::abort();
}

}  // namespace

Launcher::Launcher(const Options& options, DeviceRuntime& runtime, Staging& staging)
    : options_(options),
      pool_(options.mirror == nullptr ? options.pool : options.mirror->device_pool()),
      runtime_(runtime),
      staging_(staging),
      scratch_(runtime.AllocateDevice(options.scratch_bytes)),
      fault_(scratch_ == nullptr
                 ? NoMemory(options.scratch_bytes, "the device's memory for operations",
                            runtime.FreeDeviceBytes())
                 : DeviceFault{}),
      scratch_bytes_(scratch_ == nullptr ? 0 : options.scratch_bytes) {}

Launcher::~Launcher() { runtime_.FreeDevice(scratch_); }

void Launcher::Begin(Ticket part) {
  staging_.Begin(part);
  uploads_.clear();
  ResetScratch();
}

void Launcher::NextPart() {
  uploads_.clear();
  staging_.Begin(options_.end_part(TakeDeliveries()));
}

// Half of the ring: what is left out at its end is less than the rest.
int64_t Launcher::part_bytes() const {
  return std::max<int64_t>(0, staging_.ring_bytes() / 2 - kPartPieces * Staging::kAlignment);
}

bool Launcher::Reached(const void* memory) const {
  const auto* const at = static_cast<const std::byte*>(memory);
  return at >= options_.pool.pool && at < options_.pool.pool + options_.pool_bytes;
}

const void* Launcher::TakeIn(const void* host, int64_t bytes) {
  if (host == nullptr || bytes == 0 || Reached(host)) return host;
  std::byte* const copy = staging_.Take(bytes);
  options_.await_delivered(host, bytes);
  std::memcpy(copy, host, static_cast<size_t>(bytes));
  std::byte* const twin = staging_.TwinOf(copy);
  if (twin == nullptr) return copy;
  bytes = RoundUp(bytes, Staging::kAlignment);
  if (!uploads_.empty() && uploads_.back().from + uploads_.back().bytes == copy) {
    uploads_.back().bytes += bytes;
  } else {
    uploads_.push_back({copy, twin, bytes});
  }
  return twin;
}

void Launcher::UploadInputs() {
  for (const Upload& upload : uploads_) {
    runtime_.Upload(options_.lane, upload.to, upload.from, upload.bytes);
  }
  uploads_.clear();
}

void* Launcher::TakeOut(void* host, int64_t bytes, bool copy_in) {
  if (host == nullptr || bytes == 0 || Reached(host)) return host;
  std::byte* const place = staging_.Take(bytes);
  if (copy_in) {
    options_.await_delivered(host, bytes);
    std::memcpy(place, host, static_cast<size_t>(bytes));
  }
  deliveries_.push_back({Delivery::Kind::kCopy, place, static_cast<std::byte*>(host), bytes});
  return place;
}

uint64_t* Launcher::Count(int64_t* host) {
  if (host == nullptr) return nullptr;
  std::byte* const place = staging_.Take(sizeof(uint64_t));
  std::memset(place, 0, sizeof(uint64_t));
  deliveries_.push_back({Delivery::Kind::kAddCount, place, reinterpret_cast<std::byte*>(host),
                         sizeof(uint64_t)});
  return reinterpret_cast<uint64_t*>(place);
}

std::byte* Launcher::TakeScratch(int64_t bytes) {
  bytes = RoundUp(bytes, kScratchAlignment);
  if (bytes > scratch_left_bytes()) End("an operation does not fit the device's workspace", bytes);
  std::byte* const memory = scratch_ + scratch_used_;
  scratch_used_ += bytes;
  return memory;
}

StepView Launcher::View(const StepView& view) {
  StepView reached = view;
  reached.entries = In(view.entries, view.entry_count);
  return reached;
}

LayerShape Launcher::Layer(const LayerShape& layer) {
  LayerShape reached = layer;
  reached.sink_logits = In(layer.sink_logits, layer.q_heads);
  reached.rope.inv_freq = In(layer.rope.inv_freq, layer.rope.rotary_dim / 2);
  return reached;
}

RowSet Launcher::Rows(const RowSet& rows) {
  RowSet reached = rows;
  reached.entry = In(rows.entry, 1);
  reached.row_offsets = In(rows.row_offsets, rows.row_count + 1);
  return reached;
}

Span Launcher::SpanIn(const Span& span) const {
  const auto words = [&](const uint32_t* at) {
    return at == nullptr ? at
                         : reinterpret_cast<const uint32_t*>(pool_.tables) +
                               (at - reinterpret_cast<const uint32_t*>(options_.pool.tables));
  };
  Span reached = span;
  reached.page_ids = words(span.page_ids);
  reached.block_list = words(span.block_list);
  reached.table_words = words(span.table_words);
  reached.format = pool_.formats + (span.format - options_.pool.formats);
  return reached;
}

void Launcher::Launch(const DeviceKernel& kernel, const LaunchShape& shape) {
  if (shape.items <= 0) return;
  UploadInputs();
  runtime_.Launch(options_.lane, kernel, shape);
}

std::vector<Delivery> Launcher::TakeDeliveries() { return std::exchange(deliveries_, {}); }

void Deliver(const std::vector<Delivery>& deliveries) {
  for (const Delivery& delivery : deliveries) {
    if (delivery.kind == Delivery::Kind::kCopy) {
      std::memcpy(delivery.to, delivery.from, static_cast<size_t>(delivery.bytes));
      continue;
    }
    int64_t count = 0;
    std::memcpy(&count, delivery.from, sizeof(count));
    *reinterpret_cast<int64_t*>(delivery.to) += count;
  }
}

}  // namespace sluice::device
