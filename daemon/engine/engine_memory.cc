// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/engine_memory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/range.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"

namespace sluice {
namespace {

constexpr int64_t kMinSlabBytes = int64_t{64} << 10;
constexpr int64_t kMaxSlabBytes = int64_t{64} << 20;
constexpr int64_t kMinPoolBytes = int64_t{16} << 20;
constexpr int64_t kMinReserveBytes = int64_t{16} << 20;
constexpr int64_t kReserveShare = 50;    // 2 % of the pool
constexpr int64_t kMostReserveShare = 2;  // half
constexpr int64_t kMinWorkspaceBytes = int64_t{4} << 20;
// Four bytes a page and some more for lists and views: a page is 4 KiB at least
// in practice, and forks repeat lists.
constexpr int64_t kTableShare = 64;
constexpr int64_t kMinTableBytes = int64_t{4} << 20;

absl::Status CheckOptions(const EngineOptions& options) {
  if (options.slab_bytes < kMinSlabBytes || options.slab_bytes > kMaxSlabBytes ||
      (options.slab_bytes & (options.slab_bytes - 1)) != 0) {
    return RefuseField("pool.slab_bytes",
                       absl::StrCat("must be a power of two in [", kMinSlabBytes, ", ",
                                    kMaxSlabBytes, "] bytes, got ", options.slab_bytes));
  }
  const int64_t most = options.slab_bytes << 18;
  if (options.pool_bytes < kMinPoolBytes || options.pool_bytes > most) {
    return RefuseRange("pool.bytes", options.pool_bytes, kMinPoolBytes, most);
  }
  if (!(options.low_watermark >= 0 && options.low_watermark <= options.high_watermark)) {
    return RefuseField("pool.low_watermark",
                       absl::StrCat("must be in [0, ", options.high_watermark, "], got ",
                                    options.low_watermark));
  }
  if (options.job_reserve_bytes > options.pool_bytes / 2) {
    return RefuseField("pool.job_reserve_bytes",
                       absl::StrCat("must be at most half of the pool, got ",
                                    options.job_reserve_bytes, " bytes"));
  }
  return absl::OkStatus();
}

PoolPlace PlaceOf(BackendKind backend) {
  return backend == BackendKind::kCuda ? PoolPlace::kGpu : PoolPlace::kHost;
}

}  // namespace

EngineMemory::EngineMemory(PoolSegment pool, HostSegment tables)
    : pool_(std::move(pool)), tables_(std::move(tables)), formats_(Core::kMaxFormats) {}

absl::StatusOr<EngineMemory> EngineMemory::Create(
    const EngineOptions& options, const std::function<void(int64_t)>& progress) {
  SLUICE_RETURN_IF_ERROR(CheckOptions(options));
  const int64_t reserve =
      options.job_reserve_bytes >= 0
          ? options.job_reserve_bytes
          : std::min(std::max(kMinReserveBytes, options.pool_bytes / kReserveShare),
                     options.pool_bytes / kMostReserveShare);
  const int64_t workspace = RoundUp(std::max(kMinWorkspaceBytes, reserve / 4), options.slab_bytes);
  const int64_t slabs = (options.pool_bytes - workspace) / options.slab_bytes;
  const auto touched = [&](int64_t bytes, int64_t) {
    if (progress) progress(bytes);
  };
  SLUICE_ASSIGN_OR_RETURN(
      PoolSegment pool,
      PoolSegment::Create(PlaceOf(options.backend), "sluice-pool",
                          slabs * options.slab_bytes + workspace, touched));
  SLUICE_ASSIGN_OR_RETURN(
      HostSegment tables,
      HostSegment::Create("sluice-tables",
                          std::max(kMinTableBytes, options.pool_bytes / kTableShare)));
  EngineMemory memory(std::move(pool), std::move(tables));
  Core::Memory& view = memory.view_;
  view.formats = memory.formats_.data();
  view.pool = {memory.pool_.data(), options.slab_bytes, memory.tables_.data(), view.formats};
  view.tables = memory.tables_.data();
  view.table_bytes = memory.tables_.size_bytes();
  view.workspace = memory.pool_.data() + slabs * options.slab_bytes;
  view.workspace_bytes = workspace;
  view.slab_count = slabs;
  view.job_reserve_bytes = std::max<int64_t>(0, reserve - workspace);
  return memory;
}

}  // namespace sluice
