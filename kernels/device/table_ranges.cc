// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/table_ranges.h"

#include <algorithm>

namespace sluice::device {

void JoinRanges(std::vector<TableBytes>* ranges) {
  std::sort(ranges->begin(), ranges->end(), [](const TableBytes& a, const TableBytes& b) {
    return a.begin < b.begin;
  });
  size_t joined = 0;
  for (const TableBytes range : *ranges) {
    if (range.begin >= range.end) continue;
    if (joined > 0 && range.begin <= (*ranges)[joined - 1].end) {
      int64_t& end = (*ranges)[joined - 1].end;
      end = std::max(end, range.end);
    } else {
      (*ranges)[joined++] = range;
    }
  }
  ranges->resize(joined);
}

TableBytes NextPiece(const std::vector<TableBytes>& ranges, int64_t most_bytes,
                     TablePlace* place) {
  if (place->range == ranges.size()) return {};
  const TableBytes& range = ranges[place->range];
  const int64_t begin = range.begin + place->done_bytes;
  const TableBytes piece = {begin, std::min(range.end, begin + most_bytes)};
  place->done_bytes += piece.end - piece.begin;
  if (piece.end == range.end) *place = {place->range + 1, 0};
  return piece;
}

}  // namespace sluice::device
