#include "cuda/builder/packed_weights.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cuda/builder/tiled_product.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// Weights are computed from few constants.
constexpr size_t kMostConstants = 6;

// What of a formula is known to be a number of one constant, or (code - zero point) * scale, of
// which nothing but the product is rounded: which constants these are.
struct Steps {
  enum class Last : uint8_t { kOther, kNumber, kDifference, kProduct };
  Last last = Last::kOther;
  size_t codes = 0;
  std::optional<size_t> zeros = {};
  std::optional<size_t> scales = {};
  DType type = DType::kFloat32;  // of the number, or a half type that the product is rounded to
  bool is_integer = false;       // the number; of those that packed_tiles() takes each type has all
};

// What is computed from constants alone: views of them, each of the value's dimensions, and an
// expression of an element of each.
struct Formula {
  std::vector<View> constants;
  std::vector<bool> are_floats;  // whether each constant is made that before all else
  Expression expression;
  bool is_constant = false;
  // Its numbers are those of one constant of 8 bits, which half types have.
  bool has_8_bits = false;
  Steps steps;
};

bool has_codes(const View& view) {
  return view.base->dtype == DType::kInt8 || view.base->dtype == DType::kUInt8;
}

// Of a value whose type is changed.
Steps cast(Steps steps, DType to) {
  const bool is_number = steps.last == Steps::Last::kNumber;
  const bool is_kept =
      steps.is_integer || to == steps.type || dtype_size(to) > dtype_size(steps.type);
  if (!is_floating_point(to) || (is_number && !is_kept)) return {};
  if (steps.last == Steps::Last::kProduct && is_half(to)) {
    if (is_half(steps.type) && steps.type != to) return {};
    steps.type = to;
  }
  if (is_number) steps.type = to;
  return steps;
}

// `parts`: its operands.
Steps steps_of(const Value& value, const std::vector<Steps>& parts, const Formula& formula) {
  using Last = Steps::Last;
  if (value.maker == nullptr || parts.empty()) return {};
  if (value.is_cast) return cast(parts.front(), value.dtype);
  const std::string_view op = value.maker->op_type;
  if (!is_floating_point(value.dtype) || parts.size() < 2) return {};
  Steps first = parts[0];
  Steps second = parts[1];
  if (op == "Mul" && second.last != Last::kOther && has_codes(formula.constants[second.codes]))
    std::swap(first, second);
  if (second.last != Last::kNumber) return {};
  const DType half = is_half(value.dtype) ? value.dtype : DType::kFloat32;
  if (op == "Sub" && first.last == Last::kNumber) {
    return {Last::kDifference, first.codes, second.codes, {}, value.dtype};
  }
  if (op == "Mul" && (first.last == Last::kNumber || first.last == Last::kDifference)) {
    return {Last::kProduct, first.codes, first.zeros, second.codes, half};
  }
  if (op == "DequantizeLinear" && first.last == Last::kNumber) {
    Steps steps = {Last::kProduct, first.codes, {}, second.codes, half};
    if (parts.size() > 2) {
      if (parts[2].last != Last::kNumber) return {};
      steps.zeros = parts[2].codes;
    }
    return steps;
  }
  return {};
}

std::optional<Formula> formula_of(const Value& value) {
  if (value.initializer) {
    return Formula{{*view_of(value)},
                   {false},
                   [](Kernel&, const std::vector<std::string>& x) { return x.front(); },
                   true,
                   dtype_size(value.dtype) == 1,
                   {Steps::Last::kNumber, 0, {}, {}, value.dtype, !is_floating_point(value.dtype)}};
  }
  if (value.buffer) return std::nullopt;
  if (value.moved) {
    auto formula = formula_of(*value.moved);
    for (size_t i = 0; formula && i < formula->constants.size(); ++i) {
      auto view = value.move(formula->constants[i]);
      if (!view) return std::nullopt;
      formula->constants[i] = *std::move(view);
    }
    return formula;
  }
  if (!value.expression) return std::nullopt;
  Formula whole;
  std::vector<std::pair<Expression, size_t>> parts;  // and how many constants it takes
  std::vector<Steps> steps;
  for (const Value* operand : value.operands) {
    auto part = formula_of(*operand);
    if (!part) return std::nullopt;
    const size_t before = whole.constants.size();
    steps.push_back(part->steps);
    steps.back().codes += before;
    for (auto* each : {&steps.back().zeros, &steps.back().scales}) {
      if (*each) **each += before;
    }
    for (View& constant : part->constants) {
      auto view = expanded(std::move(constant), operand->sizes, value.sizes);
      if (!view) return std::nullopt;
      whole.constants.push_back(*std::move(view));
    }
    if (whole.constants.size() > kMostConstants) return std::nullopt;
    if (part->is_constant && parts.empty()) part->are_floats = {value.makes_floats};
    whole.are_floats.insert(whole.are_floats.end(), part->are_floats.begin(),
                            part->are_floats.end());
    parts.emplace_back(std::move(part->expression), part->constants.size());
    whole.has_8_bits = value.is_cast && part->has_8_bits;
  }
  whole.steps = steps_of(value, steps, whole);
  whole.expression = [has_8_bits = whole.has_8_bits, parts = std::move(parts), &value](
                         Kernel& k, const std::vector<std::string>& x) {
    std::vector<std::string> elements;
    auto next = x.begin();
    for (const auto& [part, count] : parts) {
      const auto end = next + static_cast<std::ptrdiff_t>(count);
      elements.push_back(part(k, {next, end}));
      next = end;
    }
    const std::string element = value.expression(k, elements);
    return has_8_bits ? k.let(c_type(value.dtype), element) : k.element_of(value, element);
  };
  return whole;
}

// How many elements of k in a row share an element of the constant; 0 for all of them.
std::optional<int64_t> run_of(const View& view, size_t k_dimension) {
  if (view.strides[k_dimension] == SymInt(0) || ir::numel(view.base->sizes) == SymInt(1)) return 0;
  if (view.repeats.empty()) return 1;
  return view.repeats[k_dimension].constant();
}

// Of [rows, k], k innermost.
std::vector<std::byte> arranged(const CodeMatrix& matrix) {
  std::vector<std::byte> result(static_cast<size_t>(matrix.rows * matrix.depth * matrix.bits / 8));
  size_t next = 0;
  for (int64_t row = 0; row < matrix.rows; ++row) {
    for (int64_t i = 0; i < matrix.depth; ++i, ++next) {
      const std::byte code = matrix.at(row, i);
      if (matrix.bits == 8) {
        result[next] = code;
      } else {
        result[next / 2] |= next % 2 == 0 ? code & std::byte{15} : code << 4;
      }
    }
  }
  return result;
}

bool take_4_bits(std::span<const std::byte> codes, DType type) {
  const int least = type == DType::kInt8 ? 8 : 0;  // is added to all of them
  return std::all_of(codes.begin(), codes.end(), [least](std::byte code) {
    return static_cast<uint8_t>(std::to_integer<int>(code) + least) < 16;
  });
}

}  // namespace

std::optional<PackedWeights> packed_weights(Generator& generator, const Matrices& a,
                                            const Matrices& b, const SymInt& n, const SymInt& k) {
  const auto rows = n.constant();
  const auto depth = k.constant();
  if (!rows || !depth || *rows < 1 || *depth < 1 || ir::numel(b.batch) != SymInt(1))
    return std::nullopt;
  if (b.row_dimension >= b.value->sizes.size()) return std::nullopt;
  const auto formula = formula_of(*b.value);
  if (!formula) return std::nullopt;
  PackedWeights weights;
  weights.matrix = b;
  std::optional<size_t> codes;
  int64_t shared_by = 0;  // a multiple of which are the runs of all other constants
  for (size_t i = 0; i < formula->constants.size(); ++i) {
    const View& view = formula->constants[i];
    const auto run = run_of(view, b.k_dimension);
    if (!run) return std::nullopt;
    if (*run == 1 && has_codes(view) && !codes) {
      codes = i;
      continue;
    }
    if (*run != 0) shared_by = std::gcd(shared_by, *run);
    weights.shared.push_back(view);
  }
  if (!codes) return std::nullopt;
  const View& view = formula->constants[*codes];
  const Value& constant = *view.base;
  const auto offset = view.offset.constant();
  const auto row_stride = view.strides[b.row_dimension].constant();
  const auto k_stride = view.strides[b.k_dimension].constant();
  if (!offset || !row_stride || !k_stride || !view.repeats.empty()) return std::nullopt;
  const auto bytes = generator.bytes(*constant.initializer);
  const auto fit = [&](int64_t vector) { return *depth % vector == 0 && shared_by % vector == 0; };
  if (fit(32) && take_4_bits(bytes, constant.dtype)) {
    weights.bits = 4;
  } else if (!fit(16)) {
    return std::nullopt;
  }
  weights.type = constant.dtype;
  weights.are_floats = formula->are_floats[*codes];
  const bool is_as_it_is = weights.bits == 8 && *offset == 0 && *row_stride == *depth &&
                           *k_stride == 1 && ir::numel(constant.sizes) == SymInt(*rows * *depth);
  const CodeMatrix matrix = {&constant, bytes,   weights.bits, *rows,
                             *depth,    *offset, *row_stride,  *k_stride};
  weights.buffer = [is_as_it_is, matrix](Generator& of) {
    return is_as_it_is
               ? of.constant(*matrix.constant)
               : of.constant(*matrix.constant, matrix.name(), [&] { return arranged(matrix); });
  };
  const Steps& steps = formula->steps;
  if (steps.last != Steps::Last::kOther && steps.codes == *codes) {
    const auto number_of = [&](std::optional<size_t> i) -> std::optional<GroupNumbers> {
      if (!i) return std::nullopt;
      return GroupNumbers{formula->constants[*i], b.row_dimension, b.k_dimension};
    };
    // Numbers of 8 bits and differences of them are the same in any type.
    const bool is_exact = steps.last != Steps::Last::kProduct;
    const DType type = memory_dtype(is_exact ? *a.value : *b.value);
    if (is_exact || !is_half(steps.type) || steps.type == type) {
      weights.tiles = packed_tiles(generator, matrix, shared_by, type, number_of(steps.zeros),
                                   number_of(steps.scales));
    }
  }
  weights.weight = [expression = formula->expression, codes = *codes](
                       Kernel& kernel, const std::vector<std::string>& given) {
    std::vector<std::string> elements(given.begin() + 1, given.end());
    elements.insert(elements.begin() + static_cast<std::ptrdiff_t>(codes), given.front());
    return expression(kernel, elements);
  };
  return weights;
}

std::string load(Kernel& kernel, const View& constant, const Indices& at) {
  if (const auto literal = kernel.generator().literal(*constant.base)) return *literal;
  std::string place = kernel.number(constant.offset);
  for (size_t i = 0; i < at.size(); ++i) {
    const bool is_repeated = !constant.repeats.empty() && constant.repeats[i] != SymInt(1);
    const std::string index =
        is_repeated ? fmt::format("({} / {})", at[i], kernel.number(constant.repeats[i])) : at[i];
    place = plus(place, times(index, kernel.number(constant.strides[i])));
  }
  return kernel.load(buffer_of(kernel.generator(), constant), constant.base->dtype, place);
}

}  // namespace slipway::cuda
