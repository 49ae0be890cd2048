// What the stand-in for cuDNN computes: operations on tensors in memory of the host.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::cuda::stand_in_dnn {

// Numbers of cudnn_graph.h: errors,
inline constexpr int kVersionMismatch = 1002;
inline constexpr int kBadParam = 2000;
inline constexpr int kDuplicatedEntries = 2009;
inline constexpr int kNotSupported = 3000;
inline constexpr int kNotSupportedDataType = 3003;
// types of data,
inline constexpr int kFloat = 0;
inline constexpr int kHalf = 2;
inline constexpr int kInt32 = 4;
inline constexpr int kBFloat = 9;
inline constexpr int kBoolean = 11;
// and operations, by their descriptors.
inline constexpr int kConvolve = 10;
inline constexpr int kPointwise = 13;
inline constexpr int kMultiply = 19;
inline constexpr int kReduce = 22;

struct Tensor {
  int64_t id = 0;
  int64_t type = kFloat;
  int64_t alignment = 1;
  bool is_virtual = false;
  bool is_by_value = false;
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;
  bool operator==(const Tensor&) const = default;
};

struct Operation {
  int64_t kind = 0;
  int64_t mode = 0;            // of a pointwise one or a reduction
  std::vector<Tensor> inputs;  // x and w; a and b; x, b and the predicate; x
  Tensor output;
  // Of a convolution, for height and width each: pads before and behind, strides, dilations.
  std::vector<int64_t> window;
  int64_t axis = -1;
  // Of a pointwise one: clips of ReLU, its slope below the lower one, beta of swish.
  std::array<double, 4> factors = {0, std::numeric_limits<double>::max(), 0, 1};
};
using Operations = std::vector<Operation>;

struct Operand {
  void* memory = nullptr;
  float value = 0;  // of a tensor by value
};

int64_t bytes_of(int64_t type);
// Whether memory has such numbers, of the host where they are given by value.
float read_number(int64_t type, const void* data, int64_t at);

// The error of tensors that do not go together, 0 without one.
int check(const Operation& operation);
// Puts each behind those whose results it takes. The error of a graph that is none, 0 without one.
int order(Operations& operations);
// All tensors that are no virtual ones.
std::map<int64_t, Tensor> tensors_in_memory(const Operations& operations);

std::string text_of(const Operations& operations, int64_t engine, int64_t version);
// The error of a text that is none, or of another version; 0 without one.
int read_text(std::string_view text, int64_t version, Operations& operations, int64_t& engine);

// With sums and all between in float32.
void compute(const Operations& operations, const std::map<int64_t, Operand>& operands);

}  // namespace slipway::cuda::stand_in_dnn
