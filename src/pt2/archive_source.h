// The archive that a program was read from, for what the program itself does not hold.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "ir/program.h"
#include "pt2/archive_layout.h"
#include "pt2/weights.h"
#include "pt2/zip_reader.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// One graph of the archive, by names. An absent value stands for what it does not have.
class SourceGraph {
 public:
  SourceGraph() = default;  // of no archive
  explicit SourceGraph(JsonValue graph);

  JsonValue json() const { return json_; }
  // The node that this one was, or that it was made for; absent where there is none.
  JsonValue node(const ir::Node& node) const;
  JsonValue tensor_meta(const std::string& name) const { return find(tensors_, name); }
  JsonValue sym_float(const std::string& name) const { return find(sym_floats_, name); }
  JsonValue sym_bool(const std::string& name) const { return find(sym_bools_, name); }
  // The "nn_module_stack" of what lies in no module but the whole model; "" where none is known.
  std::string_view outermost_module() const { return outermost_module_; }
  // The class of a custom object, "" where it is not known.
  std::string object_type(const std::string& name) const;

 private:
  using Members = std::unordered_map<std::string_view, JsonValue>;
  static JsonValue find(const Members& members, std::string_view name);
  static Members members(JsonValue object);

  JsonValue json_;
  Members nodes_;  // by their own names and those of their results
  Members tensors_;
  Members sym_floats_;
  Members sym_bools_;
  Members objects_;
  std::string_view outermost_module_;
};

// Not thread-safe.
class ArchiveSource {
 public:
  // Of ir::Program::archive, without which it has nothing.
  static Result<ArchiveSource> open(const ir::Program& program);

  // The program's JSON; absent where there is none.
  JsonValue root() const;
  JsonValue graph_module() const;
  // What a configuration says of a parameter, buffer or constant: "requires_grad", ...
  JsonValue payload(const std::string& target) const;
  // The names of all inputs of the graph that have data or are objects.
  const std::vector<std::string>& targets() const { return targets_; }
  const OwnedSpan& sample_inputs() const { return sample_inputs_; }
  // By their paths below extra/.
  const std::vector<std::pair<std::string, OwnedSpan>>& extra_files() const { return extra_files_; }
  // What is stored and no input of the program, such as other names of tied weights; without what
  // only inputs that are gone shared its record with.
  const Weights& other_state() const { return other_state_; }
  const Weights& other_constants() const { return other_constants_; }

 private:
  Status read(ZipReader& archive, const ir::Program& program);
  Status read_others(ZipReader& archive, const ArchiveLayout& layout, const ir::Program& program);
  Status read_payloads_of(ZipReader& archive, const std::string& config,
                          std::unique_ptr<JsonDocument>& document);

  std::unique_ptr<JsonDocument> model_;
  std::unique_ptr<JsonDocument> state_config_;
  std::unique_ptr<JsonDocument> constants_config_;
  std::unordered_map<std::string_view, JsonValue> payloads_;
  std::vector<std::string> targets_;
  OwnedSpan sample_inputs_;
  std::vector<std::pair<std::string, OwnedSpan>> extra_files_;
  Weights other_state_;
  Weights other_constants_;
};

}  // namespace slipway::pt2
