// Along dimensions, which lie one further back in the whole, and over all elements.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "ir/arguments.h"
#include "passes/batching.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::SymInt;
using ir::Value;
using Values = Batched::Values;

std::vector<Value*> given_tensors(const Batched& c) {
  std::vector<Value*> values;
  for (const Argument& argument : c.node().args()) {
    ir::Graph::for_each_value(argument, [&](Value* value) {
      if (value->is_tensor()) values.push_back(value);
    });
  }
  return values;
}

// Moves the dimensions among the arguments, counted in `rank`, one back; false where one is not
// known. `all`: what stands for all of them.
bool move_dims(const Batched& c, std::vector<Argument>& args, int64_t rank, bool none_is_all,
               bool empty_is_all) {
  static const std::set<std::string_view> kNames = {"dim", "dims", "dim0", "dim1", "dim2"};
  const auto* schema = schema::find_operator(c.node().op());
  if (!schema || rank == 0) return false;
  std::vector<SymInt> all;
  for (int64_t i = 1; i <= rank; ++i) all.emplace_back(i);
  for (size_t i = 0; i < std::min(args.size(), schema->parameters.size()); ++i) {
    const schema::Parameter& parameter = schema->parameters[i];
    if (!kNames.contains(parameter.name)) continue;
    if (!parameter.type.list) {
      const auto dim = ir::Arguments(c.node()).dim(i, rank);
      if (!dim) return false;
      args[i] = SymInt(*dim + 1);
      continue;
    }
    const bool is_none = std::holds_alternative<ir::None>(args[i]);
    const auto dims = ir::Arguments(c.node()).integers(i);
    if (is_none ? !none_is_all : !dims || (dims->empty() && !empty_is_all)) return false;
    if (is_none || dims->empty()) {
      args[i] = all;
      continue;
    }
    std::vector<SymInt> moved;
    for (const SymInt& each : *dims) {
      const auto constant = each.constant();
      const auto dim = constant ? ir::wrap_dim(*constant, rank) : std::nullopt;
      if (!dim) return false;
      moved.emplace_back(*dim + 1);
    }
    args[i] = moved;
  }
  return true;
}

// All tensors are those of the whole, and those at which dimensions are counted have one rank.
Values along(Batched& c, bool have_one_rank, int64_t added, bool none_is_all, bool empty_is_all) {
  const auto tensors = given_tensors(c);
  for (const Value* value : tensors) {
    if (have_one_rank && value->rank() != tensors[0]->rank()) return {};
  }
  std::vector<Argument> args = c.with([&](Value* value) { return c.repeated(value); });
  const int64_t rank = tensors[0]->rank();
  // A list of dimensions of what has none is empty.
  if (rank + added == 0 || !move_dims(c, args, rank + added, none_is_all, empty_is_all)) return {};
  return c.same(std::move(args));
}

Values along_dims(Batched& c) { return along(c, true, 0, false, false); }
Values of_any_rank(Batched& c) { return along(c, false, 0, false, false); }
Values along_new_dim(Batched& c) { return along(c, true, 1, false, false); }
// No dimensions at all are all of them; for some an empty list of them, too.
Values reduced(Batched& c) { return along(c, true, 0, true, false); }
Values summed(Batched& c) { return along(c, true, 0, true, true); }

// Places that are the same for all elements.
Values along_places(Batched& c) {
  if (c.is_batched(c.tensor(2))) return {};
  Value* x = c.tensor(0);
  std::vector<Argument> args =
      c.with([&](Value* value) { return value == c.tensor(2) ? value : c.repeated(value); });
  if (!x || !move_dims(c, args, x->rank(), false, false)) return {};
  return c.same(std::move(args));
}

// What is behind the batch is computed as it is: where nothing else is of the batch ...
Values at_the_end(Batched& c) {
  if (!c.only_batched(0) || c.operand(0)->rank() == 0) return {};
  return c.on_wholes();
}
// ... and where all is.
Values rows_at_the_end(Batched& c) {
  const auto tensors = given_tensors(c);
  for (const Value* value : tensors) {
    if (value->rank() != tensors[0]->rank()) return {};
  }
  return c.same(c.with([&](Value* value) { return c.repeated(value); }));
}

Values padded(Batched& c) {
  const auto* mode = ir::Arguments(c.node()).text(2);
  return mode && *mode == "constant" ? at_the_end(c) : Values();
}

// ---- Over all elements: along the second dimension of a matrix of the batch.

Value* as_rows(Batched& c) {
  Value* x = c.tensor(0);
  if (!c.is_batched(x)) return nullptr;
  return c.build.view(c.whole(x), {c.batch().size, x->type().numel()});
}

Values over_all(Batched& c) {
  static const std::map<std::string_view, const char*> kOverLists = {
      {"sum", "aten.sum.dim_IntList"},    {"mean", "aten.mean.dim"},
      {"max", "aten.amax.default"},       {"min", "aten.amin.default"},
      {"var", "aten.var.correction"},     {"std", "aten.std.correction"},
      {"norm", "aten.norm.ScalarOpt_dim"}};
  Value* rows = as_rows(c);
  if (!rows) return {};
  const std::vector<SymInt> dims = {1};
  std::vector<Argument> args = {rows, dims};
  if (c.name() == "sum" || c.name() == "mean") {
    args.insert(args.end(), {false, c.node().arg(1)});
  } else if (c.name() == "var" || c.name() == "std") {
    const bool is_unbiased = ir::Arguments(c.node()).flag(1).value_or(true);
    args.insert(args.end(), {SymInt(is_unbiased ? 1 : 0), false});
  } else if (c.name() == "norm") {
    args = {rows, c.node().arg(1), dims};
  }
  return c.call(kOverLists.at(c.name()), std::move(args));
}

Values over_all_along_one(Batched& c) {
  Value* rows = as_rows(c);
  if (!rows) return {};
  std::vector<Argument> args = {rows, SymInt(1), false};
  if (c.name() == "prod") args.push_back(c.node().arg(1));
  const char* op = c.name() == "prod"  ? "aten.prod.dim_int"
                   : c.name() == "any" ? "aten.any.dim"
                                       : "aten.all.dim";
  return c.call(op, std::move(args));
}

Values median_of_all(Batched& c) {
  Value* rows = as_rows(c);
  if (!rows) return {};
  const bool ignores_nan = c.name() == "nanmedian";
  ir::Node* made = c.build.node(ignores_nan ? "aten.nanmedian.dim" : "aten.median.dim",
                                {rows, SymInt(1), false});
  Value* median = c.build.graph().add_output(made, c.type_of(c.output()));
  c.build.graph().add_output(made, ir::TensorType{DType::kInt64, {c.batch().size}, {}});
  return {median};
}

Values place_of_extremum(Batched& c) {
  if (!c.node().is_none(1)) return along_dims(c);
  Value* rows = as_rows(c);
  if (!rows) return {};
  Value* place =
      c.build.call(c.node().op(), {rows, SymInt(1), false}, DType::kInt64, {c.batch().size});
  return {c.build.view(place, c.sizes_of(c.output()))};
}

// Losses of all elements, with the sum or the mean of them at the end.
Values loss_of_all(Batched& c) {
  Value* x = c.tensor(0);
  Value* target = c.tensor(1);
  const auto reduction = ir::Arguments(c.node()).constant(2);
  if (!x || !target || !reduction || *reduction < 0 || *reduction > 2) return {};
  const auto sizes = ir::broadcast_sizes(x->sizes(), target->sizes());
  if (!sizes.ok()) return {};
  const auto rank = static_cast<int64_t>(sizes->size());
  std::vector<SymInt> all = *sizes;
  all.insert(all.begin(), c.batch().size);
  std::vector<Argument> args = c.node().args();
  args[0] = c.build.expand(c.aligned(x, rank), all);
  args[1] = c.build.expand(c.aligned(target, rank), all);
  args[2] = SymInt(0);
  Value* loss = c.build.call(c.node().op(), std::move(args), c.output()->dtype(), all);
  if (*reduction == 0) return {loss};
  Value* rows = c.build.view(loss, {c.batch().size, ir::numel(*sizes)});
  return {*reduction == 1 ? c.build.mean(rows, {1}) : c.build.sum(rows, {1})};
}

// ---- By sizes.

Values repeated_along(Batched& c) {
  Value* x = c.tensor(0);
  auto repeats = ir::Arguments(c.node()).integers(1);
  if (!c.is_batched(x) || !repeats) return {};
  const auto rank = std::max(x->rank(), static_cast<int64_t>(repeats->size()));
  repeats->insert(repeats->begin(), static_cast<size_t>(rank + 1) - repeats->size(), SymInt(1));
  return c.call("aten.repeat.default", {c.aligned(x, rank), *repeats});
}

Values made_anew(Batched& c) {
  std::vector<Argument> args = c.with([&](Value* value) { return c.whole(value); });
  if (!c.only_batched(0)) return {};
  args[1] = c.sizes_of(c.output());
  return c.same(std::move(args));
}

}  // namespace

const std::vector<BatchingEntry>& batched_dimensions() {
  static const std::vector<BatchingEntry> kEntries = {
      {"all.default any.default prod.default", over_all_along_one},
      {"max.default mean.default min.default norm.Scalar std.default sum.default var.default",
       over_all},
      {"median.default nanmedian.default", median_of_all},
      {"huber_loss l1_loss mse_loss smooth_l1_loss", loss_of_all},
      {"argmax argmin", place_of_extremum},
      {"amax amin mean.dim sum.dim_IntList", summed},
      {"all.dims any.dims linalg_vector_norm logsumexp nanmean nansum norm.ScalarOpt_dim "
       "norm.ScalarOpt_dim_dtype std.correction std.dim std_mean.correction std_mean.dim "
       "var.correction var.dim var_mean.correction var_mean.dim",
       reduced},
      {"_log_softmax _safe_softmax _softmax all.dim aminmax any.dim argsort cat concat "
       "concatenate cosine_similarity count_nonzero.dim_IntList cross cummax cummin cumprod "
       "cumsum diagonal_scatter fft_fft fft_fft2 fft_hfft fft_ifft fft_ifft2 fft_ihfft fft_irfft "
       "fft_irfft2 fft_rfft fft_rfft2 flip gather glu kthvalue linalg_cross linalg_vecdot "
       "log_softmax "
       "logcumsumexp max.dim median.dim min.dim mode nanmedian.dim prod.dim_int "
       "repeat_interleave.self_int roll scatter scatter_add scatter_reduce slice_scatter softmax "
       "sort special_log_softmax special_softmax take_along_dim topk",
       along_dims},
      {"select_scatter", of_any_rank},
      {"diag_embed stack", along_new_dim},
      {"index_add index_copy index_fill.int_Scalar", along_places},
      {"_linalg_det bucketize.Tensor cholesky_inverse constant_pad_nd det inverse "
       "isin.Tensor_Tensor isin.Tensor_Scalar linalg_cholesky linalg_cholesky_ex linalg_det "
       "linalg_eigh linalg_inv linalg_inv_ex linalg_matrix_power linalg_qr linalg_slogdet logdet "
       "matrix_power native_layer_norm one_hot pixel_shuffle pixel_unshuffle rms_norm slogdet "
       "tril triu view_as_complex view_as_real view.dtype",
       at_the_end},
      {"cdist pairwise_distance", rows_at_the_end},
      {"pad", padded},
      {"repeat tile", repeated_along},
      {"new_empty new_full new_ones new_zeros", made_anew},
  };
  return kEntries;
}

}  // namespace slipway::passes
