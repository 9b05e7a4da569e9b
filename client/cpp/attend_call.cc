// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/attend_call.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/convert_step.h"
#include "client/cpp/errors.h"

namespace sluice::client {
namespace {

absl::Status TooLarge(int64_t bytes, int64_t limit) {
  return FieldError("q", absl::StrCat("one request needs ", bytes,
                                      " bytes of tensors, the daemon takes ", limit));
}

void AddSequences(std::span<const SequenceRows> parts, v1::SequenceTarget* target) {
  for (const SequenceRows& part : parts) {
    v1::SequenceRows* out = target->add_sequences();
    out->set_sequence_id(part.sequence_id);
    out->set_row_count(part.row_count);
  }
}

int64_t CountRows(std::span<const SequenceRows> parts) {
  int64_t rows = 0;
  for (const SequenceRows& part : parts) rows += part.row_count;
  return rows;
}

}  // namespace

absl::Status AttendCall::Check() const {
  if (absl::Status status = CheckView("q", input_.q); !status.ok()) return status;
  if (input_.k.has_value() != input_.v.has_value()) {
    return FieldError(input_.k ? "v" : "k", "k and v come together");
  }
  for (const auto& [field, view] : {std::pair("k", &input_.k), std::pair("v", &input_.v)}) {
    if (!view->has_value()) continue;
    if (absl::Status status = CheckView(field, **view); !status.ok()) return status;
    if ((*view)->rows != input_.q.rows) {
      return FieldError(absl::StrCat(field, ".shape"),
                        absl::StrCat("has ", (*view)->rows, " rows, q has ", input_.q.rows));
    }
  }
  const auto lse_size = static_cast<int64_t>(output_.lse.size());
  if (lse_size > 0 && lse_size != input_.q.rows * input_.q.heads) {
    return FieldError("lse", absl::StrCat("holds ", lse_size, " values, q has ",
                                          input_.q.rows * input_.q.heads, " rows of heads"));
  }
  const auto out_bytes = static_cast<int64_t>(output_.out.size());
  const int64_t unit = input_.q.rows * input_.q.heads * DtypeBytes(input_.q.dtype);
  if (out_bytes % unit != 0 || (out_bytes > 0 && input_.v && out_bytes != unit * input_.v->dim)) {
    return FieldError("out", absl::StrCat("holds ", out_bytes, " bytes, not ", unit, " * v_dim"));
  }
  return absl::OkStatus();
}

int64_t AttendCall::RowBytes() const {
  const int64_t kv_bytes = input_.k ? input_.k->RowBytes() + input_.v->RowBytes() : 0;
  return input_.q.RowBytes() + kv_bytes;
}

absl::StatusOr<AttendResult> AttendCall::OnStep(SessionStream* stream, uint64_t step_id) {
  if (absl::Status status = Check(); !status.ok()) return status;
  const int64_t limit = stream->connection().tensor_limit_bytes();
  const std::vector<RowRange> ranges = SplitRows(input_.q.rows, RowBytes(), limit);
  if (ranges.empty()) return TooLarge(RowBytes(), limit);
  for (const RowRange& range : ranges) {
    v1::SessionRequest request;
    request.mutable_attend()->set_step_id(step_id);
    request.mutable_attend()->set_first_token(input_.first_token + range.first);
    absl::Status status = Send(stream, &request, range.first, range.count);
    if (!status.ok()) return status;
  }
  return std::move(result_);
}

absl::StatusOr<std::vector<RowRange>> AttendCall::Plan(std::span<const SequenceRows> sequences,
                                                       int64_t limit_bytes) const {
  const int64_t rows = input_.q.rows;
  // By division: a product could overflow. What fits is the daemon's to judge.
  if (rows <= limit_bytes / RowBytes()) return std::vector<RowRange>{{0, std::ssize(sequences)}};
  std::vector<int64_t> counts;
  int64_t left = rows;
  for (const SequenceRows& part : sequences) {
    if (part.row_count < 1 || part.row_count > left) break;
    left -= part.row_count;
    counts.push_back(part.row_count);
  }
  if (left > 0 || counts.size() < sequences.size()) {
    return FieldError("sequences", absl::StrCat("must have at least 1 row each and together the ",
                                                rows, " rows of q"));
  }
  std::vector<RowRange> ranges = SplitEntries(counts, RowBytes(), limit_bytes);
  if (!ranges.empty()) return ranges;
  return TooLarge(*std::max_element(counts.begin(), counts.end()) * RowBytes(), limit_bytes);
}

absl::StatusOr<AttendResult> AttendCall::OnSequences(SessionStream* stream,
                                                     std::span<const SequenceRows> sequences) {
  if (absl::Status status = Check(); !status.ok()) return status;
  const auto ranges = Plan(sequences, stream->connection().tensor_limit_bytes());
  if (!ranges.ok()) return ranges.status();
  int64_t first_row = 0;
  for (const RowRange& range : *ranges) {
    const auto parts = sequences.subspan(range.first, range.count);
    v1::SessionRequest request;
    AddSequences(parts, request.mutable_attend()->mutable_sequences());
    const int64_t rows = ranges->size() == 1 ? input_.q.rows : CountRows(parts);
    absl::Status status = Send(stream, &request, first_row, rows);
    if (!status.ok()) return status;
    first_row += rows;
  }
  return std::move(result_);
}

absl::Status AttendCall::Send(SessionStream* stream, v1::SessionRequest* request, int64_t first,
                              int64_t count) {
  v1::AttendRequest* attend = request->mutable_attend();
  attend->set_layer(input_.layer);
  attend->set_want_lse(wants_lse());
  ToWire(input_.q.Rows(first, count), attend->mutable_q());
  if (input_.k) {
    ToWire(input_.k->Rows(first, count), attend->mutable_k());
    ToWire(input_.v->Rows(first, count), attend->mutable_v());
  }
  v1::SessionResponse response;
  if (absl::Status status = stream->Call(request, &response); !status.ok()) return status;
  if (!response.has_attend()) return BadAnswer("no `attend` to the request `attend`");
  return Take(response.attend(), first, count);
}

absl::Status AttendCall::Take(const v1::AttendResponse& response, int64_t first, int64_t count) {
  if (absl::Status status = TakeOut(response.out(), first, count); !status.ok()) return status;
  if (wants_lse()) {
    if (absl::Status status = TakeLse(response.lse(), first, count); !status.ok()) return status;
  }
  Add(response.non_finite(), &result_.non_finite);
  result_.step_closed = response.step_closed();
  return absl::OkStatus();
}

absl::Status AttendCall::TakeOut(const v1::Tensor& out, int64_t first, int64_t count) {
  const TensorView& q = input_.q;
  const bool has_shape = out.shape_size() == 3 && out.shape(0) == count &&
                         out.shape(1) == q.heads && out.shape(2) > 0 &&
                         out.dtype() == static_cast<v1::Dtype>(q.dtype);
  const std::string& bytes = out.inline_();
  const int64_t row_count = count * q.heads * DtypeBytes(q.dtype);
  const auto byte_count = static_cast<int64_t>(bytes.size());
  if (!has_shape || byte_count % row_count != 0 || byte_count / row_count != out.shape(2)) {
    return BadAnswer("`out` has not the shape or dtype of q's rows");
  }
  const int64_t total_bytes = byte_count / count * q.rows;
  std::byte* target = output_.out.data();
  if (output_.out.empty()) {
    if (first == 0) {
      result_.out = {q.dtype, q.rows, q.heads, out.shape(2), {}};
      result_.out.bytes.resize(static_cast<size_t>(total_bytes));
    }
    target = result_.out.bytes.data();
  }
  const size_t room = output_.out.empty() ? result_.out.bytes.size() : output_.out.size();
  if (static_cast<int64_t>(room) != total_bytes) {
    return FieldError("out", absl::StrCat("holds ", room, " bytes, the result has ", total_bytes));
  }
  std::memcpy(target + byte_count / count * first, bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status AttendCall::TakeLse(const v1::Tensor& lse, int64_t first, int64_t count) {
  const int64_t heads = input_.q.heads;
  const std::string& bytes = lse.inline_();
  if (lse.dtype() != v1::DTYPE_FP32 ||
      bytes.size() != static_cast<size_t>(count * heads) * sizeof(float)) {
    return BadAnswer("`lse` has not one fp32 value a row and head of q");
  }
  float* target = output_.lse.data();
  if (output_.lse.empty()) {
    result_.lse.resize(static_cast<size_t>(input_.q.rows * heads));
    target = result_.lse.data();
  }
  std::memcpy(target + first * heads, bytes.data(), bytes.size());
  return absl::OkStatus();
}

}  // namespace sluice::client
