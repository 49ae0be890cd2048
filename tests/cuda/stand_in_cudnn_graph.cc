#include "cuda/stand_in_cudnn_graph.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include "base/half.h"

namespace slipway::cuda::stand_in_dnn {
namespace {

using Sizes = std::vector<int64_t>;
using Floats = std::vector<float>;

enum Mode {
  kAdd = 0,
  kMultiplyEach = 1,
  kDivide = 6,
  kSubtract = 9,
  kExponential = 13,
  kLogarithm = 15,
  kRelu = 100,
  kGelu = 104,
  kSwish = 106,
  kGreaterEqual = 303,
  kIndex = 501,
  kSelect = 601,
};
constexpr int64_t kSum = 0;  // of reductions
constexpr int64_t kHighest = 3;

// How many tensors it takes; 0: not known here.
size_t count_inputs(int64_t mode) {
  switch (mode) {
    case kAdd:
    case kMultiplyEach:
    case kDivide:
    case kSubtract:
    case kGreaterEqual:
      return 2;
    case kExponential:
    case kLogarithm:
    case kRelu:
    case kGelu:
    case kSwish:
    case kIndex:
      return 1;
    case kSelect:
      return 3;
    default:
      return 0;
  }
}

int64_t count(const Sizes& sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) product *= size;
  return product;
}

// Row by row; a size of 1 is for each index.
int64_t place(const Sizes& index, const Sizes& sizes) {
  int64_t at = 0;
  for (size_t i = 0; i < sizes.size(); ++i) at = at * sizes[i] + (sizes[i] == 1 ? 0 : index[i]);
  return at;
}

// Calls it with each index, row by row.
template <class Function>
void for_each_index(const Sizes& sizes, const Function& function) {
  Sizes index(sizes.size());
  for (int64_t left = count(sizes); left > 0; --left) {
    function(index);
    for (size_t i = sizes.size(); i-- > 0 && ++index[i] == sizes[i];) index[i] = 0;
  }
}

int64_t offset(const Sizes& index, const Sizes& strides) {
  int64_t at = 0;
  for (size_t i = 0; i < index.size(); ++i) at += index[i] * strides[i];
  return at;
}

void write_number(int64_t type, void* data, int64_t at, float value) {
  if (type == kFloat) {
    static_cast<float*>(data)[at] = value;
  } else {
    static_cast<uint16_t*>(data)[at] = type == kHalf ? to_float16(value) : to_bfloat16(value);
  }
}

Floats load(const Tensor& tensor, const Operand& operand) {
  if (tensor.is_by_value) return {operand.value};
  Floats values;
  for_each_index(tensor.sizes, [&](const Sizes& index) {
    values.push_back(read_number(tensor.type, operand.memory, offset(index, tensor.strides)));
  });
  return values;
}

void store(const Tensor& tensor, const Floats& values, void* data) {
  size_t i = 0;
  for_each_index(tensor.sizes, [&](const Sizes& index) {
    write_number(tensor.type, data, offset(index, tensor.strides), values[i++]);
  });
}

// Operations with the values of their inputs.
using Inputs = std::vector<const Floats*>;

Floats convolve(const Operation& o, const Inputs& inputs) {
  const Sizes& x = o.inputs[0].sizes;
  const Sizes& w = o.inputs[1].sizes;
  const int64_t results_of_group = w[0] / (x[1] / w[1]);
  Floats y;
  for_each_index(o.output.sizes, [&](const Sizes& at) {
    const int64_t first_channel = at[1] / results_of_group * w[1];
    float sum = 0;
    for (int64_t c = 0; c < w[1]; ++c) {
      for (int64_t i = 0; i < w[2]; ++i) {
        const int64_t row = at[2] * o.window[4] - o.window[0] + i * o.window[6];
        if (row < 0 || row >= x[2]) continue;
        for (int64_t j = 0; j < w[3]; ++j) {
          const int64_t column = at[3] * o.window[5] - o.window[1] + j * o.window[7];
          if (column < 0 || column >= x[3]) continue;
          sum += (*inputs[0])[((at[0] * x[1] + first_channel + c) * x[2] + row) * x[3] + column] *
                 (*inputs[1])[((at[1] * w[1] + c) * w[2] + i) * w[3] + j];
        }
      }
    }
    y.push_back(sum);
  });
  return y;
}

Floats multiply(const Operation& o, const Inputs& inputs) {
  const Sizes& a = o.inputs[0].sizes;
  const Sizes& b = o.inputs[1].sizes;
  const Sizes& c = o.output.sizes;
  const size_t batches = c.size() - 2;
  const int64_t depth = a.back();
  Floats y;
  for_each_index(c, [&](const Sizes& at) {
    // Matrices of a batch may be for several of the result's.
    int64_t of_a = 0;
    int64_t of_b = 0;
    for (size_t i = 0; i < batches; ++i) {
      of_a = of_a * a[i] + at[i] * a[i] / c[i];
      of_b = of_b * b[i] + at[i] * b[i] / c[i];
    }
    const float* const row = inputs[0]->data() + (of_a * a[batches] + at[batches]) * depth;
    const float* const column = inputs[1]->data() + of_b * depth * b.back() + at.back();
    float sum = 0;
    for (int64_t k = 0; k < depth; ++k) sum += row[k] * column[k * b.back()];
    y.push_back(sum);
  });
  return y;
}

Floats reduce(const Operation& o, const Inputs& inputs) {
  const bool sums = o.mode == kSum;
  Floats y(static_cast<size_t>(count(o.output.sizes)),
           sums ? 0 : -std::numeric_limits<float>::infinity());
  size_t i = 0;
  for_each_index(o.inputs[0].sizes, [&](const Sizes& index) {
    float& to = y[static_cast<size_t>(place(index, o.output.sizes))];
    const float value = (*inputs[0])[i++];
    to = sums ? to + value : std::max(to, value);
  });
  return y;
}

float point(const Operation& o, float x, float b, float predicate, const Sizes& index) {
  const auto [lower, upper, slope, beta] = o.factors;
  switch (o.mode) {
    case kAdd:
      return x + b;
    case kMultiplyEach:
      return x * b;
    case kDivide:
      return x / b;
    case kSubtract:
      return x - b;
    case kExponential:
      return std::exp(x);
    case kLogarithm:
      return std::log(x);
    case kRelu:
      return static_cast<float>(x < lower ? lower + slope * (x - lower)
                                          : std::min<double>(x, upper));
    case kGelu:
      return 0.5F * x * (1 + std::erf(x * std::sqrt(0.5F)));
    case kSwish:
      return x / (1 + std::exp(-static_cast<float>(beta) * x));
    case kGreaterEqual:
      return x >= b ? 1 : 0;
    case kIndex:
      return static_cast<float>(index[static_cast<size_t>(o.axis)]);
    case kSelect:
      return predicate != 0 ? x : b;
    default:
      std::abort();
  }
}

Floats point(const Operation& o, const Inputs& inputs) {
  Floats y;
  for_each_index(o.output.sizes, [&](const Sizes& index) {
    std::array<float, 3> values = {};
    for (size_t i = 0; i < inputs.size(); ++i) {
      values[i] = (*inputs[i])[static_cast<size_t>(place(index, o.inputs[i].sizes))];
    }
    y.push_back(point(o, values[0], values[1], values[2], index));
  });
  return y;
}

int check_convolution(const Operation& o) {
  const Sizes& x = o.inputs[0].sizes;
  const Sizes& w = o.inputs[1].sizes;
  const Sizes& y = o.output.sizes;
  if (x.size() != 4 || w.size() != 4 || y.size() != 4 || o.window.size() != 8) return kNotSupported;
  if (y[0] != x[0] || y[1] != w[0] || x[1] % w[1] != 0 || w[0] % (x[1] / w[1]) != 0) {
    return kBadParam;
  }
  for (size_t i = 0; i < 2; ++i) {
    const int64_t room =
        x[2 + i] + o.window[i] + o.window[2 + i] - (w[2 + i] - 1) * o.window[6 + i] - 1;
    if (room < 0 || y[2 + i] != room / o.window[4 + i] + 1) return kBadParam;
  }
  return 0;
}

int check_product(const Operation& o) {
  const Sizes& a = o.inputs[0].sizes;
  const Sizes& b = o.inputs[1].sizes;
  const Sizes& c = o.output.sizes;
  const size_t rank = c.size();
  if (rank < 3 || a.size() != rank || b.size() != rank) return kBadParam;
  for (size_t i = 0; i + 2 < rank; ++i) {
    if (c[i] != std::max(a[i], b[i]) || c[i] % a[i] != 0 || c[i] % b[i] != 0) return kBadParam;
  }
  const bool fits =
      a[rank - 2] == c[rank - 2] && b[rank - 1] == c[rank - 1] && a[rank - 1] == b[rank - 2];
  return fits ? 0 : kBadParam;
}

// Writes all of it as numbers, or reads them.
struct NumberWriter {
  static constexpr bool kReads = false;
  std::vector<int64_t> numbers;
  void visit(int64_t value) { numbers.push_back(value); }
};
struct NumberReader {
  static constexpr bool kReads = true;
  const std::vector<int64_t>& numbers;
  size_t next = 0;
  bool is_short = false;
  void visit(int64_t& value) {
    is_short = is_short || next == numbers.size();
    value = is_short ? 0 : numbers[next++];
  }
};
template <class Archive>
void visit(Archive& archive, int64_t& value) {
  archive.visit(value);
}
template <class Archive>
void visit(Archive& archive, bool& value) {
  int64_t number = value ? 1 : 0;
  archive.visit(number);
  value = number != 0;
}
template <class Archive>
void visit(Archive& archive, double& value) {
  auto bits = std::bit_cast<int64_t>(value);
  archive.visit(bits);
  value = std::bit_cast<double>(bits);
}
template <class Archive, class Item>
void visit(Archive& archive, std::vector<Item>& items);
template <class Archive>
void visit(Archive& archive, Tensor& t) {
  visit(archive, t.id);
  visit(archive, t.type);
  visit(archive, t.alignment);
  visit(archive, t.is_virtual);
  visit(archive, t.is_by_value);
  visit(archive, t.sizes);
  visit(archive, t.strides);
}
template <class Archive>
void visit(Archive& archive, Operation& o) {
  visit(archive, o.kind);
  visit(archive, o.mode);
  visit(archive, o.inputs);
  visit(archive, o.output);
  visit(archive, o.window);
  visit(archive, o.axis);
  for (double& factor : o.factors) visit(archive, factor);
}
template <class Archive, class Item>
void visit(Archive& archive, std::vector<Item>& items) {
  auto size = static_cast<int64_t>(items.size());
  archive.visit(size);
  if constexpr (Archive::kReads) {
    // A text that was cut or changed may say anything.
    if (size < 0 || static_cast<size_t>(size) > archive.numbers.size()) {
      archive.is_short = true;
      return;
    }
    items.resize(static_cast<size_t>(size));
  }
  for (Item& item : items) visit(archive, item);
}

constexpr std::string_view kVersionName = "{\"cudnnVersion\":";
constexpr std::string_view kGraphName = ",\"schemaVersion\":4,\"engine\":";

// Takes them from the beginning.
bool take_text(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}
bool take_number(std::string_view& text, int64_t& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<size_t>(read.ptr - text.data()));
  return read.ec == std::errc();
}

}  // namespace

int64_t bytes_of(int64_t type) {
  return type == kHalf || type == kBFloat ? 2 : type == kBoolean ? 1 : 4;
}

float read_number(int64_t type, const void* data, int64_t at) {
  if (type == kHalf) return from_float16(static_cast<const uint16_t*>(data)[at]);
  if (type == kBFloat) return from_bfloat16(static_cast<const uint16_t*>(data)[at]);
  if (type == kInt32) return static_cast<float>(static_cast<const int32_t*>(data)[at]);
  return static_cast<const float*>(data)[at];
}

int check(const Operation& o) {
  const bool is_pointwise = o.kind == kPointwise;
  if (is_pointwise && count_inputs(o.mode) == 0) return kNotSupported;
  const size_t inputs = is_pointwise ? count_inputs(o.mode) : o.kind == kReduce ? 1 : 2;
  if (o.inputs.size() != inputs) return kBadParam;
  if (o.kind == kConvolve) return check_convolution(o);
  if (o.kind == kMultiply) return check_product(o);
  if (o.kind == kReduce && o.mode != kSum && o.mode != kHighest) return kNotSupported;
  const Sizes& y = o.output.sizes;
  if (o.mode == kIndex && (o.axis < 0 || o.axis >= static_cast<int64_t>(y.size()))) {
    return kBadParam;
  }
  // Where sizes differ, one is 1: those of what is taken once for each, or of what is reduced.
  const bool reduces = o.kind == kReduce;
  for (const Tensor& input : o.inputs) {
    if (input.sizes.size() != y.size()) return kBadParam;
    for (size_t i = 0; i < y.size(); ++i) {
      const int64_t least = reduces ? y[i] : input.sizes[i];
      if (input.sizes[i] != y[i] && least != 1) return kBadParam;
    }
  }
  return 0;
}

int order(Operations& operations) {
  std::map<int64_t, Tensor> tensors;
  std::set<int64_t> missing;  // what is still to be computed
  for (const Operation& operation : operations) {
    std::vector<Tensor> all = operation.inputs;
    all.push_back(operation.output);
    for (const Tensor& tensor : all) {
      if (!tensors.emplace(tensor.id, tensor).second && tensors[tensor.id] != tensor) {
        return kDuplicatedEntries;
      }
      const bool has_numbers =
          tensor.type == kFloat || tensor.type == kHalf || tensor.type == kBFloat;
      if (!tensor.is_virtual && !tensor.is_by_value && !has_numbers) return kNotSupportedDataType;
    }
    if (operation.output.is_by_value) return kBadParam;
    if (!missing.insert(operation.output.id).second) return kDuplicatedEntries;
  }
  const std::set<int64_t> results = missing;
  Operations ordered;
  while (!operations.empty()) {
    const auto next = std::find_if(operations.begin(), operations.end(), [&](const Operation& o) {
      return std::all_of(o.inputs.begin(), o.inputs.end(), [&](const Tensor& input) {
        return missing.count(input.id) == 0 && (!input.is_virtual || results.count(input.id) != 0);
      });
    });
    if (next == operations.end()) return kBadParam;
    missing.erase(next->output.id);
    ordered.push_back(std::move(*next));
    operations.erase(next);
  }
  operations = std::move(ordered);
  return operations.empty() ? kBadParam : 0;
}

std::map<int64_t, Tensor> tensors_in_memory(const Operations& operations) {
  std::map<int64_t, Tensor> found;
  for (const Operation& operation : operations) {
    for (const Tensor& input : operation.inputs) {
      if (!input.is_virtual) found[input.id] = input;
    }
    if (!operation.output.is_virtual) found[operation.output.id] = operation.output;
  }
  return found;
}

std::string text_of(const Operations& operations, int64_t engine, int64_t version) {
  NumberWriter writer;
  Operations written = operations;
  visit(writer, written);
  std::string text = std::string(kVersionName) + std::to_string(version) + std::string(kGraphName) +
                     std::to_string(engine) + ",\"graph\":[";
  for (size_t i = 0; i < writer.numbers.size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(writer.numbers[i]);
  }
  return text + "]}";
}

int read_text(std::string_view text, int64_t version, Operations& operations, int64_t& engine) {
  int64_t other = 0;
  if (!take_text(text, kVersionName) || !take_number(text, other)) return kBadParam;
  if (other != version) return kVersionMismatch;
  if (!take_text(text, kGraphName) || !take_number(text, engine)) return kBadParam;
  std::vector<int64_t> numbers;
  for (std::string_view separator = ",\"graph\":["; take_text(text, separator); separator = ",") {
    if (!take_number(text, numbers.emplace_back())) return kBadParam;
  }
  NumberReader reader{numbers};
  visit(reader, operations);
  const bool is_whole = text == "]}" && !reader.is_short && reader.next == numbers.size();
  if (!is_whole) return kBadParam;
  for (const Operation& operation : operations) {
    const int code = check(operation);
    if (code != 0) return code;
  }
  return order(operations);
}

void compute(const Operations& operations, const std::map<int64_t, Operand>& operands) {
  std::map<int64_t, Floats> values;
  for (const Operation& operation : operations) {
    Inputs inputs;
    for (const Tensor& input : operation.inputs) {
      auto& loaded = values[input.id];
      if (loaded.empty()) loaded = load(input, operands.at(input.id));
      inputs.push_back(&loaded);
    }
    const Tensor& output = operation.output;
    Floats result = operation.kind == kConvolve   ? convolve(operation, inputs)
                    : operation.kind == kMultiply ? multiply(operation, inputs)
                    : operation.kind == kReduce   ? reduce(operation, inputs)
                                                  : point(operation, inputs);
    if (!output.is_virtual) store(output, result, operands.at(output.id).memory);
    values[output.id] = std::move(result);
  }
}

}  // namespace slipway::cuda::stand_in_dnn
