// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/parts.h"

#include <algorithm>

namespace sluice::device {
namespace {

// The tokens of an entry that a part of its own takes.
int64_t TokensOfEntry(int64_t tokens, const TokenCut& cut) {
  if (cut.multiple == 0 || tokens == 0) return tokens;
  const int64_t fitting = (cut.budget_bytes - cut.entry_bytes) / std::max<int64_t>(
                                                                     1, cut.token_bytes);
  const int64_t whole = fitting / cut.multiple * cut.multiple;
  return std::min(tokens, std::max(whole, cut.multiple));
}

}  // namespace

int64_t ItemsWithin(int64_t first, int64_t end, int64_t budget_bytes,
                    const std::function<int64_t(int64_t item)>& bytes_of) {
  int64_t bytes = bytes_of(first);
  int64_t item = first + 1;
  for (; item < end; ++item) {
    bytes += bytes_of(item);
    if (bytes > budget_bytes) break;
  }
  return item - first;
}

std::vector<TokenPart> CutTokens(const StepView& view, int64_t first_token, int64_t token_count,
                                 const TokenCut& cut) {
  std::vector<TokenPart> parts;
  const int64_t end_token = first_token + token_count;
  const ViewEntry* const end = view.entries + view.entry_count;
  const ViewEntry* entry = std::partition_point(view.entries, end, [&](const ViewEntry& before) {
    return before.first_token + before.token_count <= first_token;
  });
  int64_t bytes = 0;  // of the newest part
  for (; entry != end && entry->first_token < end_token; ++entry) {
    const auto index = static_cast<int32_t>(entry - view.entries);
    int64_t token = std::max(entry->first_token, first_token);
    const int64_t entry_end = std::min(entry->first_token + entry->token_count, end_token);
    while (token < entry_end) {
      const int64_t tokens = TokensOfEntry(entry_end - token, cut);
      const int64_t more = cut.entry_bytes + tokens * cut.token_bytes;
      const bool whole = tokens == entry_end - token;
      if (parts.empty() || bytes + more > cut.budget_bytes) {
        parts.push_back({token, 0, index, 0});
        bytes = 0;
      }
      TokenPart& part = parts.back();
      part.token_count += tokens;
      part.entry_count = index + 1 - part.first_entry;
      bytes = whole ? bytes + more : cut.budget_bytes + 1;  // nothing joins a piece of an entry
      token += tokens;
    }
  }
  return parts;
}

}  // namespace sluice::device
