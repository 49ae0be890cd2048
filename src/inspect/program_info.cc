// What a .pte holds.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "base/try.h"
#include "engine/tuning_json.h"
#include "inspect/file_info.h"
#include "inspect/partition_text.h"
#include "inspect/pte_summary.h"
#include "inspect/text.h"
#include "inspect/tuning_text.h"
#include "inspect/value_json.h"
#include "runtime/signature.h"

namespace slipway::inspection {
namespace {

using Json = nlohmann::ordered_json;

Json values_json(const std::vector<ValueInfo>& infos) {
  Json list = Json::array();
  for (const ValueInfo& info : infos) {
    Json json;
    json["name"] = info.name;
    if (const TensorInfo* tensor = info.tensor()) {
      json["type"] = dtype_name(tensor->dtype);
      for (const char* key : {"sizes", "min_sizes", "max_sizes"}) json[key] = Json::array();
      for (const SizeInfo& size : tensor->sizes) {
        json["sizes"].push_back(size.text);
        json["min_sizes"].push_back(size.min);
        json["max_sizes"].push_back(size.max);
      }
      json["mutated"] = tensor->mutated;
    } else {
      const auto* integer = std::get_if<IntegerInfo>(&info.type);
      const Value value =
          integer != nullptr ? integer->value : std::get<LiteralInfo>(info.type).value;
      json["type"] = type_name(value);
      json["value"] = literal_json(value);
    }
    list.push_back(std::move(json));
  }
  return list;
}

Json state_json(const MethodInfo& method) {
  Json list = Json::array();
  for (const auto& [name, type] : method.state) {
    Json buffer = {{"name", name}, {"type", type}};
    const auto shared = method.shared_state.find(name);
    if (shared != method.shared_state.end()) buffer["shared_with"] = shared->second;
    list.push_back(std::move(buffer));
  }
  return list;
}

Json program_json(const PteSummary& summary) {
  Json json;
  json["kind"] = "pte";
  json["file_size"] = summary.file_size;
  json["program_size"] = summary.program_size;
  json["constant_bytes"] = summary.constant_bytes;
  json["methods"] = Json::array();
  for (size_t i = 0; i < summary.methods.size(); ++i) {
    const MethodInfo& method = summary.methods[i];
    Json entry;
    entry["name"] = method.name;
    entry["inputs"] = values_json(method.inputs);
    entry["input_tree"] = tree_json(method.input_tree);
    entry["outputs"] = values_json(method.outputs);
    entry["output_tree"] = tree_json(method.output_tree);
    entry["values"] = method.value_count;
    entry["planned_bytes"] = method.planned_bytes;
    entry["instructions"] = method.instructions;
    entry["operators"] = method.operators;
    entry["engines"] = engines_json(summary.method(i));
    entry["outside"] = outside_json(summary.method(i));
    entry["state"] = state_json(method);
    entry["graph"] = summary.graphs[i];
    json["methods"].push_back(std::move(entry));
  }
  json["segments"] = Json::array();
  for (const PteSummary::Segment& segment : summary.segments) {
    json["segments"].push_back({{"size", segment.size}, {"content", segment.content}});
  }
  json["named_data"] = Json::array();
  for (const auto& [key, bytes] : summary.named_data) {
    json["named_data"].push_back({{"key", key}, {"bytes", bytes}});
  }
  if (summary.data_file && !summary.data_file->error.empty()) {
    json["data_file"] = {{"error", summary.data_file->error}};
  } else if (summary.data_file) {
    json["data_file"] = {{"path", summary.data_file->path}, {"entries", Json::array()}};
    for (const auto& [key, bytes] : summary.data_file->entries) {
      json["data_file"]["entries"].push_back({{"key", key}, {"bytes", bytes}});
    }
  }
  if (summary.manifest) {
    const engine::Manifest& manifest = *summary.manifest;
    Json entry;
    entry["format"] = manifest.format;
    entry["tool_version"] = manifest.tool_version;
    entry["program_xxh3"] = manifest.program_xxh3;
    entry["sources"] = Json::array();
    for (const engine::ManifestMethod& method : manifest.methods) {
      entry["sources"].push_back({{"method", method.name},
                                  {"sha256", method.source_sha256},
                                  {"torch_version", method.source_torch_version}});
    }
    if (manifest.tuning) entry["tuning"] = engine::tuning_to_json(*manifest.tuning);
    json["manifest"] = std::move(entry);
  } else {
    json["manifest"] = nullptr;
  }
  return json;
}

void append_values(std::string& text, const char* kind, const std::vector<ValueInfo>& infos,
                   const Tree& tree) {
  const std::vector<std::string> places = leaf_places(tree);
  for (size_t i = 0; i < infos.size(); ++i) {
    const ValueInfo& info = infos[i];
    const TensorInfo* tensor = info.tensor();
    std::string bounds;
    for (const SizeInfo& size : runtime::sizes_of(info)) {
      if (size.min == size.max) continue;
      bounds += fmt::format("{}{} in {}..{}", bounds.empty() ? "  (" : ", ", printable(size.text),
                            size.min, size.max);
    }
    if (!bounds.empty()) bounds += ')';
    append(text, "  {} {} '{}'{}: {}{}{}\n", kind, i, printable(info.name),
           i < places.size() ? places[i] : "", printable(info.type_text()), bounds,
           tensor && tensor->mutated ? "  (written to)" : "");
  }
}

std::string program_text(const std::string& path, const PteSummary& summary,
                         const TextOptions& options) {
  std::string text;
  append(text, "{}: ExecuTorch program, {}\n", path, format_bytes(summary.file_size));
  if (summary.manifest) {
    const engine::Manifest& manifest = *summary.manifest;
    append(text, "compiled by {}\n", printable(manifest.tool_version));
    for (const engine::ManifestMethod& method : manifest.methods) {
      append(text, "  {} from an archive of torch {}, sha256 {}\n", printable(method.name),
             printable(method.source_torch_version), printable(method.source_sha256));
    }
    if (manifest.tuning) text += tuning_text(*manifest.tuning);
  } else {
    append(text, "no manifest: made by another tool\n");
  }
  for (size_t i = 0; i < summary.methods.size(); ++i) {
    const MethodInfo& method = summary.methods[i];
    const MethodDetails details = summary.method(i);
    append(text, "\nmethod {}: {}, {}, planned memory {}\n", printable(method.name),
           count_text(method.instructions.size(), "instruction"),
           count_text(method.value_count, "value"), format_bytes(method.planned_bytes));
    for (const std::string& line : slow_path(details))
      append(text, "  slow: {}\n", printable(line));
    append_values(text, "input", method.inputs, method.input_tree);
    append_values(text, "output", method.outputs, method.output_tree);
    for (const auto& [name, type] : method.state) {
      append(text, "  state '{}': {}", printable(name), type);
      const auto shared = method.shared_state.find(name);
      if (shared != method.shared_state.end()) {
        const std::string names = fmt::format("{}", fmt::join(shared->second, ", "));
        append(text, ", shared with {}", printable(names));
      }
      text += '\n';
    }
    text += partitions_text(details, options);
    append_counts(text, "operators", method.operators);
    if (options.graph) {
      append(text, "instructions:\n");
      for (size_t k = 0; k < method.instructions.size(); ++k) {
        append(text, "  {:4} {}\n", k, printable(method.instructions[k]));
      }
    }
  }
  append(text, "\nprogram part: {}\n", format_bytes(summary.program_size));
  std::vector<std::vector<std::string>> rows = {{"segment", "size", "content"}};
  for (size_t i = 0; i < summary.segments.size(); ++i) {
    rows.push_back({std::to_string(i), format_bytes(summary.segments[i].size),
                    printable(summary.segments[i].content)});
  }
  if (rows.size() > 1) append(text, "{}", format_table(rows));
  if (!summary.data_file) return text;
  if (!summary.data_file->error.empty()) {
    append(text, "data file: {}\n", printable(summary.data_file->error));
    return text;
  }
  rows = {{"key", "size"}};
  for (const auto& [key, bytes] : summary.data_file->entries) {
    rows.push_back({printable(key), format_bytes(bytes)});
  }
  append(text, "data file {}:\n{}", printable(summary.data_file->path), format_table(rows));
  return text;
}

class ProgramInfo : public FileInfo::Impl {
 public:
  ProgramInfo(const std::string& path, PteSummary summary)
      : Impl(path, FileKind::kProgram), summary_(std::move(summary)) {}
  const std::vector<MethodInfo>& methods() const override { return summary_.methods; }
  Json json() const override { return program_json(summary_); }
  std::string text(const TextOptions& options) const override {
    return program_text(path(), summary_, options);
  }

 private:
  PteSummary summary_;
};

}  // namespace

Result<FileInfoImpl> read_program(const std::string& path, const InspectOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(PteSummary summary, PteSummary::read(path, options));
  return FileInfoImpl(std::make_shared<const ProgramInfo>(path, std::move(summary)));
}

}  // namespace slipway::inspection
