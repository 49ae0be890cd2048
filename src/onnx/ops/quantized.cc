#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include <fmt/core.h>

#include "ir/fake_quantize_rows.h"
#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

constexpr const char* kRows = "FakeQuantizeRows";

// How far uint8 lies above int8.
constexpr int64_t kUnsignedShift = 128;

struct Limits {
  int64_t min;
  int64_t max;
};

std::optional<Limits> limits_of(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return Limits{-128, 127};
    case DType::kUInt8:
      return Limits{0, 255};
    case DType::kInt16:
      return Limits{-32768, 32767};
    case DType::kUInt16:
      return Limits{0, 65535};
    default:
      return std::nullopt;
  }
}

bool is_byte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8; }

template <class T, class Number>
std::vector<Number> read(const std::vector<std::byte>& bytes) {
  std::vector<T> elements(bytes.size() / sizeof(T));
  if (!elements.empty()) std::memcpy(elements.data(), bytes.data(), elements.size() * sizeof(T));
  return {elements.begin(), elements.end()};
}

// Nothing for other types.
template <class Number>
std::optional<std::vector<Number>> elements_of(const ir::ConstantData& data) {
  switch (data.dtype) {
    case DType::kInt64:
      return read<int64_t, Number>(data.to_contiguous());
    case DType::kInt32:
      return read<int32_t, Number>(data.to_contiguous());
    case DType::kInt8:
      return read<int8_t, Number>(data.to_contiguous());
    case DType::kUInt8:
      return read<uint8_t, Number>(data.to_contiguous());
    case DType::kFloat32:
      return read<float, Number>(data.to_contiguous());
    case DType::kFloat64:
      return read<double, Number>(data.to_contiguous());
    default:
      return std::nullopt;
  }
}

// Numbers that are known, a lone one or those of a constant.
template <class Number>
std::optional<std::vector<Number>> known(Context& c, size_t i) {
  if (const auto number = c.number(i)) return std::vector{static_cast<Number>(*number)};
  const ir::ConstantData* data = c.constant_data(i);
  return data ? elements_of<Number>(*data) : std::nullopt;
}

// The scales and zero points of a node, arguments 1 and 2.
struct Quantization {
  // Those that are known.
  std::optional<std::vector<int64_t>> zero_points;
  // Of the channels; without it scale and zero point have one element.
  std::optional<int64_t> axis;

  bool is_symmetric() const {
    return zero_points && std::all_of(zero_points->begin(), zero_points->end(),
                                      [](int64_t number) { return number == 0; });
  }
  // Whether the zero points are within a type, or not known.
  bool fits(DType dtype) const {
    const auto limits = limits_of(dtype);
    return !zero_points || std::all_of(zero_points->begin(), zero_points->end(), [&](int64_t z) {
      return limits && z >= limits->min && z <= limits->max;
    });
  }
  Attributes attributes() const { return axis ? Attributes{{"axis", *axis}} : Attributes{}; }
};

Quantization per_tensor(Context& c) { return {known<int64_t>(c, 2), {}}; }

Quantization per_channel(Context& c) {
  const int64_t axis = c.dim(c.constant(3), c.rank(0));
  if (!c.has(2)) return {std::vector<int64_t>{0}, axis};
  return {known<int64_t>(c, 2), axis};
}

// A number, or a tensor of one element.
Ref single(Context& c, size_t i, DType dtype) {
  if (const auto numbers = known<double>(c, i)) {
    if (numbers->size() != 1) c.fail(fmt::format("argument {} has not one element", i));
    return c.scalar(numbers->empty() ? 1 : numbers->front(), dtype);
  }
  if (!c.is_tensor(i) || c.rank(i) == 0) return c.operand(i, dtype);
  return c.op("Reshape", {c.tensor(i, dtype), c.ints({})});
}

// Argument i, scales or zero points.
Ref numbers(Context& c, const Quantization& q, size_t i, DType dtype = DType::kFloat32) {
  return q.axis ? c.tensor(i, dtype) : single(c, i, dtype);
}

// Zero points of an 8-bit type, `shift` higher; they have to fit.
Ref zero_point(Context& c, const Quantization& q, DType dtype, int64_t shift) {
  if (!q.zero_points) return numbers(c, q, 2, dtype);
  std::vector<std::byte> bytes;
  for (const int64_t number : *q.zero_points) {
    bytes.push_back(static_cast<std::byte>(static_cast<uint8_t>(number + shift)));
  }
  if (!q.axis) return c.constant(dtype, {}, std::move(bytes));
  const auto count = static_cast<int64_t>(bytes.size());
  return c.constant(dtype, {count}, std::move(bytes));
}

// For the arithmetic of a tensor of the rank of argument 0.
Ref along_axis(Context& c, const Quantization& q, const Ref& numbers) {
  return q.axis ? c.unsqueeze(numbers, iota(c.rank(0) - 1 - *q.axis, 1)) : numbers;
}

// x in [min, max], by the steps that PyTorch takes, as float32.
Ref quantize_by_steps(Context& c, const Ref& x, const Quantization& q, int64_t min, int64_t max) {
  const auto scale = q.axis ? std::nullopt : known<double>(c, 1);
  const Ref inverse = scale && !scale->empty()
                          ? c.number_like(1 / scale->front(), x)
                          : along_axis(c, q, c.op("Reciprocal", {numbers(c, q, 1)}));
  const Ref steps = c.op("Round", {c.mul(x, inverse)});
  const Ref shifted = c.add(steps, along_axis(c, q, numbers(c, q, 2)));
  return c.op("Clip", {shifted, c.number_like(static_cast<double>(min), x),
                       c.number_like(static_cast<double>(max), x)});
}

// x, brought to where no more than [min, max] is reached: what is quantized stays the same.
Ref clip_to(Context& c, const Ref& x, const Quantization& q, int64_t min, int64_t max) {
  const auto scale = known<double>(c, 1);
  const auto real = [&](int64_t number) {
    if (scale && !scale->empty() && q.zero_points && !q.zero_points->empty()) {
      return c.number_like(static_cast<double>(number - q.zero_points->front()) * scale->front(),
                           x);
    }
    const Ref distance = c.sub(c.number_like(static_cast<double>(number), x), numbers(c, q, 2));
    return c.mul(distance, numbers(c, q, 1));
  };
  return c.op("Clip", {x, real(min), real(max)});
}

// Whether nothing but dequantization reads what is quantized.
bool is_only_dequantized(const Context& c) {
  const auto dequantizes = [&](const ir::Node* reader) {
    return reader && reader->op().starts_with("quantized_decomposed.dequantize_per_") &&
           reader->arg(0) == ir::Argument(const_cast<ir::Value*>(c.output()));
  };
  const auto& readers = c.readers(c.output());
  return std::all_of(readers.begin(), readers.end(), dequantizes);
}

void quantize(Context& c, const Quantization& q, int64_t min, int64_t max) {
  using enum QuantizedValues;
  Ref x = c.tensor(0, DType::kFloat32);
  const DType dtype = c.dtype();
  const auto limits = limits_of(dtype);
  const bool is_narrow = limits && (min > limits->min || max < limits->max);
  const QuantizedValues form = c.options().quantized;
  const bool is_hidden = is_only_dequantized(c);
  const bool fits_form =
      form == kAsGiven || (is_hidden && form == kUnsigned) ||
      (is_hidden && form == kSymmetric && dtype == DType::kInt8 && q.is_symmetric());
  if (!is_byte(dtype) || !fits_form || !q.fits(dtype) || (is_narrow && q.axis)) {
    const Ref steps = quantize_by_steps(c, x, q, min, max);
    // Dequantization takes it as it is.
    if (is_hidden && (form == kSymmetric || form == kFloat32)) return c.bind(c.output(), steps);
    return c.result(steps);
  }
  if (is_narrow) x = clip_to(c, x, q, min, max);
  const bool shifts = form == kUnsigned && dtype == DType::kInt8 && q.zero_points;
  const DType held = shifts ? DType::kUInt8 : dtype;
  const Ref zero = zero_point(c, q, held, shifts ? kUnsignedShift : 0);
  c.bind(c.output(), c.op("QuantizeLinear", {x, numbers(c, q, 1), zero}, q.attributes(), held));
}

// Engines gather from tables of 8 bits as if their scales were of rows.
bool is_read_by_rows(Context& c, const Quantization& q) {
  if (!q.axis || feeds_products(c, c.output(), Scaled::kMaybe)) return true;
  const auto& readers = c.readers(c.output());
  return *q.axis == 0 && std::all_of(readers.begin(), readers.end(), [](const ir::Node* reader) {
    return reader && reader->op() == "aten.embedding.default";
  });
}

// Levels of four bits say so.
void add_bits(Attributes& attributes, int64_t min, int64_t max) {
  if (min >= -8 && max <= 7) attributes.emplace_back("bits", int64_t{4});
}

void dequantize(Context& c, const Quantization& q) {
  const Ref x = c.tensor(0);
  const bool is_shifted = x.dtype == DType::kUInt8 && c.type(0).dtype == DType::kInt8;
  const int64_t shift = is_shifted ? kUnsignedShift : 0;
  const Ref scale = numbers(c, q, 1);
  const bool can_shift = q.zero_points && c.has(2);
  const bool is_fused = c.options().quantized == QuantizedValues::kAsGiven || is_read_by_rows(c, q);
  if (is_byte(x.dtype) && q.fits(c.type(0).dtype) && (can_shift || !is_shifted) && is_fused) {
    Refs inputs = {x, scale};
    // Engines look for a product of a scale alone.
    if (!q.is_symmetric() || is_shifted) inputs.push_back(zero_point(c, q, x.dtype, shift));
    Attributes attributes = q.attributes();
    if (q.axis && c.fused(kRows)) add_bits(attributes, c.constant(4), c.constant(5));
    return c.result(c.op("DequantizeLinear", inputs, attributes, DType::kFloat32));
  }
  Ref wide =
      is_fused || !is_byte(x.dtype)
          ? c.cast(x, DType::kFloat32)
          : c.op("DequantizeLinear", {x, c.scalar(1.0, DType::kFloat32)}, {}, DType::kFloat32);
  if (is_shifted) wide = c.sub(wide, static_cast<double>(shift));
  if (c.has(2)) wide = c.sub(wide, along_axis(c, q, numbers(c, q, 2)));
  c.result(c.mul(wide, along_axis(c, q, scale)));
}

// quantize_per_tensor(x, scale, zero_point, min, max, dtype)
void quantize_per_tensor(Context& c) { quantize(c, per_tensor(c), c.constant(3), c.constant(4)); }

void dequantize_per_tensor(Context& c) { dequantize(c, per_tensor(c)); }

// quantize_per_channel(x, scales, zero_points, axis, min, max, dtype)
void quantize_per_channel(Context& c) { quantize(c, per_channel(c), c.constant(4), c.constant(5)); }

void dequantize_per_channel(Context& c) { dequantize(c, per_channel(c)); }

// dequantize_per_channel_group(x, scales, zero_points, min, max, dtype, size, output_dtype)
void dequantize_groups(Context& c) {
  const bool has_zeros = c.has(2);
  if (!c.fused(kRows) || has_zeros || c.type(0).dtype != DType::kInt8 || c.rank(0) != 2 ||
      c.rank(1) != 2 || c.dtype() != DType::kFloat32) {
    return c.fail("weights with scales of groups are written as their parts");
  }
  Attributes attributes = {{"axis", int64_t{1}}, {"block_size", c.constant(6)}};
  add_bits(attributes, c.constant(3), c.constant(4));
  c.result(c.op("DequantizeLinear", {c.tensor(0), c.tensor(1, DType::kFloat32)}, attributes,
                DType::kFloat32));
}

// fake_quantize_rows(x, dimensions, least scale)
void fake_quantize_rows(Context& c) {
  if (!c.fused(kRows)) return c.fail("quantization of rows is written as its parts");
  c.result(c.op(kRows, {c.tensor(0)}));
}

constexpr Entry kQuantizedRules[] = {
    {"quantized_decomposed.quantize_per_tensor quantized_decomposed.quantize_per_tensor.tensor",
     quantize_per_tensor},
    {"quantized_decomposed.dequantize_per_tensor quantized_decomposed.dequantize_per_tensor.tensor",
     dequantize_per_tensor},
    {"quantized_decomposed.quantize_per_channel", quantize_per_channel},
    {"quantized_decomposed.dequantize_per_channel", dequantize_per_channel},
    {"quantized_decomposed.dequantize_per_channel_group", dequantize_groups,
     "written as its parts, but for engines that have it"},
    {ir::kFakeQuantizeRows, fake_quantize_rows,
     "made of dynamic quantization, for engines that have it"},
};

}  // namespace

std::span<const Entry> quantized_rules() { return kQuantizedRules; }

}  // namespace slipway::onnx
