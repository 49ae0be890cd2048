// The options of TensorRT engines.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "slipway/result.h"
#include "slipway/tensorrt_options.h"

namespace slipway::cli {

// Which options of a group (or of none) the command line has: "--target".
std::vector<std::string> given_options(const CLI::App* group);

class TensorRtCommandOptions {
 public:
  // Adds --target, --profile and the others; `this` must outlive the command.
  void add_to(CLI::App& command);
  std::vector<std::string> given() const { return given_options(group_); }
  bool is_set() const { return !given().empty(); }
  // The error names the option and what it takes.
  Result<TensorRtOptions> parse() const;

 private:
  std::string library_;
  std::vector<std::string> targets_;
  std::vector<std::string> profiles_;
  bool weight_streaming_ = false;
  bool no_weight_streaming_ = false;
  std::string budget_;
  std::string total_;
  std::string workspace_;
  int optimization_level_ = -1;
  std::string precision_ = "model";
  std::vector<std::string> keep_fp32_;
  CLI::App* group_ = nullptr;
};

// "s77=1:8:64" as its symbol and range, for `slipway compile --profile`.
Result<std::pair<std::string, ProfileRange>> parse_profile(const std::string& text);

}  // namespace slipway::cli
