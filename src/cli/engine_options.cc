#include "cli/engine_options.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/byte_count.h"
#include "base/error.h"
#include "base/try.h"
#include "cli/option_names.h"
#include "engine_build/engine_cache.h"
#include "engine_list/registry.h"

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

std::vector<std::string> engines_with(const std::string& name) {
  std::vector<std::string> engines;
  for (const std::string& engine : engine_names()) {
    for (const EngineOption& option : engine_options(engine)) {
      if (option.name == name) engines.push_back(engine);
    }
  }
  return engines;
}

}  // namespace

std::string default_check() {
  for (const auto& [name, check] : kChecks) {
    if (check == CompileOptions().check) return name;
  }
  return "";
}

std::string engines_text(const std::vector<EngineChoice>& engines) {
  std::vector<std::string> names;
  names.reserve(engines.size());
  for (const EngineChoice& engine : engines) names.push_back(engine.name);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ","));
}

void OptionGroup::add(const Command& group, const EngineOption& option) {
  const auto [place, is_new] = given_.try_emplace(option.name);
  if (!is_new) return;
  const std::string flag = flag_of(option.name);
  Given& given = place->second;
  if (*option.value == '\0') {
    const Option on = group.add_flag(flag, given.on, option.help);
    group.add_flag("--no-" + flag.substr(2), given.off, "The opposite of " + flag).excludes(on);
    return;
  }
  const Option added = group.add_option(flag, given.texts, option.help).type_name(option.value);
  if (option.is_repeated) {
    added.one_at_a_time();
  } else {
    added.once();
  }
}

std::vector<std::pair<std::string, std::string>> OptionGroup::values(
    std::span<const EngineOption> table) const {
  std::vector<std::pair<std::string, std::string>> values;
  for (const EngineOption& option : table) {
    const auto found = given_.find(option.name);
    if (found == given_.end()) continue;
    for (const std::string& text : found->second.texts) values.emplace_back(option.name, text);
    if (found->second.on) values.emplace_back(option.name, "true");
    if (found->second.off) values.emplace_back(option.name, "false");
  }
  return values;
}

std::vector<std::string> OptionGroup::given() const {
  std::vector<std::string> names;
  for (const auto& [name, given] : given_) {
    if (given.on || given.off || !given.texts.empty()) names.push_back(name);
  }
  return names;
}

void OptionGroup::add_for_machines(const Command& command) {
  for (const std::string& engine : engine_names()) {
    for (const EngineOption& option : engine_options(engine)) {
      if (option.is_for_machines) add(command, option);
    }
  }
}

void EngineOptions::add_to(const Command& command, const std::set<std::string>& own) {
  group_ = command.add_group("Engines");
  group_
      ->add_option("--engine", engine_,
                   fmt::format("What runs the program: {}, and ExecuTorch's kernels for what it "
                               "does not compute exactly; several, by priority, with commas "
                               "between them; or none (kernels only)",
                               fmt::join(engine_names(), " or ")))
      .show_default();
  group_
      ->add_option("--exclude-op", exclude_ops_,
                   "An operator that stays on kernels, such as aten.cos, or out of one engine, as "
                   "ENGINE:aten.cos; may be repeated")
      .one_at_a_time();
  group_
      ->add_option(
          "--exclude-node", exclude_nodes_,
          "A node that stays on kernels, by its name in the program, or out of one engine, as "
          "ENGINE:NAME; may be repeated")
      .one_at_a_time();
  group_
      ->add_option("--min-partition-size", min_partition_size_,
                   "Groups of fewer nodes than this stay on kernels")
      .between(uint64_t{1}, uint64_t{1} << 32)
      .show_default();
  group_->add_flag("--require-full", require_full_,
                   "Fail, and list them, if nodes would stay on kernels");
  group_->add_flag("--allow-reduced-precision", allow_reduced_precision_,
                   "Let the engine compute 64-bit and half types with less precision");
  group_
      ->add_option("--check", check_,
                   fmt::format("Run each engine on generated inputs and compare it with the "
                               "kernels: of those that differ, leave the nodes outside, or fail; "
                               "small: outside, for engines of at most {} multiply-adds",
                               kMostCheckedMultiplyAdds))
      .one_of(check_names())
      .show_default();
  const Option cache = group_->add_option(
      "--cache", cache_,
      "The folder of the engine cache (default: " + engine_build::default_cache_folder() + ")");
  group_->add_flag("--no-cache", no_cache_, "Neither use nor fill the engine cache")
      .excludes(cache);
  for (const std::string& engine : engine_names()) {
    const std::vector<EngineOption> options = engine_options(engine);
    if (options.empty()) continue;
    std::string common;
    for (const EngineOption& option : options) {
      if (!own.contains(option.name) && of_engines_.has(option.name)) {
        common += fmt::format("{}{}", common.empty() ? "; above: " : ", ", flag_of(option.name));
      }
    }
    const Command group = command.add_group(
        fmt::format("{} (--engine {}{})", engine_list::find_engine(engine)->title, engine, common));
    for (const EngineOption& option : options) {
      if (!own.contains(option.name)) of_engines_.add(group, option);
    }
  }
}

std::vector<std::string> EngineOptions::given() const {
  std::vector<std::string> names;
  for (const std::string& option : of_engines_.given()) names.push_back(flag_of(option));
  if (!group_) return names;
  const std::vector<std::string> own = group_->given();
  names.insert(names.end(), own.begin(), own.end());
  return names;
}

bool EngineOptions::is_set() const { return !given().empty(); }

Result<bool> EngineOptions::take_load_options(LoadOptions& options) const {
  const std::map<std::string, std::optional<uint64_t>*> budgets = {
      {"weight_streaming_budget", &options.weight_streaming_budget},
      {"weight_streaming_total", &options.weight_streaming_total}};
  const std::map<std::string, std::optional<bool>*> flags = {{"cuda_graphs", &options.cuda_graphs}};
  std::vector<std::string> others = given();
  for (const std::string& engine : engine_names()) {
    for (const EngineOption& option : engine_options(engine)) {
      if (!option.is_for_loading) continue;
      for (const auto& [name, text] : of_engines_.values({&option, 1})) {
        if (const auto flag = flags.find(name); flag != flags.end()) {
          *flag->second = text == "true";
        } else {
          SLIPWAY_ASSIGN_OR_RETURN(*budgets.at(name), parse_byte_count(text));
        }
        std::erase(others, flag_of(name));
      }
    }
  }
  return others.empty();
}

Status EngineOptions::check_for_built(const std::string& path, const std::string& engine) const {
  std::vector<std::string> allowed = {"--engine"};
  for (const EngineOption& option : engine_options(engine)) {
    if (option.is_for_machines || option.is_for_loading) allowed.push_back(flag_of(option.name));
  }
  for (const std::string& option : given()) {
    if (std::find(allowed.begin(), allowed.end(), option) != allowed.end()) continue;
    return invalid_argument("{} has no effect on {}, which is an engine that is built already",
                            option, path);
  }
  return {};
}

Status EngineOptions::check_for_models(const std::string& output) const {
  std::vector<std::string> allowed = {"--engine"};
  for (const std::string& engine : engine_names()) {
    for (const EngineOption& option : engine_options(engine)) {
      if (option.is_for_models) allowed.push_back(flag_of(option.name));
    }
  }
  for (const std::string& option : given()) {
    if (std::find(allowed.begin(), allowed.end(), option) != allowed.end()) continue;
    return invalid_argument(
        "'{}': {} has no effect on an .onnx file, which holds the whole program as {} make it",
        output, option, fmt::join(allowed, ", "));
  }
  return {};
}

Result<CompileOptions> EngineOptions::to_compile_options() const {
  CompileOptions options;
  SLIPWAY_ASSIGN_OR_RETURN(options.engines, parse_engines(engine_));
  std::set<std::string> known;
  for (EngineChoice& engine : options.engines) {
    const std::vector<EngineOption> table = engine_options(engine.name);
    engine.options = of_engines_.values(table);
    for (const EngineOption& option : table) known.insert(option.name);
  }
  for (const std::string& option : of_engines_.given()) {
    if (known.contains(option)) continue;
    return invalid_argument("{} is an option of --engine {}", flag_of(option),
                            fmt::join(engines_with(option), " or "));
  }
  options.exclude_ops = {exclude_ops_.begin(), exclude_ops_.end()};
  options.exclude_nodes = {exclude_nodes_.begin(), exclude_nodes_.end()};
  options.min_partition_size = min_partition_size_;
  options.require_full = require_full_;
  options.allow_reduced_precision = allow_reduced_precision_;
  for (const auto& [name, check] : kChecks) {
    if (check_ == name) options.check = check;
  }
  // What is true of one engine often is of the next, too.
  options.on_warning = [said = std::set<std::string>()](const std::string& message) mutable {
    if (said.insert(message).second) print_warning(message);
  };
  if (!no_cache_) options.cache = cache_.empty() ? engine_build::default_cache_folder() : cache_;
  if (!no_cache_ && options.cache.empty() && !options.engines.empty()) {
    options.on_warning(
        "engines are not kept for the next time, since HOME is not set: name a folder with "
        "--cache");
  }
  return options;
}

}  // namespace slipway::cli
