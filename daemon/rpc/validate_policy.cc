// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_policy.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/validate_common.h"

namespace sluice {
namespace {

constexpr int64_t kMaxPresetLength = 64;
constexpr int kMaxSkippedLayers = 1024;
constexpr int kMaxPeriods = 16;

absl::Status CheckRatio(const FieldPath& path, const v1::Ratio& ratio) {
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "of"), ratio.of(),
                                   v1::Ratio_Of_IsValid(ratio.of()), /*required=*/true));
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "rounding"), ratio.rounding(),
                                   v1::Ratio_Rounding_IsValid(ratio.rounding()),
                                   /*required=*/true));
  const bool kept = ratio.of() == v1::Ratio::OF_KEPT;
  const bool good = kept ? ratio.value() > 0 && ratio.value() <= 1
                         : ratio.value() >= 0 && ratio.value() < 1;
  if (good) return absl::OkStatus();
  return RefuseField(FieldPath(path, "value").ToString(),
                     absl::StrCat(kept ? "must be above 0 and at most 1, got "
                                       : "must be at least 0 and below 1, got ",
                                  ratio.value()));
}

absl::Status CheckLayerSet(const FieldPath& path, const v1::LayerSet& set) {
  if (set.layers_size() <= kMaxSkippedLayers) return absl::OkStatus();
  return RefuseField(FieldPath(path, "layers").ToString(),
                     absl::StrCat("must have at most ", kMaxSkippedLayers, " elements, got ",
                                  set.layers_size()));
}

absl::Status CheckPeriods(const FieldPath& path, const v1::CascadePeriods& periods) {
  if (periods.tokens_size() <= kMaxPeriods) return absl::OkStatus();
  return RefuseField(FieldPath(path, "tokens").ToString(),
                     absl::StrCat("must have at most ", kMaxPeriods, " elements, got ",
                                  periods.tokens_size()));
}

absl::Status CheckTriggers(const FieldPath& path, const v1::Triggers& triggers) {
  if (triggers.once() && !triggers.prefill_end()) {
    return RefuseField(FieldPath(path, "once").ToString(), "needs prefill_end, got it without");
  }
  if (!triggers.has_every() || triggers.every().tokens() >= 1) return absl::OkStatus();
  const FieldPath every(path, "every");
  return RefuseField(FieldPath(every, "tokens").ToString(),
                     absl::StrCat("must be at least 1, got ", triggers.every().tokens()));
}

absl::Status CheckScoreParameters(const FieldPath& path, const v1::Parameters& parameters) {
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "pool"), parameters.pool(),
                                   v1::ScorePool_IsValid(parameters.pool()), /*required=*/false));
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "group_reduce"), parameters.group_reduce(),
                                   v1::GroupReduce_IsValid(parameters.group_reduce()),
                                   /*required=*/false));
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "head_budget"), parameters.head_budget(),
                                   v1::HeadBudget_IsValid(parameters.head_budget()),
                                   /*required=*/false));
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "arithmetic"), parameters.arithmetic(),
                                   v1::LayerArithmetic_IsValid(parameters.arithmetic()),
                                   /*required=*/false));
  return CheckEnum(FieldPath(path, "normalise"), parameters.normalise(),
                   v1::ScoreNormalise_IsValid(parameters.normalise()), /*required=*/false);
}

absl::Status CheckParameters(const FieldPath& path, const v1::Parameters& parameters) {
  if (parameters.has_ratio()) {
    SLUICE_RETURN_IF_ERROR(CheckRatio(FieldPath(path, "ratio"), parameters.ratio()));
  }
  SLUICE_RETURN_IF_ERROR(
      CheckLayerSet(FieldPath(path, "skip_layers"), parameters.skip_layers()));
  SLUICE_RETURN_IF_ERROR(CheckPeriods(FieldPath(path, "periods"), parameters.periods()));
  SLUICE_RETURN_IF_ERROR(CheckScoreParameters(path, parameters));
  SLUICE_RETURN_IF_ERROR(CheckTriggers(FieldPath(path, "triggers"), parameters.triggers()));
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "visible"), parameters.visible(),
                                   v1::Visible_IsValid(parameters.visible()),
                                   /*required=*/false));
  return CheckEnum(FieldPath(path, "shared_prefix"), parameters.shared_prefix(),
                   v1::SharedPrefix_IsValid(parameters.shared_prefix()), /*required=*/false);
}

}  // namespace

absl::Status ValidatePolicy(const FieldPath& path, const v1::Policy& policy) {
  SLUICE_RETURN_IF_ERROR(
      CheckAscii(FieldPath(path, "preset"), policy.preset(), kMaxPresetLength));
  return CheckParameters(FieldPath(path, "parameters"), policy.parameters());
}

}  // namespace sluice
