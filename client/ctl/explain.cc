// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/explain.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/ctl/format.h"
#include "client/ctl/policy_text.h"

namespace sluice::client {
namespace {

// One line of the table, or all of them together.
struct LayerLine {
  std::string name;
  std::vector<int64_t> kept = {};               // [kv heads]
  std::optional<std::vector<int64_t>> planned = {};  // [kv heads]
  bool has_budget = false;
  int64_t held_bytes = 0;
  std::optional<int64_t> evicted_slots = {};  // by the last job
  std::optional<double> evicted_mass_share = {};
};

int64_t Sum(const std::vector<int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

int64_t Least(const std::vector<int64_t>& values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

int64_t Most(const std::vector<int64_t>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

bool IsSkipped(const Policy& policy, int32_t layer) {
  return policy.skip_layers &&
         std::count(policy.skip_layers->begin(), policy.skip_layers->end(), layer) > 0;
}

void AddLoss(const SequenceState& state, int32_t layer, LayerLine& line) {
  if (!state.last_job) return;
  for (const LayerLoss& loss : state.last_job->layers) {
    if (loss.layer != layer) continue;
    line.evicted_slots = loss.evicted_slot_count;
    line.evicted_mass_share = loss.evicted_mass_share;
  }
}

std::vector<LayerLine> LinesOf(const SequenceInspection& inspection) {
  const Policy& policy = inspection.state.policy.policy;
  std::vector<LayerLine> lines;
  for (const LayerUsage& usage : inspection.state.layers) {
    LayerLine line = {.name = absl::StrCat(usage.layer), .kept = usage.kept_tokens};
    line.has_budget = policy.preset != "full" && !IsSkipped(policy, usage.layer);
    line.held_bytes = Sum(usage.held_bytes);
    if (inspection.plan) {
      for (const LayerKept& kept : inspection.plan->layers) {
        if (kept.layer == usage.layer) line.planned = kept.kept_tokens;
      }
    }
    AddLoss(inspection.state, usage.layer, line);
    lines.push_back(std::move(line));
  }
  return lines;
}

LayerLine Together(const std::vector<LayerLine>& lines, const SequenceState& state) {
  LayerLine all = {.name = "all", .planned = std::vector<int64_t>()};
  if (state.last_job && !state.last_job->layers.empty()) {
    all.evicted_slots = state.last_job->evicted_slot_count;
    all.evicted_mass_share = state.last_job->evicted_mass_share;
  }
  for (const LayerLine& line : lines) {
    all.kept.insert(all.kept.end(), line.kept.begin(), line.kept.end());
    all.held_bytes += line.held_bytes;
    if (!line.planned) all.planned.reset();
    if (all.planned) {
      all.planned->insert(all.planned->end(), line.planned->begin(), line.planned->end());
    }
  }
  return all;
}

std::string BudgetText(const LayerLine& line) {
  if (!line.has_budget || !line.planned) return "-";
  const int64_t least = Least(*line.planned);
  const int64_t most = Most(*line.planned);
  if (least == most) return FormatCount(most);
  return absl::StrCat(FormatCount(least), "..", FormatCount(most));
}

std::string EvictText(const LayerLine& line) {
  return line.planned ? FormatCount(Sum(line.kept) - Sum(*line.planned)) : "-";
}

std::string MeanText(const std::vector<int64_t>& values) {
  const double count = std::max<double>(1, static_cast<double>(values.size()));
  return absl::StrFormat("%.1f", static_cast<double>(Sum(values)) / count);
}

std::string MassText(const std::optional<double>& share) {
  return share ? absl::StrFormat("%.2f %%", 100 * *share) : "-";
}

std::string TableLine(const LayerLine& line, int64_t length) {
  const auto heads = static_cast<int64_t>(line.kept.size());
  return absl::StrCat(FitRight(line.name, 5), FitRight(FormatCount(heads), 10),
                      FitRight(FormatCount(Least(line.kept)), 12),
                      FitRight(MeanText(line.kept), 12), FitRight(FormatCount(Most(line.kept)), 12),
                      FitRight(FormatShare(Sum(line.kept), heads * length), 10),
                      FitRight(BudgetText(line), 16), FitRight(EvictText(line), 13),
                      FitRight(FormatBytes(line.held_bytes), 12),
                      FitRight(line.evicted_slots ? FormatCount(*line.evicted_slots) : "-", 12),
                      FitRight(MassText(line.evicted_mass_share), 11), "\n");
}

std::string Table(const SequenceInspection& inspection) {
  const std::vector<LayerLine> lines = LinesOf(inspection);
  const int64_t length = inspection.state.length;
  std::string table =
      absl::StrCat(FitRight("layer", 5), FitRight("kv heads", 10), FitRight("min kept", 12),
                   FitRight("mean kept", 12), FitRight("max kept", 12), FitRight("share", 10),
                   FitRight("budget", 16), FitRight("would evict", 13), FitRight("held", 12),
                   FitRight("evicted", 12), FitRight("mass lost", 11), "\n");
  for (const LayerLine& line : lines) absl::StrAppend(&table, TableLine(line, length));
  return absl::StrCat(table, TableLine(Together(lines, inspection.state), length),
                      "kept and budget: tokens a kv head; share: of the length; ",
                      "would evict: slots, if its policy ran now;\n",
                      "evicted and mass lost: slots, and their share of the scores, ",
                      "by the last job\n");
}

// The jobs that evicted, one a line; nothing where there is none.
std::string Evictions(const std::vector<JobReport>& evictions) {
  if (evictions.empty()) return "";
  std::string table =
      absl::StrCat("\nevictions, oldest first\n", FitRight("at token", 11), FitRight("kept", 13),
                   FitRight("evicted", 13), FitRight("mass lost", 11), FitRight("freed", 12),
                   "  policy, started by\n");
  for (const JobReport& job : evictions) {
    absl::StrAppend(&table, FitRight(FormatCount(job.snapshot_tokens), 11),
                    FitRight(FormatCount(job.kept_slot_count), 13),
                    FitRight(FormatCount(job.evicted_slot_count), 13),
                    FitRight(MassText(job.evicted_mass_share), 11),
                    FitRight(FormatBytes(job.freed_bytes), 12), "  ", Printable(job.preset), ", ",
                    TriggerText(job.trigger), "\n");
  }
  return table;
}

std::string StateText(const SequenceState& state) {
  if (state.lost) return "lost: it can only be freed";
  return state.open_step_id != 0 ? absl::StrCat("step ", state.open_step_id, " is open") : "idle";
}

std::string OwnerText(const SequenceState& state) {
  if (state.session_id != 0) return absl::StrCat("with session ", state.session_id);
  return absl::StrCat("by its lease, ",
                      FormatUptime(state.lease_left.value_or(absl::ZeroDuration())), " left");
}

std::string FreedText(int64_t now_bytes, int64_t later_bytes) {
  return absl::StrCat(FormatBytes(now_bytes), " at once, ", FormatBytes(later_bytes),
                      " once others that share pages let go");
}

std::string JobReportText(const JobReport& job) {
  const int64_t slots = job.kept_slot_count + job.evicted_slot_count;
  std::string text = absl::StrCat(
      NamedLine("last job",
                absl::StrFormat("%s, %s, %.1f ms", Printable(job.preset), OutcomeText(job.outcome),
                                absl::ToDoubleMilliseconds(job.duration))),
      NamedLine("  started by", TriggerText(job.trigger)),
      NamedLine("  snapshot", absl::StrCat(FormatCount(job.snapshot_tokens), " tokens")),
      NamedLine("  slots", absl::StrCat(FormatCount(job.kept_slot_count), " kept, ",
                                        FormatCount(job.evicted_slot_count), " evicted (",
                                        FormatShare(job.evicted_slot_count, slots), ")")),
      NamedLine("  freed", FreedText(job.freed_bytes, job.freed_later_bytes)));
  if (job.evicted_mass_share) {
    absl::StrAppend(&text, NamedLine("  attention mass",
                                     absl::StrCat(MassText(job.evicted_mass_share), " evicted")));
  }
  if (!job.detail.empty()) absl::StrAppend(&text, NamedLine("  why", Printable(job.detail)));
  return text;
}

std::string PlanText(const SequenceInspection& inspection) {
  if (inspection.plan) {
    const CompressResult& plan = *inspection.plan;
    return absl::StrCat("evicts ", FormatCount(plan.job.evicted_slot_count), " slots, frees ",
                        FreedText(plan.freed_now_bytes, plan.freed_later_bytes));
  }
  if (inspection.state.lost) return "cannot be told: it is lost";
  if (inspection.state.policy.policy.stride_tokens) return "nothing: no job runs on it";
  return inspection.state.open_step_id != 0 ? "cannot be told: a step is open"
                                            : "cannot be told: a job waits or runs";
}

}  // namespace

std::string ExplainReport(const SequenceInspection& inspection) {
  const SequenceState& state = inspection.state;
  return absl::StrCat(
      NamedLine("sequence", absl::StrCat(state.sequence_id, ", ", StateText(state))),
      NamedLine("tenant", Printable(inspection.tenant)),
      NamedLine("model", Printable(inspection.model_name)), NamedLine("lives", OwnerText(state)),
      NamedLine("length", absl::StrCat(FormatCount(state.length), " tokens")),
      NamedLine("holds", absl::StrCat(FormatBytes(state.held_bytes), ", of it alone ",
                                      FormatBytes(state.bytes_alone))),
      NamedLine("policy", PolicyText(state.policy.policy)),
      NamedLine("  acts", ActsText(state.policy.policy)),
      NamedLine("  if it ran now", PlanText(inspection)),
      state.last_job ? JobReportText(*state.last_job) : NamedLine("last job", "none yet"), "\n",
      Table(inspection), Evictions(inspection.evictions));
}

}  // namespace sluice::client
