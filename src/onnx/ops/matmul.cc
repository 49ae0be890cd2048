#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>
#include <string>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

// Argument i as the left operand of a product: the last size.
ir::SymInt inner_size(Context& c, size_t i) {
  return c.type(i).sizes.at(c.type(i).sizes.size() - 1);
}

Ref matrix_product(Context& c, size_t left, size_t right) {
  if (c.type(left).dtype == DType::kBool) c.fail("ONNX has no product of bools");
  return product(c, c.op("MatMul", {c.tensor(left), c.tensor(right)}), inner_size(c, left));
}

void matmul(Context& c) { c.result(matrix_product(c, 0, 1)); }

// The transposition of a constant weight costs nothing: every engine folds it.
void linear(Context& c) {
  const Ref x = c.tensor(0);
  const Ref weight = c.tensor(1);
  const bool has_bias = c.has(2);
  const bool is_apart = stands_apart(c, inner_size(c, 0));
  if (c.rank(0) == 2 && c.rank(1) == 2 && is_floating_point(x.dtype) && !is_apart) {
    Refs inputs = {x, weight};
    if (has_bias) inputs.push_back(c.tensor(2));
    return c.result(c.op("Gemm", inputs, {{"transB", 1}}));
  }
  const Ref y =
      product(c, c.op("MatMul", {x, c.rank(1) == 2 ? c.transpose(weight, {1, 0}) : weight}),
              inner_size(c, 0));
  c.result(has_bias ? c.add(y, c.tensor(2)) : y);
}

// beta * bias + alpha * product. A beta of 0 ignores what the bias holds.
Ref scaled_sum(Context& c, const Ref& bias, const Ref& product) {
  const auto beta = c.number(3);
  Ref y = c.number(4) == 1.0 ? product : c.mul(product, c.operand(4, product.dtype));
  if (beta == 0.0) return y;
  return c.add(beta == 1.0 ? bias : c.mul(bias, c.operand(3, bias.dtype)), y);
}

void addmm(Context& c) {
  const Ref bias = c.tensor(0);
  const Ref a = c.tensor(1);
  const Ref b = c.tensor(2);
  const auto beta = c.number(3);
  const auto alpha = c.number(4);
  const bool is_gemm = c.rank(1) == 2 && c.rank(2) == 2 && !stands_apart(c, inner_size(c, 1));
  if (is_gemm && is_floating_point(a.dtype) && beta && alpha && beta != 0.0) {
    return c.result(
        c.op("Gemm", {a, b, bias},
             {{"alpha", static_cast<float>(*alpha)}, {"beta", static_cast<float>(*beta)}}));
  }
  c.result(scaled_sum(c, bias, matrix_product(c, 1, 2)));
}

void baddbmm(Context& c) { c.result(scaled_sum(c, c.tensor(0), matrix_product(c, 1, 2))); }

void addbmm(Context& c) {
  const Ref products = matrix_product(c, 1, 2);
  c.result(scaled_sum(c, c.tensor(0), c.reduce("ReduceSum", products, {0}, false)));
}

void outer(Context& c) {
  const DType dtype = c.dtype();
  const Ref a = c.unsqueeze(c.tensor(0, dtype), {1});
  const Ref b = c.unsqueeze(c.tensor(1, dtype), {0});
  c.result(dtype == DType::kBool ? c.op("And", {a, b}) : c.mul(a, b));
}

// How many elements each sum of an einsum has: the sizes of the labels that the result lacks.
ir::SymInt summed_size(Context& c, const std::string& equation) {
  const size_t arrow = equation.find("->");
  const std::string output = arrow == std::string::npos ? "" : equation.substr(arrow + 2);
  std::map<char, ir::SymInt> summed;
  std::istringstream subscripts(equation.substr(0, arrow));
  for (const ir::Value* operand : c.values(1)) {
    if (!operand || !operand->is_tensor()) continue;
    std::string labels;
    std::getline(subscripts, labels, ',');
    std::erase(labels, ' ');
    for (size_t i = 0; i < labels.size() && i < operand->sizes().size(); ++i) {
      if (labels[i] == '.') break;  // whatever it stands for mostly stays
      const bool stays = arrow == std::string::npos
                             ? std::count(equation.begin(), equation.end(), labels[i]) == 1
                             : output.find(labels[i]) != std::string::npos;
      if (!stays) summed.emplace(labels[i], operand->sizes()[i]);
    }
  }
  ir::SymInt size = 1;
  for (const auto& [label, count] : summed) size = size * count;
  return size;
}

void einsum(Context& c) {
  const std::string equation = c.text(0);
  c.result(
      product(c, c.op("Einsum", c.tensors(1), {{"equation", equation}}), summed_size(c, equation)));
}

// Distances between the rows of x1 and x2.
void cdist(Context& c) {
  const Ref x = c.tensor(0);
  const int64_t rank = c.rank(0);
  const double p = c.real(2);
  const Ref difference =
      c.op("Abs", {c.sub(c.unsqueeze(x, {rank - 1}), c.unsqueeze(c.tensor(1), {rank - 2}))});
  const auto sum = [&](const Ref& v) { return c.reduce("ReduceSum", v, {rank}, false); };
  if (p == 0) {
    return c.result(sum(c.cast(c.logical_not(c.compare("Equal", difference, 0.0)), x.dtype)));
  }
  if (p == 1) return c.result(sum(difference));
  if (p == 2) return c.result(c.op("Sqrt", {sum(c.mul(difference, difference))}));
  if (std::isinf(p)) {
    const Ref largest = c.reduce("ReduceMax", difference, {rank}, false);
    // The maximum of nothing is below every number, and that distance is 0.
    const bool may_be_empty = c.type(0).sizes.back().bounds(c.ranges()).min.value_or(0) < 1;
    if (!may_be_empty) return c.result(largest);
    return c.result(c.where(c.compare("Less", largest, 0.0), c.number_like(0, largest), largest));
  }
  const Ref powers = c.op("Pow", {difference, c.number_like(p, x)});
  c.result(c.op("Pow", {sum(powers), c.number_like(1 / p, x)}));
}

constexpr Entry kMatmulRules[] = {
    {"aten.mm aten.bmm aten.matmul aten.mv aten.dot aten.vdot", matmul},
    {"aten.linear", linear},
    {"aten.addmm aten.addmv", addmm},
    {"aten.baddbmm", baddbmm},
    {"aten.addbmm", addbmm},
    {"aten.outer aten.ger", outer},
    {"aten.einsum", einsum, "equations with spaces inside a subscript or sublists"},
    {"aten._cdist_forward aten.cdist", cdist},
};

}  // namespace

std::span<const Entry> matmul_rules() { return kMatmulRules; }

}  // namespace slipway::onnx
