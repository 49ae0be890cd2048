#include "tensorrt/archive/call_writer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/identifier.h"
#include "base/try.h"
#include "ir/op_builder.h"
#include "pt2/object_writer.h"
#include "slipway/version.h"
#include "tensorrt/archive/metadata.h"

namespace slipway::tensorrt {

namespace {

using engine_build::ArchiveCalls;
using ir::Node;
using ir::Value;

// The first ABI whose placeholder takes the plan as a tensor, and the first whose runtimes read
// plain pickles.
constexpr std::string_view kFirstWithTensor = "9";
constexpr std::string_view kFirstWithFunction = "10";

const std::vector<std::string>& parameters_of_placeholder() {
  static const std::vector<std::string> kNames = {"inputs",
                                                  "abi_version",
                                                  "name",
                                                  "serialized_device_info",
                                                  "serialized_engine",
                                                  "serialized_in_binding_names",
                                                  "serialized_out_binding_names",
                                                  "serialized_hardware_compatible",
                                                  "serialized_metadata",
                                                  "serialized_target_platform",
                                                  "serialized_require_output_allocator",
                                                  "serialized_resource_allocation_strategy",
                                                  "serialized_requires_native_multidevice",
                                                  "serialized_aliased_io"};
  return kNames;
}

// ABIs are numbers.
bool is_before(std::string_view abi, std::string_view other) {
  return abi.size() != other.size() ? abi.size() < other.size() : abi < other;
}

std::vector<std::string> names_of(const std::vector<engine::EngineTensor>& tensors) {
  std::vector<std::string> names;
  names.reserve(tensors.size());
  for (const engine::EngineTensor& tensor : tensors) names.push_back(tensor.name);
  return names;
}

Result<SerializedEngine> describe(const engine::Engine& engine, const std::vector<Value*>& inputs,
                                  const std::vector<Value*>& outputs, const CallForm& form) {
  const engine::EngineRecord& record = engine.record;
  if (!engine.variants.empty()) {
    return invalid_argument(
        "it is there for {} targets, and a program of Torch-TensorRT holds one engine of each "
        "partition: name one target, or several of one engine with commas between them",
        engine.variants.size() + 1);
  }
  if (record.inputs.size() != inputs.size() || record.outputs.size() != outputs.size()) {
    return internal_error("it takes {} tensors and gives {}, and the program has {} and {} there",
                          record.inputs.size(), record.outputs.size(), inputs.size(),
                          outputs.size());
  }
  SerializedEngine result;
  result.abi_version = form.abi;
  const std::string& target = record.target.empty() ? record.capabilities : record.target;
  result.capability = target.substr(0, target.find(','));
  // Torch-TensorRT knows of one GPU, and of all later ones.
  result.hardware_compatible = result.capability.size() != target.size() || target.empty();
  result.plan = engine.bytes;
  result.inputs = names_of(record.inputs);
  result.outputs = names_of(record.outputs);
  result.target_platform = form.platform;
  for (const engine::EngineAlias& alias : record.aliases) {
    result.aliases.push_back(
        {result.outputs.at(alias.output), result.inputs.at(alias.input), alias.kind});
  }
  SLIPWAY_ASSIGN_OR_RETURN(result.metadata, write_metadata(result.inputs, inputs, outputs,
                                                           {std::string("slipway ") + version(),
                                                            record.library_version, target}));
  return result;
}

class CallWriter {
 public:
  CallWriter(ir::Program& program, std::span<const engine::Engine> engines, const CallForm& form)
      : program_(program), graph_(*program.graph), engines_(engines), form_(form) {
    for (const ir::Input& input : program.inputs) {
      taken_.insert(plain(input.name));
      // Its module's names, too: nothing else may have one of these.
      for (size_t dot = 0; dot != std::string::npos;) {
        dot = input.target.find('.', dot + 1);
        taken_.insert(plain(input.target.substr(0, dot)));
      }
    }
    for (const auto& node : graph_.nodes()) {
      for (const Value* output : node->outputs()) taken_.insert(plain(output->name()));
    }
  }

  Result<ArchiveCalls> run() {
    std::vector<Node*> calls;
    for (const auto& node : graph_.nodes()) {
      if (node->op() == ir::kCallEngine || is_call(*node)) calls.push_back(node.get());
      if (has_inner_call(*node)) {
        return unsupported(
            "{}: an engine is called in a branch or a loop ({}), where it stays as it is",
            program_.source, node->name());
      }
    }
    for (Node* node : calls) {
      const Status done = node->op() == ir::kCallEngine ? put(node) : convert(node);
      if (!done.ok()) {
        return done.error().with_context(
            fmt::format("{}: the engine of {}", program_.source, node->name()));
      }
    }
    program_.remove_unused_constants();
    calls_.engines = plans_.size();
    for (const auto& [digest, size] : plans_) calls_.engine_bytes += size;
    return std::move(calls_);
  }

 private:
  // As Python's modules name it.
  static std::string plain(std::string name) {
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
  }

  // "before<i>after" with the first number from `next` on that makes it free.
  std::string free_name(std::string_view before, std::string_view after, size_t& next) {
    std::string name;
    do {
      name = fmt::format("{}{}{}", before, next++, after);
    } while (!taken_.insert(name).second);
    return name;
  }

  Status put(Node* node) {
    const auto* index = std::get_if<ir::SymInt>(&node->arg(0));
    const auto place = index ? index->constant() : std::nullopt;
    if (!place || *place < 0 || static_cast<size_t>(*place) >= engines_.size()) {
      return internal_error("it calls an engine that is not there");
    }
    const engine::Engine& engine = engines_[static_cast<size_t>(*place)];
    std::vector<Value*> inputs = std::get<std::vector<Value*>>(node->arg(1));
    SLIPWAY_ASSIGN_OR_RETURN(SerializedEngine serialized,
                             describe(engine, inputs, node->outputs(), form_));
    serialized.name = free_name("_run_on_acc_", "_engine", next_engine_);
    copy_what_changes(engine.record, *node, inputs);
    plans_[engine.record.sha256] = engine.bytes.bytes.size();
    return write(node, std::move(inputs), serialized, engine.record.sha256);
  }

  // A call that is there already, where its form is another one.
  Status convert(Node* node) {
    SLIPWAY_ASSIGN_OR_RETURN(SerializedEngine serialized, engine_of(program_, *node, known_));
    const bool is_placeholder = node->op() == kPlaceholder;
    const std::string platform = serialized.target_platform;
    if (is_placeholder && form_.is_placeholder) {
      if (is_platform_known(platform) && platform != form_.platform) {
        return invalid_argument("it was built for {}, and not for {}", platform, form_.platform);
      }
    } else {
      SLIPWAY_RETURN_IF_ERROR(check_own_platform(serialized));
      if (form_.platform != kPlatform) {
        return invalid_argument("it was built for {}, and not for {}", kPlatform, form_.platform);
      }
    }
    const auto* inputs =
        node->args().empty() ? nullptr : std::get_if<std::vector<Value*>>(&node->arg(0));
    if (inputs == nullptr) return invalid_file("its first argument is no list of tensors");
    if (serialized.inputs.size() != inputs->size() ||
        serialized.outputs.size() != node->outputs().size()) {
      return invalid_file("it takes {} tensors and gives {}, and the program has {} and {} there",
                          serialized.inputs.size(), serialized.outputs.size(), inputs->size(),
                          node->outputs().size());
    }
    ++calls_.found;
    const std::string digest = sha256_hex(serialized.plan.bytes);
    plans_[digest] = serialized.plan.bytes.size();
    if (is_placeholder == form_.is_placeholder && serialized.abi_version == form_.abi) return {};
    serialized.abi_version = form_.abi;
    if (!is_identifier(serialized.name) || !taken_.insert(serialized.name).second) {
      serialized.name = free_name("_run_on_acc_", "_engine", next_engine_);
    }
    return write(node, *inputs, serialized, digest);
  }

  // An engine writes into the memory of some inputs. Where that is not the state that the output
  // becomes, or others read it later, it is given a copy.
  void copy_what_changes(const engine::EngineRecord& record, Node& node,
                         std::vector<Value*>& inputs) {
    for (const engine::EngineAlias& alias : record.aliases) {
      Value*& input = inputs.at(alias.input);
      const Value* output = node.output(alias.output);
      if (becomes(input, output) && !is_read_after(node, input)) continue;
      ir::OpBuilder build(graph_, &node, &node);
      input = build.call("aten.clone.default", {input, ir::None()}, input->type());
    }
  }

  // Whether the output is what the input, an entry of the program, holds in the end.
  bool becomes(const Value* input, const Value* output) const {
    const ir::Input* entry = program_.input_of(input);
    if (entry == nullptr) return false;
    for (size_t i = 0; i < program_.outputs.size(); ++i) {
      const ir::Output& declared = program_.outputs[i];
      const bool is_entry =
          (declared.kind == ir::OutputKind::kBufferMutation && !entry->target.empty() &&
           declared.target == entry->target) ||
          (declared.kind == ir::OutputKind::kUserInputMutation && declared.target == entry->name);
      const auto* value = std::get_if<Value*>(&graph_.outputs()[i]);
      if (is_entry && value != nullptr && *value == output) return true;
    }
    return false;
  }

  // Whether nodes after this one, or the program's outputs, take the value, or what may be a view
  // of it. One among the node's own inputs is read while it changes.
  bool is_read_after(const Node& node, const Value* value) const {
    std::set<const Value*> same = {value};
    bool is_after = false;
    bool found = false;
    for (const auto& each : graph_.nodes()) {
      size_t takes = 0;
      for (const ir::Argument& argument : each->args()) {
        ir::Graph::for_each_value(argument, [&](const Value* used) { takes += same.count(used); });
      }
      if (each.get() == &node) {
        is_after = true;
        found = takes > 1;
      } else if (takes > 0 && is_after) {
        found = true;
      } else if (takes > 0) {
        same.insert(each->outputs().begin(), each->outputs().end());
      }
    }
    for (const ir::Argument& argument : graph_.outputs()) {
      ir::Graph::for_each_value(argument,
                                [&](const Value* used) { found = found || same.contains(used); });
    }
    return found;
  }

  Status write(Node* node, std::vector<Value*> inputs, const SerializedEngine& engine,
               const std::string& digest) {
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<std::string> items, write_serialized_engine(engine));
    std::vector<ir::Argument> arguments = {std::move(inputs)};
    std::vector<std::string>& parameters =
        calls_.operators[std::string(form_.is_placeholder ? kPlaceholder : kExecute)];
    if (form_.is_placeholder) {
      if (is_before(form_.abi, kFirstWithTensor)) {
        return unsupported(
            "Torch-TensorRT's placeholder takes a plan as a tensor since ABI {}, and not in ABI {}",
            kFirstWithTensor, form_.abi);
      }
      parameters = parameters_of_placeholder();
      parameters.resize(items.size() + 1);
      for (size_t i = 0; i < items.size(); ++i) {
        if (i == kPlanItem) {
          arguments.emplace_back(add_buffer(engine.plan, digest));
        } else {
          arguments.emplace_back(std::move(items[i]));
        }
      }
    } else {
      parameters = {"input_tensors", "engine"};
      SLIPWAY_ASSIGN_OR_RETURN(Value * object, add_object(engine, std::move(items)));
      arguments.emplace_back(object);
    }
    Node* call = graph_.add_node(std::string(form_.is_placeholder ? kPlaceholder : kExecute),
                                 std::move(arguments), {.before = node, .origin = node});
    const std::vector<Value*> outputs = node->outputs();
    for (Value* output : outputs) graph_.move_output(output, call);
    graph_.erase(node);
    return {};
  }

  // A tensor on the host, of the plan's bytes as they are.
  Value* add_buffer(const OwnedSpan& plan, const std::string& digest) {
    Value*& buffer = buffers_[digest];
    if (buffer != nullptr) return buffer;
    const auto size = static_cast<int64_t>(plan.bytes.size());
    ir::Input input;
    input.kind = ir::InputKind::kBuffer;
    input.target = free_name("_trt_engine_", "", next_buffer_);
    input.value = graph_.add_input("b_" + input.target, {DType::kUInt8, {size}, {}});
    input.name = input.value->name();
    input.data = {DType::kUInt8, {size}, {1}, 0, plan};
    buffer = input.value;
    program_.inputs.push_back(std::move(input));
    return buffer;
  }

  Result<Value*> add_object(const SerializedEngine& engine, std::vector<std::string> items) {
    std::vector<ByteSource> texts;
    for (size_t i = 0; i < items.size(); ++i) {
      texts.push_back(i == kPlanItem ? encode_base64(engine.plan)
                                     : ByteSource(own_bytes(std::move(items[i]))));
    }
    ByteSource record;
    if (is_before(form_.abi, kFirstWithFunction)) {
      auto written = pt2::write_custom_object(kEngineClass, std::move(texts));
      if (!written.ok()) {
        return unsupported(
            "{}: write it as a buffer (option 'cross_compile'), or in ABI {} (option "
            "'torch_tensorrt_abi')",
            written.error().message(), kFirstWithFunction);
      }
      record = *std::move(written);
    } else {
      record = pt2::write_opaque_object(kEngineFunction, std::move(texts));
    }
    calls_.objects[engine.name] = std::move(record);
    ir::Input input;
    input.kind = ir::InputKind::kCustomObject;
    input.target = engine.name;
    input.value = graph_.add_input(engine.name, ir::ValueKind::kCustomObject);
    input.name = input.value->name();
    input.object_type = kEngineClass;
    Value* value = input.value;
    program_.inputs.push_back(std::move(input));
    return value;
  }

  ir::Program& program_;
  ir::Graph& graph_;
  const std::span<const engine::Engine> engines_;
  const CallForm& form_;
  std::set<std::string> taken_;  // names, with dots as underscores
  size_t next_engine_ = 0;
  size_t next_buffer_ = 0;
  std::map<std::string, uint64_t> plans_;  // sizes by digest
  std::map<std::string, Value*> buffers_;  // by digest of the plan
  KnownObjects known_;
  ArchiveCalls calls_;
};

}  // namespace

Result<engine_build::ArchiveCalls> put_engines(ir::Program& program,
                                               std::span<const engine::Engine> engines,
                                               const CallForm& form) {
  return CallWriter(program, engines, form).run();
}

}  // namespace slipway::tensorrt
