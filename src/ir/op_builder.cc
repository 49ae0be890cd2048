// The builder's core, functions element by element, and new tensors.
#include "ir/op_builder.h"

#include <array>

#include "base/error.h"
#include "ir/default_argument.h"
#include "ir/promotion.h"
#include "schema/schema.h"

namespace slipway::ir {

namespace {

ScalarKind kind_of(const Scalar& scalar) {
  if (std::holds_alternative<bool>(scalar)) return ScalarKind::kBool;
  return std::holds_alternative<double>(scalar) ? ScalarKind::kFloat : ScalarKind::kInt;
}

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::string_view known : names) {
    if (known == name) return true;
  }
  return false;
}

// Defined on real numbers only.
constexpr std::array<std::string_view, 34> kFloatFunctions = {
    "acos",    "acosh", "asin",  "asinh",  "atan",  "atanh",   "cos",        "cosh",  "deg2rad",
    "digamma", "erf",   "erfc",  "erfinv", "exp",   "exp2",    "expm1",      "i0",    "lgamma",
    "log",     "log10", "log1p", "log2",   "logit", "rad2deg", "reciprocal", "rsqrt", "sigmoid",
    "sin",     "sinc",  "sinh",  "sqrt",   "tan",   "tanh",    "log_sigmoid"};
constexpr std::array<std::string_view, 8> kPredicates = {
    "isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal", "signbit", "logical_not"};

DType unary_dtype(std::string_view name, DType dtype) {
  if (contains(kPredicates, name)) return DType::kBool;
  if (contains(kFloatFunctions, name)) return to_floating_point(dtype);
  if (name == "abs" || name == "angle") {
    if (dtype == DType::kComplex32) return DType::kFloat16;
    if (dtype == DType::kComplex64) return DType::kFloat32;
    if (dtype == DType::kComplex128) return DType::kFloat64;
  }
  return name == "angle" ? to_floating_point(dtype) : dtype;
}

}  // namespace

Argument to_argument(const Scalar& scalar) {
  return std::visit([](const auto& value) { return Argument(value); }, scalar);
}

std::optional<Scalar> to_scalar(const Argument& argument) {
  if (auto* value = std::get_if<SymInt>(&argument)) return *value;
  if (auto* value = std::get_if<double>(&argument)) return *value;
  if (auto* value = std::get_if<bool>(&argument)) return *value;
  return std::nullopt;
}

double to_double(const Scalar& scalar) {
  if (auto* value = std::get_if<double>(&scalar)) return *value;
  if (auto* value = std::get_if<bool>(&scalar)) return *value ? 1 : 0;
  return static_cast<double>(std::get<SymInt>(scalar).constant().value_or(0));
}

Result<std::vector<SymInt>> broadcast_sizes(std::span<const SymInt> a, std::span<const SymInt> b) {
  if (a.size() < b.size()) std::swap(a, b);
  std::vector<SymInt> result(a.begin(), a.end());
  size_t offset = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    SymInt& size = result[offset + i];
    if (size == b[i] || b[i] == SymInt(1)) continue;
    if (size != SymInt(1) && size.is_constant() && b[i].is_constant()) {
      return invalid_file("sizes {} and {} do not broadcast", format_sizes(a), format_sizes(b));
    }
    if (size == SymInt(1) || b[i].is_constant()) size = b[i];
  }
  return result;
}

void OpBuilder::fail(Error error) {
  if (status_.ok()) status_ = std::move(error);
}

Value* OpBuilder::failed(Error error) {
  fail(std::move(error));
  return scalar_tensor(0, DType::kFloat32);
}

Node* OpBuilder::node(const std::string& op, std::vector<Argument> args) {
  if (const schema::Schema* schema = schema::find_operator(op)) {
    for (size_t i = args.size(); i < schema->parameters.size(); ++i) {
      auto argument = default_argument(schema->parameters[i]);
      if (!argument) {
        fail(internal_error("{} is built without its argument {}", op, schema->parameters[i].name));
      }
      args.push_back(argument.value_or(None()));
    }
  }
  return graph_.add_node(op, std::move(args), {.before = before_, .origin = origin_});
}

Value* OpBuilder::call(const std::string& op, std::vector<Argument> args, TensorType type) {
  return graph_.add_output(node(op, std::move(args)), std::move(type));
}

Value* OpBuilder::call(const std::string& op, std::vector<Argument> args, DType dtype,
                       std::vector<SymInt> sizes) {
  return call(op, std::move(args), TensorType{dtype, std::move(sizes), {}});
}

int64_t OpBuilder::checked_dim(const Value* x, int64_t dim, const char* op) {
  int64_t rank = std::max<int64_t>(x->rank(), 1);
  if (dim < -rank || dim >= rank) {
    fail(
        invalid_file("{}: dimension {} is out of range for {}", op, dim, format_sizes(x->sizes())));
    return 0;
  }
  return dim < 0 ? dim + rank : dim;
}

std::vector<int64_t> OpBuilder::checked_dims(const Value* x, const std::vector<int64_t>& dims,
                                             const char* op) {
  std::vector<int64_t> result = dims;
  for (int64_t& dim : result) dim = checked_dim(x, dim, op);
  return result;
}

std::vector<SymInt> OpBuilder::broadcast(std::span<const SymInt> a, std::span<const SymInt> b,
                                         const char* op) {
  auto sizes = broadcast_sizes(a, b);
  if (sizes.ok()) return *std::move(sizes);
  fail(sizes.error().with_context(op));
  return {a.begin(), a.end()};
}

// ---- Element by element.

Value* OpBuilder::binary(const char* name, Value* a, const Operand& b, std::vector<Argument> more,
                         std::optional<DType> dtype) {
  ResultType type;
  type.add(a->type());
  std::vector<SymInt> sizes = a->sizes();
  std::vector<Argument> args = {a};
  std::string op = fmt::format("aten.{}.", name);
  if (b.tensor() != nullptr) {
    type.add(b.tensor()->type());
    sizes = broadcast(sizes, b.tensor()->sizes(), name);
    args.emplace_back(b.tensor());
    op += "Tensor";
  } else {
    type.add(kind_of(b.number()));
    args.push_back(to_argument(b.number()));
    op += "Scalar";
  }
  for (Argument& argument : more) args.push_back(std::move(argument));
  return call(op, std::move(args), dtype.value_or(type.get()), std::move(sizes));
}

Value* OpBuilder::comparison(const char* name, Value* a, const Operand& b) {
  return binary(name, a, b, {}, DType::kBool);
}

Value* OpBuilder::tensor_binary(const char* name, Value* a, Value* b, std::optional<DType> dtype) {
  DType type = dtype.value_or(ResultType().add(a->type()).add(b->type()).get());
  return call(fmt::format("aten.{}.default", name), {a, b}, type,
              broadcast(a->sizes(), b->sizes(), name));
}

Value* OpBuilder::add(Value* a, const Operand& b, const Scalar& alpha) {
  return binary("add", a, b, {to_argument(alpha)}, {});
}
Value* OpBuilder::sub(Value* a, const Operand& b, const Scalar& alpha) {
  return binary("sub", a, b, {to_argument(alpha)}, {});
}
Value* OpBuilder::rsub(Value* a, const Scalar& b) { return binary("rsub", a, b, {}, {}); }
Value* OpBuilder::mul(Value* a, const Operand& b) { return binary("mul", a, b, {}, {}); }

Value* OpBuilder::div(Value* a, const Operand& b) {
  Value* result = binary("div", a, b, {}, {});
  TensorType type = result->type();
  type.dtype = to_floating_point(type.dtype);
  result->set_type(std::move(type));
  return result;
}

Value* OpBuilder::div_mode(Value* a, const Operand& b, const std::string& rounding) {
  ResultType type;
  type.add(a->type());
  if (Value* tensor = b.tensor()) {
    type.add(tensor->type());
    return call("aten.div.Tensor_mode", {a, tensor, rounding}, type.get(),
                broadcast(a->sizes(), tensor->sizes(), "div"));
  }
  type.add(kind_of(b.number()));
  return call("aten.div.Scalar_mode", {a, to_argument(b.number()), rounding}, type.get(),
              a->sizes());
}

Value* OpBuilder::remainder(Value* a, const Operand& b) {
  return binary("remainder", a, b, {}, {});
}

Value* OpBuilder::pow(Value* base, const Operand& exponent) {
  ResultType type;
  type.add(base->type());
  if (Value* tensor = exponent.tensor()) {
    type.add(tensor->type());
    return call("aten.pow.Tensor_Tensor", {base, tensor}, type.get(),
                broadcast(base->sizes(), tensor->sizes(), "pow"));
  }
  type.add(kind_of(exponent.number()));
  return call("aten.pow.Tensor_Scalar", {base, to_argument(exponent.number())}, type.get(),
              base->sizes());
}

Value* OpBuilder::pow(const Scalar& base, Value* exponent) {
  DType dtype = ResultType().add(exponent->type()).add(kind_of(base)).get();
  return call("aten.pow.Scalar", {to_argument(base), exponent}, dtype, exponent->sizes());
}

Value* OpBuilder::maximum(Value* a, Value* b) { return tensor_binary("maximum", a, b); }
Value* OpBuilder::minimum(Value* a, Value* b) { return tensor_binary("minimum", a, b); }
Value* OpBuilder::atan2(Value* a, Value* b) {
  DType dtype = ResultType().add(a->type()).add(b->type()).get();
  return tensor_binary("atan2", a, b, to_floating_point(dtype));
}

Value* OpBuilder::eq(Value* a, const Operand& b) { return comparison("eq", a, b); }
Value* OpBuilder::ne(Value* a, const Operand& b) { return comparison("ne", a, b); }
Value* OpBuilder::lt(Value* a, const Operand& b) { return comparison("lt", a, b); }
Value* OpBuilder::le(Value* a, const Operand& b) { return comparison("le", a, b); }
Value* OpBuilder::gt(Value* a, const Operand& b) { return comparison("gt", a, b); }
Value* OpBuilder::ge(Value* a, const Operand& b) { return comparison("ge", a, b); }

Value* OpBuilder::logical_and(Value* a, Value* b) {
  return tensor_binary("logical_and", a, b, DType::kBool);
}
Value* OpBuilder::logical_or(Value* a, Value* b) {
  return tensor_binary("logical_or", a, b, DType::kBool);
}
Value* OpBuilder::logical_not(Value* x) { return unary("logical_not", x); }
Value* OpBuilder::where(Value* condition, Value* a, Value* b) {
  DType dtype = ResultType().add(a->type()).add(b->type()).get();
  std::vector<SymInt> sizes = broadcast(a->sizes(), b->sizes(), "where");
  return call("aten.where.self", {condition, a, b}, dtype,
              broadcast(sizes, condition->sizes(), "where"));
}

Value* OpBuilder::masked_fill(Value* x, Value* mask, const Scalar& value) {
  return call("aten.masked_fill.Scalar", {x, mask, to_argument(value)}, x->dtype(),
              broadcast(x->sizes(), mask->sizes(), "masked_fill"));
}

Value* OpBuilder::clamp(Value* x, const std::optional<Scalar>& min,
                        const std::optional<Scalar>& max) {
  ResultType type;
  type.add(x->type());
  std::vector<Argument> args = {x};
  for (const std::optional<Scalar>& bound : {min, max}) {
    if (bound) type.add(kind_of(*bound));
    args.push_back(bound ? to_argument(*bound) : Argument(None()));
  }
  return call("aten.clamp.default", std::move(args), type.get(), x->sizes());
}

Value* OpBuilder::clamp_tensor(Value* x, Value* min, Value* max) {
  ResultType type;
  type.add(x->type());
  std::vector<SymInt> sizes = x->sizes();
  std::vector<Argument> args = {x};
  for (Value* bound : {min, max}) {
    if (bound == nullptr) {
      args.emplace_back(None());
      continue;
    }
    type.add(bound->type());
    sizes = broadcast(sizes, bound->sizes(), "clamp");
    args.emplace_back(bound);
  }
  return call("aten.clamp.Tensor", std::move(args), type.get(), std::move(sizes));
}

Value* OpBuilder::unary(std::string_view name, Value* x) {
  return call(fmt::format("aten.{}.default", name), {x}, unary_dtype(name, x->dtype()), x->sizes());
}

Value* OpBuilder::gelu(Value* x, const std::string& approximate) {
  return call("aten.gelu.default", {x, approximate}, x->dtype(), x->sizes());
}
Value* OpBuilder::leaky_relu(Value* x, const Scalar& negative_slope) {
  return call("aten.leaky_relu.default", {x, to_argument(negative_slope)}, x->dtype(), x->sizes());
}
Value* OpBuilder::elu(Value* x, const Scalar& alpha, const Scalar& scale,
                      const Scalar& input_scale) {
  return call("aten.elu.default",
              {x, to_argument(alpha), to_argument(scale), to_argument(input_scale)}, x->dtype(),
              x->sizes());
}

Value* OpBuilder::to_dtype(Value* x, DType dtype) {
  if (x->dtype() == dtype) return x;
  return call("aten._to_copy.default", {x, dtype}, dtype, x->sizes());
}

// ---- New tensors.

Value* OpBuilder::full(std::vector<SymInt> sizes, const Scalar& value, DType dtype) {
  return call("aten.full.default", {sizes, to_argument(value), dtype}, dtype, sizes);
}

Value* OpBuilder::full_like(Value* x, const Scalar& value) {
  return full_like(x, value, x->dtype());
}
Value* OpBuilder::full_like(Value* x, const Scalar& value, DType dtype) {
  return call("aten.full_like.default", {x, to_argument(value), dtype}, dtype, x->sizes());
}

Value* OpBuilder::scalar_tensor(const Scalar& value, DType dtype) {
  return call("aten.scalar_tensor.default", {to_argument(value), dtype}, dtype, {});
}

Value* OpBuilder::arange(const SymInt& start, const SymInt& end, const SymInt& step, DType dtype) {
  if (step == SymInt(0)) return failed(invalid_file("arange: the step is 0"));
  SymInt size = -SymInt::floordiv(start - end, step);
  if (size.is_constant()) size = SymInt::max(size, 0);
  return call("aten.arange.start_step", {start, end, step, dtype}, dtype, {size});
}

}  // namespace slipway::ir
