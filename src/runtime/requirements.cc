#include "runtime/requirements.h"

#include <string>
#include <vector>

#include <executorch/runtime/kernel/operator_registry.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "pte/format/program_generated.h"
#include "runtime/backends.h"
#include "runtime/platform.h"

namespace slipway::runtime {
namespace {

namespace fb = executorch_flatbuffer;

// " (from relu: File ...)" for the first instruction that calls the operator; else "".
std::string origin_of_operator(const pte::File& file, const fb::ExecutionPlan& plan,
                               uint32_t operator_index) {
  uint32_t position = 0;
  for (const fb::Chain* chain : *plan.chains()) {
    for (const fb::Instruction* instruction : *chain->instructions()) {
      const fb::KernelCall* call = instruction->instr_args_as_KernelCall();
      if (call != nullptr && static_cast<uint32_t>(call->op_index()) == operator_index) {
        const std::string origin = instruction_origin(file, plan.name()->str(), position);
        return origin.empty() ? "" : fmt::format(" (from {})", origin);
      }
      ++position;
    }
  }
  return "";
}

}  // namespace

std::string instruction_origin(const pte::File& file, const std::string& method,
                               size_t instruction) {
  if (!file.manifest()) return "";
  for (const engine::ManifestMethod& known : file.manifest()->methods) {
    if (known.name == method && instruction < known.instruction_origins.size()) {
      return known.instruction_origins[instruction];
    }
  }
  return "";
}

size_t registered_kernels() { return et::get_registered_kernels().size(); }

Status check_requirements(const pte::File& file, const std::string& method) {
  initialize_platform();
  const fb::ExecutionPlan* plan = file.plan(method);
  if (plan == nullptr) return not_found("{} has no method '{}'", file.name(), method);
  if (plan->delegates() != nullptr) {
    for (const fb::BackendDelegate* delegate : *plan->delegates()) {
      const Status required = require_backend(delegate->id()->str());
      if (!required.ok()) {
        return required.error().with_context(fmt::format("{} of {}", method, file.name()));
      }
    }
  }
  if (plan->operators() == nullptr) return {};
  std::vector<std::string> missing;
  for (uint32_t i = 0; i < plan->operators()->size(); ++i) {
    const fb::Operator& op = *plan->operators()->Get(i);
    std::string name = op.name()->str();
    if (op.overload() != nullptr && op.overload()->size() > 0) name += "." + op.overload()->str();
    if (!et::registry_has_op_function(name.c_str())) {
      missing.push_back(name + origin_of_operator(file, *plan, i));
    }
  }
  if (missing.empty()) return {};
  return unavailable(
      "{} of {} calls operators that ExecuTorch's optimized and quantized kernels don't have: {}. "
      "Compile the model with Slipway, which replaces what it can, or load a library with these "
      "kernels into the process first",
      method, file.name(), fmt::join(missing, ", "));
}

}  // namespace slipway::runtime
