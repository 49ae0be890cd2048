#include "pt2/tensor_meta.h"

#include <fmt/core.h>

namespace slipway::pt2 {
namespace {

// Sizes or strides: at most kMaxRank of them.
JsonValue::Items dimensions(JsonValue meta, const char* key) {
  const JsonValue value = meta[key];
  if (value.size() > kMaxRank) {
    value.fail(fmt::format("has more than {} dimensions", kMaxRank));
    return {};
  }
  return value.items();
}

void check_layout(JsonValue meta) {
  const JsonValue layout = meta.find("layout");
  if (!layout.is_none() && layout.to_int() != kStridedLayout) {
    layout.fail("is not strided: convert sparse tensors with to_dense() before the export",
                ErrorCode::kUnsupported);
  }
}

int64_t read_constant_int(JsonValue sym_int) {
  const auto [tag, value] = sym_int.to_union();
  if (tag == "as_int") return value.to_int();
  sym_int.fail("is symbolic where stored data needs a number");
  return 0;
}

}  // namespace

std::optional<DType> dtype_from_scalar_type(int64_t scalar_type) {
  switch (scalar_type) {
    case 1:
      return DType::kUInt8;
    case 2:
      return DType::kInt8;
    case 3:
      return DType::kInt16;
    case 4:
      return DType::kInt32;
    case 5:
      return DType::kInt64;
    case 6:
      return DType::kFloat16;
    case 7:
      return DType::kFloat32;
    case 8:
      return DType::kFloat64;
    case 9:
      return DType::kComplex32;
    case 10:
      return DType::kComplex64;
    case 11:
      return DType::kComplex128;
    case 12:
      return DType::kBool;
    case 13:
      return DType::kBFloat16;
    case 28:
      return DType::kUInt16;
    case 29:
      return DType::kFloat8E4M3FN;
    case 30:
      return DType::kFloat8E5M2;
    case 31:
      return DType::kFloat8E4M3FNUZ;
    case 32:
      return DType::kFloat8E5M2FNUZ;
    case 33:
      return DType::kFloat8E8M0;
    case 34:
      return DType::kUInt32;
    case 35:
      return DType::kUInt64;
    default:
      return std::nullopt;
  }
}

int64_t scalar_type_of(DType dtype) {
  int64_t number = 1;
  while (dtype_from_scalar_type(number) != dtype) ++number;
  return number;
}

DType read_dtype(JsonValue scalar_type) {
  const int64_t number = scalar_type.to_int();
  const auto dtype = dtype_from_scalar_type(number);
  if (!dtype) {
    scalar_type.fail(fmt::format("is {}, an element type that Slipway does not know", number),
                     ErrorCode::kUnsupported);
  }
  return dtype.value_or(DType::kFloat32);
}

std::optional<std::pair<std::string, int64_t>> symbol_hint(const ir::SymInt& expression,
                                                           JsonValue as_expr) {
  // It follows from what was seen of the symbol alone, or of a multiple of it.
  const auto linear = expression.linear();
  const JsonValue hint = as_expr.find("hint");
  if (!linear || linear->coefficient <= 0 || hint.kind() != JsonValue::Kind::kObject) return {};
  const JsonValue integer = hint.find("as_int");
  if (integer.kind() != JsonValue::Kind::kInt) return {};
  const ir::SymInt difference = ir::SymInt(integer.to_int()) - ir::SymInt(linear->offset);
  const auto multiple = difference.overflowed() ? std::nullopt : difference.constant();
  if (!multiple || *multiple % linear->coefficient != 0) return {};
  return std::pair(linear->symbol, *multiple / linear->coefficient);
}

ir::SymInt ExpressionReader::read(JsonValue sym_int) {
  const auto [tag, value] = sym_int.to_union();
  if (tag == "as_int") return value.to_int();
  if (tag != "as_expr") {
    sym_int.fail(fmt::format("is neither a number nor an expression but \"{}\"", tag));
    return 0;
  }
  const JsonValue text = value["expr_str"];
  const auto [entry, is_new] = parsed_.try_emplace(text.to_string_view());
  if (is_new) {
    auto expression = ir::SymInt::parse_srepr(text.to_string());
    if (!expression.ok()) {
      text.fail(expression.error().message(), expression.error().code());
    } else if (expression->overflowed()) {
      text.fail("does not fit in 64 bits");
    } else {
      if (auto hint = symbol_hint(*expression, value)) hints_.insert(*std::move(hint));
      entry->second = *std::move(expression);
    }
  }
  return entry->second;
}

ir::TensorType ExpressionReader::read_tensor_type(JsonValue tensor_meta) {
  ir::TensorType type;
  type.dtype = read_dtype(tensor_meta["dtype"]);
  check_layout(tensor_meta);
  const JsonValue::Items sizes = dimensions(tensor_meta, "sizes");
  for (JsonValue size : sizes) {
    type.sizes.push_back(read(size));
    if (type.sizes.back().constant().value_or(0) < 0) size.fail("is negative");
  }
  for (JsonValue stride : dimensions(tensor_meta, "strides")) {
    type.strides.push_back(read(stride));
    if (type.strides.back().constant().value_or(0) < 0) stride.fail("is negative");
  }
  if (type.sizes.size() != type.strides.size()) {
    tensor_meta.fail(
        fmt::format("has {} sizes but {} strides", type.sizes.size(), type.strides.size()));
  }
  if (type.numel().overflowed()) tensor_meta.fail("has more elements than 64 bits can count");
  return type;
}

ir::ConstantData read_constant_meta(JsonValue tensor_meta) {
  ir::ConstantData data;
  data.dtype = read_dtype(tensor_meta["dtype"]);
  check_layout(tensor_meta);
  for (JsonValue size : dimensions(tensor_meta, "sizes")) {
    data.sizes.push_back(read_constant_int(size));
  }
  for (JsonValue stride : dimensions(tensor_meta, "strides")) {
    data.strides.push_back(read_constant_int(stride));
  }
  data.storage_offset = read_constant_int(tensor_meta["storage_offset"]);
  return data;
}

}  // namespace slipway::pt2
