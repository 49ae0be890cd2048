#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

// Symbolic integers are expressions; who needs one computes it from the sizes of tensors.
void size_of(Context& c) {
  if (c.output()->kind() == ir::ValueKind::kSymInt) return;
  c.fail("its result is not an integer expression");
}

// Assertions have no results; PyTorch's guards stay outside exported programs too.
void nothing(Context&) {}

// item(x): the only element, as a number. An integer defines a symbol.
void item(Context& c) {
  const Ref x = c.rank(0) == 0 ? c.tensor(0) : c.op("Reshape", {c.tensor(0), c.ints({})});
  switch (c.output()->kind()) {
    case ir::ValueKind::kSymInt:
      return c.result(c.cast(x, DType::kInt64));
    case ir::ValueKind::kSymFloat:
      return c.result(c.cast(x, DType::kFloat64));
    case ir::ValueKind::kSymBool:
      return c.result(c.cast(x, DType::kBool));
    default:
      c.fail("its result is not a number");
  }
}

bool is_integer(Context& c, size_t i) {
  return std::holds_alternative<ir::SymInt>(c.arg(i)) || std::holds_alternative<bool>(c.arg(i));
}

// _operator.add and its like, on Python's numbers.
void arithmetic(Context& c) {
  static const std::unordered_map<std::string_view, const char*> kOps = {
      {"add", "Add"},          {"sub", "Sub"},  {"mul", "Mul"},    {"truediv", "Div"},
      {"pow", "Pow"},          {"lt", "Less"},  {"gt", "Greater"}, {"le", "LessOrEqual"},
      {"eq", "Equal"},         {"ne", "Equal"}, {"and_", "And"},   {"or_", "Or"},
      {"ge", "GreaterOrEqual"}};
  if (c.output()->kind() == ir::ValueKind::kSymInt) return;
  const std::string_view name = base_name(c);
  const auto op = kOps.find(name);
  if (op == kOps.end()) return c.fail("it is not known for numbers that are not integers");
  const bool logical = name == "and_" || name == "or_";
  const bool integers = name != "truediv" && is_integer(c, 0) && is_integer(c, 1);
  const DType dtype = logical ? DType::kBool : integers ? DType::kInt64 : DType::kFloat64;
  const Ref a = c.operand(0, dtype);
  const Ref b = c.operand(1, dtype);
  const bool is_bool = c.output()->kind() == ir::ValueKind::kSymBool;
  const Ref y = c.op(op->second, {a, b}, {}, is_bool ? DType::kBool : dtype);
  c.result(name == "ne" ? c.logical_not(y) : y);
}

void negate(Context& c) {
  if (c.output()->kind() == ir::ValueKind::kSymInt) return;
  c.result(c.op("Neg", {c.operand(0, DType::kFloat64)}));
}

void symbolic_not(Context& c) { c.result(c.logical_not(c.operand(0, DType::kBool))); }

void to_float(Context& c) { c.result(c.operand(0, DType::kFloat64)); }

// cond(predicate, true branch, false branch, operands)
void cond(Context& c) {
  const auto* yes = std::get_if<std::shared_ptr<ir::Graph>>(&c.arg(1));
  const auto* no = std::get_if<std::shared_ptr<ir::Graph>>(&c.arg(2));
  if (!yes || !no) return c.fail("its branches are not graphs");
  const Ref predicate = c.operand(0, DType::kBool);
  Refs inputs;
  for (const ir::Value* value : c.values(3)) inputs.push_back(value ? c.find(value) : Ref{});
  Attributes attributes = {{"then_branch", c.sub_graph(**yes, inputs)},
                           {"else_branch", c.sub_graph(**no, inputs)}};
  std::vector<DType> dtypes;
  for (const ValueType& value :
       std::get<std::shared_ptr<Graph>>(attributes.front().second)->outputs) {
    dtypes.push_back(value.dtype);
  }
  const Refs results = c.ops("If", {predicate}, std::move(attributes), dtypes);
  for (size_t i = 0; i < results.size(); ++i) c.result(results.at(i), i);
}

constexpr Entry kSymbolicRules[] = {
    {"aten.sym_size.int aten.sym_numel _operator.floordiv _operator.mod torch.sym_max "
     "torch.sym_min "
     "torch.sym_int math.trunc math.floor math.ceil",
     size_of, "results that are not integers"},
    {"aten._local_scalar_dense aten.item", item},
    {"_operator.add _operator.sub _operator.mul _operator.truediv _operator.pow _operator.lt "
     "_operator.gt _operator.le _operator.ge _operator.eq _operator.ne _operator.and_ "
     "_operator.or_",
     arithmetic},
    {"_operator.neg", negate},
    {"torch.sym_not _operator.not_", symbolic_not},
    {"torch.sym_float", to_float},
    {"aten._assert_scalar aten._assert_tensor_metadata aten._assert_async.msg "
     "aten.sym_constrain_range aten.sym_constrain_range_for_size",
     nothing},
    {"higher_order.cond", cond},
};

}  // namespace

std::span<const Entry> symbolic_rules() { return kSymbolicRules; }

}  // namespace slipway::onnx
