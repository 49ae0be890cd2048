#include "xnnpack/format/nodes.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;
using Sizes = std::vector<uint64_t>;

constexpr uint32_t kNone = UINT32_MAX;  // XNN_INVALID_VALUE_ID
constexpr uint64_t kMostElements = uint64_t{1} << 40;
constexpr uint64_t kWidest = 4;  // bytes of an element
// Kernels look pixels up in a table of pointers.
constexpr uint64_t kPointer = 8;

// Flags of nodes.
constexpr uint32_t kTransposeWeights = 1;
constexpr uint32_t kAlignCorners = 8;
constexpr uint32_t kKeepDims = 64;

Error does_not_fit(std::string_view what) { return invalid_file("{} do not fit its input", what); }

// How many places a window has along an axis.
struct Window {
  uint64_t size;
  uint64_t before;
  uint64_t after;
  uint64_t kernel;
  uint64_t stride;
  uint64_t dilation;
};

Result<uint64_t> places(const Window& window) {
  if (window.size == 0 || window.kernel == 0 || window.stride == 0 || window.dilation == 0) {
    return invalid_file("its window, stride or dilation is 0, or there is nothing to move it over");
  }
  // All are below 2^33.
  const uint64_t padded = window.size + window.before + window.after;
  if (window.kernel - 1 > (padded - 1) / window.dilation) return does_not_fit("its windows");
  return (padded - ((window.kernel - 1) * window.dilation + 1)) / window.stride + 1;
}

class Checker {
 public:
  Checker(Values& values, uint64_t memory) : values_(values), memory_(memory) {}

  Status check(const xnn::XNode& node);

 private:
  // What a node reads.
  Result<const Value*> read(uint32_t id) const {
    const auto found = values_.find(id);
    if (found == values_.end()) return invalid_file("it reads value {}, which does not exist", id);
    if (!found->second.there) return invalid_file("it reads value {} before it is made", id);
    return &found->second;
  }
  Result<const Value*> read(uint32_t id, size_t rank) const {
    SLIPWAY_ASSIGN_OR_RETURN(const Value* value, read(id));
    if (value->sizes.size() != rank) {
      return invalid_file("it reads value {} of {} dimensions, not {}", id, value->sizes.size(),
                          rank);
    }
    return value;
  }
  // What a node makes.
  Status make(uint32_t id, Sizes sizes, bool is_indices = false) {
    const auto found = values_.find(id);
    if (found == values_.end()) return invalid_file("it makes value {}, which does not exist", id);
    Value& value = found->second;
    if (value.there) return invalid_file("it makes value {}, which is there already", id);
    if (sizes.size() > kMaxRank) {
      return invalid_file("it makes a tensor of {} dimensions", sizes.size());
    }
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t elements, count_elements(sizes));
    SLIPWAY_RETURN_IF_ERROR(take(elements * kWidest));
    // XNNPACK plans memory for what is declared. Exporters declare some in another order.
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t declared, count_elements(value.sizes));
    if (declared != elements) {
      return invalid_file("it makes a tensor of sizes [{}], and value {} has [{}]",
                          fmt::join(sizes, ", "), id, fmt::join(value.sizes, ", "));
    }
    value.sizes = std::move(sizes);
    value.there = true;
    value.is_indices = is_indices;
    return {};
  }
  Status take(uint64_t bytes) {
    if (bytes > memory_) return invalid_file("it needs far more memory than its graph has tensors");
    memory_ -= bytes;
    return {};
  }
  // Tables of pointers of pixels under windows.
  Status take_windows(uint64_t height, uint64_t width, uint64_t rows, uint64_t columns) {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t pointers,
                             count_elements({height, width, rows, columns}));
    return take(pointers * kPointer);
  }

  template <class Node>
  Status unary(const Node& node) {
    SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input_id()));
    return make(node.output_id(), input->sizes);
  }
  Status binary(const xnn::_XNNNode2x1& node);
  Status fully_connected(const xnn::XNNFullyConnected& node);
  Status bias(uint32_t id, uint64_t channels);
  Status convolution(const xnn::_XNNNodeConv& node, bool depthwise);
  Status deconvolution(const xnn::_XNNNodeConv& node);
  Status check_filter(const xnn::_XNNNodeConv& node, const Sizes& sizes) const;
  Status pooling(const xnn::_XNNPooling2D& node, bool dilated);
  Status argmax_pooling(const xnn::XNNArgMaxPooling2d& node);
  Status global_pooling(const xnn::_XNNNode1x1& node);
  Status transpose(const xnn::XNNStaticTranspose& node);
  Status slice(const xnn::XNNStaticSlice& node);
  Status reshape(const xnn::XNNStaticReshape& node);
  Status pad(const xnn::XNNStaticConstantPad& node);
  Status resize(const xnn::XNNStaticResizeBilinear2D& node);
  Status concatenate(const xnn::_XNNCat& node, size_t count);
  Status multiply_batches(const xnn::_XNNNode2x1& node);

  Values& values_;
  uint64_t memory_;
};

// Aligned at the last dimension; a size of 1 is repeated.
Result<Sizes> broadcast(const Sizes& a, const Sizes& b) {
  Sizes sizes(std::max(a.size(), b.size()));
  for (size_t i = 0; i < sizes.size(); ++i) {
    const uint64_t of_a = i < a.size() ? a[a.size() - 1 - i] : 1;
    const uint64_t of_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (of_a != of_b && of_a != 1 && of_b != 1)
      return does_not_fit("the sizes of its second input");
    sizes[sizes.size() - 1 - i] = of_a == 1 ? of_b : of_a;
  }
  return sizes;
}

Status Checker::binary(const xnn::_XNNNode2x1& node) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* a, read(node.input1_id()));
  SLIPWAY_ASSIGN_OR_RETURN(const Value* b, read(node.input2_id()));
  SLIPWAY_ASSIGN_OR_RETURN(Sizes sizes, broadcast(a->sizes, b->sizes));
  return make(node.output_id(), std::move(sizes));
}

Status Checker::bias(uint32_t id, uint64_t channels) {
  if (id == kNone) return {};
  SLIPWAY_ASSIGN_OR_RETURN(const Value* value, read(id));
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t elements, count_elements(value->sizes));
  if (elements != channels) return does_not_fit("the elements of its bias");
  return {};
}

Status Checker::fully_connected(const xnn::XNNFullyConnected& node) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input1_id()));
  SLIPWAY_ASSIGN_OR_RETURN(const Value* filter, read(node.filter_id(), 2));
  const bool transposed = (node.flags() & kTransposeWeights) != 0;
  const uint64_t channels = filter->sizes[transposed ? 1 : 0];
  if (input->sizes.empty() || input->sizes.back() == 0 || channels == 0 ||
      input->sizes.back() != filter->sizes[transposed ? 0 : 1]) {
    return does_not_fit("the sizes of its weight");
  }
  if (input->row_dims > 1) return does_not_fit("the scales of its rows");
  SLIPWAY_RETURN_IF_ERROR(bias(node.bias_id(), channels));
  Sizes sizes = input->sizes;
  sizes.back() = channels;
  return make(node.output_id(), std::move(sizes));
}

Status Checker::check_filter(const xnn::_XNNNodeConv& node, const Sizes& sizes) const {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* filter, read(node.filter_id(), 4));
  if (filter->sizes != sizes) return does_not_fit("the sizes of its weight");
  return {};
}

Status Checker::convolution(const xnn::_XNNNodeConv& node, bool depthwise) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input1_id(), 4));
  const Sizes& from = input->sizes;
  const uint64_t groups = node.groups();
  const uint64_t inputs = groups * node.group_input_channels();
  // Of 32 bits each.
  const auto product = count_elements({groups, node.group_output_channels()});
  if (!product.ok() || *product == 0 || inputs == 0 || inputs != from[3]) {
    return does_not_fit("its groups of channels");
  }
  const uint64_t outputs = *product;
  if (depthwise && node.group_input_channels() != 1) return does_not_fit("its groups of channels");
  SLIPWAY_RETURN_IF_ERROR(
      check_filter(node, depthwise ? Sizes{1, node.kernel_height(), node.kernel_width(), outputs}
                                   : Sizes{outputs, node.kernel_height(), node.kernel_width(),
                                           node.group_input_channels()}));
  SLIPWAY_RETURN_IF_ERROR(bias(node.bias_id(), outputs));
  SLIPWAY_ASSIGN_OR_RETURN(
      const uint64_t height,
      places({from[1], node.padding_top(), node.padding_bottom(), node.kernel_height(),
              node.subsampling_height(), node.dilation_height()}));
  SLIPWAY_ASSIGN_OR_RETURN(
      const uint64_t width,
      places({from[2], node.padding_left(), node.padding_right(), node.kernel_width(),
              node.subsampling_width(), node.dilation_width()}));
  SLIPWAY_RETURN_IF_ERROR(take_windows(height, width, node.kernel_height(), node.kernel_width()));
  return make(node.output_id(), {from[0], height, width, outputs});
}

Status Checker::deconvolution(const xnn::_XNNNodeConv& node) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input1_id(), 4));
  const Sizes& from = input->sizes;
  const uint64_t groups = node.groups();
  const uint64_t inputs = groups * node.group_input_channels();
  const auto outputs = count_elements({groups, node.group_output_channels()});
  if (!outputs.ok() || *outputs == 0 || inputs == 0 || inputs != from[3]) {
    return does_not_fit("its groups of channels");
  }
  SLIPWAY_RETURN_IF_ERROR(check_filter(
      node, {*outputs, node.kernel_height(), node.kernel_width(), node.group_input_channels()}));
  SLIPWAY_RETURN_IF_ERROR(bias(node.bias_id(), *outputs));
  const auto stretched = [](uint64_t size, uint64_t kernel, uint64_t stride, uint64_t dilation,
                            uint64_t adjustment, uint64_t padding) -> Result<uint64_t> {
    if (size == 0 || kernel == 0 || stride == 0 || dilation == 0 || adjustment >= stride) {
      return invalid_file("its window, stride, dilation or adjustment makes no sense");
    }
    const auto spread = count_elements({size - 1, stride});
    const auto reach = count_elements({kernel - 1, dilation});
    if (!spread.ok() || !reach.ok()) return does_not_fit("its windows");
    const uint64_t full = *spread + *reach + 1 + adjustment;
    if (padding >= full) return does_not_fit("its paddings");
    return full - padding;
  };
  SLIPWAY_ASSIGN_OR_RETURN(
      const uint64_t height,
      stretched(from[1], node.kernel_height(), node.subsampling_height(), node.dilation_height(),
                node.adjustment_height(), uint64_t{node.padding_top()} + node.padding_bottom()));
  SLIPWAY_ASSIGN_OR_RETURN(
      const uint64_t width,
      stretched(from[2], node.kernel_width(), node.subsampling_width(), node.dilation_width(),
                node.adjustment_width(), uint64_t{node.padding_left()} + node.padding_right()));
  SLIPWAY_RETURN_IF_ERROR(take_windows(height, width, node.kernel_height(), node.kernel_width()));
  return make(node.output_id(), {from[0], height, width, *outputs});
}

Status Checker::pooling(const xnn::_XNNPooling2D& node, bool dilated) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input_id(), 4));
  const Sizes& from = input->sizes;
  SLIPWAY_ASSIGN_OR_RETURN(
      const uint64_t height,
      places({from[1], node.padding_top(), node.padding_bottom(), node.pooling_height(),
              node.stride_height(), dilated ? node.dilation_height() : 1}));
  SLIPWAY_ASSIGN_OR_RETURN(
      const uint64_t width,
      places({from[2], node.padding_left(), node.padding_right(), node.pooling_width(),
              node.stride_width(), dilated ? node.dilation_width() : 1}));
  SLIPWAY_RETURN_IF_ERROR(take_windows(height, width, node.pooling_height(), node.pooling_width()));
  return make(node.output_id(), {from[0], height, width, from[3]});
}

// Its windows lie side by side.
Status Checker::argmax_pooling(const xnn::XNNArgMaxPooling2d& node) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input_id(), 4));
  const Sizes& from = input->sizes;
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t height,
                           places({from[1], node.padding_top(), node.padding_bottom(),
                                   node.pooling_height(), node.pooling_height(), 1}));
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t width,
                           places({from[2], node.padding_left(), node.padding_right(),
                                   node.pooling_width(), node.pooling_width(), 1}));
  SLIPWAY_RETURN_IF_ERROR(take_windows(height, width, node.pooling_height(), node.pooling_width()));
  const Sizes sizes = {from[0], height, width, from[3]};
  SLIPWAY_RETURN_IF_ERROR(make(node.output_value_id(), sizes));
  return make(node.output_index_id(), sizes, /*is_indices=*/true);
}

Status Checker::global_pooling(const xnn::_XNNNode1x1& node) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input_id(), 4));
  const Sizes& from = input->sizes;
  if (from[1] == 0 || from[2] == 0 || from[3] == 0) return invalid_file("its input has no pixels");
  if ((node.flags() & kKeepDims) == 0) return make(node.output_id(), {from[0], from[3]});
  return make(node.output_id(), {from[0], 1, 1, from[3]});
}

// ExecuTorch takes the one for the other.
template <class Node>
bool counts_agree(const Node& node, const flatbuffers::Vector<uint32_t>* items) {
  return items != nullptr && items->size() == node.num_dims();
}

Status Checker::transpose(const xnn::XNNStaticTranspose& node) {
  if (!counts_agree(node, node.perm())) return invalid_file("its permutation is incomplete");
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input_id(), node.num_dims()));
  Sizes sizes;
  std::vector<bool> taken(input->sizes.size(), false);
  for (const uint32_t from : *node.perm()) {
    if (from >= taken.size() || taken[from]) return invalid_file("its permutation is none");
    taken[from] = true;
    sizes.push_back(input->sizes[from]);
  }
  return make(node.output_id(), std::move(sizes));
}

Status Checker::slice(const xnn::XNNStaticSlice& node) {
  if (!counts_agree(node, node.offsets()) || !counts_agree(node, node.sizes())) {
    return invalid_file("its offsets or sizes are incomplete");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input_id(), node.num_dims()));
  Sizes sizes;
  for (uint32_t i = 0; i < node.num_dims(); ++i) {
    const uint64_t offset = node.offsets()->Get(i);
    const uint64_t size = node.sizes()->Get(i);
    if (size == 0 || offset + size > input->sizes[i]) return does_not_fit("its offsets and sizes");
    sizes.push_back(size);
  }
  return make(node.output_id(), std::move(sizes));
}

// A size of 0 is what the others leave.
Status Checker::reshape(const xnn::XNNStaticReshape& node) {
  if (!counts_agree(node, node.new_shape())) return invalid_file("its shape is incomplete");
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input_id()));
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t elements, count_elements(input->sizes));
  Sizes sizes(node.new_shape()->begin(), node.new_shape()->end());
  const auto open = std::find(sizes.begin(), sizes.end(), 0);
  if (open != sizes.end()) *open = 1;
  const auto known = count_elements(sizes);
  if (!known.ok() || *known == 0) return does_not_fit("the sizes of its shape");
  if (open != sizes.end()) *open = elements / *known;
  const auto all = count_elements(sizes);
  if (!all.ok() || *all != elements) return does_not_fit("the sizes of its shape");
  return make(node.output_id(), std::move(sizes));
}

Status Checker::pad(const xnn::XNNStaticConstantPad& node) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input_id()));
  Sizes sizes = input->sizes;
  const auto* before = node.pre_paddings();
  const auto* after = node.post_paddings();
  if (before == nullptr || after == nullptr || before->size() != sizes.size() ||
      after->size() != sizes.size()) {
    return invalid_file("its paddings are incomplete");
  }
  for (uint32_t i = 0; i < sizes.size(); ++i) sizes[i] += uint64_t{before->Get(i)} + after->Get(i);
  return make(node.output_id(), std::move(sizes));
}

Status Checker::resize(const xnn::XNNStaticResizeBilinear2D& node) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(node.input_id(), 4));
  const Sizes& from = input->sizes;
  if (from[1] == 0 || from[2] == 0 || from[3] == 0 || node.new_height() == 0 ||
      node.new_width() == 0) {
    return invalid_file("there are no pixels to read or to make");
  }
  // Four pixels make one.
  SLIPWAY_RETURN_IF_ERROR(take_windows(node.new_height(), node.new_width(), 2, 2));
  return make(node.output_id(), {from[0], node.new_height(), node.new_width(), from[3]});
}

Status Checker::concatenate(const xnn::_XNNCat& node, size_t count) {
  const uint32_t ids[] = {node.input1_id(), node.input2_id(), node.input3_id(), node.input4_id(),
                          node.input5_id()};
  Sizes sizes;
  for (size_t i = 0; i < count; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(const Value* input, read(ids[i]));
    if (node.axis() >= input->sizes.size()) return does_not_fit("its axis");
    if (i == 0) {
      sizes = input->sizes;
      continue;
    }
    Sizes expected = sizes;
    if (expected.size() == input->sizes.size()) expected[node.axis()] = input->sizes[node.axis()];
    if (expected != input->sizes) return does_not_fit("the sizes of its other inputs");
    sizes[node.axis()] += input->sizes[node.axis()];
  }
  return make(node.output_id(), std::move(sizes));
}

Status Checker::multiply_batches(const xnn::_XNNNode2x1& node) {
  SLIPWAY_ASSIGN_OR_RETURN(const Value* a, read(node.input1_id()));
  SLIPWAY_ASSIGN_OR_RETURN(const Value* b, read(node.input2_id()));
  const bool transposed = (node.flags() & kTransposeWeights) != 0;
  if (a->sizes.size() < 2 || b->sizes.size() < 2) return does_not_fit("its dimensions");
  const uint64_t inner = b->sizes[b->sizes.size() - (transposed ? 1 : 2)];
  const uint64_t columns = b->sizes[b->sizes.size() - (transposed ? 2 : 1)];
  if (inner == 0 || columns == 0 || a->sizes.back() != inner) {
    return does_not_fit("the sizes of its second input");
  }
  if (a->row_dims > 1) return does_not_fit("the scales of its rows");
  SLIPWAY_ASSIGN_OR_RETURN(Sizes sizes, broadcast({a->sizes.begin(), a->sizes.end() - 2},
                                                  {b->sizes.begin(), b->sizes.end() - 2}));
  sizes.push_back(a->sizes[a->sizes.size() - 2]);
  sizes.push_back(columns);
  return make(node.output_id(), std::move(sizes));
}

Status Checker::check(const xnn::XNode& node) {
  using Kind = xnn::XNodeUnion;
  // A table may be absent; ExecuTorch reads it all the same.
  if (node.xnode_union() == nullptr) return invalid_file("it has no parameters");
  const auto flagged = [](uint32_t flags, uint32_t known) -> Status {
    if ((flags & ~known) == 0) return {};
    return unsupported("its flags are {:#x}, which is not supported", flags);
  };
#define SLIPWAY_NODE(name, known, call)                    \
  case Kind::XNN##name: {                                  \
    const auto& item = *node.xnode_union_as_XNN##name();   \
    SLIPWAY_RETURN_IF_ERROR(flagged(item.flags(), known)); \
    return call;                                           \
  }
  switch (node.xnode_union_type()) {
    SLIPWAY_NODE(Softmax, 0, unary(item))
    SLIPWAY_NODE(Sigmoid, 0, unary(item))
    SLIPWAY_NODE(Clamp, 0, unary(item))
    SLIPWAY_NODE(Floor, 0, unary(item))
    SLIPWAY_NODE(Convert, 0, unary(item))
    SLIPWAY_NODE(SquareRoot, 0, unary(item))
    SLIPWAY_NODE(ReciprocalSquareRoot, 0, unary(item))
    SLIPWAY_NODE(Ceiling, 0, unary(item))
    SLIPWAY_NODE(Hardswish, 0, unary(item))
    SLIPWAY_NODE(LeakyReLU, 0, unary(item))
    SLIPWAY_NODE(Negate, 0, unary(item))
    SLIPWAY_NODE(Square, 0, unary(item))
    SLIPWAY_NODE(ELU, 0, unary(item))
    SLIPWAY_NODE(Abs, 0, unary(item))
    SLIPWAY_NODE(Log, 0, unary(item))
    SLIPWAY_NODE(Gelu, 0, unary(item))
    SLIPWAY_NODE(Tanh, 0, unary(item))
    SLIPWAY_NODE(Exp, 0, unary(item))
    SLIPWAY_NODE(Sin, 0, unary(item))
    SLIPWAY_NODE(Cos, 0, unary(item))
    SLIPWAY_NODE(Copy, 0, unary(item))
    SLIPWAY_NODE(Add, 0, binary(item))
    SLIPWAY_NODE(Subtract, 0, binary(item))
    SLIPWAY_NODE(Multiply, 0, binary(item))
    SLIPWAY_NODE(Div, 0, binary(item))
    SLIPWAY_NODE(Minimum, 0, binary(item))
    SLIPWAY_NODE(Maximum, 0, binary(item))
    SLIPWAY_NODE(PReLU, 0, binary(item))
    SLIPWAY_NODE(FullyConnected, kTransposeWeights, fully_connected(item))
    SLIPWAY_NODE(Conv2d, 0, convolution(item, /*depthwise=*/false))
    SLIPWAY_NODE(DepthwiseConv2d, 0, convolution(item, /*depthwise=*/true))
    SLIPWAY_NODE(ConvTranspose2d, 0, deconvolution(item))
    SLIPWAY_NODE(AvgPooling2d, kKeepDims, pooling(item, /*dilated=*/false))
    SLIPWAY_NODE(MaxPooling2d, kKeepDims, pooling(item, /*dilated=*/true))
    SLIPWAY_NODE(ArgMaxPooling2d, kKeepDims, argmax_pooling(item))
    SLIPWAY_NODE(GlobalAvgPooling2d, kKeepDims, global_pooling(item))
    SLIPWAY_NODE(StaticTranspose, 0, transpose(item))
    SLIPWAY_NODE(StaticSlice, 0, slice(item))
    SLIPWAY_NODE(StaticReshape, 0, reshape(item))
    SLIPWAY_NODE(StaticConstantPad, 0, pad(item))
    SLIPWAY_NODE(StaticResizeBilinear2D, kAlignCorners, resize(item))
    SLIPWAY_NODE(Concatenate2, 0, concatenate(item, 2))
    SLIPWAY_NODE(Concatenate3, 0, concatenate(item, 3))
    SLIPWAY_NODE(Concatenate4, 0, concatenate(item, 4))
    SLIPWAY_NODE(Concatenate5, 0, concatenate(item, 5))
    SLIPWAY_NODE(BatchMatrixMultiply, kTransposeWeights, multiply_batches(item))
    default:
      return unsupported("it is of kind {}, which is not supported",
                         static_cast<int>(node.xnode_union_type()));
  }
#undef SLIPWAY_NODE
}

}  // namespace

Result<uint64_t> count_elements(const std::vector<uint64_t>& sizes) {
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) return uint64_t{0};
  uint64_t count = 1;
  for (const uint64_t size : sizes) {
    if (size > kMostElements / count) return invalid_file("a tensor has more than 2^40 elements");
    count *= size;
  }
  return count;
}

Status check_nodes(const xnn::XNNGraph& graph, Values& values, uint64_t memory) {
  Checker checker(values, memory);
  for (uint32_t i = 0; i < graph.xnodes()->size(); ++i) {
    const xnn::XNode& node = *graph.xnodes()->Get(i);
    if (auto status = checker.check(node); !status.ok()) {
      const auto kind = static_cast<size_t>(node.xnode_union_type());
      const bool named = kind <= static_cast<size_t>(xnn::XNodeUnion::MAX);
      return status.error().with_context(fmt::format(
          "node {} ({})", i, named ? xnn::EnumNameXNodeUnion(node.xnode_union_type()) : "unknown"));
    }
  }
  return {};
}

}  // namespace slipway::xnnpack
