// Operators of which an element takes one element of each operand.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

using Texts = std::vector<std::string>;

constexpr int kFunction = 4;  // operations that a function counts as

// Of all inputs that are given, broadcast to each other.
void apply(Rule& r, int weight, Expression expression) {
  std::vector<Value*> operands;
  for (size_t i = 0; i < r.input_count(); ++i) operands.push_back(&r.input(i));
  r.define_pointwise(operands, weight, std::move(expression));
}

void apply(Rule& r, int weight, const char* format) {
  apply(r, weight, [format](Kernel&, const Texts& x) {
    return x.size() == 1   ? fmt::format(fmt::runtime(format), x[0])
           : x.size() == 2 ? fmt::format(fmt::runtime(format), x[0], x[1])
                           : fmt::format(fmt::runtime(format), x.at(0), x.at(1), x.at(2));
  });
}

void function(Rule& r) {
  static const std::map<std::string, const char*> kNames = {
      {"Exp", "s_exp({})"},
      {"Log", "s_log({})"},
      {"Sqrt", "s_sqrt({})"},
      {"Sin", "s_sin({})"},
      {"Cos", "s_cos({})"},
      {"Tan", "s_tan({})"},
      {"Asin", "s_asin({})"},
      {"Acos", "s_acos({})"},
      {"Atan", "s_atan({})"},
      {"Sinh", "s_sinh({})"},
      {"Cosh", "s_cosh({})"},
      {"Tanh", "s_tanh({})"},
      {"Asinh", "s_asinh({})"},
      {"Acosh", "s_acosh({})"},
      {"Atanh", "s_atanh({})"},
      {"Erf", "s_erf({})"},
      {"Sigmoid", "s_sigmoid({})"},
      {"Softplus", "s_softplus({})"},
      {"Softsign", "({0} / (1 + s_fabs({0})))"},
      {"Mish", "({0} * s_tanh(s_softplus({0})))"}};
  apply(r, kFunction, kNames.at(r.node().op_type));
}

// Of a constant, or one whose numbers have another type or place.
bool is_zero(Generator& generator, const Value& value) {
  if (value.initializer) {
    const auto bytes = generator.bytes(*value.initializer);
    return std::all_of(bytes.begin(), bytes.end(),
                       [](std::byte each) { return each == std::byte(); });
  }
  if (value.buffer) return false;
  if (value.moved) return is_zero(generator, *value.moved);
  return value.is_cast && is_zero(generator, *value.operands.front());
}

// The zero points of weights that are quantized symmetrically.
bool subtracts_zero(Rule& r) {
  const Value& x = r.input(0);
  return r.node().op_type == "Sub" && x.sizes == broadcast(x.sizes, r.input(1).sizes) && !x.ints &&
         is_zero(r.generator(), r.input(1));
}

void simple(Rule& r) {
  if (subtracts_zero(r)) return keep_elements(r);
  static const std::map<std::string, const char*> kTexts = {
      {"Floor", "s_floor({})"},
      {"Ceil", "s_ceil({})"},
      {"Round", "s_rint({})"},
      {"Abs", "s_abs({})"},
      {"Neg", "s_neg({})"},
      {"Sign", "s_sign({})"},
      {"Reciprocal", "(1 / {})"},
      {"Relu", "s_relu({})"},
      {"IsNaN", "({0} != {0})"},
      {"Not", "(!{})"},
      {"And", "({} && {})"},
      {"Or", "({} || {})"},
      {"Xor", "({} != {})"},
      {"Equal", "({} == {})"},
      {"Less", "({} < {})"},
      {"LessOrEqual", "({} <= {})"},
      {"Greater", "({} > {})"},
      {"GreaterOrEqual", "({} >= {})"},
      {"Add", "s_add({}, {})"},
      {"Sub", "s_sub({}, {})"},
      {"Mul", "s_mul({}, {})"},
      {"Where", "({} ? {} : {})"},
      {"PRelu", "({0} >= 0 ? {0} : s_mul({0}, {1}))"}};
  apply(r, 1, kTexts.at(r.node().op_type));
}

void bitwise(Rule& r) {
  static const std::map<std::string, const char*> kTexts = {{"BitwiseAnd", "({} & {})"},
                                                            {"BitwiseOr", "({} | {})"},
                                                            {"BitwiseXor", "({} ^ {})"},
                                                            {"BitwiseNot", "(~{})"}};
  const std::string text =
      fmt::format("(({}){})", c_type(r.dtype()), std::string_view(kTexts.at(r.node().op_type)));
  apply(r, 1, [text](Kernel&, const Texts& x) {
    return x.size() == 1 ? fmt::format(fmt::runtime(text), x[0])
                         : fmt::format(fmt::runtime(text), x.at(0), x.at(1));
  });
}

void extremum(Rule& r) {
  const char* name = r.node().op_type == "Max" ? "s_max" : "s_min";
  apply(r, 1, [name](Kernel&, const Texts& x) {
    std::string text = x.at(0);
    for (size_t i = 1; i < x.size(); ++i) text = fmt::format("{}({}, {})", name, text, x[i]);
    return text;
  });
}

// Quotients of integers by 0 are an error of the call.
void divide(Rule& r) {
  const std::string& op = r.node().op_type;
  const char* name = op == "Div"                            ? "s_div"
                     : r.attribute("fmod", int64_t{0}) != 0 ? "s_fmod"
                                                            : "s_mod";
  const bool is_integer = is_integral(r.dtype());
  const auto divisor = r.input(1).initializer ? r.reals(1) : std::nullopt;
  bool may_be_zero = is_integer && !divisor;
  for (const double number : divisor.value_or(std::vector<double>())) {
    may_be_zero = may_be_zero || (is_integer && number == 0);
  }
  apply(r, is_integer ? kFunction : 2, [name, may_be_zero](Kernel& k, const Texts& x) {
    const std::string flag = may_be_zero ? k.flag("an integer is divided by zero") : "(int*)0";
    return fmt::format("{}({}, {}, {})", name, x.at(0), x.at(1), flag);
  });
}

void power(Rule& r) {
  const DType dtype = r.dtype();
  const bool is_cast = r.input(1).dtype != dtype;
  apply(r, 2 * kFunction, [=](Kernel&, const Texts& x) {
    return is_cast ? fmt::format("s_pow({}, ({}){})", x.at(0), c_type(dtype), x.at(1))
                   : fmt::format("s_pow({}, {})", x.at(0), x.at(1));
  });
}

void clip(Rule& r) {
  std::vector<Value*> bounds = {r.has(1) ? &r.input(1) : nullptr, r.has(2) ? &r.input(2) : nullptr};
  Value* x = &r.input(0);
  std::vector<Value*> operands = {x};
  for (Value* bound : bounds) {
    if (bound) operands.push_back(bound);
  }
  r.define(0, x->sizes, operands, Rule::Kind::kPointwise, 2, [=](Kernel& k, const Indices& at) {
    std::string text = k.read(*x, at);
    if (bounds[0]) text = fmt::format("s_max({}, {})", text, k.read(*bounds[0], {}));
    if (bounds[1]) text = fmt::format("s_min({}, {})", text, k.read(*bounds[1], {}));
    return text;
  });
}

void is_infinite(Rule& r) {
  const char* infinity = r.input(0).dtype == DType::kFloat64 ? "s_inf()" : "s_inff()";
  apply(r, 1, [infinity](Kernel&, const Texts& x) {
    return fmt::format("(s_fabs({}) == {})", x.at(0), infinity);
  });
}

// Whether all that reads result 0 rounds it to a half type first.
bool is_rounded_to_half(Rule& r) {
  const Value& y = r.output(0);
  const auto readers = r.generator().readers(y.name);
  return !y.output && !readers.empty() &&
         std::all_of(readers.begin(), readers.end(), [&](const onnx::Node* reader) {
           return reader->op_type == "Cast" &&
                  is_half(r.generator().types().at(reader->outputs[0]));
         });
}

void gelu(Rule& r) {
  const bool is_tanh = r.attribute("approximate", "none") == "tanh";
  const bool is_for_half = r.dtype() == DType::kFloat32 && is_rounded_to_half(r);
  apply(r, 2 * kFunction,
        is_tanh       ? "s_gelu_tanh({})"
        : is_for_half ? "s_gelu_for_half({})"
                      : "s_gelu({})");
}

// An attribute, which is a float: beside doubles it is the shortest decimal number that it stands
// for.
std::string real(const Rule& r, float value) {
  const bool is_wide = r.dtype() == DType::kFloat64;
  return real_literal(is_wide ? std::stod(fmt::format("{}", value)) : value, r.dtype());
}

void leaky_relu(Rule& r) {
  apply(r, 2, [slope = real(r, r.attribute("alpha", 0.01F))](Kernel&, const Texts& x) {
    return fmt::format("({0} >= 0 ? {0} : {0} * {1})", x.at(0), slope);
  });
}

void elu(Rule& r) {
  apply(r, kFunction, [alpha = real(r, r.attribute("alpha", 1.0F))](Kernel&, const Texts& x) {
    return fmt::format("({0} > 0 ? {0} : {1} * s_expm1({0}))", x.at(0), alpha);
  });
}

void selu(Rule& r) {
  const std::string alpha = real(r, r.attribute("alpha", 1.67326319217681884765625F));
  const std::string gamma = real(r, r.attribute("gamma", 1.05070102214813232421875F));
  apply(r, kFunction, [=](Kernel&, const Texts& x) {
    return fmt::format("({2} * ({0} > 0 ? {0} : {1} * s_expm1({0})))", x.at(0), alpha, gamma);
  });
}

void celu(Rule& r) {
  apply(r, kFunction, [alpha = real(r, r.attribute("alpha", 1.0F))](Kernel&, const Texts& x) {
    return fmt::format("({0} >= 0 ? {0} : {0} != {0} ? {0} : {1} * s_expm1({0} / {1}))", x.at(0),
                       alpha);
  });
}

void hard_sigmoid(Rule& r) {
  const std::string alpha = real(r, r.attribute("alpha", 0.2F));
  const std::string beta = real(r, r.attribute("beta", 0.5F));
  const char* type = c_type(r.dtype());
  apply(r, 3, [=](Kernel&, const Texts& x) {
    return fmt::format("s_min(s_max({0} * {1} + {2}, ({3})0), ({3})1)", x.at(0), alpha, beta, type);
  });
}

void hard_swish(Rule& r) {
  const char* type = c_type(r.dtype());
  apply(r, 4, [=](Kernel&, const Texts& x) {
    return fmt::format("({0} * s_min(s_max({0} + 3, ({1})0), ({1})6) / 6)", x.at(0), type);
  });
}

// The elements on one side of a diagonal; others are 0.
void trilu(Rule& r) {
  Value* x = &r.input(0);
  const bool upper = r.attribute("upper", int64_t{1}) != 0;
  const SymInt diagonal = r.has(1) ? r.integers(1).at(0) : SymInt(0);
  const char* type = c_type(r.dtype());
  r.define(0, x->sizes, {x}, Rule::Kind::kPointwise, 1, [=](Kernel& k, const Indices& at) {
    const size_t n = at.size();
    const std::string row = plus(at.at(n - 2), k.number(diagonal));
    const char* order = upper ? ">=" : "<=";
    return fmt::format("({} {} {} ? {} : ({})0)", at.at(n - 1), order, row, k.read(*x, at), type);
  });
}

constexpr Entry kPointwiseRules[] = {
    {"Exp Log Sqrt Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh Erf Sigmoid "
     "Softplus Softsign Mish",
     function},
    {"Floor Ceil Round Abs Neg Sign Reciprocal Relu IsNaN Not And Or Xor Equal Less LessOrEqual "
     "Greater GreaterOrEqual Where PRelu",
     simple},
    {"BitwiseAnd BitwiseOr BitwiseXor BitwiseNot", bitwise},
    {"Clip", clip},
    {"IsInf", is_infinite},
    {"Gelu", gelu},
    {"LeakyRelu", leaky_relu},
    {"Elu", elu},
    {"Selu", selu},
    {"Celu", celu},
    {"HardSigmoid", hard_sigmoid},
    {"HardSwish", hard_swish},
    {"Trilu", trilu},
};

}  // namespace

void compute_pointwise(Rule& r) {
  const std::string& op = r.node().op_type;
  if (op == "Max" || op == "Min") return extremum(r);
  if (op == "Div" || op == "Mod") return divide(r);
  if (op == "Pow") return power(r);
  simple(r);
}

std::span<const Entry> pointwise_rules() { return kPointwiseRules; }

}  // namespace slipway::cuda
