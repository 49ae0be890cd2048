#include "openvino/shim/repeated_weights.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <unordered_set>
#include <vector>

#include <openvino/op/broadcast.hpp>
#include <openvino/op/concat.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/op/greater.hpp>
#include <openvino/op/logical_not.hpp>
#include <openvino/op/logical_or.hpp>
#include <openvino/op/matmul.hpp>
#include <openvino/op/parameter.hpp>
#include <openvino/op/reshape.hpp>
#include <openvino/op/select.hpp>
#include <openvino/op/shape_of.hpp>
#include <openvino/op/slice.hpp>
#include <openvino/op/tile.hpp>
#include <openvino/op/transpose.hpp>
#include <openvino/op/util/binary_elementwise_arithmetic.hpp>
#include <openvino/pass/constant_folding.hpp>

namespace slipway::openvino::shim {
namespace {

using NodePtr = std::shared_ptr<ov::Node>;

// Bytes from which on a result is not computed ahead of time.
constexpr size_t kLarge = size_t{64} << 10;

NodePtr integers(const std::vector<int64_t>& values) {
  return ov::op::v0::Constant::create(ov::element::i64, {values.size()}, values);
}

class Keeper {
 public:
  explicit Keeper(ov::Model& model) : model_(model) {}

  void run() {
    for (const NodePtr& node : model_.get_ordered_ops()) {
      if (!is_computed_from_constants(*node)) continue;
      constants_.insert(node.get());
      if (repeats(*node)) keep(node);
    }
  }

 private:
  // Constants, too.
  bool is_computed_from_constants(const ov::Node& node) const {
    if (ov::is_type<ov::op::v0::Constant>(&node)) return true;
    const auto inputs = node.input_values();
    return !inputs.empty() &&
           std::all_of(inputs.begin(), inputs.end(), [&](const ov::Output<ov::Node>& input) {
             return constants_.contains(input.get_node());
           });
  }

  static bool is_join(const ov::Node& node) { return ov::is_type<ov::op::v0::Concat>(&node); }

  // Whether it is large, and at least twice what it is made of; four times where it joins parts, as
  // tables of angles are joined to themselves.
  static bool repeats(const ov::Node& node) {
    const bool expands = ov::is_type<ov::op::v1::Broadcast>(&node) ||
                         ov::is_type<ov::op::v3::Broadcast>(&node) ||
                         ov::is_type<ov::op::v0::Tile>(&node);
    if (!expands && !is_join(node)) return false;
    std::set<ov::Output<ov::Node>> parts = {node.input_value(0)};
    for (size_t i = 1; is_join(node) && i < node.get_input_size(); ++i) {
      parts.insert(node.input_value(i));
    }
    size_t held = 0;
    for (const ov::Output<ov::Node>& part : parts) {
      if (part.get_partial_shape().is_dynamic()) return false;
      held += ov::shape_size(part.get_shape());
    }
    if (node.get_output_partial_shape(0).is_dynamic()) return false;
    const size_t count = ov::shape_size(node.get_output_shape(0));
    return count >= (is_join(node) ? 4 : 2) * held &&
           count * node.get_output_element_type(0).size() > kLarge;
  }

  // Whether it reads something beside this that a run gives.
  bool reads_more(const ov::Node& reader) const {
    const auto inputs = reader.input_values();
    return std::any_of(inputs.begin(), inputs.end(), [&](const ov::Output<ov::Node>& input) {
      return !is_known(*input.get_node());
    });
  }

  // As is_computed_from_constants, of nodes that were not met yet.
  static bool is_known(const ov::Node& node) {
    if (ov::is_type<ov::op::v0::Constant>(&node)) return true;
    const auto inputs = node.input_values();
    return !inputs.empty() &&
           std::all_of(inputs.begin(), inputs.end(),
                       [](const ov::Output<ov::Node>& each) { return is_known(*each.get_node()); });
  }

  // Whether all that read it repeat by themselves.
  bool is_joined(const ov::Node& node) const {
    const auto readers = node.output(0).get_target_inputs();
    return std::all_of(readers.begin(), readers.end(), [&](const ov::Input<ov::Node>& each) {
      const ov::Node& reader = *each.get_node();
      if (ov::is_type<ov::op::v1::Transpose>(&reader)) return is_joined(reader);
      const bool joins = ov::is_type<ov::op::v0::MatMul>(&reader) ||
                         ov::is_type<ov::op::util::BinaryElementwiseArithmetic>(&reader);
      return joins && reads_more(reader);
    });
  }

  void keep(const NodePtr& node) {
    if (is_join(*node)) {
      for (size_t i = 0; i < node->get_input_size(); ++i) {
        if (const NodePtr chosen = choice(node->input_value(i)))
          node->input(i).replace_source_output(chosen);
      }
      constants_.erase(node.get());
      return;
    }
    const ov::Shape from = node->get_input_shape(0);
    const ov::Shape to = node->get_output_shape(0);
    std::vector<int64_t> repeats(to.size());
    bool broadcasts = true;
    for (size_t i = 0; i < to.size(); ++i) {
      const size_t place = i + from.size() - to.size();
      const size_t size = i + from.size() < to.size() ? 1 : from[place];
      if (size == 0) return;
      repeats[i] = static_cast<int64_t>(to[i] / size);
      broadcasts = broadcasts && (size == 1 || size == to[i]);
    }
    NodePtr made;
    if (broadcasts && is_joined(*node)) {
      made = std::make_shared<ov::op::v3::Broadcast>(node->input_value(0),
                                                     integers({to.begin(), to.end()}),
                                                     ov::op::BroadcastType::BIDIRECTIONAL);
      ov::pass::disable_constant_folding(made);
    } else if (const NodePtr chosen = choice(node->input_value(0))) {
      made = std::make_shared<ov::op::v0::Tile>(chosen, integers(repeats));
    }
    if (!made) return;
    made->set_friendly_name(node->get_friendly_name());
    node->output(0).replace(made->output(0));
    constants_.erase(node.get());
  }

  // The value, by a choice between it and zeros; null where the model has nothing to choose by.
  NodePtr choice(const ov::Output<ov::Node>& value) {
    if (!always_) always_ = make_always();
    if (!always_) return nullptr;
    const auto zero = ov::op::v0::Constant::create(value.get_element_type(), {1}, {0});
    return std::make_shared<ov::op::v1::Select>(always_, value, zero);
  }

  // A bool[1] that is true, which only a run shows: an element, or a size, is above 0 or is not.
  NodePtr make_always() const {
    const NodePtr number = number_of_run();
    if (!number) return nullptr;
    const auto real = std::make_shared<ov::op::v0::Convert>(number, ov::element::f32);
    const auto zero = ov::op::v0::Constant::create(ov::element::f32, {1}, {0});
    const auto above = std::make_shared<ov::op::v1::Greater>(real, zero);
    const auto others = std::make_shared<ov::op::v1::LogicalNot>(above);
    return std::make_shared<ov::op::v1::LogicalOr>(above, others);
  }

  NodePtr number_of_run() const {
    for (const auto& parameter : model_.get_parameters()) {
      const ov::PartialShape& sizes = parameter->get_partial_shape();
      if (sizes.is_dynamic() || ov::shape_size(sizes.to_shape()) == 0) continue;
      return element(std::make_shared<ov::op::v1::Reshape>(parameter, integers({-1}), false), 0);
    }
    for (const auto& parameter : model_.get_parameters()) {
      const ov::PartialShape& sizes = parameter->get_partial_shape();
      if (sizes.rank().is_dynamic()) continue;
      for (size_t i = 0; i < sizes.size(); ++i) {
        if (sizes[i].is_static()) continue;
        return element(std::make_shared<ov::op::v3::ShapeOf>(parameter), static_cast<int64_t>(i));
      }
    }
    return nullptr;
  }

  static NodePtr element(const NodePtr& vector, int64_t place) {
    return std::make_shared<ov::op::v8::Slice>(vector, integers({place}), integers({place + 1}),
                                               integers({1}), integers({0}));
  }

  ov::Model& model_;
  std::unordered_set<const ov::Node*> constants_;
  NodePtr always_;
};

}  // namespace

void keep_repeated_weights(const std::shared_ptr<ov::Model>& model) { Keeper(*model).run(); }

}  // namespace slipway::openvino::shim
