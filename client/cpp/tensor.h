// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::client {

// The number format of a tensor's elements, little-endian. The values are those
// of sluice.v1.Dtype.
enum class Dtype { kFp32 = 1, kBf16 = 2, kFp16 = 3 };

// The size of an element.
constexpr int64_t DtypeBytes(Dtype dtype) { return dtype == Dtype::kFp32 ? 4 : 2; }

// Rows of queries, keys or values in the caller's memory: dense and row-major,
// `[rows, heads, dim]`. bf16 and fp16 elements are given by their bits.
//
// Does not own the elements, which must stay until the call that takes the view
// returns. Thread-compatible.
struct TensorView {
  Dtype dtype = Dtype::kFp32;
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t dim = 0;
  const void* data = nullptr;

  static TensorView Fp32(const float* data, int64_t rows, int64_t heads, int64_t dim) {
    return {Dtype::kFp32, rows, heads, dim, data};
  }
  static TensorView Bf16(const uint16_t* bits, int64_t rows, int64_t heads, int64_t dim) {
    return {Dtype::kBf16, rows, heads, dim, bits};
  }
  static TensorView Fp16(const uint16_t* bits, int64_t rows, int64_t heads, int64_t dim) {
    return {Dtype::kFp16, rows, heads, dim, bits};
  }

  // REQUIRES, as do all below: no dimension is negative, and the tensor fits in
  // memory. The calls that take a view check both.
  int64_t RowBytes() const { return heads * dim * DtypeBytes(dtype); }
  int64_t Bytes() const { return rows * RowBytes(); }

  // Rows `first` to `first + count`.
  TensorView Rows(int64_t first, int64_t count) const {
    return {dtype, count, heads, dim, static_cast<const char*>(data) + first * RowBytes()};
  }
};

// A tensor `[rows, heads, dim]` that owns its elements; all of it is empty where
// the caller brought the memory.
//
// Thread-compatible.
struct Tensor {
  Dtype dtype = Dtype::kFp32;
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t dim = 0;
  std::vector<std::byte> bytes = {};

  // The elements: float for kFp32, uint16_t bits for the others.
  // REQUIRES: sizeof(T) is DtypeBytes(dtype).
  template <class T>
  std::span<const T> As() const {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

}  // namespace sluice::client
