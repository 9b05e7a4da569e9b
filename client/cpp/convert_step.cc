// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/convert_step.h"

#include "absl/strings/str_cat.h"
#include "client/cpp/convert_common.h"
#include "client/cpp/convert_sequence.h"
#include "client/cpp/errors.h"

namespace sluice::client {
namespace {

bool SizeFits(const TensorView& view) {
  int64_t size = DtypeBytes(view.dtype);
  return !__builtin_mul_overflow(size, view.rows, &size) &&
         !__builtin_mul_overflow(size, view.heads, &size) &&
         !__builtin_mul_overflow(size, view.dim, &size);
}

}  // namespace

void ToWire(const StepEntry& entry, v1::StepEntry* out) {
  out->set_sequence_id(entry.sequence_id);
  out->set_base_length(entry.base_length);
  out->set_token_count(entry.token_count);
  ToWire(entry.token_ids, out->mutable_token_ids());
  out->set_phase(static_cast<v1::Phase>(entry.phase));
  out->set_prefill_end(entry.prefill_end);
  out->set_rollback(entry.rollback);
  for (const ExtraKey& key : entry.extra_keys) ToWire(key, out->add_extra_keys());
}

void ToWire(std::span<const StepEntry> entries, const StepOptions& options,
            v1::BeginStepRequest* out) {
  for (const StepEntry& entry : entries) ToWire(entry, out->add_entries());
  out->set_append_only(options.append_only);
  if (options.max_wait) ToWire(*options.max_wait, out->mutable_max_wait());
  out->set_leave_out(options.leave_out);
}

void ToWire(const TensorView& view, v1::Tensor* out) {
  out->set_dtype(static_cast<v1::Dtype>(view.dtype));
  out->mutable_shape()->Reserve(3);
  out->add_shape(view.rows);
  out->add_shape(view.heads);
  out->add_shape(view.dim);
  out->set_inline_(view.data, static_cast<size_t>(view.Bytes()));
}

StepState FromWire(const v1::BeginStepResponse& response) {
  StepState out;
  out.step_id = response.step_id();
  for (const v1::StepEntryState& entry : response.entries()) {
    out.entries.push_back({entry.sequence_id(), entry.length(), entry.rollback_floor()});
  }
  for (const v1::LeftOut& left : response.left_out()) {
    out.left_out.push_back({left.entry_index(), left.sequence_id(), FromWire(left.reason())});
  }
  const v1::Room& room = response.room();
  out.room = {room.free_bytes(), room.block_bytes(), room.missing_bytes()};
  return out;
}

absl::Status CheckView(absl::string_view field, const TensorView& view) {
  if (view.rows < 1 || view.heads < 1 || view.dim < 1 || !SizeFits(view)) {
    return FieldError(absl::StrCat(field, ".shape"),
                      absl::StrCat("[", view.rows, ", ", view.heads, ", ", view.dim,
                                   "] is not a shape: each dimension must be at least 1, and the "
                                   "size fit in 63 bits"));
  }
  return view.data != nullptr ? absl::OkStatus() : FieldError(field, "has no data");
}

void Add(const v1::NonFiniteCounts& counts, NonFiniteCounts* sum) {
  sum->query_row_count += counts.query_row_count();
  sum->key_value_row_count += counts.key_value_row_count();
}

}  // namespace sluice::client
