// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/convert_cascade.h"

namespace sluice {

void ToCascadeSpec(const v1::Parameters& from, PolicySpec& spec) {
  if (from.has_cascade_tokens()) spec.cascade_tokens = from.cascade_tokens();
  if (from.has_cascades()) spec.cascades = from.cascades();
  if (from.has_periods()) {
    const auto& periods = from.periods().tokens();
    spec.periods.emplace(periods.begin(), periods.end());
  }
  if (from.has_eager_fill()) spec.eager_fill = from.eager_fill();
  if (from.has_stride_tokens()) spec.stride_tokens = from.stride_tokens();
}

void FromCascadeSpec(const PolicySpec& spec, v1::Parameters* to) {
  if (spec.cascade_tokens) to->set_cascade_tokens(*spec.cascade_tokens);
  if (spec.cascades) to->set_cascades(*spec.cascades);
  if (spec.periods) {
    to->mutable_periods()->mutable_tokens()->Assign(spec.periods->begin(), spec.periods->end());
  }
  if (spec.eager_fill) to->set_eager_fill(*spec.eager_fill);
  if (spec.stride_tokens) to->set_stride_tokens(*spec.stride_tokens);
}

}  // namespace sluice
