// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace sluice {

// SHA-256 cut to its first 128 bits: no one can make two inputs meet, so it may
// name content across sequences that do not trust each other.
struct Hash128 {
  std::array<uint8_t, 16> bytes{};

  friend auto operator<=>(const Hash128&, const Hash128&) = default;

  // 32 lower-case hexadecimal digits.
  std::string ToHex() const;

  template <typename H>
  friend H AbslHashValue(H state, const Hash128& hash) {
    return H::combine(std::move(state), hash.bytes);
  }
};

// Hashes a list of fields. Each is preceded by its length, so that no two lists
// of fields give the same bytes ("ab","c" and "a","bc" differ).
//
// Not thread-safe: owned by its caller.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  Hasher& AddBytes(std::span<const std::byte> field);
  Hasher& AddString(absl::string_view field);
  // Eight bytes, least significant first.
  Hasher& AddInt64(int64_t field);
  Hasher& AddHash(const Hash128& field);

  // The hash of the fields so far. REQUIRES: called once, as the last call.
  Hash128 Finish();

 private:
  struct State;
  void Update(const void* data, size_t size_bytes);
  std::unique_ptr<State> state_;
};

}  // namespace sluice
