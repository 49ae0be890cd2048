#include "openvino/shim/narrow_weights.h"

#include <algorithm>
#include <string>
#include <vector>

#include <openvino/op/constant.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/op/convolution.hpp>
#include <openvino/op/fake_quantize.hpp>
#include <openvino/op/gather.hpp>
#include <openvino/op/group_conv.hpp>
#include <openvino/op/matmul.hpp>
#include <openvino/op/multiply.hpp>
#include <openvino/op/reshape.hpp>
#include <openvino/op/squeeze.hpp>
#include <openvino/op/subtract.hpp>
#include <openvino/op/transpose.hpp>
#include <openvino/op/unsqueeze.hpp>
#include <openvino/pass/constant_folding.hpp>

namespace slipway::openvino::shim {
namespace {

bool is_half(const ov::Output<ov::Node>& value) {
  const ov::element::Type type = value.get_element_type();
  return type == ov::element::f16 || type == ov::element::bf16;
}

template <class... Operators>
bool is_any_of(const ov::Node* node) {
  return (ov::is_type<Operators>(node) || ...);
}

// The plugin folds the conversion of a weight from a half type to float32, and its export holds
// float32, unless the conversion is marked as its own readers mark those of compressed models. So
// it is, right in front of the operators that read weights so. Movements change places with it.
void keep_half_weight(const std::shared_ptr<ov::Node>& convert) {
  for (const ov::Input<ov::Node>& reader : convert->output(0).get_target_inputs()) {
    const std::shared_ptr<ov::Node> node = reader.get_node()->shared_from_this();
    const bool moves = is_any_of<ov::op::v1::Transpose, ov::op::v1::Reshape, ov::op::v0::Squeeze,
                                 ov::op::v0::Unsqueeze>(node.get());
    if (!moves || reader.get_index() != 0) continue;
    ov::OutputVector inputs = node->input_values();
    inputs.at(0) = convert->input_value(0);
    ov::OutputVector moved(1);
    if (!node->clone_with_new_inputs(inputs)->constant_fold(moved, inputs)) continue;
    const auto converted = std::make_shared<ov::op::v0::Convert>(moved.at(0), ov::element::f32);
    node->output(0).replace(converted->output(0));
    keep_half_weight(converted);
  }
  const auto readers = convert->output(0).get_target_inputs();
  const bool all = std::all_of(readers.begin(), readers.end(), [](const auto& reader) {
    return is_any_of<ov::op::v0::MatMul, ov::op::v1::Convolution, ov::op::v1::GroupConvolution,
                     ov::op::v1::ConvolutionBackpropData, ov::op::v1::GroupConvolutionBackpropData,
                     ov::op::v8::Gather>(reader.get_node());
  });
  if (all && !readers.empty()) convert->get_rt_info()["decompression_0"] = std::string();
}

// Whether it makes float32 of a constant.
bool widens(const ov::Node* node) {
  return ov::is_type<ov::op::v0::Convert>(node) &&
         node->get_output_element_type(0) == ov::element::f32 &&
         ov::is_type<ov::op::v0::Constant>(node->get_input_node_ptr(0));
}

// The plugin folds what scales the 8 bits of a convolution's weights, too, unless it is to make
// int8 products. What it may not fold the import computes, once.
void keep_byte_weight(const ov::Node& convolution) {
  ov::Node* weight = convolution.get_input_node_ptr(1);
  while (is_any_of<ov::op::v1::Multiply, ov::op::v1::Subtract, ov::op::v1::Reshape>(weight)) {
    weight = weight->get_input_node_ptr(0);
  }
  if (widens(weight) && weight->get_input_element_type(0).size() == 1) {
    ov::pass::disable_constant_folding(weight->shared_from_this());
  }
}

}  // namespace

void keep_narrow_weights(const std::shared_ptr<ov::Model>& model) {
  const auto nodes = model->get_ordered_ops();
  const bool has_int8_products = std::any_of(nodes.begin(), nodes.end(), [](const auto& node) {
    return ov::is_type<ov::op::v0::FakeQuantize>(node);
  });
  for (const std::shared_ptr<ov::Node>& node : nodes) {
    if (widens(node.get()) && is_half(node->input_value(0))) keep_half_weight(node);
    const bool convolves =
        is_any_of<ov::op::v1::Convolution, ov::op::v1::GroupConvolution>(node.get());
    if (convolves && !has_int8_products) keep_byte_weight(*node);
  }
}

}  // namespace slipway::openvino::shim
