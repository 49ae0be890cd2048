#include "pt2/model_reader.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "pt2/graph_reader.h"
#include "pt2/range_reader.h"
#include "pt2/signature_reader.h"
#include "pt2/tensor_meta.h"
#include "pt2/tree_reader.h"

namespace slipway::pt2 {
namespace {

// Every named tuple of a type has a copy of each.
constexpr size_t kMaxFieldName = 1024;

// The trees of inputs and outputs, kept for the root module.
Status read_trees(JsonValue graph_module, const Weights& constants, ir::Program& program) {
  std::map<std::string, std::vector<std::string>> fields;
  const JsonValue named = graph_module.find("treespec_namedtuple_fields");
  if (!named.is_none()) {
    for (auto [type, definition] : named.members()) {
      std::vector<std::string>& names = fields[std::string(type)];
      for (JsonValue name : definition["field_names"].items()) {
        if (name.to_string_view().size() > kMaxFieldName) {
          name.fail("is too long");
          return {};
        }
        names.push_back(name.to_string());
      }
    }
  }
  const JsonValue calls = graph_module["module_call_graph"];
  JsonValue signature;
  for (JsonValue entry : calls.items()) {
    if (entry["fqn"].to_string_view().empty()) signature = entry["signature"];
  }
  if (signature.is_none()) {
    calls.fail("has no entry with a signature for the whole model");
    return {};
  }
  const auto read = [&](const char* key) {
    const JsonValue spec = signature[key];
    return read_tree(spec.to_string_view(), fmt::format("{}: {}", program.source, spec.path()),
                     fields);
  };
  SLIPWAY_ASSIGN_OR_RETURN(program.input_tree, read("in_spec"));
  SLIPWAY_ASSIGN_OR_RETURN(program.output_tree, read("out_spec"));

  const auto inputs =
      std::count_if(program.inputs.begin(), program.inputs.end(), [](const ir::Input& input) {
        return input.kind == ir::InputKind::kUserInput || input.kind == ir::InputKind::kLiteral;
      });
  const auto outputs = std::count_if(
      program.outputs.begin(), program.outputs.end(),
      [](const ir::Output& output) { return output.kind == ir::OutputKind::kUserOutput; });
  if (program.input_tree.leaf_count() != inputs || program.output_tree.leaf_count() != outputs) {
    // An object that was not found is an input that nobody gives.
    const auto object =
        std::find_if(program.inputs.begin(), program.inputs.end(), [](const ir::Input& input) {
          return input.kind == ir::InputKind::kUserInput &&
                 input.value->kind() == ir::ValueKind::kCustomObject;
        });
    const std::string objects =
        object == program.inputs.end()
            ? ""
            : fmt::format(
                  ", which include \"{}\": the signature maps no object to it, and the "
                  "archive's objects are: {}",
                  printable_start(object->name), names_of_objects(constants));
    signature.fail(fmt::format("nests {} inputs and {} outputs where the program has {} and {}{}",
                               program.input_tree.leaf_count(), program.output_tree.leaf_count(),
                               inputs, outputs, objects));
  }
  return {};
}

}  // namespace

Status check_schema_version(const JsonDocument& document) {
  const JsonValue version = document.root()["schema_version"];
  const int64_t major = version["major"].to_int();
  if (major != 0 && major != kSchemaMajor) {
    return version.error(
        ErrorCode::kUnsupported,
        fmt::format("is {}.{}, which Slipway does not read: it reads {}.x, of torch 2.7 to 2.15",
                    major, version["minor"].to_int(), kSchemaMajor));
  }
  return document.status();
}

Result<ir::Program> read_model(const JsonDocument& document, const std::string& source,
                               const Weights& state, const Weights& constants) {
  const JsonValue root = document.root();
  ir::Program program;
  program.source = source;
  const JsonValue torch_version = root.find("torch_version");
  if (!torch_version.is_none()) program.torch_version = torch_version.to_string();
  program.dialect = "TRAINING";
  const JsonValue verifiers = root.find("verifiers");
  if (verifiers.size() > 0) program.dialect = (*verifiers.items().begin()).to_string();
  program.ranges = read_ranges(root["range_constraints"]);

  const JsonValue graph_module = root["graph_module"];
  ExpressionReader expressions;
  const GraphContents contents = read_graph(graph_module["graph"], expressions, *program.graph);
  SLIPWAY_RETURN_IF_ERROR(document.status());
  program.hints = expressions.hints();
  SLIPWAY_RETURN_IF_ERROR(
      read_signature(graph_module["signature"], contents, state, constants, program));
  SLIPWAY_RETURN_IF_ERROR(document.status());
  SLIPWAY_RETURN_IF_ERROR(read_trees(graph_module, constants, program));
  SLIPWAY_RETURN_IF_ERROR(document.status());
  // Passes rely on what the verifier checks, so nothing unsound may come from a file.
  if (const Status sound = ir::verify(program); !sound.ok()) {
    return invalid_file("{}: {}", document.name(), sound.error().message());
  }
  return program;
}

}  // namespace slipway::pt2
