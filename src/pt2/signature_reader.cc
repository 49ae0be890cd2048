#include "pt2/signature_reader.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"

namespace slipway::pt2 {
namespace {

class SignatureReader {
 public:
  SignatureReader(const GraphContents& contents, const Weights& state, const Weights& constants,
                  ir::Program& program)
      : contents_(contents), state_(state), constants_(constants), program_(program) {}

  Status read(JsonValue signature) {
    const JsonValue inputs = signature["input_specs"];
    if (inputs.size() != contents_.inputs.size()) {
      inputs.fail(fmt::format("has {} entries for {} inputs of the graph", inputs.size(),
                              contents_.inputs.size()));
      return {};
    }
    size_t i = 0;
    for (JsonValue spec : inputs.items()) {
      SLIPWAY_RETURN_IF_ERROR(read_input(spec, contents_.inputs[i++]));
    }

    if (!maps_objects_) find_objects();
    if (!merged_.empty()) {
      program_.graph->replace_all_uses([this](ir::Value* value) {
        const auto same = merged_.find(value);
        return same == merged_.end() ? value : same->second;
      });
      program_.graph->remove_inputs(
          [this](const ir::Value* value) { return merged_.contains(value); });
    }

    const JsonValue outputs = signature["output_specs"];
    const size_t count = program_.graph->outputs().size();
    if (outputs.size() != count) {
      outputs.fail(
          fmt::format("has {} entries for {} outputs of the graph", outputs.size(), count));
      return {};
    }
    i = 0;
    for (JsonValue spec : outputs.items()) read_output(spec, program_.graph->outputs()[i++]);
    return {};
  }

 private:
  Status read_input(JsonValue spec, const ir::Argument& at_graph) {
    const auto [tag, body] = spec.to_union();
    ir::Input input;
    if (const auto* value = std::get_if<ir::Value*>(&at_graph)) input.value = *value;

    Status status;
    if (tag == "constant_input") {
      input.kind = ir::InputKind::kLiteral;
      input.name = body["name"].to_string();
      input.literal = at_graph;
      if (input.value != nullptr) spec.fail("is a literal, but the graph has a value there");
    } else if (tag == "user_input") {
      read_user_input(input, body, at_graph);
    } else {
      if (input.value == nullptr ||
          contents_.scope.find(body["arg"]["name"].to_string_view()) != input.value) {
        spec.fail("names another value than the graph has at this input");
        return {};
      }
      input.name = input.value->name();
      if (tag == "parameter") {
        input.kind = ir::InputKind::kParameter;
        status = read_tensor(input, body["parameter_name"], state_, constants_);
      } else if (tag == "buffer") {
        input.kind = ir::InputKind::kBuffer;
        input.persistent = body["persistent"].to_bool();
        status = input.persistent ? read_tensor(input, body["buffer_name"], state_, constants_)
                                  : read_tensor(input, body["buffer_name"], constants_, state_);
      } else if (tag == "tensor_constant") {
        input.kind = ir::InputKind::kConstant;
        status = read_tensor(input, body["tensor_constant_name"], constants_, state_);
      } else if (tag == "custom_obj") {
        read_object(input, body);
      } else if (tag == "token") {
        input.kind = ir::InputKind::kToken;
      } else {
        spec.fail(fmt::format("is an input of the kind {}, which Slipway does not know", tag),
                  ErrorCode::kUnsupported);
      }
    }
    if (!status.ok()) return status;
    if (!is_merged(input)) program_.inputs.push_back(std::move(input));
    return {};
  }

  // Whether an earlier input stands for the same tensor: torch 2.7 gives a tied parameter one entry
  // a user, all with one target.
  bool is_merged(const ir::Input& input) {
    if (!input.data) return false;
    const auto [same, is_new] = tensors_.try_emplace(input.target, input.value);
    if (!is_new) merged_.emplace(input.value, same->second);
    return !is_new;
  }

  void read_user_input(ir::Input& input, JsonValue body, const ir::Argument& at_graph) {
    if (input.value != nullptr) {
      if (input.value->kind() == ir::ValueKind::kCustomObject) {
        input.object_type = body["arg"]["as_custom_obj"]["class_fqn"].to_string();
      }
      input.kind = ir::InputKind::kUserInput;
      input.name = input.value->name();
      user_inputs_.insert(input.name);
      return;
    }
    input.kind = ir::InputKind::kLiteral;
    input.name = fmt::format("literal_{}", program_.inputs.size());
    input.literal = at_graph;
  }

  // A name that is missing here has been recorded by the document.
  Status read_tensor(ir::Input& input, JsonValue name, const Weights& first,
                     const Weights& second) const {
    input.target = name.to_string();
    auto found = first.tensors.find(input.target);
    if (found == first.tensors.end()) {
      found = second.tensors.find(input.target);
      if (found == second.tensors.end()) {
        return name.error(ErrorCode::kInvalidFile,
                          fmt::format("is \"{}\", of which the archive has no data", input.target));
      }
    }
    const ir::ConstantData& data = found->second;
    const bool sizes_agree =
        input.value->is_tensor() &&
        std::equal(data.sizes.begin(), data.sizes.end(), input.value->sizes().begin(),
                   input.value->sizes().end(), [](int64_t stored, const ir::SymInt& declared) {
                     return declared.constant() == stored;
                   });
    if (!sizes_agree || data.dtype != input.value->dtype()) {
      return name.error(
          ErrorCode::kInvalidFile,
          fmt::format("is \"{}\", whose data is {}, another type than the graph's {}", input.target,
                      format_type(data.dtype, data.sizes), ir::print(input.value->type())));
    }
    input.data = data;
    return {};
  }

  void read_object(ir::Input& input, JsonValue body) {
    input.kind = ir::InputKind::kCustomObject;
    maps_objects_ = true;
    const JsonValue name = body["custom_obj_name"];
    input.target = name.to_string();
    input.object_type = body["arg"]["class_fqn"].to_string();
    const auto found = constants_.objects.find(input.target);
    if (found == constants_.objects.end()) {
      name.fail(fmt::format("is \"{}\", and the archive's objects are: {}", input.target,
                            names_of_objects(constants_)));
      return;
    }
    input.object = found->second;
  }

  // Programs of before signatures had objects have them as inputs, by their names.
  void find_objects() {
    for (ir::Input& input : program_.inputs) {
      if (input.value == nullptr || input.value->kind() != ir::ValueKind::kCustomObject) continue;
      const auto found = constants_.objects.find(input.name);
      if (found == constants_.objects.end()) continue;
      input.kind = ir::InputKind::kCustomObject;
      input.target = input.name;
      input.object = found->second;
      user_inputs_.erase(input.name);
    }
  }

  void read_output(JsonValue spec, const ir::Argument& at_graph) {
    const auto [tag, body] = spec.to_union();
    ir::Output output;
    if (tag == "user_output") {
      output.kind = ir::OutputKind::kUserOutput;
    } else if (tag == "buffer_mutation") {
      output = {ir::OutputKind::kBufferMutation, body["buffer_name"].to_string()};
    } else if (tag == "parameter_mutation") {
      output = {ir::OutputKind::kBufferMutation, body["parameter_name"].to_string()};
    } else if (tag == "user_input_mutation") {
      output = {ir::OutputKind::kUserInputMutation, body["user_input_name"].to_string()};
    } else if (tag == "token") {
      output.kind = ir::OutputKind::kToken;
    } else {
      spec.fail(fmt::format("is an output of the kind {}: programs for training, with their loss "
                            "and gradients, are not supported; export the forward pass",
                            tag),
                ErrorCode::kUnsupported);
      return;
    }
    if (output.kind != ir::OutputKind::kUserOutput) {
      check_mutation(spec, body, output, at_graph);
    }
    program_.outputs.push_back(std::move(output));
  }

  void check_mutation(JsonValue spec, JsonValue body, const ir::Output& output,
                      const ir::Argument& at_graph) const {
    const auto* value = std::get_if<ir::Value*>(&at_graph);
    if (value == nullptr || contents_.scope.find(body["arg"]["name"].to_string_view()) != *value) {
      spec.fail("names another value than the graph has at this output");
    }
    if (!program_.outputs.empty() && program_.outputs.back().kind == ir::OutputKind::kUserOutput) {
      spec.fail("is a mutation after the user's outputs");
    }
    const bool is_known = output.kind == ir::OutputKind::kUserInputMutation
                              ? user_inputs_.contains(output.target)
                              : tensors_.contains(output.target);
    if (output.kind != ir::OutputKind::kToken && !is_known) {
      spec.fail(fmt::format("mutates \"{}\", which is no input", output.target));
    }
  }

  const GraphContents& contents_;
  const Weights& state_;
  const Weights& constants_;
  ir::Program& program_;
  bool maps_objects_ = false;  // the signature does
  std::unordered_set<std::string> user_inputs_;
  // Of parameters, buffers and constants, by target.
  std::unordered_map<std::string, ir::Value*> tensors_;
  std::unordered_map<const ir::Value*, ir::Value*> merged_;
};

}  // namespace

Status read_signature(JsonValue signature, const GraphContents& contents, const Weights& state,
                      const Weights& constants, ir::Program& program) {
  return SignatureReader(contents, state, constants, program).read(signature);
}

std::string names_of_objects(const Weights& constants) {
  std::vector<std::string> names;
  for (const auto& [name, object] : constants.objects) names.push_back(printable_start(name));
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace slipway::pt2
