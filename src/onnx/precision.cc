#include "onnx/precision.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/half.h"
#include "base/try.h"
#include "onnx/casts.h"
#include "onnx/float32_nodes.h"
#include "onnx/value_types.h"

namespace slipway::onnx {

namespace {

constexpr int64_t kBFloat16Opset = 22;

// Rounds float32 elements that come in pieces of any size.
template <uint16_t (*round_one)(float)>
class Rounder {
 public:
  explicit Rounder(const ByteSink& sink) : sink_(sink) {}

  Status take(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const size_t count = std::min(bytes.size(), element_.size() - pending_);
      if (pending_ > 0 || count < element_.size()) {
        std::memcpy(element_.data() + pending_, bytes.data(), count);
        pending_ += count;
        bytes = bytes.subspan(count);
        if (pending_ < element_.size()) return {};
        pending_ = 0;
        SLIPWAY_RETURN_IF_ERROR(round(element_));
        continue;
      }
      const size_t whole = std::min(bytes.size() / sizeof(float), halves_.size()) * sizeof(float);
      SLIPWAY_RETURN_IF_ERROR(round(bytes.first(whole)));
      bytes = bytes.subspan(whole);
    }
    return {};
  }

 private:
  Status round(std::span<const std::byte> bytes) {
    const size_t count = bytes.size() / sizeof(float);
    for (size_t i = 0; i < count; ++i) {
      float value = 0;
      std::memcpy(&value, bytes.data() + i * sizeof(float), sizeof(float));
      halves_[i] = round_one(value);
    }
    return sink_(std::as_bytes(std::span(halves_).first(count)));
  }

  const ByteSink& sink_;
  std::array<std::byte, sizeof(float)> element_ = {};
  size_t pending_ = 0;  // bytes of element_
  std::vector<uint16_t> halves_ = std::vector<uint16_t>(1 << 17);
};

template <uint16_t (*round_one)(float)>
ByteProducer rounded(ByteSource data) {
  return [data = std::move(data)](const ByteSink& sink) -> Status {
    Rounder<round_one> rounder(sink);
    const auto take = [&](std::span<const std::byte> bytes) { return rounder.take(bytes); };
    return data.write(take);
  };
}

// ONNX has these inputs in float32, whatever the others are.
bool is_always_float32(const Node& node, size_t input) {
  return node.op_type == "Resize" && (input == 1 || input == 2);
}

class Converter {
 public:
  Converter(Graph graph, DType half, const std::set<std::string>& keep)
      : graph_(std::move(graph)),
        half_(half),
        types_(value_types(graph_)),
        stays_(float32_nodes(graph_, types_, half, keep)),
        original_(std::move(graph_.nodes)) {
    graph_.nodes.clear();
    for (const auto& [name, type] : types_) names_.insert(name);
    for (const ValueType& input : graph_.inputs) add_form(input.name, DType::kFloat32, input.name);
    for (const Initializer& initializer : graph_.initializers) {
      initializers_.insert(initializer.name);
    }
    for (const ValueType& output : graph_.outputs) fixed_.insert(output.name);
    for (const Node& node : original_) {
      collect_captured(node, fixed_);
      for (const std::string& output : node.outputs) producers_[output] = &node;
    }
  }

  Graph run() {
    for (size_t i = 0; i < original_.size(); ++i) convert(original_[i], stays_[i]);
    for (const ValueType& output : graph_.outputs) use(output.name, DType::kFloat32, Node());
    convert_initializers();
    convert_values();
    if (half_ == DType::kBFloat16) graph_.opset = std::max(graph_.opset, kBFloat16Opset);
    return std::move(graph_);
  }

 private:
  // The names of a float32 value in the new graph; empty: it is not there in this type.
  struct Forms {
    std::string single;
    std::string half;
  };

  bool is_float(const std::string& name) const {
    const auto found = types_.find(name);
    return found != types_.end() && found->second == DType::kFloat32;
  }

  std::string& form(const std::string& name, DType type) {
    Forms& forms = forms_[name];
    return type == DType::kFloat32 ? forms.single : forms.half;
  }

  void add_form(const std::string& name, DType type, const std::string& as) {
    if (is_float(name)) form(name, type) = as;
  }

  std::string half_name(const std::string& name) {
    return take_name(name + (half_ == DType::kFloat16 ? "_fp16" : "_bf16"), names_);
  }

  void add_cast(const std::string& from, const std::string& to, DType type, const Node& origin) {
    graph_.nodes.push_back(make_cast(from, to, type, origin));
    made_.insert(to);
  }

  // The name under which `user` finds the value in `type`, which counts for float32 values only.
  std::string use(const std::string& name, DType type, const Node& user) {
    if (!is_float(name)) {
      const auto replaced = replaced_.find(name);
      return replaced == replaced_.end() ? name : replaced->second;
    }
    if (const std::string& known = form(name, type); !known.empty()) return known;
    const std::string as = type == DType::kFloat32 ? name : half_name(name);
    const auto producer = producers_.find(name);
    if (initializers_.contains(name)) {
      // It is converted at the end.
    } else if (producer != producers_.end() && is_conversion(*producer->second)) {
      const std::string& source = producer->second->inputs.at(0);
      const std::string converted = use(source, type, user);
      // A value of the half type that was widened.
      if (types_.at(source) == type) return form(name, type) = converted;
      const auto [cast, is_new] = conversions_.try_emplace({converted, type}, as);
      if (!is_new && !fixed_.contains(name)) return form(name, type) = cast->second;
      add_cast(converted, as, type, *producer->second);
    } else {
      const DType other = type == DType::kFloat32 ? half_ : DType::kFloat32;
      const bool has_producer = producer != producers_.end();
      add_cast(form(name, other), as, type, has_producer ? *producer->second : user);
    }
    return form(name, type) = as;
  }

  // A Cast to float32 is made where its result is needed, to the type that is needed there.
  bool is_conversion(const Node& node) const {
    return node.op_type == "Cast" && !node.inputs.empty() && types_.contains(node.inputs[0]) &&
           !is_float(node.inputs[0]) && is_float(node.outputs.at(0));
  }

  void convert(const Node& original, bool stays) {
    if (is_conversion(original)) return;
    const DType type = stays ? DType::kFloat32 : half_;
    if (original.op_type == "Cast" && narrow(original)) return;
    Node node = original;
    std::set<std::string> captured;
    collect_captured(original, captured);
    for (const std::string& name : captured) {
      if (types_.contains(name)) use(name, DType::kFloat32, original);
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      node.inputs[i] =
          use(node.inputs[i], is_always_float32(node, i) ? DType::kFloat32 : type, original);
    }
    bool is_half = false;
    for (std::string& output : node.outputs) {
      if (!is_float(output)) continue;
      is_half = !stays;
      const std::string name = output;
      if (is_half) output = half_name(name);
      add_form(name, type, output);
      made_.insert(output);
    }
    // Its softmax stays in float32, too.
    if (is_half && node.op_type == "Attention") {
      node.attributes.emplace_back("softmax_precision", int64_t{onnx_type(DType::kFloat32)});
    }
    if (is_half && node.op_type == "Cast") {
      node.attributes = {{"to", static_cast<int64_t>(onnx_type(half_))}};
    }
    graph_.nodes.push_back(std::move(node));
  }

  // Whether a Cast to the half type is the half form of its input.
  bool narrow(const Node& cast) {
    const std::string& output = cast.outputs.at(0);
    if (types_.at(output) != half_ || fixed_.contains(output)) return false;
    if (!is_float(cast.inputs.at(0))) return false;
    replaced_[output] = use(cast.inputs[0], half_, cast);
    return true;
  }

  void convert_initializers() {
    std::vector<Initializer> initializers;
    for (Initializer& initializer : graph_.initializers) {
      const auto found = forms_.find(initializer.name);
      const Forms forms = found == forms_.end() ? Forms() : found->second;
      if (!forms.half.empty()) {
        Initializer half = initializer;
        half.name = forms.half;
        half.dtype = half_;
        const uint64_t size = initializer.data.size() / sizeof(float) * sizeof(uint16_t);
        half.data = {size, half_ == DType::kFloat16 ? rounded<to_float16>(initializer.data)
                                                    : rounded<to_bfloat16>(initializer.data)};
        initializers.push_back(std::move(half));
      }
      if (forms.half.empty() || !forms.single.empty()) {
        initializers.push_back(std::move(initializer));
      }
    }
    graph_.initializers = std::move(initializers);
  }

  // The types of what the new graph has.
  void convert_values() {
    std::vector<ValueType> values;
    for (ValueType& value : graph_.values) {
      if (replaced_.contains(value.name)) continue;
      if (!is_float(value.name)) {
        values.push_back(std::move(value));
        continue;
      }
      const Forms& forms = forms_[value.name];
      if (made_.contains(forms.half)) values.push_back({forms.half, half_, value.sizes});
      if (!forms.single.empty()) values.push_back(std::move(value));
    }
    graph_.values = std::move(values);
  }

  Graph graph_;
  const DType half_;
  const ValueTypes types_;
  const std::vector<bool> stays_;
  const std::vector<Node> original_;
  std::set<std::string> names_;  // taken, in either graph
  std::set<std::string> initializers_;
  std::set<std::string> made_;   // by a node of the new graph
  std::set<std::string> fixed_;  // outputs, and what branches refer to
  std::unordered_map<std::string, const Node*> producers_;
  std::unordered_map<std::string, Forms> forms_;
  // Of what is not float32, by its name and the type wanted.
  std::map<std::pair<std::string, DType>, std::string> conversions_;
  std::unordered_map<std::string, std::string> replaced_;  // what is not float32, by another value
};

}  // namespace

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return "fp16";
    case Precision::kBFloat16:
      return "bf16";
    default:
      return "model";
  }
}

Result<Precision> parse_precision(const std::string& name) {
  for (const Precision each : {Precision::kModel, Precision::kFloat16, Precision::kBFloat16}) {
    if (name == precision_name(each)) return each;
  }
  return invalid_argument("expected model, fp16 or bf16, not '{}'", name);
}

Result<Graph> convert_precision(Graph graph, DType half, const std::set<std::string>& keep) {
  if (half != DType::kFloat16 && half != DType::kBFloat16) {
    return internal_error("{} is not a half type", dtype_name(half));
  }
  return Converter(std::move(graph), half, keep).run();
}

}  // namespace slipway::onnx
