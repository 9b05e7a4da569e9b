// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/select.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::oracle {
namespace {

struct Candidate {
  bool is_protected = false;
  double score = 0;
  int row = 0;
  int slot = 0;
  bool taken = false;
};

double WithoutNan(double score) {
  return std::isnan(score) ? -std::numeric_limits<double>::infinity() : score;
}

std::vector<Candidate> InOrder(const SelectRequest& request) {
  std::vector<Candidate> candidates;
  for (int row = 0; row < Size(request.scores); ++row) {
    for (int slot = 0; slot < Size(request.scores[row]); ++slot) {
      const bool is_protected = !request.is_protected.empty() && request.is_protected[row][slot];
      candidates.push_back({is_protected, WithoutNan(request.scores[row][slot]), row, slot});
    }
  }
  // Rows and slots were listed in order: a stable sort leaves ties as the rule wants them.
  std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    if (a.is_protected != b.is_protected) return a.is_protected;
    return a.score > b.score;
  });
  return candidates;
}

// Takes from the front what `wanted` lets through, until `k` are taken in all.
template <class Wanted>
void Take(std::vector<Candidate>& candidates, int k, Indices& counts, const Wanted& wanted) {
  int taken = 0;
  for (const Candidate& candidate : candidates) taken += candidate.taken ? 1 : 0;
  for (Candidate& candidate : candidates) {
    if (taken == k) return;
    if (candidate.taken || !wanted(candidate)) continue;
    candidate.taken = true;
    ++counts[candidate.row];
    ++taken;
  }
}

bool AtBound(const Indices& bound, const Indices& counts, int row) {
  return !bound.empty() && counts[row] == bound[row];
}

// A row at a bound was cut by itself. Where it got no more than its due, what it has is no
// measure for the other rows; where it may not have more, what it lacks is none.
DecisionLog JudgeRows(const SelectRequest& request, const std::vector<Candidate>& candidates,
                      const Indices& counts) {
  const int rows = Size(request.scores);
  Rows in(rows);
  Rows out(rows);
  for (const Candidate& candidate : candidates) {
    if (candidate.is_protected) continue;
    (candidate.taken ? in : out)[candidate.row].push_back(candidate.score);
  }
  DecisionLog log;
  Row all_in;
  Row all_out;
  for (int row = 0; row < rows; ++row) {
    const bool at_least = AtBound(request.at_least, counts, row);
    const bool at_most = AtBound(request.at_most, counts, row);
    if (at_least || at_most) log.push_back(Judge({.head = row}, in[row], out[row]));
    if (!at_least) all_in.insert(all_in.end(), in[row].begin(), in[row].end());
    if (!at_most) all_out.insert(all_out.end(), out[row].begin(), out[row].end());
  }
  log.push_back(Judge({.head = -1}, all_in, all_out));
  return log;
}

Selection SelectApart(const SelectRequest& request) {
  std::vector<Candidate> candidates = InOrder(request);
  Indices counts(request.scores.size(), 0);
  const auto below = [&](const Indices& bound, const Candidate& candidate) {
    return counts[candidate.row] < bound[candidate.row];
  };
  const auto fits = [&](const Candidate& candidate) {
    return request.at_most.empty() || below(request.at_most, candidate);
  };
  Take(candidates, request.k, counts, [&](const auto& c) { return c.is_protected && fits(c); });
  if (!request.at_least.empty()) {
    Take(candidates, request.k, counts,
         [&](const auto& c) { return below(request.at_least, c) && fits(c); });
  }
  Take(candidates, request.k, counts, fits);

  Selection selection;
  selection.chosen.resize(request.scores.size());
  for (const Candidate& candidate : candidates) {
    if (candidate.taken) selection.chosen[candidate.row].push_back(candidate.slot);
  }
  selection.best_first = selection.chosen;
  for (Indices& chosen : selection.chosen) std::sort(chosen.begin(), chosen.end());
  selection.decisions = JudgeRows(request, candidates, counts);
  return selection;
}

Row CombinedScores(const Rows& rows, Combine combine) {
  Row combined = rows[0];
  for (double& score : combined) score = WithoutNan(score);
  for (int row = 1; row < Size(rows); ++row) {
    for (int slot = 0; slot < Size(combined); ++slot) {
      const double score = WithoutNan(rows[row][slot]);
      combined[slot] =
          combine == Combine::kMax ? std::max(combined[slot], score) : combined[slot] + score;
    }
  }
  if (combine == Combine::kMean) {
    for (double& score : combined) score /= Size(rows);
  }
  return combined;
}

}  // namespace

Selection Select(const SelectRequest& request) {
  if (request.combine == Combine::kNone || request.scores.empty()) return SelectApart(request);
  SelectRequest shared;
  shared.scores = {CombinedScores(request.scores, request.combine)};
  shared.k = request.k;
  if (!request.is_protected.empty()) shared.is_protected = {request.is_protected[0]};
  Selection selection = SelectApart(shared);
  selection.chosen.resize(request.scores.size(), selection.chosen[0]);
  selection.best_first.resize(request.scores.size(), selection.best_first[0]);
  return selection;
}

Selection SelectTop(const Row& scores, int k) { return SelectTop(Rows{scores}, k); }

Selection SelectTop(const Rows& scores, int k) {
  SelectRequest request;
  request.scores = scores;
  request.k = k;
  return Select(request);
}

}  // namespace sluice::oracle
