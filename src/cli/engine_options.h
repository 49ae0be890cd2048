// The options that say what goes to an engine, for every command that compiles.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/tensorrt_options.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway::cli {

// The value of --check that CompileOptions has.
std::string default_check();

class EngineOptions {
 public:
  // Adds --engine, --exclude-op and the others; `this` must outlive the command.
  void add_to(CLI::App& command);
  // Those that the command line has: "--engine".
  std::vector<std::string> given() const;
  bool is_set() const { return !given().empty(); }
  // Warnings go to stderr.
  Result<CompileOptions> to_compile_options() const;

 private:
  std::string engine_ = engine_names().front();
  std::vector<std::string> exclude_ops_;
  std::vector<std::string> exclude_nodes_;
  size_t min_partition_size_ = 1;
  std::vector<std::string> disabled_rules_;
  std::string openvino_compat_;
  bool require_full_ = false;
  bool allow_reduced_precision_ = false;
  std::string check_ = default_check();
  std::string cache_;
  bool no_cache_ = false;
  TensorRtCommandOptions tensorrt_;
  CLI::App* group_ = nullptr;
};

}  // namespace slipway::cli
