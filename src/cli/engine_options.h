// The options that say what goes to an engine, for every command that compiles.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/command_line.h"
#include "slipway/compile.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::cli {

// The value of --check that CompileOptions has.
std::string default_check();

// Names with commas between them, or "none".
std::string engines_text(const std::vector<EngineChoice>& engines);

// Options of engines, by name; engines may have options of the same name.
class OptionGroup {
 public:
  // `this` must outlive the command.
  void add(const Command& group, const EngineOption& option);
  // Those that say where engines' libraries are, for commands that only ask.
  void add_for_machines(const Command& command);
  // Names and values of those given that are in the table.
  std::vector<std::pair<std::string, std::string>> values(
      std::span<const EngineOption> table) const;
  std::vector<std::string> given() const;  // names
  bool has(const std::string& name) const { return given_.contains(name); }

 private:
  struct Given {
    std::vector<std::string> texts;
    bool on = false;  // of options without a value
    bool off = false;
  };
  std::map<std::string, Given> given_;
};

class EngineOptions {
 public:
  // Adds --engine, --exclude-op and the others; `this` must outlive the command.
  // Options of engines that are called as one of the command itself are left out.
  void add_to(const Command& command, const std::set<std::string>& own = {});
  bool is_set() const;
  // Sets those that are for a file that is compiled already; whether no others are given.
  Result<bool> take_load_options(LoadOptions& options) const;
  // An error for an option that has no effect on `path`, an engine that is built already.
  Status check_for_built(const std::string& path, const std::string& engine) const;
  // An error for an option that has no effect on an ONNX model.
  Status check_for_models(const std::string& output) const;
  // Warnings go to stderr.
  Result<CompileOptions> to_compile_options() const;

 private:
  std::vector<std::string> given() const;  // "--engine"

  std::string engine_ = engine_names().front();
  std::vector<std::string> exclude_ops_;
  std::vector<std::string> exclude_nodes_;
  size_t min_partition_size_ = 1;
  bool require_full_ = false;
  bool allow_reduced_precision_ = false;
  std::string check_ = default_check();
  std::string cache_;
  bool no_cache_ = false;
  OptionGroup of_engines_;
  std::optional<Command> group_;
};

}  // namespace slipway::cli
