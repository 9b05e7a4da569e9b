// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernel that brings what changed in the tables to their mirror (table_mirror.h).

#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/device/block.h"

namespace sluice::device {

// A run of words on its way: from among the words that are brought, to the mirror's.
struct TablePiece {
  int64_t from_word = 0;
  int64_t to_word = 0;
  int64_t words = 0;
};

// A block copies a piece. Pieces do not overlap in the mirror.
struct UpdateTablesKernel {
  const TablePiece* pieces = nullptr;  // [piece_count]
  int64_t piece_count = 0;
  const uint32_t* from = nullptr;
  uint32_t* mirror = nullptr;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t i = block.index(); i < piece_count; i += block.count()) {
      const TablePiece piece = pieces[i];
      ForEachOfBlock(block, piece.words, [&](int64_t word) {
        mirror[piece.to_word + word] = from[piece.from_word + word];
      });
    }
  }
};

}  // namespace sluice::device
