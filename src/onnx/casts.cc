#include "onnx/casts.h"

#include <memory>
#include <variant>

namespace slipway::onnx {

Node make_cast(const std::string& from, const std::string& to, DType type, const Node& origin) {
  Node cast;
  cast.op_type = "Cast";
  cast.name = to + "/Cast";
  cast.inputs = {from};
  cast.outputs = {to};
  cast.attributes = {{"to", static_cast<int64_t>(onnx_type(type))}};
  cast.origin = origin.origin;
  cast.target = origin.target;
  cast.stack_trace = origin.stack_trace;
  return cast;
}

std::string take_name(const std::string& wanted, std::set<std::string>& names) {
  std::string name = wanted;
  for (int i = 1; !names.insert(name).second; ++i) name = wanted + "_" + std::to_string(i);
  return name;
}

void collect_captured(const Node& node, std::set<std::string>& names) {
  for (const auto& [name, attribute] : node.attributes) {
    const auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute);
    if (!body) continue;
    for (const ValueType& output : (*body)->outputs) names.insert(output.name);
    for (const Node& inner : (*body)->nodes) {
      names.insert(inner.inputs.begin(), inner.inputs.end());
      collect_captured(inner, names);
    }
  }
}

}  // namespace slipway::onnx
