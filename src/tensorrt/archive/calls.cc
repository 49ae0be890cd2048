#include "tensorrt/archive/calls.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/hash.h"
#include "base/printable.h"
#include "base/try.h"
#include "slipway/version.h"
#include "tensorrt/archive/call_nodes.h"
#include "tensorrt/archive/metadata.h"
#include "tensorrt/archive/serialized_engine.h"
#include "tensorrt/format/blob.h"
#include "tensorrt/format/description.h"

namespace slipway::tensorrt {

namespace {

constexpr const char* kInBranch = "is called in a branch or a loop, where delegates can't be";

// What several calls have in common is read once: an object by its record, a digest by its plan.
struct Known {
  KnownObjects objects;
  std::map<const std::byte*, std::string> digests;
};

// What this machine's files can't hold or run.
Status check_supported(const SerializedEngine& engine, bool is_placeholder) {
  if (engine.needs_output_allocator) {
    return unsupported(
        "its engine needs an output allocator, which TensorRT's delegate has none of: the sizes of "
        "its results depend on data");
  }
  if (engine.needs_several_devices) {
    return unsupported("its engine is for several GPUs, and a delegate runs on one");
  }
  return is_placeholder ? Status() : check_own_platform(engine);
}

Result<uint32_t> place_of(const std::string& name, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    return invalid_file("its engine has an alias of '{}', which is no binding of it",
                        printable_start(name));
  }
  return static_cast<uint32_t>(found - names.begin());
}

Status describe(const std::vector<std::string>& names, const std::vector<ir::Value*>& values,
                const char* what, std::vector<engine::EngineTensor>& tensors) {
  if (names.size() != values.size()) {
    return invalid_file("its engine has {} {}, and the program {}", names.size(), what,
                        values.size());
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (values[i] == nullptr || !values[i]->is_tensor()) {
      return invalid_file("one of the {} of its engine is no tensor", what);
    }
    engine::EngineTensor& tensor = tensors.emplace_back();
    tensor.name = names[i];
    tensor.dtype = dtype_name(values[i]->dtype());
    for (const ir::SymInt& size : values[i]->sizes()) tensor.sizes.push_back(size.to_string());
  }
  return {};
}

Result<engine::Engine> make_engine(SerializedEngine serialized,
                                   const std::vector<ir::Value*>& inputs,
                                   const std::vector<ir::Value*>& outputs, Known& known) {
  engine::Engine engine;
  engine::EngineRecord& record = engine.record;
  record.engine = kDescription.name;
  record.backend = kDescription.backend;
  record.device = serialized.device_name.empty() ? "GPU" : serialized.device_name;
  const EngineNote note = note_of(serialized.metadata);
  record.library_version = note.library_version;
  record.target = note.target;
  if (!serialized.hardware_compatible) record.capabilities = serialized.capability;
  if (record.target.empty()) record.target = record.capabilities;
  record.options = {{kAbiOption, serialized.abi_version}};
  if (!serialized.target_platform.empty()) {
    record.options[kPlatformOption] = serialized.target_platform;
  }
  record.compile_specs = {{"target_device", fmt::format("cuda:{}", serialized.device_id)}};
  SLIPWAY_RETURN_IF_ERROR(describe(serialized.inputs, inputs, "inputs", record.inputs));
  SLIPWAY_RETURN_IF_ERROR(describe(serialized.outputs, outputs, "outputs", record.outputs));
  for (const SerializedAlias& alias : serialized.aliases) {
    SLIPWAY_ASSIGN_OR_RETURN(const uint32_t output, place_of(alias.output, serialized.outputs));
    SLIPWAY_ASSIGN_OR_RETURN(const uint32_t input, place_of(alias.input, serialized.inputs));
    const ir::Value& given = *inputs[input];
    const ir::Value& got = *outputs[output];
    if (given.dtype() != got.dtype() || given.sizes() != got.sizes()) {
      return invalid_file("its output '{}' is in the memory of '{}', and of another type",
                          printable_start(alias.output), printable_start(alias.input));
    }
    record.aliases.push_back({output, input, alias.kind});
  }
  record.size = serialized.plan.bytes.size();
  std::string& digest = known.digests[serialized.plan.bytes.data()];
  if (digest.empty()) digest = sha256_hex(serialized.plan.bytes);
  record.sha256 = digest;
  Metadata metadata = metadata_of(record);
  metadata.hardware_compatible = serialized.hardware_compatible;
  metadata.device_id = serialized.device_id;
  metadata.serialized_metadata = serialized.metadata;
  metadata.target_platform = serialized.target_platform;
  auto header = write_header(metadata, record.size);
  // What it says of arguments is here what the archive has.
  if (!header.ok()) return invalid_file("{}", header.error().message());
  engine.header = *std::move(header);
  engine.bytes = std::move(serialized.plan);
  return engine;
}

// What another version of Slipway made is no error: it may know what this one does not.
std::string difference(const std::string& metadata, const std::string& node) {
  const std::string own = std::string("slipway ") + version();
  const std::string made_by = note_of(metadata).tool_version;
  if (made_by.empty() || made_by == own) return {};
  return fmt::format("the engine of {} was made by {}, and this is {}", node, made_by, own);
}

std::string name_of(const ir::Node& node) { return fmt::format("{} ({})", node.name(), node.op()); }

// What a call is given, and its engine.
struct Call {
  std::vector<ir::Value*> inputs;
  SerializedEngine engine;
};

Result<Call> read_call(const ir::Program& program, const ir::Node& node, Known& known) {
  const auto* inputs =
      node.args().empty() ? nullptr : std::get_if<std::vector<ir::Value*>>(&node.arg(0));
  if (inputs == nullptr) return invalid_file("its first argument is no list of tensors");
  SLIPWAY_ASSIGN_OR_RETURN(SerializedEngine engine, engine_of(program, node, known.objects));
  return Call{*inputs, std::move(engine)};
}

Result<engine_build::FoundEngine> take_engine(ir::Program& program, ir::Node& node, size_t number,
                                              Known& known) {
  SLIPWAY_ASSIGN_OR_RETURN(Call call, read_call(program, node, known));
  SLIPWAY_RETURN_IF_ERROR(check_supported(call.engine, node.op() == kPlaceholder));
  std::string name = name_of(node);
  std::string warning = difference(call.engine.metadata, name);
  SLIPWAY_ASSIGN_OR_RETURN(engine::Engine engine,
                           make_engine(std::move(call.engine), call.inputs, node.outputs(), known));
  ir::Node* taken = program.graph->add_node(
      ir::kCallEngine, {ir::SymInt(static_cast<int64_t>(number)), std::move(call.inputs)},
      {.before = &node, .origin = &node});
  const std::vector<ir::Value*> outputs = node.outputs();
  for (ir::Value* output : outputs) program.graph->move_output(output, taken);
  return engine_build::FoundEngine{std::move(engine), std::move(name), std::move(warning)};
}

engine_build::ListedEngine list_engine(const ir::Program& program, const ir::Node& node,
                                       Known& known) {
  std::string name = name_of(node);
  auto call = read_call(program, node, known);
  if (!call.ok()) return {std::move(name), call.error()};
  // As a placeholder, too, it does not run here.
  Status runs_here = check_supported(call->engine, /*is_placeholder=*/false);
  std::string warning = difference(call->engine.metadata, name);
  auto engine = make_engine(std::move(call->engine), call->inputs, node.outputs(), known);
  return {std::move(name), std::move(engine), std::move(runs_here), std::move(warning)};
}

// Those of the graphs within it, too, whose objects are somebody else's values.
void list_graph(const ir::Program& program, const ir::Graph& graph, Known& known,
                std::vector<engine_build::ListedEngine>& listed) {
  for (const auto& node : graph.nodes()) {
    if (is_call(*node)) {
      if (&graph == program.graph.get()) {
        listed.push_back(list_engine(program, *node, known));
      } else {
        listed.push_back({name_of(*node), unsupported("{}", kInBranch)});
      }
    }
    for (const ir::Argument& argument : node->args()) {
      ir::Graph::for_each_graph(argument, [&](const std::shared_ptr<ir::Graph>& inner) {
        list_graph(program, *inner, known, listed);
      });
    }
  }
}

}  // namespace

Result<std::vector<engine_build::FoundEngine>> take_engines(ir::Program& program,
                                                            size_t first_engine) {
  std::vector<ir::Node*> calls;
  for (const auto& node : program.graph->nodes()) {
    if (is_call(*node)) calls.push_back(node.get());
  }
  std::vector<engine_build::FoundEngine> found;
  Known known;
  for (ir::Node* node : calls) {
    auto engine = take_engine(program, *node, first_engine + found.size(), known);
    if (!engine.ok()) {
      return engine.error().with_context(fmt::format("{}: {}", program.source, name_of(*node)));
    }
    found.push_back(std::move(*engine));
    program.graph->erase(node);
  }
  const auto& nodes = program.graph->nodes();
  if (std::any_of(nodes.begin(), nodes.end(),
                  [](const auto& node) { return has_inner_call(*node); })) {
    return unsupported("{}: an engine {}", program.source, kInBranch);
  }
  if (!found.empty()) program.remove_unused_constants();
  return found;
}

std::vector<engine_build::ListedEngine> list_engines(const ir::Program& program) {
  std::vector<engine_build::ListedEngine> listed;
  Known known;
  list_graph(program, *program.graph, known, listed);
  return listed;
}

}  // namespace slipway::tensorrt
