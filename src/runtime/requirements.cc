#include "runtime/requirements.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <executorch/runtime/kernel/operator_registry.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/processor.h"
#include "base/try.h"
#include "engine_list/registry.h"
#include "pte/format/program_generated.h"
#include "runtime/backends.h"
#include "runtime/platform.h"

namespace slipway::runtime {
namespace {

namespace fb = executorch_flatbuffer;

// How many an error lists.
constexpr size_t kShown = 20;

// Whether both are known, and not the same.
bool differ(const std::string& built, const std::string& here) {
  return !built.empty() && !here.empty() && built != here;
}

// Of the engines of a method, which may be none.
std::vector<const fb::BackendDelegate*> delegates_of(const fb::ExecutionPlan* plan) {
  if (plan == nullptr || plan->delegates() == nullptr) return {};
  return {plan->delegates()->begin(), plan->delegates()->end()};
}

std::set<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// Whether what is here is known, and lacks a word of what an engine was built for. What has more
// runs it as well.
bool lacks(const std::string& here, const std::string& built) {
  const std::set<std::string> known = words(here);
  const std::set<std::string> needed = words(built);
  return !known.empty() && !std::includes(known.begin(), known.end(), needed.begin(), needed.end());
}

// The first instruction that calls each operator, by the operator's index.
std::unordered_map<uint32_t, size_t> first_calls(const fb::ExecutionPlan& plan) {
  std::unordered_map<uint32_t, size_t> calls;
  size_t position = 0;
  for (const fb::Chain* chain : *plan.chains()) {
    for (const fb::Instruction* instruction : *chain->instructions()) {
      const fb::KernelCall* call = instruction->instr_args_as_KernelCall();
      if (call != nullptr) calls.emplace(static_cast<uint32_t>(call->op_index()), position);
      ++position;
    }
  }
  return calls;
}

}  // namespace

std::string instruction_origin(const pte::File& file, const std::string& method,
                               size_t instruction) {
  const engine::ManifestMethod* known = file.described(method);
  const bool has_origin = known != nullptr && instruction < known->instruction_origins.size();
  return has_origin ? known->instruction_origins[instruction] : "";
}

size_t registered_kernels() { return et::get_registered_kernels().size(); }

Status check_requirements(const pte::File& file, const std::string& method) {
  initialize_platform();
  const fb::ExecutionPlan* plan = file.plan(method);
  if (plan == nullptr) return not_found("{} has no method '{}'", file.name(), method);
  for (const fb::BackendDelegate* delegate : delegates_of(plan)) {
    const Status required = require_backend(delegate->id()->str());
    if (!required.ok()) {
      return required.error().with_context(fmt::format("{} of {}", method, file.name()));
    }
  }
  if (plan->operators() == nullptr) return {};
  std::vector<std::string> missing;
  std::unordered_set<std::string> names;
  std::optional<std::unordered_map<uint32_t, size_t>> calls;
  for (uint32_t i = 0; i < plan->operators()->size(); ++i) {
    const fb::Operator& op = *plan->operators()->Get(i);
    std::string name = op.name()->str();
    if (op.overload() != nullptr && op.overload()->size() > 0) name += "." + op.overload()->str();
    if (et::registry_has_op_function(name.c_str()) || !names.insert(name).second) continue;
    if (names.size() > kShown) continue;
    if (!calls) calls = first_calls(*plan);
    const auto call = calls->find(i);
    const std::string origin =
        call == calls->end() ? "" : instruction_origin(file, method, call->second);
    missing.push_back(origin.empty() ? name : fmt::format("{} (from {})", name, origin));
  }
  if (missing.empty()) return {};
  if (names.size() > kShown) missing.push_back(fmt::format("{} more", names.size() - kShown));
  return unavailable(
      "{} of {} calls operators that ExecuTorch's optimized and quantized kernels don't have: {}. "
      "Compile the model with Slipway, which replaces what it can, or load a library with these "
      "kernels into the process first",
      method, file.name(), fmt::join(missing, ", "));
}

std::vector<std::string> environment_differences(const pte::File& file, const std::string& method) {
  std::vector<std::string> differences;
  std::map<std::string, Environment> environments;  // by backend, each of which is asked once
  const engine::ManifestMethod* known = file.described(method);
  const bool is_tuned = known != nullptr && !known->engines.empty() && file.manifest()->tuning;
  if (is_tuned && file.manifest()->tuning->processor != processor_name()) {
    differences.push_back(fmt::format(
        "{}: its engines were chosen by their times on {}, and here is {}: another choice may be "
        "faster; compile it here with option 'tune'",
        file.name(), file.manifest()->tuning->processor, processor_name()));
  }
  for (size_t i = 0; known != nullptr && i < known->engines.size(); ++i) {
    const engine::EngineRecord& record = known->engines[i].record;
    const auto [place, is_new] = environments.try_emplace(record.backend);
    Environment& here = place->second;
    if (is_new) here = environment_of(record.backend);
    std::vector<std::string> remedies;
    std::string built = record.engine;
    std::string found;
    if (differ(record.library_version, here.library_version)) {
      built += " " + record.library_version;
      found += " " + here.library_version;
      remedies.emplace_back("bring that version");
    }
    if (lacks(here.capabilities, record.capabilities)) {
      built += fmt::format(" for {} with {}", record.device, record.capabilities);
      found += fmt::format("{} {} with {}", found.empty() ? "" : " on", record.device,
                           here.capabilities);
    }
    if (found.empty()) continue;
    remedies.emplace_back("compile the model again with what is here");
    differences.push_back(fmt::format(
        "{}: engine {} of {} was built with {}, and here is{}: it may be refused or run "
        "more slowly; {}",
        file.name(), i, method, built, found, fmt::join(remedies, ", or ")));
  }
  return differences;
}

std::string other_delegates(const pte::File& file, const std::string& method) {
  for (const fb::BackendDelegate* delegate : delegates_of(file.plan(method))) {
    std::string text = other_origin(delegate->id()->str());
    if (!text.empty()) return text;
  }
  return "";
}

bool has_cuda_engine(const pte::File& file, const std::string& method) {
  const auto delegates = delegates_of(file.plan(method));
  return std::any_of(delegates.begin(), delegates.end(), [](const fb::BackendDelegate* delegate) {
    return engine_list::takes_cuda_memory(delegate->id()->str());
  });
}

bool has_inline_engine(const pte::File& file, const std::string& method) {
  const auto delegates = delegates_of(file.plan(method));
  return std::any_of(delegates.begin(), delegates.end(), [](const fb::BackendDelegate* delegate) {
    return delegate->processed()->location() == fb::DataLocation::INLINE;
  });
}

std::vector<std::string> options_without_effect(const pte::File& file, const std::string& method,
                                                const LoadOptions& options) {
  const std::pair<const char*, LoadOptions> each[] = {
      {"device", {.device = options.device}},
      {"performance_hint", {.performance_hint = options.performance_hint}},
      {"weight_streaming_budget", {.weight_streaming_budget = options.weight_streaming_budget}},
      {"weight_streaming_total", {.weight_streaming_total = options.weight_streaming_total}},
      {"share_engines", {.share_engines = options.share_engines}},
      {"share_scratch", {.share_scratch = options.share_scratch}},
      {"cuda_graphs", {.cuda_graphs = options.cuda_graphs}}};
  std::set<std::string> backends;
  for (const fb::BackendDelegate* delegate : delegates_of(file.plan(method))) {
    backends.insert(delegate->id()->str());
  }
  std::vector<std::string> without;
  for (const auto& [name, given] : each) {
    bool is_given = false;
    bool is_taken = false;
    for (const engine::Description* engine : engine_list::descriptions()) {
      if (engine->load_settings == nullptr) continue;
      if (engine->load_settings(given).size() == engine->load_settings({}).size()) continue;
      is_given = true;
      is_taken = is_taken || backends.contains(engine->backend);
    }
    if (!is_given || is_taken) continue;
    without.push_back(
        fmt::format("{}: option '{}' has no effect on {}, which has no engine that "
                    "takes it",
                    file.name(), name, method));
  }
  return without;
}

}  // namespace slipway::runtime
