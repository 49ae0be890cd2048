#include "pt2/program_reader.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include <fmt/core.h>

#include "base/error.h"
#include "base/json.h"
#include "base/try.h"
#include "pt2/graph_reader.h"
#include "pt2/signature_reader.h"
#include "pt2/tensor_meta.h"
#include "pt2/tree_reader.h"
#include "pt2/weights.h"
#include "pt2/zip_reader.h"

namespace slipway::pt2 {
namespace {

constexpr int64_t kSchemaMajor = 8;
// Bounds at or past this are PyTorch's ways to say "none".
constexpr int64_t kUnbounded = int64_t{1} << 62;
// Every named tuple of a type has a copy of each.
constexpr size_t kMaxFieldName = 1024;

std::string_view as_text(const OwnedSpan& span) {
  return {reinterpret_cast<const char*>(span.bytes.data()), span.bytes.size()};
}

// Where an archive keeps the parts of a program.
struct Layout {
  std::string model;  // the entry with the graph
  // Either configurations of single records or, in older archives, files of torch.save.
  bool pickled = false;
  std::string state;
  std::string constants;
};

// The entry's text, which must be `expected`.
Status expect_text(ZipReader& archive, const std::string& entry, std::string_view expected,
                   std::string_view remedy) {
  SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan found, archive.read(entry));
  if (as_text(found) == expected) return {};
  return unsupported("{}: {} is \"{}\" instead of \"{}\": {}", archive.name(), entry,
                     as_text(found).substr(0, 40), expected, remedy);
}

Error not_an_export(const ZipReader& archive) {
  for (const ZipEntry& entry : archive.entries()) {
    if (entry.name.ends_with("/data.pkl")) {
      return invalid_file(
          "{} was written by torch.save or torch.jit.save: export the model with "
          "torch.export.export and save that with torch.export.save",
          archive.name());
    }
  }
  return invalid_file("{} is a zip archive, but not one of torch.export.save", archive.name());
}

// The model's name: that of the one file in models/.
Result<std::string> model_name(const ZipReader& archive, const std::string& root) {
  const std::string folder = root + "models/";
  std::vector<std::string> names;
  for (const ZipEntry& entry : archive.entries()) {
    if (!entry.name.starts_with(folder) || !entry.name.ends_with(".json")) continue;
    names.push_back(entry.name.substr(folder.size(), entry.name.size() - folder.size() - 5));
  }
  if (names.empty()) {
    return invalid_file(
        "{} holds no exported program (nothing in {}): save one with torch.export.save",
        archive.name(), folder);
  }
  if (names.size() == 1) return names[0];
  // torch.export.save writes one model, of this name.
  if (std::find(names.begin(), names.end(), "model") != names.end()) return std::string("model");
  return unsupported("{} holds {} models and none is named \"model\": save each on its own",
                     archive.name(), names.size());
}

Result<Layout> find_layout(ZipReader& archive) {
  constexpr std::string_view kFlatModel = "serialized_exported_program.json";
  if (archive.find(kFlatModel) != nullptr) {
    return Layout{.model = std::string(kFlatModel),
                  .pickled = true,
                  .state = "serialized_state_dict.pt",
                  .constants = "serialized_constants.pt"};
  }
  if (archive.entries().empty()) return not_an_export(archive);
  const std::string& first = archive.entries()[0].name;
  const std::string root = first.substr(0, first.find('/') + 1);
  if (root.empty() || archive.find(root + "archive_format") == nullptr) {
    return not_an_export(archive);
  }
  SLIPWAY_RETURN_IF_ERROR(expect_text(archive, root + "archive_format", "pt2",
                                      "save the program with torch.export.save"));
  SLIPWAY_RETURN_IF_ERROR(expect_text(archive, root + "archive_version", "0",
                                      "save the program with torch 2.7 to 2.15"));
  if (archive.find(root + "byteorder") != nullptr) {
    SLIPWAY_RETURN_IF_ERROR(expect_text(archive, root + "byteorder", "little",
                                        "save the program on a little-endian machine"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::string name, model_name(archive, root));
  Layout layout{.model = fmt::format("{}models/{}.json", root, name),
                .state = fmt::format("{}data/weights/{}_weights_config.json", root, name),
                .constants = fmt::format("{}data/constants/{}_constants_config.json", root, name)};
  if (archive.find(layout.state) == nullptr) {
    const std::string older = fmt::format("{}data/weights/{}.pt", root, name);
    if (archive.find(older) != nullptr) {
      layout.pickled = true;
      layout.state = older;
      layout.constants = fmt::format("{}data/constants/{}.pt", root, name);
    }
  }
  return layout;
}

std::optional<int64_t> read_bound(JsonValue bound) {
  if (bound.is_none()) return std::nullopt;
  // Numbers past 64 bits have been read as floats.
  if (bound.kind() == JsonValue::Kind::kFloat) return std::nullopt;
  const int64_t value = bound.to_int();
  if (value >= kUnbounded || value <= -kUnbounded) return std::nullopt;
  return value;
}

bool is_symbol_name(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

void tighten(ir::Range& range, const ir::Range& with) {
  if (with.min && (!range.min || *range.min < *with.min)) range.min = with.min;
  if (with.max && (!range.max || *range.max > *with.max)) range.max = with.max;
}

// Keys are symbols or expressions as sympy prints them. Of the latter, multiples of a symbol
// ("2*s77") bound it too; what others say follows from the symbols' own bounds.
ir::SymbolRanges read_ranges(JsonValue constraints) {
  ir::SymbolRanges ranges;
  for (auto [key, constraint] : constraints.members()) {
    ir::Range range{read_bound(constraint.find("min_val")), read_bound(constraint.find("max_val"))};
    std::string_view symbol = key;
    const size_t star = key.find('*');
    if (star != std::string_view::npos) {
      int64_t factor = 0;
      const auto [end, problem] = std::from_chars(key.data(), key.data() + star, factor);
      if (problem != std::errc() || end != key.data() + star || factor <= 0) continue;
      symbol = key.substr(star + 1);
      if (range.min) range.min = -floor_divide(-*range.min, factor);
      if (range.max) range.max = floor_divide(*range.max, factor);
    }
    if (!is_symbol_name(symbol)) continue;
    tighten(ranges[std::string(symbol)], range);
  }
  for (const auto& [symbol, range] : ranges) {
    if (range.min && range.max && *range.min > *range.max) {
      constraints.fail(fmt::format("leave no value for {}", symbol));
    }
  }
  return ranges;
}

// The trees of inputs and outputs, kept for the root module.
Status read_trees(JsonValue graph_module, ir::Program& program) {
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
    signature.fail(fmt::format("nests {} inputs and {} outputs where the program has {} and {}",
                               program.input_tree.leaf_count(), program.output_tree.leaf_count(),
                               inputs, outputs));
  }
  return {};
}

Status check_schema_version(JsonValue root) {
  const JsonValue version = root["schema_version"];
  const int64_t major = version["major"].to_int();
  if (major != 0 && major != kSchemaMajor) {
    return version.error(
        ErrorCode::kUnsupported,
        fmt::format("is {}.{}, which Slipway does not read: it reads {}.x, of torch 2.7 to 2.15",
                    major, version["minor"].to_int(), kSchemaMajor));
  }
  return {};
}

}  // namespace

Result<ir::Program> read_program(OwnedSpan bytes, const std::string& name) {
  // An ExecuTorch program has its mark after a first offset.
  if (as_text(bytes).substr(0, 8).ends_with("ET12")) {
    return invalid_file("{} is an ExecuTorch program (.pte), which is compiled already", name);
  }
  SLIPWAY_ASSIGN_OR_RETURN(ZipReader archive, ZipReader::open(bytes, name));
  SLIPWAY_ASSIGN_OR_RETURN(const Layout layout, find_layout(archive));
  SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan text, archive.read(layout.model));
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto document,
      JsonDocument::parse(as_text(text), fmt::format("{}: {}", name, layout.model)));
  const JsonValue root = document->root();
  SLIPWAY_RETURN_IF_ERROR(check_schema_version(root));
  SLIPWAY_RETURN_IF_ERROR(document->status());

  const auto read_weights = layout.pickled ? read_torch_save : read_payloads;
  SLIPWAY_ASSIGN_OR_RETURN(const Weights state, read_weights(archive, layout.state));
  SLIPWAY_ASSIGN_OR_RETURN(const Weights constants, read_weights(archive, layout.constants));

  ir::Program program;
  program.source = name;
  program.archive = std::move(bytes);
  const JsonValue torch_version = root.find("torch_version");
  if (!torch_version.is_none()) program.torch_version = torch_version.to_string();
  program.dialect = "TRAINING";
  const JsonValue verifiers = root.find("verifiers");
  if (verifiers.size() > 0) program.dialect = (*verifiers.items().begin()).to_string();
  program.ranges = read_ranges(root["range_constraints"]);

  const JsonValue graph_module = root["graph_module"];
  ExpressionReader expressions;
  const GraphContents contents = read_graph(graph_module["graph"], expressions, *program.graph);
  SLIPWAY_RETURN_IF_ERROR(document->status());
  SLIPWAY_RETURN_IF_ERROR(
      read_signature(graph_module["signature"], contents, state, constants, program));
  SLIPWAY_RETURN_IF_ERROR(document->status());
  SLIPWAY_RETURN_IF_ERROR(read_trees(graph_module, program));
  SLIPWAY_RETURN_IF_ERROR(document->status());
  // Passes rely on what the verifier checks, so nothing unsound may come from a file.
  if (const Status sound = ir::verify(program); !sound.ok()) {
    return invalid_file("{}: {}: {}", name, layout.model, sound.error().message());
  }
  return program;
}

Result<ir::Program> read_program(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
  return read_program(OwnedSpan{file->bytes(), file}, path);
}

}  // namespace slipway::pt2
