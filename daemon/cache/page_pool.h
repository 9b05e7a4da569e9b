// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/cache/ids.h"
#include "daemon/cache/retire_list.h"

namespace sluice {

// Where the pool's bytes are. The first five always add up to `total`.
struct PoolBytes {
  int64_t free = 0;      // slabs, pages and slab rests without a holder, beyond the job reserve
  int64_t reserved = 0;  // what is left of the job reserve, and jobs' pages until their commit
  int64_t in_use = 0;    // pages that a block or a body holds
  int64_t cached = 0;    // pages held only by blocks that no sequence lists
  int64_t retired = 0;   // waits until every lane has passed
  int64_t total = 0;

  friend bool operator==(const PoolBytes&, const PoolBytes&) = default;
};

// Who asks for pages: only a job may dip into the job reserve.
enum class Purpose : uint8_t { kAppend, kJob };

// Pages of one size class that one tenant wants.
struct PageDemand {
  SizeClassId size_class;
  TenantId tenant;
  int64_t pages = 0;
};

// Hands out the pages of one device and counts references to them.
//
// The pool is a row of slabs. A slab belongs to one size class and one tenant at
// a time and goes back when its last page is free. A page is free, reserved (a
// job's, before its commit), in use (reference count > 0) or retired until every
// lane has passed what may still read it. The pool owns no bytes: it tracks
// identities only, so it is the same over host and device memory.
//
// The job reserve is kept in whole slabs. A slab that a job takes out of it stays
// closed to appends until the reserve is whole again.
//
// Not thread-safe: owned by the engine thread. Nothing blocks.
class PagePool {
 public:
  struct Options {
    int64_t slab_count = 0;         // 1 .. 2^18 - 1
    int64_t slab_bytes = 0;         // > 0
    int64_t job_reserve_bytes = 0;  // rounded up to whole slabs; less than the pool
  };

  // REQUIRES: options within their ranges.
  explicit PagePool(const Options& options);

  // The class of slabs with `pages_per_slab` pages of `page_bytes` and `page_size`
  // slots; the same arguments give the same class. The slots count too: a slab's
  // arrays beside its pages are laid out by them.
  // REQUIRES: 1 <= pages_per_slab <= PageId::kMaxPerSlab; the pages fit in a slab;
  // page_size >= 1.
  SizeClassId AddSizeClass(int64_t pages_per_slab, int64_t page_bytes, int64_t page_size);

  // Bytes that are missing before all of `demands` could be allocated together;
  // 0 if they fit. A class and tenant may occur several times. O(demands^2).
  int64_t MissingBytes(std::span<const PageDemand> demands, Purpose purpose) const;

  // Takes `out.size()` free pages, in use with one reference each (kAppend) or
  // reserved (kJob). Slabs whose bytes were another tenant's are added to
  // `slabs_to_clear`: their bytes must be cleared before a page of them is used.
  //
  // All or nothing: false, with nothing changed, if MissingBytes > 0. O(out.size()).
  bool Allocate(SizeClassId size_class, TenantId tenant, Purpose purpose, std::span<PageId> out,
                std::vector<SlabId>* slabs_to_clear);

  // Adds one reference to a page in use, or puts a reserved page in use with one.
  void AddReference(PageId page);

  // Drops one reference of each page; those without any left are retired with
  // `newest`. Returns how many. REQUIRES: the caller holds a reference to each.
  int64_t Release(std::span<const PageId> pages, const LaneTickets& newest);

  // Retires reserved pages. REQUIRES: each is reserved.
  void Discard(std::span<const PageId> pages, const LaneTickets& newest);

  // Frees up to `max_pages` retired pages that every lane has passed. Returns true
  // if more are ready. Amortised O(freed).
  bool Passed(const LaneTickets& completed, int64_t max_pages);
  // Whether pages that were retired with tickets up to these are not free yet.
  bool HoldsRetired(const LaneTickets& tickets) const { return retired_.Ready(tickets); }

  PoolBytes bytes() const;
  // Bytes that `tenant` could take for appends now in pages of one class: the free
  // pages of its slabs of the class, and those that the slabs beyond the reserve give.
  int64_t AvailableBytes(TenantId tenant, SizeClassId size_class) const;
  // The same over all classes together, the rests of slabs included. O(size classes).
  int64_t AvailableBytes(TenantId tenant) const;
  // The most pages that Allocate would find now.
  int64_t AvailablePages(SizeClassId size_class, TenantId tenant, Purpose purpose) const;

  int64_t page_bytes(SizeClassId size_class) const { return classes_[size_class.value].page_bytes; }
  int64_t page_size(SizeClassId size_class) const { return classes_[size_class.value].page_size; }
  int64_t slab_count() const { return static_cast<int64_t>(slabs_.size()); }
  int64_t slab_bytes() const { return slab_bytes_; }

  // 0: free, reserved or retired.
  int32_t reference_count(PageId page) const;
  bool is_reserved(PageId page) const;
  // REQUIRES: the page is not free.
  TenantId tenant_of(PageId page) const { return *slabs_[page.slab().value].tenant; }
  int64_t bytes_of(PageId page) const { return page_bytes(slabs_[page.slab().value].size_class); }
  // Of all reserved pages.
  int64_t reserved_page_bytes() const { return bytes_.reserved; }

  // Empty if the counts and lists agree with each other, else what does not.
  // O(pages); for tests.
  std::string CheckInvariants() const;

 private:
  static constexpr int32_t kFree = 0;
  static constexpr int32_t kReserved = -1;
  static constexpr int32_t kRetired = -2;
  static constexpr uint32_t kNowhere = ~uint32_t{0};

  struct SizeClass {
    int64_t pages_per_slab = 0;
    int64_t page_bytes = 0;
    int64_t page_size = 0;  // slots

    friend bool operator==(const SizeClass&, const SizeClass&) = default;
  };

  struct Slab {
    SizeClassId size_class;
    std::optional<TenantId> tenant;   // whose bytes it holds, also while it is free
    std::vector<uint16_t> free_list;  // LIFO; empty while the slab is in the pool
    std::vector<int32_t> states;      // a page: kFree, kReserved, kRetired or its count
    uint32_t bin_place = kNowhere;    // in its bin's list; kNowhere: no free page, or in the pool
    bool is_jobs = false;             // out of the reserve: closed to appends
  };

  // The slabs of one class and tenant with a free page.
  struct Bin {
    std::vector<SlabId> open;  // for everyone
    std::vector<SlabId> jobs;  // for jobs only
    int64_t open_pages = 0;
    int64_t job_pages = 0;
  };

  struct BytesByState {
    int64_t reserved = 0;
    int64_t in_use = 0;
    int64_t retired = 0;

    friend bool operator==(const BytesByState&, const BytesByState&) = default;
  };

  Bin& BinOf(SizeClassId size_class, TenantId tenant);
  const Bin* FindBin(SizeClassId size_class, TenantId tenant) const;  // null: still empty
  int64_t FreePages(SizeClassId size_class, TenantId tenant, Purpose purpose) const;
  int64_t SpareSlabs(Purpose purpose) const;
  SlabId SlabWithFreePage(SizeClassId size_class, TenantId tenant, Purpose purpose,
                          std::vector<SlabId>* slabs_to_clear);
  SlabId TakeSlab(SizeClassId size_class, TenantId tenant, std::vector<SlabId>* slabs_to_clear);
  void TakePages(SlabId id, int32_t state, std::span<PageId> out);
  void Retire(PageId page, const LaneTickets& newest);
  void FreePage(PageId page);
  void ReturnSlab(SlabId id);
  void EnterBin(SlabId id);
  void LeaveBin(SlabId id);
  void OpenJobSlabs();
  std::string CheckSlab(SlabId id) const;
  std::string CheckBins() const;
  int64_t PagesListed(const std::vector<SlabId>& list, SizeClassId size_class,
                      TenantId tenant) const;
  std::vector<SlabId>& BinListOf(const Slab& slab);
  int64_t& BinPagesOf(const Slab& slab);
  int64_t FreeBytesOf(const Slab& slab) const;
  int32_t StateOrFree(PageId page) const;
  int32_t& state(PageId page) { return slabs_[page.slab().value].states[page.index()]; }
  int32_t state(PageId page) const { return slabs_[page.slab().value].states[page.index()]; }

  const int64_t slab_bytes_;
  const int64_t reserve_slabs_;
  std::vector<SizeClass> classes_;
  std::vector<Slab> slabs_;
  std::vector<SlabId> free_slabs_;      // LIFO
  std::vector<SlabId> job_slabs_;       // is_jobs
  std::vector<std::vector<Bin>> bins_;  // [class][tenant]
  RetireList<PageId> retired_;
  BytesByState bytes_;
  int64_t job_free_bytes_ = 0;  // free pages of job_slabs_
};

}  // namespace sluice
