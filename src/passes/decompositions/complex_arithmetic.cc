// Arithmetic of complex numbers by their real and imaginary parts: few kernels know them.
#include <algorithm>
#include <array>
#include <string_view>

#include "ir/op_builder.h"
#include "passes/decompositions/complex_parts.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

// A complex value as two tensors.
struct Parts {
  Value* real = nullptr;
  Value* imaginary = nullptr;
};

// The real type of the result's parts.
DType real_type(Context& c) { return is_complex(c.dtype()) ? part_type(c.dtype()) : c.dtype(); }

Parts split(Context& c, Value* x, DType type) {
  if (!is_complex(x->dtype())) {
    Value* real = c.build.to_dtype(x, type);
    return {real, c.build.full_like(real, 0)};
  }
  return {c.build.to_dtype(part(c, x, 0), type), c.build.to_dtype(part(c, x, 1), type)};
}

Parts operand(Context& c, size_t i, DType type) {
  if (c.is_tensor(i)) return split(c, c.tensor(i), type);
  Value* number = c.build.scalar_tensor(c.scalar(i), type);
  return {number, c.build.scalar_tensor(0.0, type)};
}

Values join(Context& c, const Parts& parts) {
  if (c.dtype() == DType::kComplex32) {
    return c.unsupported(
        "no kernel computes complex numbers of 16 bits: convert its parts to float32");
  }
  const auto whole = [&](Value* x) {
    return x->sizes() == c.sizes() ? x : c.build.expand(x, c.sizes());
  };
  return {complex_from(c, whole(parts.real), whole(parts.imaginary))};
}

Parts product(Context& c, const Parts& a, const Parts& b) {
  return {c.build.sub(c.build.mul(a.real, b.real), c.build.mul(a.imaginary, b.imaginary)),
          c.build.add(c.build.mul(a.real, b.imaginary), c.build.mul(a.imaginary, b.real))};
}

// Smith's way, which does not overflow where the result doesn't: by the larger part of the divisor.
Parts quotient(Context& c, const Parts& a, const Parts& b) {
  auto& build = c.build;
  Value* by_real = build.ge(build.abs(b.real), build.abs(b.imaginary));
  Value* large = build.where(by_real, b.real, b.imaginary);
  Value* small = build.where(by_real, b.imaginary, b.real);
  // 0 / 0 would make NaN of a division by zero, which gives infinities.
  Value* zero = build.eq(large, 0);
  Value* ratio = build.where(zero, build.full_like(large, 0), build.div(small, large));
  Value* scale = build.reciprocal(build.add(large, build.mul(small, ratio)));
  const auto weigh = [&](Value* plain, Value* ratio_with) {  // plain + ratio_with * ratio
    return build.add(plain, build.mul(ratio_with, ratio));
  };
  Value* real = build.where(by_real, weigh(a.real, a.imaginary), weigh(a.imaginary, a.real));
  Value* imaginary = build.where(by_real, weigh(a.imaginary, build.neg(a.real)),
                                 weigh(build.neg(a.real), a.imaginary));
  return {build.mul(real, scale), build.mul(imaginary, scale)};
}

bool kernel_takes(Context& c) {
  return c.is_tensor(0) && c.is_tensor(1) && c.tensor(0)->type() == c.tensor(1)->type() &&
         c.tensor(0)->dtype() == c.dtype() && c.sizes() == c.tensor(0)->sizes();
}

Values mul(Context& c) {
  // The kernel has no complex numbers for tensors of one element.
  const bool has_more = c.bounds(ir::numel(c.sizes())).min.value_or(0) > 1;
  if (c.op() == "aten.mul.Tensor" && has_more && kernel_takes(c)) return {};
  const DType type = real_type(c);
  return join(c, product(c, operand(c, 0, type), operand(c, 1, type)));
}

Values div(Context& c) {
  const DType type = real_type(c);
  const Parts a = operand(c, 0, type);
  if (c.is_tensor(1) && is_complex(c.tensor(1)->dtype())) {
    return join(c, quotient(c, a, operand(c, 1, type)));
  }
  Value* divisor = operand(c, 1, type).real;
  return join(c, {c.build.div(a.real, divisor), c.build.div(a.imaginary, divisor)});
}

Values add(Context& c, bool minus) {
  const DType type = real_type(c);
  const Parts a = operand(c, 0, type);
  const Parts b = operand(c, 1, type);
  const ir::Scalar alpha = c.has(2) ? c.scalar(2) : ir::Scalar(SymInt(1));
  const auto sum = [&](Value* x, Value* y) {
    return minus ? c.build.sub(x, y, alpha) : c.build.add(x, y, alpha);
  };
  return join(c, {sum(a.real, b.real), sum(a.imaginary, b.imaginary)});
}

template <class Function>
Values each_part(Context& c, Function function) {
  const Parts x = operand(c, 0, real_type(c));
  return join(c, {function(x.real), function(x.imaginary)});
}

Values neg(Context& c) {
  return each_part(c, [&](Value* part) { return c.build.neg(part); });
}

Values conj(Context& c) {
  const Parts x = operand(c, 0, real_type(c));
  return join(c, {x.real, c.build.neg(x.imaginary)});
}

Values adjoint(Context& c) {
  if (c.sizes().empty()) return conj(c);
  const Parts x = operand(c, 0, real_type(c));
  return join(
      c, {c.build.transpose(x.real, -2, -1), c.build.neg(c.build.transpose(x.imaginary, -2, -1))});
}

Values same(Context& c) { return {c.tensor(0)}; }

Values reciprocal(Context& c) {
  const DType type = real_type(c);
  const Parts one = {c.build.scalar_tensor(1.0, type), c.build.scalar_tensor(0.0, type)};
  return join(c, quotient(c, one, operand(c, 0, type)));
}

Values complex_where(Context& c) {
  const DType type = real_type(c);
  const Parts a = operand(c, 1, type);
  const Parts b = operand(c, 2, type);
  return join(c, {c.build.where(c.tensor(0), a.real, b.real),
                  c.build.where(c.tensor(0), a.imaginary, b.imaginary)});
}

Values masked_fill(Context& c) {
  const DType type = real_type(c);
  const Parts x = operand(c, 0, type);
  const Parts value = operand(c, 2, type);
  return join(c, {c.build.where(c.tensor(1), value.real, x.real),
                  c.build.where(c.tensor(1), value.imaginary, x.imaginary)});
}

Values sum_or_mean(Context& c, bool mean) {
  const bool everything = c.op() == "aten.sum.default" || c.op() == "aten.mean.default";
  const int64_t rank = c.tensor(0)->rank();
  std::vector<int64_t> dims;
  if (!everything && c.has(1)) dims = c.dims(c.constants(1), rank);
  if (dims.empty()) {
    for (int64_t i = 0; i < rank; ++i) dims.push_back(i);
  }
  const bool keep = !everything && c.has(2) && c.flag(2);
  return each_part(c, [&](Value* part) {
    if (rank == 0) return part;
    return mean ? c.build.mean(part, dims, keep) : c.build.sum(part, dims, keep);
  });
}

// The products of matrices: `multiply` of real ones.
template <class Multiply>
Values matrices(Context& c, Multiply multiply) {
  const DType type = real_type(c);
  const Parts a = operand(c, 0, type);
  const Parts b = operand(c, 1, type);
  return join(c, {c.build.sub(multiply(a.real, b.real), multiply(a.imaginary, b.imaginary)),
                  c.build.add(multiply(a.real, b.imaginary), multiply(a.imaginary, b.real))});
}

Values complex_mm(Context& c) {
  return matrices(c, [&](Value* a, Value* b) { return c.build.mm(a, b); });
}
Values bmm(Context& c) {
  return matrices(c, [&](Value* a, Value* b) { return c.build.bmm(a, b); });
}
Values complex_matmul(Context& c) {
  return matrices(c, [&](Value* a, Value* b) {
    return c.build.call("aten.matmul.default", {a, b}, a->dtype(), c.sizes());
  });
}

Values complex_linear(Context& c) {
  if (c.tensor(1)->rank() < 2) return complex_matmul(c);  // It takes no bias.
  Values product = matrices(c, [&](Value* a, Value* b) { return c.build.linear(a, b, nullptr); });
  if (product.empty() || !c.has(2)) return product;
  return {c.build.add(product.at(0), c.tensor(2))};
}

// The sum over a dimension of products with what the first one is conjugate to.
Values inner_product(Context& c, int64_t dim) {
  const DType type = real_type(c);
  Parts a = operand(c, 0, type);
  a.imaginary = c.build.neg(a.imaginary);
  const Parts both = product(c, a, operand(c, 1, type));
  return join(c, {c.build.sum(both.real, {dim}), c.build.sum(both.imaginary, {dim})});
}

// Between complex types, and from real numbers.
Values convert(Context& c) {
  if (!is_complex(c.dtype())) return {};
  if (c.tensor(0)->dtype() == c.dtype()) return same(c);
  return join(c, operand(c, 0, real_type(c)));
}

Values from_parts(Context& c) {
  const DType type = real_type(c);
  return join(c, {c.build.to_dtype(c.tensor(0), type), c.build.to_dtype(c.tensor(1), type)});
}

Values polar(Context& c) {
  Value* length = c.tensor(0);
  Value* angle = c.tensor(1);
  return join(c,
              {c.build.mul(length, c.build.cos(angle)), c.build.mul(length, c.build.sin(angle))});
}

Values view_as_complex(Context& c) {
  Value* x = c.tensor(0);
  return join(c, {c.build.select(x, -1, 0), c.build.select(x, -1, 1)});
}

Values equal(Context& c, bool negated) {
  const auto type = [&](size_t i) {
    return c.is_tensor(i) && is_complex(c.tensor(i)->dtype()) ? part_type(c.tensor(i)->dtype())
                                                              : DType::kFloat32;
  };
  const DType common = std::max(type(0), type(1));
  const Parts a = operand(c, 0, common);
  const Parts b = operand(c, 1, common);
  Value* both =
      c.build.logical_and(c.build.eq(a.real, b.real), c.build.eq(a.imaginary, b.imaginary));
  return {negated ? c.build.logical_not(both) : both};
}

Values complex_filled(Context& c) {
  const size_t number = c.op().starts_with("aten.new_")          ? 2
                        : c.op() == "aten.scalar_tensor.default" ? 0
                                                                 : 1;
  Value* value = c.build.full(c.sizes(), c.scalar(number), part_type(c.dtype()));
  return join(c, {value, c.build.full_like(value, 0)});
}

Values constant(Context& c, int value) {
  Value* real = c.build.full(c.sizes(), value, part_type(c.dtype()));
  return join(c, {real, value == 0 ? real : c.build.full_like(real, 0)});
}

// The operator on the real parts, or the imaginary ones, of what it is given.
Value* on_part(Context& c, int64_t which) {
  const DType type = real_type(c);
  const auto chosen = [&](Value* x) {
    if (!x || !x->is_tensor() || (!is_complex(x->dtype()) && !is_floating_point(x->dtype()))) {
      return x;  // indices and masks
    }
    const Parts both = split(c, x, type);
    return which == 0 ? both.real : both.imaginary;
  };
  std::vector<ir::Argument> args = c.node().args();
  for (ir::Argument& argument : args) {
    if (auto* value = std::get_if<Value*>(&argument)) *value = chosen(*value);
    if (auto* values = std::get_if<std::vector<Value*>>(&argument)) {
      for (Value*& value : *values) value = chosen(value);
    }
  }
  if (c.op() == "aten.constant_pad_nd.default" && which == 1) args.resize(2);
  return c.build.call(c.op(), std::move(args), type, c.sizes());
}

// Operators that move numbers, or add them up.
Values by_parts(Context& c) { return join(c, {on_part(c, 0), on_part(c, 1)}); }

Values exponential(Context& c) {
  const Parts x = operand(c, 0, real_type(c));
  Value* length = c.build.exp(x.real);
  return join(c, {c.build.mul(length, c.build.cos(x.imaginary)),
                  c.build.mul(length, c.build.sin(x.imaginary))});
}

Values isnan(Context& c) {
  const Parts x = split(c, c.tensor(0), part_type(c.tensor(0)->dtype()));
  return {c.build.logical_or(c.build.isnan(x.real), c.build.isnan(x.imaginary))};
}

// number - x
Values rsub(Context& c) {
  const DType type = real_type(c);
  const Parts x = operand(c, 0, type);
  const Parts y = operand(c, 1, type);
  const ir::Scalar alpha = c.has(2) ? c.scalar(2) : ir::Scalar(SymInt(1));
  return join(c,
              {c.build.sub(y.real, x.real, alpha), c.build.sub(y.imaginary, x.imaginary, alpha)});
}

constexpr Entry kComplexArithmeticRules[] = {
    {"aten.mul.Tensor aten.mul.Scalar", mul},
    {"aten.square.default",
     [](Context& c) -> Values {
       const Parts x = operand(c, 0, real_type(c));
       return join(c, product(c, x, x));
     }},
    {"aten.div.Tensor aten.div.Scalar aten.true_divide.Tensor", div},
    {"aten.add.Tensor aten.add.Scalar", [](Context& c) { return add(c, false); }},
    {"aten.sub.Tensor aten.sub.Scalar", [](Context& c) { return add(c, true); }},
    {"aten.rsub.Scalar aten.rsub.Tensor", rsub},
    {"aten.exp.default", exponential},
    {"aten.isnan.default", isnan},
    {"aten.stack.default aten.flip.default aten.repeat.default aten.constant_pad_nd.default "
     "aten.index.Tensor aten.index_select.default aten.gather.default aten.unfold_copy.default "
     "aten.index_put.default aten.slice_scatter.default aten.select_scatter.default "
     "aten.scatter.src aten.cumsum.default aten.diagonal_copy.default aten.tril.default "
     "aten.triu.default aten.embedding.default",
     by_parts},
    {"aten.neg.default", neg},
    {"aten._conj.default aten.conj.default aten.conj_physical.default aten._conj_physical.default",
     conj},
    {"aten.mH.default aten.matrix_H.default aten.adjoint.default", adjoint},
    {"aten.resolve_conj.default aten.resolve_neg.default", same},
    {"aten.reciprocal.default", reciprocal},
    {"aten.where.self", complex_where},
    {"aten.masked_fill.Scalar aten.masked_fill.Tensor", masked_fill},
    {"aten.sum.default aten.sum.dim_IntList", [](Context& c) { return sum_or_mean(c, false); }},
    {"aten.mean.default aten.mean.dim", [](Context& c) { return sum_or_mean(c, true); }},
    {"aten.mm.default", complex_mm},
    {"aten.bmm.default", bmm},
    {"aten.matmul.default", complex_matmul},
    {"aten.linear.default", complex_linear},
    {"aten.vdot.default", [](Context& c) { return inner_product(c, 0); }},
    {"aten.linalg_vecdot.default",
     [](Context& c) { return inner_product(c, c.has(2) ? c.constant(2) : -1); }},
    {"aten._to_copy.default aten.to.dtype aten.type_as.default", convert},
    {"aten.complex.default", from_parts},
    {"aten.polar.default", polar},
    {"aten.view_as_complex.default aten.view_as_complex_copy.default", view_as_complex},
    {"aten.eq.Tensor aten.eq.Scalar", [](Context& c) { return equal(c, false); }},
    {"aten.ne.Tensor aten.ne.Scalar", [](Context& c) { return equal(c, true); }},
    {"aten.full.default aten.full_like.default aten.new_full.default "
     "aten.scalar_tensor.default",
     complex_filled},
    {"aten.zeros.default aten.zeros_like.default aten.new_zeros.default",
     [](Context& c) { return constant(c, 0); }},
    {"aten.ones.default aten.ones_like.default aten.new_ones.default",
     [](Context& c) { return constant(c, 1); }},
};

// Kernels that are right for complex numbers where all tensors have one such type.
constexpr std::array kKernels = {
    std::string_view("aten.mul.Tensor"),
    std::string_view("aten.cat.default"),
    std::string_view("aten.permute_copy.default"),
    std::string_view("aten.select_copy.int"),
    std::string_view("aten.slice_copy.Tensor"),
    std::string_view("aten.view_copy.default"),
    std::string_view("aten.expand_copy.default"),
    std::string_view("aten.view_as_real_copy.default"),
    std::string_view("aten._fft_r2c.default"),
    std::string_view("aten._fft_c2r.default"),
};

}  // namespace

std::span<const Entry> complex_arithmetic_rules() { return kComplexArithmeticRules; }

bool has_complex_kernel(std::string_view target) {
  return std::find(kKernels.begin(), kKernels.end(), target) != kKernels.end();
}

}  // namespace slipway::passes::decompositions
