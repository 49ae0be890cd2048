// Convolutions and attention by cuDNN.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/driver/device.h"
#include "cuda/libraries/cudnn.h"
#include "slipway/result.h"

namespace slipway::cuda {

// In elements.
struct DnnTensor {
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;
  auto operator<=>(const DnnTensor&) const = default;
};

// What is computed, of a half type, with sums in float32.
struct DnnGraph {
  enum class Kind : uint8_t {
    // y = f(x * w + bias + c): [n, channels, height, width], and [results, channels, height, width]
    // of w.
    kConvolution,
    // y = softmax(scale x k^T) v: [batch, heads, tokens, width], where k and v may have fewer
    // heads,
    // which the heads of x share.
    kAttention,
    // y = f(x w + bias + c), of matrices: [1, 1, rows, columns].
    kProduct,
  };
  enum class Activation : uint8_t { kNone, kRelu, kGelu };  // f
  Kind kind = Kind::kConvolution;
  bool is_bfloat16 = false;
  bool has_bias = false;
  bool has_c = false;
  Activation activation = Activation::kNone;
  // x, w, y, the bias as [1, results, 1, 1] or [1, 1, 1, columns], c; or x, k, v, y.
  std::vector<DnnTensor> tensors;
  // Of a convolution's height and width.
  std::vector<int64_t> strides;
  std::vector<int64_t> pads;  // before and behind
  std::vector<int64_t> dilations;
  float scale = 1;
  uint64_t workspace_bytes = 0;  // that it may use
  auto operator<=>(const DnnGraph&) const = default;
};

// What the library has found out of graphs on one device. For one thread at a time, while the
// device is current.
class DnnGraphs {
 public:
  static Result<DnnGraphs> create(const Cudnn& library);
  DnnGraphs(DnnGraphs&&) noexcept;
  DnnGraphs& operator=(DnnGraphs&&) = delete;
  ~DnnGraphs();

  // Makes a plan, if there is none yet: with the engine of this rank among those that the library
  // names for it, the best first; the last one where there are fewer. kUnsupported where none
  // computes it.
  Status prepare(const DnnGraph& graph, uint8_t rank);
  // The plan as a text, for the same version of the library and kind of device; and back.
  // kUnsupported where it is of others.
  Result<std::string> store(const DnnGraph& graph, uint8_t rank);
  Status restore(const DnnGraph& graph, uint8_t rank, std::string_view text);
  // Queues it. Addresses, as of DnnGraph::tensors, are at multiples of 16 bytes.
  Status run(const DnnGraph& graph, uint8_t rank, std::span<const Address> tensors,
             Address workspace, const Stream& stream);

 private:
  class Descriptor;
  class Operations;
  struct Plan;
  struct Plans;

  DnnGraphs(const Cudnn& library, void* handle);
  Result<const Plan*> plan_of(const DnnGraph& graph, uint8_t rank);
  // The first error of the library, or 0.
  int name_engines(const DnnGraph& graph, Plans& plans) const;
  uint64_t workspace_of(const Descriptor& plan) const;

  const Cudnn* library_;
  std::unique_ptr<void, int (*)(void*)> handle_;
  std::map<DnnGraph, std::unique_ptr<Plans>> plans_;
};

}  // namespace slipway::cuda
