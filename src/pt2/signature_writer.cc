#include "pt2/signature_writer.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <fmt/core.h>

#include "base/error.h"
#include "base/try.h"

namespace slipway::pt2 {
namespace {

int rank(ir::InputKind kind) {
  switch (kind) {
    case ir::InputKind::kToken:
      return 0;
    case ir::InputKind::kParameter:
      return 1;
    case ir::InputKind::kBuffer:
      return 2;
    case ir::InputKind::kConstant:
      return 3;
    case ir::InputKind::kCustomObject:
      return 4;
    case ir::InputKind::kUserInput:
    case ir::InputKind::kLiteral:
      break;
  }
  return 5;
}

bool has_target(const ir::Input& input) {
  return input.data.has_value() || input.kind == ir::InputKind::kCustomObject;
}

void write_name(const std::string& name, JsonWriter& json) {
  json.key("arg").begin_object().key("name").value(name).end_object();
}

}  // namespace

bool is_in_state(const ir::Input& input) {
  return input.kind == ir::InputKind::kParameter ||
         (input.kind == ir::InputKind::kBuffer && input.persistent);
}

std::vector<const ir::Input*> ordered_inputs(const ir::Program& program) {
  std::vector<const ir::Input*> inputs;
  for (const ir::Input& input : program.inputs) inputs.push_back(&input);
  std::stable_sort(inputs.begin(), inputs.end(), [](const ir::Input* a, const ir::Input* b) {
    return rank(a->kind) < rank(b->kind);
  });
  return inputs;
}

std::map<const ir::Input*, std::string> target_names(const ir::Program& program,
                                                     const ArchiveSource& source) {
  const std::unordered_set<std::string> read(source.targets().begin(), source.targets().end());
  std::map<const ir::Input*, std::string> names;
  // Names of attributes, and of the modules that they lie in.
  std::unordered_set<std::string> taken;
  const auto take = [&](const ir::Input& input, const std::string& name) {
    names[&input] = name;
    for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      taken.insert(name.substr(0, dot));
    }
    taken.insert(name);
  };
  for (const auto* others : {&source.other_state(), &source.other_constants()}) {
    for (const auto& [name, data] : others->tensors) taken.insert(name);
    for (const auto& [name, record] : others->objects) taken.insert(name);
  }
  // A program that was read from no archive has named its parameters and buffers itself.
  const auto is_own = [&](const ir::Input& input) {
    const bool has_archive = !source.root().is_absent();
    return has_archive ? read.contains(input.target)
                       : is_in_state(input) || input.kind == ir::InputKind::kBuffer;
  };
  for (const ir::Input& input : program.inputs) {
    if (has_target(input) && is_own(input)) take(input, input.target);
  }
  for (const ir::Input& input : program.inputs) {
    if (!has_target(input) || is_own(input)) continue;
    std::string base = input.target.empty() ? input.name : input.target;
    std::replace(base.begin(), base.end(), '.', '_');
    std::string name = base;
    for (int i = 1; taken.contains(name); ++i) name = fmt::format("{}_{}", base, i);
    take(input, name);
  }
  return names;
}

Status write_signature(const ir::Program& program, const std::vector<const ir::Input*>& inputs,
                       const std::map<const ir::Input*, std::string>& targets, NameTable& names,
                       const ArgumentWriter& arguments, JsonWriter& json) {
  json.begin_object().key("input_specs").begin_array();
  // A tag, the value's name and the name of its data.
  const auto write_target = [&](const ir::Input& input, const char* tag, const char* key) {
    json.key(tag).begin_object();
    write_name(names[input.value], json);
    json.key(key).value(targets.at(&input));
  };
  for (const ir::Input* input : inputs) {
    json.begin_object();
    switch (input->kind) {
      case ir::InputKind::kParameter:
        write_target(*input, "parameter", "parameter_name");
        break;
      case ir::InputKind::kBuffer:
        write_target(*input, "buffer", "buffer_name");
        json.key("persistent").value(input->persistent);
        break;
      case ir::InputKind::kConstant:
        write_target(*input, "tensor_constant", "tensor_constant_name");
        break;
      case ir::InputKind::kCustomObject:
        json.key("custom_obj").begin_object().key("arg");
        arguments.write_object(input->value, json);
        json.key("custom_obj_name").value(targets.at(input));
        break;
      case ir::InputKind::kToken:
        json.key("token").begin_object();
        write_name(names[input->value], json);
        break;
      case ir::InputKind::kUserInput:
        json.key("user_input").begin_object().key("arg");
        arguments.write(input->value, json);
        break;
      case ir::InputKind::kLiteral:
        json.key("constant_input").begin_object().key("name").value(names.add(input->name));
        json.key("value");
        SLIPWAY_RETURN_IF_ERROR(arguments.write(input->literal, json));
        break;
    }
    json.end_object().end_object();
  }
  json.end_array().key("output_specs").begin_array();

  std::unordered_map<std::string_view, const ir::Input*> by_target;
  std::unordered_map<std::string_view, const ir::Input*> by_name;
  for (const ir::Input& input : program.inputs) {
    if (has_target(input)) by_target.emplace(input.target, &input);
    if (input.kind == ir::InputKind::kUserInput) by_name.emplace(input.name, &input);
  }
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const ir::Output& output = program.outputs[i];
    const ir::Argument& argument = program.graph->outputs()[i];
    const auto* value = std::get_if<ir::Value*>(&argument);
    json.begin_object();
    if (output.kind == ir::OutputKind::kUserOutput) {
      json.key("user_output").begin_object().key("arg");
      SLIPWAY_RETURN_IF_ERROR(arguments.write(argument, json));
    } else if (value == nullptr) {
      return internal_error("output {} is to be a value and is none", i);
    } else if (output.kind == ir::OutputKind::kToken) {
      json.key("token").begin_object();
      write_name(names[*value], json);
    } else {
      const bool is_user_input = output.kind == ir::OutputKind::kUserInputMutation;
      const auto& entries = is_user_input ? by_name : by_target;
      const auto entry = entries.find(output.target);
      if (entry == entries.end()) {
        return internal_error("output {} changes '{}', which is no input", i, output.target);
      }
      const ir::Input& input = *entry->second;
      const bool is_parameter = input.kind == ir::InputKind::kParameter;
      json.key(is_user_input  ? "user_input_mutation"
               : is_parameter ? "parameter_mutation"
                              : "buffer_mutation");
      json.begin_object();
      write_name(names[*value], json);
      if (is_user_input) {
        json.key("user_input_name").value(names[input.value]);
      } else {
        json.key(is_parameter ? "parameter_name" : "buffer_name").value(targets.at(&input));
      }
    }
    json.end_object().end_object();
  }
  json.end_array().end_object();
  return {};
}

}  // namespace slipway::pt2
