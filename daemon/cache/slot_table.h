// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/base/check.h"

namespace sluice {

// Records under small ids that are used again, last freed first.
//
// A record keeps its memory when it is freed, so that a warm table does not
// allocate. Add may move records.
//
// Not thread-safe: owned by the engine thread.
template <class Id, class Record>
class SlotTable {
 public:
  // A record in the state in which it was removed.
  Id Add() {
    if (free_.empty()) {
      records_.emplace_back();
      return Id{static_cast<decltype(Id::value)>(records_.size() - 1)};
    }
    const Id id = free_.back();
    free_.pop_back();
    return id;
  }

  // REQUIRES: `id` was added and not removed since.
  void Remove(Id id) { free_.push_back(id); }

  Record& operator[](Id id) {
    SLUICE_CHECK(id.value < records_.size()) << "id " << id.value;
    return records_[id.value];
  }
  const Record& operator[](Id id) const {
    SLUICE_CHECK(id.value < records_.size()) << "id " << id.value;
    return records_[id.value];
  }

  // Ids are below this.
  size_t id_limit() const { return records_.size(); }
  size_t live_count() const { return records_.size() - free_.size(); }

 private:
  std::vector<Record> records_;
  std::vector<Id> free_;
};

}  // namespace sluice
