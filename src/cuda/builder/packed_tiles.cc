#include "cuda/builder/packed_tiles.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/half.h"

namespace slipway::cuda {

namespace {

constexpr int64_t kColumns = 16;  // of a tile

template <class T>
double element(std::span<const std::byte> bytes, int64_t i) {
  T value;
  std::memcpy(&value, bytes.data() + static_cast<size_t>(i) * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

std::optional<double> number_at(std::span<const std::byte> bytes, DType type, int64_t i) {
  switch (type) {
    case DType::kFloat32:
      return element<float>(bytes, i);
    case DType::kInt8:
      return element<int8_t>(bytes, i);
    case DType::kUInt8:
      return element<uint8_t>(bytes, i);
    case DType::kInt32:
      return element<int32_t>(bytes, i);
    case DType::kInt64:
      return element<int64_t>(bytes, i);
    case DType::kFloat16:
      return from_float16(static_cast<uint16_t>(element<uint16_t>(bytes, i)));
    case DType::kBFloat16:
      return from_bfloat16(static_cast<uint16_t>(element<uint16_t>(bytes, i)));
    default:
      return std::nullopt;
  }
}

// One for each row and group; `otherwise` where there is no constant.
std::optional<std::vector<double>> numbers_of(Generator& generator,
                                              const std::optional<GroupNumbers>& numbers,
                                              double otherwise, int64_t rows, int64_t groups,
                                              int64_t group) {
  std::vector<double> result(static_cast<size_t>(rows * groups), otherwise);
  if (!numbers) return result;
  const View& view = numbers->view;
  const auto bytes = generator.bytes(*view.base->initializer);
  const auto offset = view.offset.constant();
  const auto along = [&](size_t dimension) -> std::optional<std::pair<int64_t, int64_t>> {
    const auto stride = view.strides[dimension].constant();
    const auto repeats = view.repeats.empty() ? 1 : view.repeats[dimension].constant();
    if (!stride || !repeats || *repeats < 1) return std::nullopt;
    return std::pair{*stride, *repeats};
  };
  const auto by_row = along(numbers->row_dimension);
  const auto by_k = along(numbers->k_dimension);
  if (!offset || !by_row || !by_k) return std::nullopt;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < groups; ++i) {
      const int64_t place =
          *offset + row / by_row->second * by_row->first + i * group / by_k->second * by_k->first;
      const auto number = number_at(bytes, view.base->dtype, place);
      if (!number || !std::isfinite(*number)) return std::nullopt;
      result[static_cast<size_t>(row * groups + i)] = *number;
    }
  }
  return result;
}

// Which elements of which constant they are: one constant's codes may be with several.
std::string name_of(const std::optional<GroupNumbers>& numbers) {
  if (!numbers) return "none";
  const View& view = numbers->view;
  std::string name =
      fmt::format("{} from {}", view.base->name, view.offset.constant().value_or(-1));
  for (const size_t dimension : {numbers->row_dimension, numbers->k_dimension}) {
    const auto repeats = view.repeats.empty() ? 1 : view.repeats[dimension].constant();
    name += fmt::format(", {} each {}", view.strides[dimension].constant().value_or(-1),
                        repeats.value_or(-1));
  }
  return name;
}

uint32_t half_bits(double x, DType type) {
  const auto value = static_cast<float>(x);
  return type == DType::kFloat16 ? to_float16(value) : to_bfloat16(value);
}
double half_of(double x, DType type) {
  const auto bits = static_cast<uint16_t>(half_bits(x, type));
  return type == DType::kFloat16 ? from_float16(bits) : from_bfloat16(bits);
}

struct Factors {
  uint32_t scale = 0;
  uint32_t offset = 0;
};
// How weights are computed from codes, and whether a group's numbers can be written for it: o is
// what is taken away from an unsigned code.
struct CodeForm {
  const char* name;
  bool (*takes)(double o, double scale, DType type);
  Factors (*factors)(double o, double scale, DType type);
};

Factors pairs_of(double scale, double offset, DType type) {
  return {half_bits(scale, type) * 0x10001U, half_bits(offset, type) * 0x10001U};
}
Factors floats_of(double scale, double offset) {
  return {std::bit_cast<uint32_t>(static_cast<float>(scale)),
          std::bit_cast<uint32_t>(static_cast<float>(offset))};
}
// Whether it stays what it is when it is scaled by the powers of two that the kernels use.
bool is_moderate(double scale) {
  return scale == 0 || (std::abs(scale) > 0x1p-80 && std::abs(scale) < 0x1p6);
}
bool is_of(double x, DType type) {
  return type == DType::kFloat32 ? static_cast<double>(static_cast<float>(x)) == x
                                 : half_of(x, type) == x;
}

// The first one that takes all groups is the fastest one that does. packed_product.txt says what
// each computes.
constexpr CodeForm kForms[] = {
    {"s_fused_codes",
     [](double o, double scale, DType type) {
       return type == DType::kBFloat16 && is_moderate(scale) && is_of(scale, type) &&
              is_of(o * scale, type);
     },
     [](double o, double scale, DType type) {
       return pairs_of(scale * 0x1p120, -o * scale * 0x1p-13, type);
     }},
    {"s_shifted_codes",
     [](double, double scale, DType type) {
       return std::abs(scale) < 0x1p6 && is_of(scale, type) &&
              (type == DType::kFloat16 || is_moderate(scale));
     },
     [](double o, double scale, DType type) {
       return type == DType::kFloat16 ? pairs_of(scale * 0x1p9, -o * 0x1p-9, type)
                                      : pairs_of(scale * 0x1p-6, -o * 0x1p-7, type);
     }},
    {"s_fused_float_codes",
     [](double o, double scale, DType type) {
       return type == DType::kBFloat16 && is_moderate(scale) && is_of(o * scale, DType::kFloat32);
     },
     [](double o, double scale, DType) {
       return floats_of(scale * 0x1p120, -o * scale * 0x1p-29);
     }},
    {"s_float_codes", [](double, double, DType) { return true; },
     [](double o, double scale, DType) { return floats_of(scale, -o); }},
};

// What is added to codes to make them unsigned.
int bias_of(const CodeMatrix& matrix) {
  return matrix.constant->dtype == DType::kInt8 ? 1 << (matrix.bits - 1) : 0;
}

// Vectors of 16 bytes: of a unit 32 of 8 columns, four for each of these, and 32 of the next 8.
// Words have codes 2i at bit i * bits, 2i + 1 half a word above it.
std::vector<std::byte> tiles_of(const CodeMatrix& matrix, int64_t units) {
  const int64_t of_word = 32 / matrix.bits;
  const int64_t tiles = (matrix.rows + kColumns - 1) / kColumns;
  const auto bias = static_cast<uint32_t>(bias_of(matrix));
  const uint32_t most = (1U << matrix.bits) - 1;
  std::vector<uint32_t> words(static_cast<size_t>(tiles * units * 256), 0);
  for (size_t at = 0; at < words.size(); ++at) {
    const auto place = static_cast<int64_t>(at);
    const int64_t lane = place / 4 % 32;
    const int64_t unit = place / 256 % units;
    const int64_t row = place / 256 / units * kColumns + place / 128 % 2 * 8 + lane / 4;
    const int64_t first = ((unit * 4 + lane % 4) * 4 + place % 4) * of_word;
    if (row >= matrix.rows) continue;
    for (int64_t i = 0; i < of_word && first + i < matrix.depth; ++i) {
      const auto code = std::to_integer<uint32_t>(matrix.at(row, first + i)) + bias;
      words[at] |= (code & most) << (i / 2 * matrix.bits + i % 2 * 16);
    }
  }
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::string CodeMatrix::name() const {
  return fmt::format("{} by {} of {} bits from {}, {} and {} apart", rows, depth, bits, offset,
                     row_stride, k_stride);
}

std::optional<PackedTiles> packed_tiles(Generator& generator, const CodeMatrix& matrix,
                                        int64_t shared_by, DType type,
                                        const std::optional<GroupNumbers>& zeros,
                                        const std::optional<GroupNumbers>& scales) {
  if (!is_half(type)) return std::nullopt;
  PackedTiles tiles;
  tiles.type = type;
  const int64_t of_unit = 4 * 128 / matrix.bits;
  tiles.units = (matrix.depth + of_unit - 1) / of_unit;
  tiles.group = shared_by == 0 ? matrix.depth : shared_by;
  tiles.groups = (matrix.depth + tiles.group - 1) / tiles.group;
  const auto all = [&](const std::optional<GroupNumbers>& numbers, double otherwise) {
    return numbers_of(generator, numbers, otherwise, matrix.rows, tiles.groups, tiles.group);
  };
  auto offsets = all(zeros, 0);
  auto factors = all(scales, 1);
  if (!offsets || !factors) return std::nullopt;
  for (double& o : *offsets) {
    o += bias_of(matrix);
    if (o != std::floor(o) || o < 0 || o > 255) return std::nullopt;
  }
  const CodeForm* form = kForms;
  for (size_t i = 0; i < offsets->size();) {
    if (form->takes((*offsets)[i], (*factors)[i], type)) {
      ++i;
    } else {
      ++form;
      i = 0;
    }
  }
  tiles.codes = form->name;
  const std::string name = fmt::format("tiles {}", matrix.name());
  tiles.code_buffer = [matrix, name, units = tiles.units](Generator& of) {
    return of.constant(*matrix.constant, name, [&] { return tiles_of(matrix, units); });
  };
  tiles.factor_buffer =
      [matrix, form, type, groups = tiles.groups,
       name = fmt::format("{} factors of {} {}, {}, {}", name, form->name, dtype_name(type),
                          name_of(zeros), name_of(scales)),
       offsets = std::make_shared<const std::vector<double>>(*std::move(offsets)),
       scales = std::make_shared<const std::vector<double>>(*std::move(factors))](Generator& of) {
        return of.constant(*matrix.constant, name, [&] {
          const int64_t all_tiles = (matrix.rows + kColumns - 1) / kColumns;
          std::vector<Factors> made(static_cast<size_t>(all_tiles * groups * kColumns));
          for (int64_t row = 0; row < matrix.rows; ++row) {
            for (int64_t i = 0; i < groups; ++i) {
              const auto from = static_cast<size_t>(row * groups + i);
              made[static_cast<size_t>((row / kColumns * groups + i) * kColumns + row % kColumns)] =
                  form->factors((*offsets)[from], (*scales)[from], type);
            }
          }
          const auto bytes = std::as_bytes(std::span(made));
          return std::vector<std::byte>(bytes.begin(), bytes.end());
        });
      };
  return tiles;
}

}  // namespace slipway::cuda
