// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/page_pool.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/checked_math.h"

namespace sluice {

PagePool::PagePool(const Options& options)
    : slab_bytes_(options.slab_bytes),
      reserve_slabs_(CeilDivide(options.job_reserve_bytes, options.slab_bytes)) {
  SLUICE_CHECK(options.slab_count >= 1 && options.slab_count < (int64_t{1} << 18))
      << "slab_count " << options.slab_count;
  SLUICE_CHECK(reserve_slabs_ < options.slab_count)
      << "a job reserve of " << reserve_slabs_ << " of " << options.slab_count << " slabs";
  slabs_.resize(static_cast<size_t>(options.slab_count));
  free_slabs_.reserve(slabs_.size());
  for (size_t slab = slabs_.size(); slab > 0; --slab) {
    free_slabs_.push_back({static_cast<uint32_t>(slab - 1)});
  }
}

SizeClassId PagePool::AddSizeClass(int64_t pages_per_slab, int64_t page_bytes,
                                   int64_t page_size) {
  SLUICE_CHECK(pages_per_slab >= 1 && pages_per_slab <= PageId::kMaxPerSlab)
      << "pages_per_slab " << pages_per_slab;
  SLUICE_CHECK(page_bytes >= 1 && page_bytes <= slab_bytes_ / pages_per_slab)
      << pages_per_slab << " pages of " << page_bytes << " bytes in a slab of " << slab_bytes_;
  SLUICE_CHECK(page_size >= 1) << "page_size " << page_size;
  const SizeClass wanted{pages_per_slab, page_bytes, page_size};
  const auto same = std::find(classes_.begin(), classes_.end(), wanted);
  if (same == classes_.end()) {
    classes_.push_back(wanted);
    bins_.emplace_back();
    return {static_cast<uint32_t>(classes_.size() - 1)};
  }
  return {static_cast<uint32_t>(same - classes_.begin())};
}

int64_t PagePool::MissingBytes(std::span<const PageDemand> demands, Purpose purpose) const {
  int64_t spare_slabs = SpareSlabs(purpose);
  int64_t missing_bytes = 0;
  for (size_t i = 0; i < demands.size(); ++i) {
    const PageDemand& demand = demands[i];
    const auto same = [&](const PageDemand& other) {
      return other.size_class == demand.size_class && other.tenant == demand.tenant;
    };
    const auto first = demands.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(demands.begin(), first, same)) continue;  // counted with the first
    int64_t pages = -FreePages(demand.size_class, demand.tenant, purpose);
    for (auto it = first; it != demands.end(); ++it) pages += same(*it) ? it->pages : 0;
    if (pages <= 0) continue;
    const SizeClass& size_class = classes_[demand.size_class.value];
    const int64_t slabs = std::min(CeilDivide(pages, size_class.pages_per_slab), spare_slabs);
    spare_slabs -= slabs;
    missing_bytes += std::max<int64_t>(pages - slabs * size_class.pages_per_slab, 0) *
                     size_class.page_bytes;
  }
  return missing_bytes;
}

bool PagePool::Allocate(SizeClassId size_class, TenantId tenant, Purpose purpose,
                        std::span<PageId> out, std::vector<SlabId>* slabs_to_clear) {
  const PageDemand demand{size_class, tenant, static_cast<int64_t>(out.size())};
  if (MissingBytes({&demand, 1}, purpose) > 0) return false;
  const int32_t state = purpose == Purpose::kJob ? kReserved : 1;
  size_t done = 0;
  while (done < out.size()) {
    const SlabId id = SlabWithFreePage(size_class, tenant, purpose, slabs_to_clear);
    const size_t take = std::min(out.size() - done, slabs_[id.value].free_list.size());
    TakePages(id, state, out.subspan(done, take));
    done += take;
  }
  return true;
}

// A job takes what appends may take before it touches the reserve.
SlabId PagePool::SlabWithFreePage(SizeClassId size_class, TenantId tenant, Purpose purpose,
                                  std::vector<SlabId>* slabs_to_clear) {
  const Bin& bin = BinOf(size_class, tenant);
  if (!bin.open.empty()) return bin.open.back();
  if (SpareSlabs(Purpose::kAppend) > 0 || purpose == Purpose::kAppend || bin.jobs.empty()) {
    return TakeSlab(size_class, tenant, slabs_to_clear);
  }
  return bin.jobs.back();
}

SlabId PagePool::TakeSlab(SizeClassId size_class, TenantId tenant,
                          std::vector<SlabId>* slabs_to_clear) {
  SLUICE_CHECK(!free_slabs_.empty());
  const bool from_reserve = SpareSlabs(Purpose::kAppend) <= 0;
  const SlabId id = free_slabs_.back();
  free_slabs_.pop_back();
  Slab& slab = slabs_[id.value];
  if (slab.tenant.has_value() && *slab.tenant != tenant) slabs_to_clear->push_back(id);
  slab.tenant = tenant;
  slab.size_class = size_class;
  slab.is_jobs = from_reserve;
  const auto pages = static_cast<size_t>(classes_[size_class.value].pages_per_slab);
  slab.states.assign(pages, kFree);
  slab.free_list.resize(pages);
  for (size_t i = 0; i < pages; ++i) slab.free_list[i] = static_cast<uint16_t>(pages - 1 - i);
  BinPagesOf(slab) += static_cast<int64_t>(pages);
  if (from_reserve) {
    job_slabs_.push_back(id);
    job_free_bytes_ += FreeBytesOf(slab);
  }
  EnterBin(id);
  return id;
}

void PagePool::TakePages(SlabId id, int32_t state, std::span<PageId> out) {
  Slab& slab = slabs_[id.value];
  for (PageId& page : out) {
    const uint16_t index = slab.free_list.back();
    slab.free_list.pop_back();
    slab.states[index] = state;
    page = PageId::Make(id, index);
  }
  const auto count = static_cast<int64_t>(out.size());
  const int64_t bytes = count * page_bytes(slab.size_class);
  (state == kReserved ? bytes_.reserved : bytes_.in_use) += bytes;
  if (slab.is_jobs) job_free_bytes_ -= bytes;
  BinPagesOf(slab) -= count;
  if (slab.free_list.empty()) LeaveBin(id);
}

void PagePool::AddReference(PageId page) {
  int32_t& count = state(page);
  SLUICE_CHECK(count > 0 || count == kReserved) << "page " << page.value << " state " << count;
  if (count == kReserved) {
    bytes_.reserved -= bytes_of(page);
    bytes_.in_use += bytes_of(page);
    count = 0;
  }
  ++count;
}

int64_t PagePool::Release(std::span<const PageId> pages, const LaneTickets& newest) {
  int64_t retired = 0;
  for (const PageId page : pages) {
    int32_t& count = state(page);
    SLUICE_CHECK(count > 0) << "page " << page.value << " state " << count;
    if (--count > 0) continue;
    bytes_.in_use -= bytes_of(page);
    Retire(page, newest);
    ++retired;
  }
  return retired;
}

void PagePool::Discard(std::span<const PageId> pages, const LaneTickets& newest) {
  for (const PageId page : pages) {
    SLUICE_CHECK(state(page) == kReserved) << "page " << page.value << " state " << state(page);
    bytes_.reserved -= bytes_of(page);
    Retire(page, newest);
  }
}

void PagePool::Retire(PageId page, const LaneTickets& newest) {
  state(page) = kRetired;
  bytes_.retired += bytes_of(page);
  retired_.Push(page, newest);
}

bool PagePool::Passed(const LaneTickets& completed, int64_t max_pages) {
  for (int64_t freed = 0; freed < max_pages; ++freed) {
    const std::optional<PageId> page = retired_.Pop(completed);
    if (!page) return false;
    FreePage(*page);
  }
  return retired_.Ready(completed);
}

void PagePool::FreePage(PageId page) {
  Slab& slab = slabs_[page.slab().value];
  const int64_t bytes = page_bytes(slab.size_class);
  bytes_.retired -= bytes;
  state(page) = kFree;
  slab.free_list.push_back(static_cast<uint16_t>(page.index()));
  ++BinPagesOf(slab);
  if (slab.is_jobs) job_free_bytes_ += bytes;
  if (slab.free_list.size() == 1) EnterBin(page.slab());
  if (slab.free_list.size() == slab.states.size()) ReturnSlab(page.slab());
}

void PagePool::ReturnSlab(SlabId id) {
  LeaveBin(id);
  Slab& slab = slabs_[id.value];
  BinPagesOf(slab) -= static_cast<int64_t>(slab.free_list.size());
  if (slab.is_jobs) {
    job_free_bytes_ -= FreeBytesOf(slab);
    std::erase(job_slabs_, id);
    slab.is_jobs = false;
  }
  slab.free_list.clear();
  slab.states.clear();
  free_slabs_.push_back(id);
  if (static_cast<int64_t>(free_slabs_.size()) >= reserve_slabs_) OpenJobSlabs();
}

// The reserve is whole again: what is free in slabs taken out of it is for everyone.
void PagePool::OpenJobSlabs() {
  for (const SlabId id : job_slabs_) {
    Slab& slab = slabs_[id.value];
    const auto pages = static_cast<int64_t>(slab.free_list.size());
    if (pages > 0) LeaveBin(id);
    BinPagesOf(slab) -= pages;
    slab.is_jobs = false;
    BinPagesOf(slab) += pages;
    if (pages > 0) EnterBin(id);
  }
  job_slabs_.clear();
  job_free_bytes_ = 0;
}

void PagePool::EnterBin(SlabId id) {
  Slab& slab = slabs_[id.value];
  std::vector<SlabId>& list = BinListOf(slab);
  slab.bin_place = static_cast<uint32_t>(list.size());
  list.push_back(id);
}

void PagePool::LeaveBin(SlabId id) {
  Slab& slab = slabs_[id.value];
  std::vector<SlabId>& list = BinListOf(slab);
  SLUICE_CHECK(slab.bin_place < list.size() && list[slab.bin_place] == id) << "slab " << id.value;
  const SlabId last = list.back();
  list[slab.bin_place] = last;
  slabs_[last.value].bin_place = slab.bin_place;
  list.pop_back();
  slab.bin_place = kNowhere;
}

PagePool::Bin& PagePool::BinOf(SizeClassId size_class, TenantId tenant) {
  std::vector<Bin>& of_class = bins_[size_class.value];
  if (tenant.value >= of_class.size()) of_class.resize(tenant.value + 1);
  return of_class[tenant.value];
}

const PagePool::Bin* PagePool::FindBin(SizeClassId size_class, TenantId tenant) const {
  const std::vector<Bin>& of_class = bins_[size_class.value];
  return tenant.value < of_class.size() ? &of_class[tenant.value] : nullptr;
}

std::vector<SlabId>& PagePool::BinListOf(const Slab& slab) {
  Bin& bin = BinOf(slab.size_class, *slab.tenant);
  return slab.is_jobs ? bin.jobs : bin.open;
}

int64_t& PagePool::BinPagesOf(const Slab& slab) {
  Bin& bin = BinOf(slab.size_class, *slab.tenant);
  return slab.is_jobs ? bin.job_pages : bin.open_pages;
}

int64_t PagePool::FreeBytesOf(const Slab& slab) const {
  return static_cast<int64_t>(slab.free_list.size()) * page_bytes(slab.size_class);
}

int64_t PagePool::FreePages(SizeClassId size_class, TenantId tenant, Purpose purpose) const {
  const Bin* bin = FindBin(size_class, tenant);
  if (bin == nullptr) return 0;
  return bin->open_pages + (purpose == Purpose::kJob ? bin->job_pages : 0);
}

int64_t PagePool::SpareSlabs(Purpose purpose) const {
  const auto free_slabs = static_cast<int64_t>(free_slabs_.size());
  if (purpose == Purpose::kJob) return free_slabs;
  return std::max<int64_t>(free_slabs - reserve_slabs_, 0);
}

PoolBytes PagePool::bytes() const {
  PoolBytes bytes;
  const auto free_slabs = static_cast<int64_t>(free_slabs_.size());
  bytes.total = slab_count() * slab_bytes_;
  bytes.reserved =
      bytes_.reserved + job_free_bytes_ + std::min(free_slabs, reserve_slabs_) * slab_bytes_;
  bytes.in_use = bytes_.in_use;
  bytes.retired = bytes_.retired;
  bytes.free = bytes.total - bytes.reserved - bytes.in_use - bytes.retired;
  return bytes;
}

int64_t PagePool::AvailableBytes(TenantId tenant, SizeClassId size_class) const {
  const SizeClass& pages = classes_[size_class.value];
  return (SpareSlabs(Purpose::kAppend) * pages.pages_per_slab +
          FreePages(size_class, tenant, Purpose::kAppend)) *
         pages.page_bytes;
}

int64_t PagePool::AvailableBytes(TenantId tenant) const {
  int64_t bytes = SpareSlabs(Purpose::kAppend) * slab_bytes_;
  for (uint32_t i = 0; i < classes_.size(); ++i) {
    bytes += FreePages({i}, tenant, Purpose::kAppend) * classes_[i].page_bytes;
  }
  return bytes;
}

int64_t PagePool::AvailablePages(SizeClassId size_class, TenantId tenant, Purpose purpose) const {
  return FreePages(size_class, tenant, purpose) +
         SpareSlabs(purpose) * classes_[size_class.value].pages_per_slab;
}

int32_t PagePool::reference_count(PageId page) const { return std::max(StateOrFree(page), 0); }

bool PagePool::is_reserved(PageId page) const { return StateOrFree(page) == kReserved; }

int32_t PagePool::StateOrFree(PageId page) const {
  const std::vector<int32_t>& states = slabs_[page.slab().value].states;
  return page.index() < states.size() ? states[page.index()] : kFree;
}

std::string PagePool::CheckSlab(SlabId id) const {
  const Slab& slab = slabs_[id.value];
  const auto free_pages = std::count(slab.states.begin(), slab.states.end(), kFree);
  if (free_pages != static_cast<std::ptrdiff_t>(slab.free_list.size())) {
    return absl::StrCat("slab ", id.value, " has ", free_pages, " free pages and lists ",
                        slab.free_list.size());
  }
  for (const uint16_t index : slab.free_list) {
    if (slab.states[index] != kFree) {
      return absl::StrCat("slab ", id.value, " lists page ", index, " of state ",
                          slab.states[index], " as free");
    }
  }
  if ((slab.bin_place != kNowhere) != !slab.free_list.empty()) {
    return absl::StrCat("slab ", id.value, " is in the wrong list");
  }
  return "";
}

std::string PagePool::CheckInvariants() const {
  BytesByState counted;
  int64_t job_free_bytes = 0;
  size_t taken = 0;
  for (uint32_t i = 0; i < slabs_.size(); ++i) {
    if (std::string wrong = CheckSlab({i}); !wrong.empty()) return wrong;
    const Slab& slab = slabs_[i];
    if (slab.states.empty()) continue;
    ++taken;
    const int64_t bytes = page_bytes(slab.size_class);
    if (slab.is_jobs) job_free_bytes += FreeBytesOf(slab);
    for (const int32_t state : slab.states) {
      if (state == kReserved) counted.reserved += bytes;
      if (state == kRetired) counted.retired += bytes;
      if (state > 0) counted.in_use += bytes;
    }
  }
  if (counted != bytes_) return "the bytes of reserved, used or retired pages are miscounted";
  if (job_free_bytes != job_free_bytes_) return "the free bytes of job slabs are miscounted";
  if (taken + free_slabs_.size() != slabs_.size()) return "a slab is neither taken nor free";
  if (bytes().free < 0) return absl::StrCat("free bytes are ", bytes().free);
  return CheckBins();
}

std::string PagePool::CheckBins() const {
  for (uint32_t i = 0; i < bins_.size(); ++i) {
    for (uint32_t tenant = 0; tenant < bins_[i].size(); ++tenant) {
      const Bin& bin = bins_[i][tenant];
      if (PagesListed(bin.open, {i}, {tenant}) != bin.open_pages ||
          PagesListed(bin.jobs, {i}, {tenant}) != bin.job_pages) {
        return absl::StrCat("the free pages of class ", i, ", tenant ", tenant, " are miscounted");
      }
    }
  }
  return "";
}

// -1 if a slab in the list belongs elsewhere.
int64_t PagePool::PagesListed(const std::vector<SlabId>& list, SizeClassId size_class,
                              TenantId tenant) const {
  int64_t pages = 0;
  for (const SlabId id : list) {
    const Slab& slab = slabs_[id.value];
    if (slab.size_class != size_class || slab.tenant != tenant) return -1;
    pages += static_cast<int64_t>(slab.free_list.size());
  }
  return pages;
}

}  // namespace sluice
