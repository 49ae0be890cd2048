// Writes a graph for XNNPACK: the delegate's header, its flatbuffer and the constants behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/piece_writer.h"
#include "onnx/graph.h"
#include "slipway/result.h"
#include "xnnpack/format/xnnpack_generated.h"

namespace slipway::xnnpack {

using Sizes = std::vector<int64_t>;

// What nodes name where an optional input is left out.
inline constexpr uint32_t kNone = UINT32_MAX;  // XNN_INVALID_VALUE_ID

// Of a tensor of int8: each element is a level, which stands for (level - zero_point) * scale.
struct Quantization {
  float scale = 1;
  int32_t zero_point = 0;

  bool operator==(const Quantization&) const = default;
};

// What a tensor holds: levels of int8 with a quantization, else numbers of float32 or a half type.
struct Type {
  std::optional<Quantization> quantization = {};
  DType numbers = DType::kFloat32;

  bool operator==(const Type&) const = default;
  DType dtype() const { return quantization ? DType::kInt8 : numbers; }
};

using Numbers = std::shared_ptr<const std::vector<float>>;
using Bytes = std::shared_ptr<const std::vector<std::byte>>;

// How far apart elements are in each dimension where the last one varies fastest.
Sizes contiguous_strides(const Sizes& sizes);

// Elements of a constant in another order: in each dimension, how far apart they are.
struct View {
  const onnx::Initializer* initializer = nullptr;  // null: `bytes` are there in its place
  Sizes sizes;
  Sizes strides;
  Bytes bytes = nullptr;
  DType dtype = DType::kFloat32;  // of the elements
  // What the elements of each place along a dimension are multiplied by; one for all; null: they
  // stay. Of int8 they are scales: what is read are floats.
  Numbers factors = nullptr;
  size_t scaled_dim = 0;
  int32_t zero_point = 0;
  // Where it is not 0, each place has several factors, for groups of this many elements along
  // another dimension.
  int64_t group = 0;
  size_t grouped_dim = 0;
  bool is_narrow = false;  // of int8: the levels have four bits

  // Of the same elements, wherever bytes are held.
  bool operator==(const View& other) const;
};

// Dimension i of the result is dimension order[i] of the view.
View permuted(const View& view, const Sizes& order);
// [n, c, w] as [n, c, 1, w].
View as_images(View view);

inline Numbers own(std::vector<float> numbers) {
  return std::make_shared<const std::vector<float>>(std::move(numbers));
}
template <class T>
Bytes bytes_of(const std::vector<T>& items) {
  const auto bytes = std::as_bytes(std::span(items));
  return std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
}

class Writer {
 public:
  // A graph that takes and gives so many tensors, which have the first ids.
  explicit Writer(size_t ends) : next_id_(static_cast<uint32_t>(ends)) {
    data_.push_back(fb_xnnpack::CreateConstantDataOffset(builder_));
  }

  // Each gives the value's id.
  uint32_t tensor(const Sizes& sizes, const Type& type = {});
  // `dims`: the sizes that the graph is told, of as many elements as the view has.
  uint32_t constant(const View& view, const Sizes& dims);
  // Of a product or a convolution of float32, which may be float16.
  uint32_t filter(const View& view, const Sizes& dims);
  uint32_t numbers(const std::vector<float>& items) {
    const Sizes sizes = {static_cast<int64_t>(items.size())};
    return constant({nullptr, sizes, {1}, bytes_of(items)}, sizes);
  }
  // Levels of int8 or sums of int32, with one scale or one for each place along a dimension.
  uint32_t levels(const View& view, const Sizes& dims, const std::vector<float>& scales,
                  std::optional<size_t> scaled_dim);
  // A matrix of levels of four bits, with a scale for each row.
  uint32_t nibbles(const View& view, const std::vector<float>& scales);
  // ... and with scales of groups of each row, which are bfloat16.
  uint32_t nibbles_in_groups(const View& view, const std::vector<uint16_t>& scales);
  // What is quantized to int8 when it is made: by the extrema of each row.
  uint32_t rows(const Sizes& sizes);
  void input(uint32_t place, const Sizes& sizes, const Type& type = {});
  void output(uint32_t place, const Sizes& sizes, const Type& type = {});

  flatbuffers::FlatBufferBuilder& builder() { return builder_; }
  template <class Node>
  void node(fb_xnnpack::XNodeUnion kind, flatbuffers::Offset<Node> made) {
    nodes_.push_back(fb_xnnpack::CreateXNode(builder_, kind, made.Union()));
  }
  // One that limits what it gives.
  template <class Node>
  void node(fb_xnnpack::XNodeUnion kind, flatbuffers::Offset<Node> made, float low, float high) {
    const auto limits = fb_xnnpack::CreateOutputMinMax(builder_, low, high);
    nodes_.push_back(fb_xnnpack::CreateXNode(builder_, kind, made.Union(), 0, limits));
  }
  void unary(fb_xnnpack::XNodeUnion kind, uint32_t from, uint32_t to) {
    node(kind, fb_xnnpack::Create_XNNNode1x1(builder_, from, to));
  }
  void binary(fb_xnnpack::XNodeUnion kind, uint32_t a, uint32_t b, uint32_t to) {
    node(kind, fb_xnnpack::Create_XNNNode2x1(builder_, a, b, to));
  }
  void transpose(uint32_t from, const Sizes& order, uint32_t to);
  void reshape(uint32_t from, const Sizes& sizes, uint32_t to);
  void slice(uint32_t from, const Sizes& offsets, const Sizes& sizes, uint32_t to);
  // Gives `to`.
  uint32_t pad(uint32_t from, const Sizes& before, const Sizes& after, float fill, uint32_t to);

  // Only once. `bytes` gives those of an initializer, which stay until this has returned.
  using BytesOf = std::function<std::span<const std::byte>(const onnx::Initializer&)>;
  Status write(const BytesOf& bytes, const ByteSink& sink);

 private:
  // How a constant is written; kNibbles: two levels a byte, the first one in its low half, 8
  // higher. Rows begin at a byte.
  enum class Form : uint8_t { kFloats, kAsIs, kNibbles };
  struct Data {
    View view;
    Form form = Form::kFloats;

    uint64_t nbytes() const;
    bool operator==(const Data& other) const = default;
  };
  // The type of a value, and what there is of a quantized one.
  struct Parameters {
    fb_xnnpack::XNNDatatype type = fb_xnnpack::XNNDatatype::xnn_datatype_fp32;
    fb_xnnpack::XNNQuantParams kind = fb_xnnpack::XNNQuantParams::NONE;
    flatbuffers::Offset<void> table = {};
  };
  Parameters parameters(const Type& type);
  uint32_t weight(const Sizes& dims, uint32_t data, const Parameters& parameters);
  void define(const Sizes& sizes, uint32_t data, uint32_t place, uint32_t flags, uint32_t id,
              const Parameters& parameters);
  // The place of a constant's bytes.
  uint32_t put(Data data);
  flatbuffers::Offset<flatbuffers::Vector<uint32_t>> list(const Sizes& items);

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<flatbuffers::Offset<fb_xnnpack::XValue>> values_;
  std::vector<flatbuffers::Offset<fb_xnnpack::XNode>> nodes_;
  std::vector<flatbuffers::Offset<fb_xnnpack::ConstantDataOffset>> data_;
  std::vector<Data> constants_;
  uint64_t data_end_ = 0;
  uint32_t next_id_;
  std::vector<uint32_t> inputs_;
  std::vector<uint32_t> outputs_;
};

}  // namespace slipway::xnnpack
