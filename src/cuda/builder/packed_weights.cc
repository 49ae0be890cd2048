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

// What is computed from constants alone: views of them, each of the value's dimensions, and an
// expression of an element of each.
struct Formula {
  std::vector<View> constants;
  std::vector<bool> are_floats;  // whether each constant is made that before all else
  Expression expression;
  bool is_constant = false;
  // Its numbers are those of one constant of 8 bits, which half types have.
  bool has_8_bits = false;
};

std::optional<Formula> formula_of(const Value& value) {
  if (value.initializer) {
    return Formula{{*view_of(value)},
                   {false},
                   [](Kernel&, const std::vector<std::string>& x) { return x.front(); },
                   true,
                   dtype_size(value.dtype) == 1};
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
  for (const Value* operand : value.operands) {
    auto part = formula_of(*operand);
    if (!part) return std::nullopt;
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

bool has_codes(const View& view) {
  return view.base->dtype == DType::kInt8 || view.base->dtype == DType::kUInt8;
}

// How many elements of k in a row share an element of the constant; 0 for all of them.
std::optional<int64_t> run_of(const View& view, size_t k_dimension) {
  if (view.strides[k_dimension] == SymInt(0) || ir::numel(view.base->sizes) == SymInt(1)) return 0;
  if (view.repeats.empty()) return 1;
  return view.repeats[k_dimension].constant();
}

// Bytes of a constant, by row and element of k.
struct Bytes {
  std::span<const std::byte> bytes;
  int64_t offset;
  int64_t row_stride;
  int64_t k_stride;
};

// Of [rows, k], k innermost.
std::vector<std::byte> arranged(const Bytes& from, int64_t rows, int64_t k, int bits) {
  std::vector<std::byte> result(static_cast<size_t>(rows * k * bits / 8));
  size_t next = 0;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t place = from.offset + row * from.row_stride;
    for (int64_t i = 0; i < k; ++i, ++next, place += from.k_stride) {
      const std::byte code = from.bytes[static_cast<size_t>(place)];
      if (bits == 8) {
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

std::optional<PackedWeights> packed_weights(Generator& generator, const Matrices& b,
                                            const SymInt& n, const SymInt& k) {
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
  weights.buffer =
      is_as_it_is
          ? generator.constant(constant)
          : generator.constant(constant,
                               fmt::format("{} by {} of {} bits from {}, {} and {} apart", *rows,
                                           *depth, weights.bits, *offset, *row_stride, *k_stride),
                               [&] {
                                 return arranged({bytes, *offset, *row_stride, *k_stride}, *rows,
                                                 *depth, weights.bits);
                               });
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
