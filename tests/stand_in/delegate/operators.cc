#include "stand_in/delegate/operators.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"

namespace slipway::stand_in {

namespace {

using Sizes = std::vector<int64_t>;
using Inputs = std::span<const Tensor>;

// A damaged engine must not take all memory.
constexpr int64_t kMostElements = int64_t{1} << 28;

Result<Tensor> make(DType dtype, const Sizes& sizes) {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t nbytes, contiguous_nbytes(dtype, sizes));
  if (nbytes / dtype_size(dtype) > static_cast<size_t>(kMostElements)) {
    return resource_exhausted("{} is too large", format_type(dtype, sizes));
  }
  return Tensor::zeros(dtype, sizes);
}

Status expect_inputs(const Step& step, Inputs inputs, size_t count) {
  if (inputs.size() == count) return {};
  return invalid_file("{} has {} inputs", step.op, inputs.size());
}

Status expect(const Step& step, const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return {};
  return invalid_file("{} of {}", step.op, format_type(tensor.dtype(), tensor.sizes()));
}

int64_t attribute(const Step& step, const char* name, int64_t otherwise) {
  const auto found = step.attributes.find(name);
  return found == step.attributes.end() || found->second.empty() ? otherwise
                                                                 : found->second.front();
}

// A dimension of that many; nothing where there is no such.
std::optional<size_t> axis_of(int64_t axis, size_t rank) {
  if (axis < 0) axis += static_cast<int64_t>(rank);
  if (axis < 0 || axis >= static_cast<int64_t>(rank)) return std::nullopt;
  return static_cast<size_t>(axis);
}

Error wrong(const Step& step) { return invalid_file("{} can't be computed so", step.op); }

// The integers of a list of sizes or axes.
Result<Sizes> integers(const Step& step, const Tensor& tensor) {
  SLIPWAY_RETURN_IF_ERROR(expect(step, tensor, DType::kInt64));
  if (tensor.sizes().size() > 1) return wrong(step);
  return Sizes(tensor.data_as<int64_t>(), tensor.data_as<int64_t>() + tensor.numel());
}

std::optional<Sizes> broadcast(const Sizes& a, const Sizes& b) {
  Sizes sizes(std::max(a.size(), b.size()));
  for (size_t i = 0; i < sizes.size(); ++i) {
    const int64_t one = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t other = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (one != other && one != 1 && other != 1) return std::nullopt;
    sizes[sizes.size() - 1 - i] = one == 1 ? other : one;
  }
  return sizes;
}

// How far apart the elements of `from` lie in each dimension of `to`, to which it is broadcast.
Sizes strides_in(const Sizes& from, const Sizes& to) {
  Sizes strides(to.size(), 0);
  int64_t stride = 1;
  for (size_t i = 0; i < from.size(); ++i) {
    const size_t axis = from.size() - 1 - i;
    if (from[axis] != 1) strides[to.size() - 1 - i] = stride;
    stride *= from[axis];
  }
  return strides;
}

// Calls `visit` with the place of each element of `sizes` in row-major order, by each of the
// strides.
template <size_t N, class Visit>
void for_each_place(const Sizes& sizes, const std::array<Sizes, N>& strides, const Visit& visit) {
  const int64_t count =
      std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
  Sizes index(sizes.size(), 0);
  std::array<int64_t, N> places = {};
  for (int64_t i = 0; i < count; ++i) {
    visit(i, places);
    for (size_t axis = sizes.size(); axis-- > 0;) {
      for (size_t n = 0; n < N; ++n) places[n] += strides[n][axis];
      if (++index[axis] < sizes[axis]) break;
      for (size_t n = 0; n < N; ++n) places[n] -= strides[n][axis] * sizes[axis];
      index[axis] = 0;
    }
  }
}

// Elements of `from` by strides, as a tensor of these sizes.
Result<Tensor> gather(const Tensor& from, const Sizes& sizes, const Sizes& strides) {
  SLIPWAY_ASSIGN_OR_RETURN(Tensor result, make(from.dtype(), sizes));
  const size_t width = dtype_size(from.dtype());
  const auto* source = from.data_as<std::byte>();
  auto* target = result.data_as<std::byte>();
  for_each_place<1>(sizes, {strides}, [&](int64_t i, const auto& places) {
    std::memcpy(target + static_cast<size_t>(i) * width,
                source + static_cast<size_t>(places[0]) * width, width);
  });
  return result;
}

// The same elements in the same order.
Result<Tensor> reshaped(const Step& step, const Tensor& from, const Sizes& sizes) {
  SLIPWAY_ASSIGN_OR_RETURN(Tensor result, make(from.dtype(), sizes));
  if (result.nbytes() != from.nbytes()) return wrong(step);
  if (from.nbytes() > 0) std::memcpy(result.data(), from.data(), from.nbytes());
  return result;
}

using Unary = float (*)(float);

const std::map<std::string_view, Unary>& unary_operators() {
  static const std::map<std::string_view, Unary> kAll = {
      {"Abs", [](float x) { return std::fabs(x); }},
      {"Acos", [](float x) { return std::acos(x); }},
      {"Acosh", [](float x) { return std::acosh(x); }},
      {"Asin", [](float x) { return std::asin(x); }},
      {"Asinh", [](float x) { return std::asinh(x); }},
      {"Atan", [](float x) { return std::atan(x); }},
      {"Atanh", [](float x) { return std::atanh(x); }},
      {"Ceil", [](float x) { return std::ceil(x); }},
      {"Cos", [](float x) { return std::cos(x); }},
      {"Cosh", [](float x) { return std::cosh(x); }},
      {"Erf", [](float x) { return std::erf(x); }},
      {"Exp", [](float x) { return std::exp(x); }},
      {"Floor", [](float x) { return std::floor(x); }},
      {"Identity", [](float x) { return x; }},
      {"Log", [](float x) { return std::log(x); }},
      {"Neg", [](float x) { return -x; }},
      {"Reciprocal", [](float x) { return 1 / x; }},
      {"Relu", [](float x) { return x < 0 ? 0 : x; }},
      {"Round", [](float x) { return std::nearbyint(x); }},
      {"Sigmoid", [](float x) { return 1 / (1 + std::exp(-x)); }},
      {"Sin", [](float x) { return std::sin(x); }},
      {"Sinh", [](float x) { return std::sinh(x); }},
      {"Sqrt", [](float x) { return std::sqrt(x); }},
      {"Tan", [](float x) { return std::tan(x); }},
      {"Tanh", [](float x) { return std::tanh(x); }},
  };
  return kAll;
}

Result<Tensor> run_unary(const Step& step, Unary compute, Inputs inputs) {
  SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 1));
  SLIPWAY_RETURN_IF_ERROR(expect(step, inputs[0], DType::kFloat32));
  SLIPWAY_ASSIGN_OR_RETURN(Tensor result, make(DType::kFloat32, inputs[0].sizes()));
  const auto* x = inputs[0].data_as<float>();
  std::transform(x, x + inputs[0].numel(), result.data_as<float>(), compute);
  return result;
}

struct Binary {
  float (*of_floats)(float, float);
  // Of sizes; nothing where there is no result. Null: it has none.
  std::optional<int64_t> (*of_integers)(int64_t, int64_t) = nullptr;
};

template <bool (*overflows)(int64_t, int64_t, int64_t*)>
std::optional<int64_t> unless_overflow(int64_t a, int64_t b) {
  int64_t result = 0;
  if (overflows(a, b, &result)) return std::nullopt;
  return result;
}
bool add(int64_t a, int64_t b, int64_t* result) { return __builtin_add_overflow(a, b, result); }
bool subtract(int64_t a, int64_t b, int64_t* result) {
  return __builtin_sub_overflow(a, b, result);
}
bool multiply(int64_t a, int64_t b, int64_t* result) {
  return __builtin_mul_overflow(a, b, result);
}

const std::map<std::string_view, Binary>& binary_operators() {
  static const std::map<std::string_view, Binary> kAll = {
      {"Add", {[](float a, float b) { return a + b; }, unless_overflow<add>}},
      {"Div", {[](float a, float b) { return a / b; }}},
      {"Max",
       {[](float a, float b) { return std::isnan(a) || a > b ? a : b; },
        [](int64_t a, int64_t b) { return std::optional(std::max(a, b)); }}},
      {"Min",
       {[](float a, float b) { return std::isnan(a) || a < b ? a : b; },
        [](int64_t a, int64_t b) { return std::optional(std::min(a, b)); }}},
      {"Mul", {[](float a, float b) { return a * b; }, unless_overflow<multiply>}},
      {"Pow", {[](float a, float b) { return std::pow(a, b); }}},
      {"Sub", {[](float a, float b) { return a - b; }, unless_overflow<subtract>}},
  };
  return kAll;
}

Result<Tensor> run_binary(const Step& step, const Binary& compute, Inputs inputs) {
  SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 2));
  const Tensor& a = inputs[0];
  const Tensor& b = inputs[1];
  const auto sizes = broadcast(a.sizes(), b.sizes());
  if (!sizes || a.dtype() != b.dtype()) return wrong(step);
  const bool is_integer = compute.of_integers != nullptr && a.dtype() == DType::kInt64;
  if (!is_integer) SLIPWAY_RETURN_IF_ERROR(expect(step, a, DType::kFloat32));
  SLIPWAY_ASSIGN_OR_RETURN(Tensor result, make(a.dtype(), *sizes));
  const std::array strides = {strides_in(a.sizes(), *sizes), strides_in(b.sizes(), *sizes)};
  bool is_defined = true;
  for_each_place<2>(*sizes, strides, [&](int64_t i, const auto& places) {
    if (is_integer) {
      const auto value =
          compute.of_integers(a.data_as<int64_t>()[places[0]], b.data_as<int64_t>()[places[1]]);
      is_defined = is_defined && value.has_value();
      result.data_as<int64_t>()[i] = value.value_or(0);
    } else {
      result.data_as<float>()[i] =
          compute.of_floats(a.data_as<float>()[places[0]], b.data_as<float>()[places[1]]);
    }
  });
  if (!is_defined) return wrong(step);
  return result;
}

// [..., m, k] and [..., k, n], summed in float64; one of rank 1 is a row on the left and a column
// on the right, whose dimension the result lacks.
Result<Tensor> run_matmul(const Step& step, Inputs inputs) {
  SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 2));
  Sizes a = inputs[0].sizes();
  Sizes b = inputs[1].sizes();
  for (const Tensor& input : inputs) {
    SLIPWAY_RETURN_IF_ERROR(expect(step, input, DType::kFloat32));
    if (input.sizes().empty()) return wrong(step);
  }
  const bool is_row = a.size() == 1;
  const bool is_column = b.size() == 1;
  if (is_row) a.insert(a.begin(), 1);
  if (is_column) b.push_back(1);
  const int64_t m = a[a.size() - 2];
  const int64_t k = a.back();
  const int64_t n = b.back();
  if (b[b.size() - 2] != k) return wrong(step);
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  const auto batch = broadcast(a, b);
  if (!batch) return wrong(step);
  Sizes sizes = *batch;
  if (!is_row) sizes.push_back(m);
  if (!is_column) sizes.push_back(n);
  SLIPWAY_ASSIGN_OR_RETURN(Tensor result, make(DType::kFloat32, sizes));
  if (result.numel() == 0) return result;
  auto* out = result.data_as<float>();
  const std::array strides = {strides_in(a, *batch), strides_in(b, *batch)};
  for_each_place<2>(*batch, strides, [&](int64_t i, const auto& places) {
    const float* left = inputs[0].data_as<float>() + places[0] * m * k;
    const float* right = inputs[1].data_as<float>() + places[1] * k * n;
    for (int64_t row = 0; row < m; ++row) {
      for (int64_t column = 0; column < n; ++column) {
        double sum = 0;
        for (int64_t j = 0; j < k; ++j) {
          sum += static_cast<double>(left[row * k + j]) * right[j * n + column];
        }
        out[(i * m + row) * n + column] = static_cast<float>(sum);
      }
    }
  });
  return result;
}

Result<Tensor> run_gemm(const Step& step, Inputs inputs) {
  if (inputs.size() != 3) SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 2));
  const Sizes& weight = inputs[1].sizes();
  if (inputs[0].sizes().size() != 2 || weight.size() != 2) return wrong(step);
  Tensor right = inputs[1];
  if (attribute(step, "transB", 0) != 0) {
    SLIPWAY_ASSIGN_OR_RETURN(right, gather(right, {weight[1], weight[0]}, {1, weight[1]}));
  }
  SLIPWAY_ASSIGN_OR_RETURN(Tensor product, run_matmul(step, std::array{inputs[0], right}));
  if (inputs.size() == 2) return product;
  return run_binary(step, binary_operators().at("Add"), std::array{product, inputs[2]});
}

Result<Tensor> run_transpose(const Step& step, Inputs inputs) {
  SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 1));
  const Sizes& from = inputs[0].sizes();
  const auto found = step.attributes.find("perm");
  if (found == step.attributes.end() || found->second.size() != from.size()) return wrong(step);
  const Sizes& order = found->second;
  Sizes steps(from.size(), 1);
  for (size_t i = from.size(); i-- > 1;) steps[i - 1] = steps[i] * from[i];
  Sizes sizes;
  Sizes strides;
  for (const int64_t axis : order) {
    if (axis < 0 || axis >= static_cast<int64_t>(from.size()) ||
        std::count(order.begin(), order.end(), axis) != 1) {
      return wrong(step);
    }
    sizes.push_back(from[static_cast<size_t>(axis)]);
    strides.push_back(steps[static_cast<size_t>(axis)]);
  }
  return gather(inputs[0], sizes, strides);
}

Result<Tensor> run_reshape(const Step& step, Inputs inputs) {
  SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 2));
  SLIPWAY_ASSIGN_OR_RETURN(Sizes sizes, integers(step, inputs[1]));
  const Sizes& from = inputs[0].sizes();
  const bool keeps_zeros = attribute(step, "allowzero", 0) != 0;
  std::optional<size_t> open;
  int64_t known = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0 && !keeps_zeros) {
      if (i >= from.size()) return wrong(step);
      sizes[i] = from[i];
    }
    if (sizes[i] == -1 && !open) {
      open = i;
    } else if (sizes[i] < 0 || multiply(known, sizes[i], &known)) {
      return wrong(step);
    }
  }
  if (open) {
    if (known == 0) return wrong(step);
    sizes[*open] = inputs[0].numel() / known;
  }
  return reshaped(step, inputs[0], sizes);
}

Result<Tensor> run_unsqueeze(const Step& step, Inputs inputs) {
  SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 2));
  SLIPWAY_ASSIGN_OR_RETURN(const Sizes axes, integers(step, inputs[1]));
  std::vector<bool> is_new(inputs[0].sizes().size() + axes.size(), false);
  for (const int64_t each : axes) {
    const auto axis = axis_of(each, is_new.size());
    if (!axis || is_new[*axis]) return wrong(step);
    is_new[*axis] = true;
  }
  Sizes sizes;
  auto next = inputs[0].sizes().begin();
  for (const bool each : is_new) sizes.push_back(each ? 1 : *next++);
  return reshaped(step, inputs[0], sizes);
}

Result<Tensor> run_squeeze(const Step& step, Inputs inputs) {
  SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 2));
  SLIPWAY_ASSIGN_OR_RETURN(const Sizes axes, integers(step, inputs[1]));
  Sizes sizes = inputs[0].sizes();
  for (const int64_t each : axes) {
    const auto axis = axis_of(each, sizes.size());
    if (!axis || inputs[0].sizes()[*axis] != 1) return wrong(step);
    sizes[*axis] = -1;
  }
  std::erase(sizes, -1);
  return reshaped(step, inputs[0], sizes);
}

Result<Tensor> run_expand(const Step& step, Inputs inputs) {
  SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 2));
  SLIPWAY_ASSIGN_OR_RETURN(const Sizes wanted, integers(step, inputs[1]));
  const auto sizes = broadcast(inputs[0].sizes(), wanted);
  if (!sizes) return wrong(step);
  return gather(inputs[0], *sizes, strides_in(inputs[0].sizes(), *sizes));
}

Result<Tensor> run_concat(const Step& step, Inputs inputs) {
  if (inputs.empty()) return wrong(step);
  Sizes sizes = inputs[0].sizes();
  const auto axis = axis_of(attribute(step, "axis", 0), sizes.size());
  if (!axis) return wrong(step);
  sizes[*axis] = 0;
  for (const Tensor& input : inputs) {
    if (input.dtype() != inputs[0].dtype() || input.sizes().size() != sizes.size()) {
      return wrong(step);
    }
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (i != *axis && input.sizes()[i] != sizes[i]) return wrong(step);
    }
    sizes[*axis] += input.sizes()[*axis];
  }
  SLIPWAY_ASSIGN_OR_RETURN(Tensor result, make(inputs[0].dtype(), sizes));
  if (result.nbytes() == 0) return result;
  const auto split = sizes.begin() + static_cast<std::ptrdiff_t>(*axis);
  const auto rows =
      static_cast<size_t>(std::accumulate(sizes.begin(), split, int64_t{1}, std::multiplies<>()));
  auto* out = result.data_as<std::byte>();
  for (size_t row = 0; row < rows; ++row) {
    for (const Tensor& input : inputs) {
      const size_t part = input.nbytes() / rows;
      if (part > 0) std::memcpy(out, input.data_as<std::byte>() + row * part, part);
      out += part;
    }
  }
  return result;
}

Result<Tensor> run_shape(const Step& step, Inputs inputs) {
  SLIPWAY_RETURN_IF_ERROR(expect_inputs(step, inputs, 1));
  const Sizes& sizes = inputs[0].sizes();
  const auto rank = static_cast<int64_t>(sizes.size());
  const auto place = [&](const char* name, int64_t otherwise) {
    const int64_t given = attribute(step, name, otherwise);
    return std::clamp<int64_t>(given < 0 ? given + rank : given, 0, rank);
  };
  const int64_t start = place("start", 0);
  const int64_t count = std::max<int64_t>(place("end", rank) - start, 0);
  SLIPWAY_ASSIGN_OR_RETURN(Tensor result, make(DType::kInt64, {count}));
  std::copy_n(sizes.begin() + start, count, result.data_as<int64_t>());
  return result;
}

using Operator = Result<Tensor> (*)(const Step&, Inputs);

const std::map<std::string_view, Operator>& other_operators() {
  static const std::map<std::string_view, Operator> kAll = {
      {"Concat", run_concat},   {"Expand", run_expand},       {"Gemm", run_gemm},
      {"MatMul", run_matmul},   {"Reshape", run_reshape},     {"Shape", run_shape},
      {"Squeeze", run_squeeze}, {"Transpose", run_transpose}, {"Unsqueeze", run_unsqueeze},
  };
  return kAll;
}

}  // namespace

bool has_operator(std::string_view op) {
  return unary_operators().contains(op) || binary_operators().contains(op) ||
         other_operators().contains(op);
}

Result<Tensor> run_step(const Step& step, std::span<const Tensor> inputs) {
  if (const auto unary = unary_operators().find(step.op); unary != unary_operators().end()) {
    return run_unary(step, unary->second, inputs);
  }
  if (const auto binary = binary_operators().find(step.op); binary != binary_operators().end()) {
    return run_binary(step, binary->second, inputs);
  }
  if (const auto other = other_operators().find(step.op); other != other_operators().end()) {
    return other->second(step, inputs);
  }
  return invalid_file("there is no operator {}", step.op);
}

}  // namespace slipway::stand_in
