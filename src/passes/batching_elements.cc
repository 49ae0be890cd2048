// Element by element, and views.
#include <optional>
#include <utility>

#include "ir/promotion.h"
#include "passes/batching.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;
using Values = Batched::Values;

// The type in which the operands meet, where those of the whole would meet in another one: numbers
// without dimensions, which give way to others, have one in the whole.
std::optional<DType> meeting_type(const Batched& c, const std::vector<Value*>& operands) {
  ir::ResultType elements;
  ir::ResultType wholes;
  for (const Value* value : operands) {
    elements.add(value->type());
    wholes.add(c.is_batched(value) ? c.type_of(value) : value->type());
  }
  if (operands.size() < 2 || elements.get() == wholes.get()) return std::nullopt;
  return elements.get();
}

Values each_element(Batched& c) {
  const size_t first = c.name() == "where" ? 1 : 0;
  std::vector<Value*> operands;
  for (size_t i = first; i < c.node().args().size(); ++i) {
    if (Value* value = c.tensor(i)) operands.push_back(value);
  }
  const std::optional<DType> type = meeting_type(c, operands);
  std::vector<ir::Argument> args = c.node().args();
  for (size_t i = 0; i < args.size(); ++i) {
    Value* value = c.tensor(i);
    if (!value) continue;
    Value* whole = c.aligned(value, c.output()->rank());
    args[i] = type && i >= first ? c.build.to_dtype(whole, *type) : whole;
  }
  return c.same(std::move(args));
}

Values masked_elements(Batched& c) {
  Value* x = c.tensor(0);
  Value* mask = c.tensor(1);
  if (!x || !mask) return {};
  const int64_t rank = c.output()->rank();
  if (Value* value = c.tensor(2)) {
    return {c.build.where(c.aligned(mask, rank),
                          c.build.to_dtype(c.aligned(value, rank), x->dtype()),
                          c.aligned(x, rank))};
  }
  Value* all = c.build.expand(c.aligned(x, rank), c.sizes_of(c.output()));
  return c.same({all, c.aligned(mask, rank), c.node().arg(2)});
}

std::vector<int64_t> behind_batch(const std::vector<int64_t>& dims) {
  std::vector<int64_t> result = {0};
  for (const int64_t dim : dims) result.push_back(dim + 1);
  return result;
}

Value* viewed_batch(Batched& c, const ViewStep& step, const Value* output) {
  Value* element = c.tensor(0);
  Value* x = c.whole(element);
  const ir::TensorType type = c.type_of(output);
  const SymInt dim(step.dim + 1);
  using Kind = ViewStep::Kind;
  switch (step.kind) {
    case Kind::kIdentity:
      return x;
    case Kind::kPermute:
      return c.build.permute(x, behind_batch(step.dims));
    case Kind::kView:
      return c.build.view(x, type.sizes);
    case Kind::kExpand:
      return c.build.expand(c.aligned(element, output->rank()), type.sizes);
    case Kind::kSelect:
      return c.build.call("aten.select.int", {x, dim, *step.start}, type);
    case Kind::kSlice:
      return c.build.call("aten.slice.Tensor", {x, dim, *step.start, step.end, step.step}, type);
    case Kind::kDiagonal:
      return c.build.call("aten.diagonal.default", {x, *step.start, dim, SymInt(step.dim2 + 1)},
                          type);
    case Kind::kUnfold:
      return c.build.call("aten.unfold.default", {x, dim, step.end, step.step}, type);
    case Kind::kAsStrided:
    case Kind::kBitcast:
      break;
  }
  return nullptr;
}

// Also what only may be a view, such as a conversion of types or dropout.
Values view_or_each(Batched& c) {
  if (!c.tensor(0) || !c.is_batched(c.tensor(0))) return {};
  Values values;
  for (size_t i = 0; i < c.node().outputs().size(); ++i) {
    const auto step = view_step(c.node(), i);
    if (!step) break;
    Value* value = viewed_batch(c, *step, c.node().output(i));
    if (!value) return {};
    values.push_back(value);
  }
  if (values.size() == c.node().outputs().size()) return values;
  return c.output()->sizes() == c.operand(0)->sizes() ? each_element(c) : Values();
}

Values broadcast(Batched& c) {
  const auto* tensors = std::get_if<std::vector<Value*>>(&c.node().arg(0));
  if (!tensors || tensors->size() != c.node().outputs().size()) return {};
  Values values;
  for (size_t i = 0; i < tensors->size(); ++i) {
    const Value* output = c.node().output(i);
    values.push_back(c.build.expand(c.aligned(tensors->at(i), output->rank()), c.sizes_of(output)));
  }
  return values;
}

}  // namespace

const std::vector<BatchingEntry>& batched_elements() {
  static const std::vector<BatchingEntry> kEntries = {
      {"masked_fill", masked_elements},
      {"broadcast_tensors", broadcast},
      {"__and__ __lshift__ __or__ __rshift__ __xor__ _conj _conj_copy _conj_physical "
       "abs absolute acos acosh add addcdiv addcmul angle arccos arccosh arcsin "
       "arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh bitwise_and "
       "bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil celu clamp "
       "clamp_max clamp_min clip complex conj conj_physical copysign cos cosh deg2rad digamma div "
       "divide elu empty_like eq erf erfc erfinv exp exp2 expm1 fix float_power floor "
       "floor_divide fmax fmin fmod frac full_like gcd ge gelu greater greater_equal gt hardshrink "
       "hardsigmoid hardswish hardtanh heaviside hypot i0 imag isclose isfinite isinf isnan "
       "isneginf isposinf isreal lcm ldexp le leaky_relu lerp less less_equal lgamma log log10 "
       "log1p log2 log_sigmoid logaddexp logaddexp2 logical_and logical_not logical_or "
       "logical_xor logit lt max.other maximum min.other minimum mish mul multiply nan_to_num ne "
       "neg negative nextafter not_equal ones_like polar positive pow rad2deg real reciprocal "
       "relu relu6 remainder round rsqrt rsub selu sgn sigmoid sign signbit silu sin sinc sinh "
       "softplus softshrink special_entr special_erf special_erfc special_erfinv special_exp2 "
       "special_expit special_expm1 special_gammaln special_log1p special_logit special_ndtr "
       "special_psi special_round special_sinc special_xlog1py special_xlogy sqrt square sub "
       "subtract tan tanh threshold true_divide trunc where.ScalarOther where.Scalar "
       "where.ScalarSelf where.self xlogy zeros_like",
       each_element},
      {"_cast_Byte _cast_Char _cast_Double _cast_Float _cast_Half _cast_Int _cast_Long "
       "_cast_Short _reshape_alias _to_copy _unsafe_view adjoint alias alias_copy alpha_dropout "
       "broadcast_to chunk clone contiguous detach detach_copy diagonal diagonal_copy dropout "
       "expand expand_as expand_copy feature_alpha_dropout feature_dropout flatten lift_fresh "
       "lift_fresh_copy linalg_diagonal mH mT matrix_H moveaxis movedim narrow narrow_copy "
       "numpy_T permute permute_copy ravel reshape reshape_as select select_copy slice "
       "slice_copy split split_copy split_with_sizes split_with_sizes_copy squeeze squeeze_copy "
       "swapaxes swapdims t t_copy tensor_split to transpose transpose_copy type_as unbind "
       "unbind_copy unflatten unfold unfold_copy unsafe_chunk unsafe_split "
       "unsafe_split_with_sizes unsqueeze unsqueeze_copy view view_as view_copy",
       view_or_each},
  };
  return kEntries;
}

}  // namespace slipway::passes
