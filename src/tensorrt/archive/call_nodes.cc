#include "tensorrt/archive/call_nodes.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "pt2/object_pickle.h"

namespace slipway::tensorrt {

namespace {

Result<SerializedEngine> engine_of_object(const ir::Program& program, const ir::Node& node,
                                          KnownObjects& known) {
  const auto* value = node.args().size() == 2 ? std::get_if<ir::Value*>(&node.arg(1)) : nullptr;
  if (value == nullptr || *value == nullptr) {
    return invalid_file("it takes a list of tensors and an engine, and is given something else");
  }
  const ir::Input* input = program.input_of(*value);
  if (input == nullptr || input->kind != ir::InputKind::kCustomObject) {
    std::vector<std::string> objects;
    for (const ir::Input& each : program.inputs) {
      if (each.kind == ir::InputKind::kCustomObject) objects.push_back(printable_start(each.name));
    }
    return invalid_file("its engine, {}, is none of the program's objects, which are: {}",
                        printable_start((*value)->name()),
                        objects.empty() ? "none" : fmt::format("{}", fmt::join(objects, ", ")));
  }
  const auto found = known.find(input->object.bytes.data());
  if (found != known.end()) return found->second;
  constexpr std::string_view kTypes[] = {kEngineClass, kEngineFunction};
  SLIPWAY_ASSIGN_OR_RETURN(const pt2::PickledObject object,
                           pt2::read_object(input->object, kTypes, input->target));
  SLIPWAY_ASSIGN_OR_RETURN(SerializedEngine engine,
                           read_serialized_engine(object.state, object.owner));
  known.emplace(input->object.bytes.data(), engine);
  return engine;
}

std::string_view own_text(const std::string& text, std::shared_ptr<const void>& owner) {
  auto copy = std::make_shared<const std::string>(text);
  owner = copy;
  return *copy;
}

// The items are arguments: texts, but for the plan, which may be a tensor of the program.
Result<SerializedEngine> engine_of_arguments(const ir::Program& program, const ir::Node& node) {
  std::vector<std::string_view> items;
  std::shared_ptr<const void> owner;
  OwnedSpan plan;
  bool is_tensor = false;
  for (size_t i = 1; i < node.args().size(); ++i) {
    if (const auto* text = std::get_if<ir::LongText>(&node.arg(i))) {
      items.push_back(text->view());
      if (i == kPlanItem + 1) owner = text->bytes.owner;
      continue;
    }
    if (const auto* text = std::get_if<std::string>(&node.arg(i))) {
      items.emplace_back(*text);
      // The node may be gone before the plan.
      if (i == kPlanItem + 1) items.back() = own_text(*text, owner);
      continue;
    }
    const auto* value = std::get_if<ir::Value*>(&node.arg(i));
    const ir::Input* input = value && *value ? program.input_of(*value) : nullptr;
    if (i != kPlanItem + 1 || input == nullptr || !input->data) {
      return invalid_file("its argument {} is neither a text nor a tensor of the archive", i);
    }
    if (input->data->dtype != DType::kUInt8 || !input->data->is_contiguous()) {
      return invalid_file("its engine, {}, is no list of bytes", input->target);
    }
    is_tensor = true;
    plan = {input->data->bytes(), input->data->storage.owner};
    items.emplace_back();
  }
  return read_serialized_engine(items, owner, is_tensor ? &plan : nullptr);
}

}  // namespace

bool is_call(const ir::Node& node) { return node.op() == kExecute || node.op() == kPlaceholder; }

bool has_inner_call(const ir::Node& node) {
  bool found = false;
  for (const ir::Argument& argument : node.args()) {
    ir::Graph::for_each_graph(argument, [&](const std::shared_ptr<ir::Graph>& graph) {
      for (const auto& inner : graph->nodes()) {
        found = found || is_call(*inner) || has_inner_call(*inner);
      }
    });
  }
  return found;
}

Result<SerializedEngine> engine_of(const ir::Program& program, const ir::Node& node,
                                   KnownObjects& known) {
  return node.op() == kPlaceholder ? engine_of_arguments(program, node)
                                   : engine_of_object(program, node, known);
}

bool is_platform_known(std::string_view platform) {
  return !platform.empty() && platform != "unknown";
}

Status check_own_platform(const SerializedEngine& engine) {
  const std::string& platform = engine.target_platform;
  if (!is_platform_known(platform) || platform == kPlatform) return {};
  return unsupported("its engine is for {}, and this is {}: compile it there", platform, kPlatform);
}

}  // namespace slipway::tensorrt
