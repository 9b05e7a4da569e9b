// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/hash.h"

#include <openssl/evp.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "daemon/base/check.h"

namespace sluice {
namespace {

std::array<uint8_t, 8> LittleEndian(uint64_t value) {
  std::array<uint8_t, 8> bytes;
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(value & 0xFF);
    value >>= 8;
  }
  return bytes;
}

}  // namespace

struct Hasher::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free};
};

std::string Hash128::ToHex() const {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Hasher::Hasher() : state_(std::make_unique<State>()) {
  SLUICE_CHECK(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1);
}

Hasher::~Hasher() = default;

void Hasher::Update(const void* data, size_t size_bytes) {
  const auto length = LittleEndian(size_bytes);
  SLUICE_CHECK(EVP_DigestUpdate(state_->context.get(), length.data(), length.size()) == 1);
  SLUICE_CHECK(EVP_DigestUpdate(state_->context.get(), data, size_bytes) == 1);
}

Hasher& Hasher::AddBytes(std::span<const std::byte> field) {
  Update(field.data(), field.size());
  return *this;
}

Hasher& Hasher::AddString(absl::string_view field) {
  Update(field.data(), field.size());
  return *this;
}

Hasher& Hasher::AddInt64(int64_t field) {
  const auto bytes = LittleEndian(static_cast<uint64_t>(field));
  Update(bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::AddHash(const Hash128& field) {
  Update(field.bytes.data(), field.bytes.size());
  return *this;
}

Hash128 Hasher::Finish() {
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest;
  SLUICE_CHECK(EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr) == 1);
  Hash128 hash;
  std::copy_n(digest.begin(), hash.bytes.size(), hash.bytes.begin());
  return hash;
}

}  // namespace sluice
