// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/hash.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(HasherTest, IsSha256OverLengthPrefixedFields) {
  // printf '\3\0\0\0\0\0\0\0abc' | sha256sum | cut -c 1-32
  EXPECT_EQ(Hasher().AddString("abc").Finish().ToHex(), "ce91dc5eec0139adf091900d225971d6");
  // printf '' | sha256sum
  EXPECT_EQ(Hasher().Finish().ToHex(), "e3b0c44298fc1c149afbf4c8996fb924");
}

TEST(HasherTest, FieldBordersMatter) {
  EXPECT_NE(Hasher().AddString("ab").AddString("c").Finish(),
            Hasher().AddString("a").AddString("bc").Finish());
  EXPECT_NE(Hasher().AddString("").Finish(), Hasher().Finish());
}

TEST(HasherTest, IntegersAreEightLittleEndianBytes) {
  const std::array<std::byte, 8> bytes = {std::byte{0xFE}, std::byte{0xFF}, std::byte{0xFF},
                                          std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF},
                                          std::byte{0xFF}, std::byte{0xFF}};
  EXPECT_EQ(Hasher().AddInt64(-2).Finish(), Hasher().AddBytes(bytes).Finish());
}

TEST(HasherTest, AChainDependsOnItsParent) {
  const Hash128 first = Hasher().AddInt64(1).Finish();
  const Hash128 second = Hasher().AddInt64(2).Finish();
  EXPECT_NE(Hasher().AddHash(first).AddInt64(3).Finish(),
            Hasher().AddHash(second).AddInt64(3).Finish());
}

}  // namespace
}  // namespace sluice
