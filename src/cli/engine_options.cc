#include "cli/engine_options.h"

#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "build/engine_cache.h"

namespace slipway::cli {

namespace {

struct NamedCheck {
  const char* name;
  EngineCheck check;
};
constexpr NamedCheck kChecks[] = {{"off", EngineCheck::kOff},
                                  {"small", EngineCheck::kSmall},
                                  {"outside", EngineCheck::kOutside},
                                  {"fail", EngineCheck::kFail}};

std::vector<std::string> check_names() {
  std::vector<std::string> names;
  for (const NamedCheck& entry : kChecks) names.emplace_back(entry.name);
  return names;
}

}  // namespace

std::string default_check() {
  for (const auto& [name, check] : kChecks) {
    if (check == CompileOptions().check) return name;
  }
  return "";
}

void EngineOptions::add_to(CLI::App& command) {
  group_ = command.add_option_group("Engines");
  group_
      ->add_option("--engine", engine_,
                   "What runs the program: openvino or tensorrt, and ExecuTorch's kernels for what "
                   "it does not compute exactly; or none (kernels only)")
      ->check(CLI::IsMember(engine_names()))
      ->capture_default_str();
  group_
      ->add_option("--exclude-op", exclude_ops_,
                   "An operator that stays on kernels, such as aten.cos; may be repeated")
      ->allow_extra_args(false);
  group_
      ->add_option("--exclude-node", exclude_nodes_,
                   "A node that stays on kernels, by its name in the program; may be repeated")
      ->allow_extra_args(false);
  group_
      ->add_option("--min-partition-size", min_partition_size_,
                   "Groups of fewer nodes than this stay on kernels")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  group_->add_flag("--require-full", require_full_,
                   "Fail, and list them, if nodes would stay on kernels");
  group_->add_flag("--allow-reduced-precision", allow_reduced_precision_,
                   "Let the engine compute 64-bit and half types with less precision");
  group_
      ->add_option(
          "--openvino-compat", openvino_compat_,
          "Write engines for ExecuTorch's own OpenVINO delegate, with this version: 2025.4")
      ->check(CLI::IsMember({"2025.4"}));
  group_
      ->add_option("--disable-rule", disabled_rules_,
                   "A rule against a fault of the engine that is left off, to see what it is for "
                   "(docs/openvino.md); may be repeated")
      ->allow_extra_args(false);
  group_
      ->add_option("--check", check_,
                   fmt::format("Run each engine on generated inputs and compare it with the "
                               "kernels: of those that differ, leave the nodes outside, or fail; "
                               "small: outside, for engines of at most {} multiply-adds",
                               kMostCheckedMultiplyAdds))
      ->check(CLI::IsMember(check_names()))
      ->capture_default_str();
  auto* cache = group_->add_option(
      "--cache", cache_,
      "The folder of the engine cache (default: " + build::default_cache_folder() + ")");
  group_->add_flag("--no-cache", no_cache_, "Neither use nor fill the engine cache")
      ->excludes(cache);
  tensorrt_.add_to(command);
}

std::vector<std::string> EngineOptions::given() const {
  std::vector<std::string> names = tensorrt_.given();
  const std::vector<std::string> own = given_options(group_);
  names.insert(names.end(), own.begin(), own.end());
  return names;
}

Result<CompileOptions> EngineOptions::to_compile_options() const {
  CompileOptions options;
  SLIPWAY_ASSIGN_OR_RETURN(options.engine, parse_engine(engine_));
  if (options.engine == EngineKind::kNone && require_full_) {
    return invalid_argument(
        "--require-full needs an engine: with --engine none everything runs on "
        "kernels");
  }
  if (options.engine != EngineKind::kTensorRt && tensorrt_.is_set()) {
    return invalid_argument("the options of TensorRT go with --engine tensorrt");
  }
  SLIPWAY_ASSIGN_OR_RETURN(options.tensorrt, tensorrt_.parse());
  options.exclude_ops = {exclude_ops_.begin(), exclude_ops_.end()};
  options.exclude_nodes = {exclude_nodes_.begin(), exclude_nodes_.end()};
  options.min_partition_size = min_partition_size_;
  options.openvino_compat = openvino_compat_;
  options.disabled_rules = {disabled_rules_.begin(), disabled_rules_.end()};
  options.require_full = require_full_;
  options.allow_reduced_precision = allow_reduced_precision_;
  for (const auto& [name, check] : kChecks) {
    if (check_ == name) options.check = check;
  }
  // What is true of one engine often is of the next, too.
  options.on_warning = [said = std::set<std::string>()](const std::string& message) mutable {
    if (said.insert(message).second) {
      fmt::print(stderr, "warning: {}\n", printable_message(message));
    }
  };
  if (!no_cache_) options.cache = cache_.empty() ? build::default_cache_folder() : cache_;
  if (!no_cache_ && options.cache.empty() && options.engine != EngineKind::kNone) {
    options.on_warning(
        "engines are not kept for the next time, since HOME is not set: name a folder with "
        "--cache");
  }
  return options;
}

}  // namespace slipway::cli
