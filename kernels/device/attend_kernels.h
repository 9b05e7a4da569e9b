// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Attend of ops.h on CUDA cores, in fp32 arithmetic.

#include <cstdint>

#include "kernels/device/attend_unit_kernel.h"
#include "kernels/device/block.h"
#include "kernels/device/key_tiles.h"
#include "kernels/device/query_tiles.h"

namespace sluice::device {

// AttendUnitKernel's products, with fp32 weights in the place of the dots.
template <Dtype kDtype>
struct ScalarProducts {
  UnitTiles<kDtype> tiles;

  static constexpr int32_t kRun = 4;

 private:
  static constexpr int32_t kWarps = kUnitThreads / kWarpThreads;
  static constexpr int32_t kWarpRows = kUnitRows / kWarps;

 public:
  // Of query rows warp + 4 i, and dims 4 (lane + 32 j) and the 3 behind.
  struct Values {
    float of[kWarpRows][2][kRun] = {};
  };

  template <class Block>
  SLUICE_HD void LoadQueries(Block& block, int32_t row, int32_t first_query,
                             int32_t queries) const {
    tiles.LoadQueries(block, row, first_query, queries, LogitFactor(tiles.call.layer));
  }

  template <class Block>
  SLUICE_HD void PrepareKeys(Block& block, int32_t row) const {
    tiles.PrepareKeys(block, row);
  }

  template <class Block>
  SLUICE_HD void WriteDots(Block& block, int32_t row, int32_t queries, int32_t span,
                           int32_t tile) const {
    tiles.WriteDots(block, row, queries, span, tile);
  }

  SLUICE_HD float Logit(const UnitState& state, int32_t query, int32_t slot, float dot) const {
    return tiles.Logit(state, query, slot, dot);
  }

  template <class Block>
  SLUICE_HD void StoreWeight(Block& block, int32_t query, int32_t slot, float weight) const {
    Weights(block)[query * kWeightStride + slot] = weight;
  }

  template <class Block>
  SLUICE_HD void AddValues(Block& block, int32_t queries, const TilePlace& place,
                           Values* values) const {
    const int32_t rows = (queries + kWarps - 1) / kWarps;
    if (rows <= 1) {
      AddValuesOfRows<1>(block, place, values);
    } else if (rows <= 2) {
      AddValuesOfRows<2>(block, place, values);
    } else {
      AddValuesOfRows<kWarpRows>(block, place, values);
    }
  }

  template <class Block, class Function>
  SLUICE_HD void ForEachRun(Block& block, int32_t queries, const Values& values,
                            const Function& function) const {
    SLUICE_UNROLL
    for (int32_t i = 0; i < kWarpRows; ++i) {
      const int32_t query = block.thread() / kWarpThreads + i * kWarps;
      SLUICE_UNROLL
      for (int32_t j = 0; j < 2; ++j) {
        const int32_t dim = kRun * (block.lane() + j * kWarpThreads);
        if (query < queries && dim < tiles.call.layer.v_dim) {
          function(values.of[i][j], query, dim);
        }
      }
    }
  }

 private:
  template <int32_t kRows, class Block>
  SLUICE_HD void AddValuesOfRows(Block& block, const TilePlace& place, Values* values) const {
    const int32_t v_dim = tiles.call.layer.v_dim;
    const auto row_bytes = static_cast<int32_t>(v_dim * DtypeBytes(kDtype));
    const int32_t warp = block.thread() / kWarpThreads;
    const float* const weights = Weights(block) + warp * kWeightStride;
    SLUICE_UNROLL
    for (int32_t j = 0; j < 2; ++j) {
      const int32_t dim = 4 * (block.lane() + j * kWarpThreads);
      if (dim >= v_dim) continue;
      const FourDims<kDtype> dims(block.shared() + tiles.layout.values, row_bytes, dim);
      SLUICE_UNROLL
      for (int32_t i = 0; i < kRows; ++i) {
        const float factor = UnitTiles<kDtype>::State(block).factors[warp + i * kWarps];
        SLUICE_UNROLL
        for (int32_t d = 0; d < 4; ++d) values->of[i][j][d] *= factor;
      }
      SLUICE_NO_UNROLL
      for (int32_t slot = place.begin & ~3; slot < place.end; slot += 4) {
        Float4 four[kRows];
        SLUICE_UNROLL
        for (int32_t i = 0; i < kRows; ++i) {
          four[i] =
              *reinterpret_cast<const Float4*>(weights + i * kWarps * kWeightStride + slot);
        }
        SLUICE_UNROLL
        for (int32_t s = 0; s < 4; ++s) {
          const Float4 value = dims.Of(slot + s);
          SLUICE_UNROLL
          for (int32_t i = 0; i < kRows; ++i) {
            SLUICE_UNROLL
            for (int32_t d = 0; d < 4; ++d) {
              values->of[i][j][d] =
                  AddProduct(values->of[i][j][d], four[i].values[s], value.values[d]);
            }
          }
        }
      }
    }
  }

  template <class Block>
  SLUICE_HD float* Weights(Block& block) const {
    return UnitTiles<kDtype>::Floats(block, tiles.layout.weights);
  }
};

template <Dtype kDtype>
using AttendKernel = AttendUnitKernel<ScalarProducts<kDtype>>;

}  // namespace sluice::device
