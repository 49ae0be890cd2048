#include "pte/reader/instruction_text.h"

#include <cstdint>

#include <fmt/core.h>

#include "pte/format/program_generated.h"

namespace slipway::pte {
namespace {

namespace fb = executorch_flatbuffer;

std::string operator_text(const fb::Operator& op) {
  std::string name = op.name()->str();
  if (op.overload() != nullptr && op.overload()->size() > 0) name += "." + op.overload()->str();
  return name;
}

std::string call_text(const fb::ExecutionPlan& plan, const fb::DelegateCall& call) {
  const auto index = static_cast<uint32_t>(call.delegate_index());
  return fmt::format("engine {} of {}", index, plan.delegates()->Get(index)->id()->str());
}

std::string instruction_text(const fb::ExecutionPlan& plan, const fb::Instruction& instruction) {
  switch (instruction.instr_args_type()) {
    case fb::InstructionArguments::KernelCall: {
      const auto index = static_cast<uint32_t>(instruction.instr_args_as_KernelCall()->op_index());
      return operator_text(*plan.operators()->Get(index));
    }
    case fb::InstructionArguments::DelegateCall:
      return call_text(plan, *instruction.instr_args_as_DelegateCall());
    case fb::InstructionArguments::MoveCall:
      return "move";
    case fb::InstructionArguments::JumpFalseCall:
      return fmt::format("jump to {} if false",
                         instruction.instr_args_as_JumpFalseCall()->destination_instruction());
    case fb::InstructionArguments::FreeCall:
      return "free";
    default:
      return "unknown";
  }
}

}  // namespace

std::vector<std::string> instruction_texts(const fb::ExecutionPlan& plan) {
  std::vector<std::string> texts;
  for (const fb::Chain* chain : *plan.chains()) {
    for (const fb::Instruction* instruction : *chain->instructions()) {
      texts.push_back(instruction_text(plan, *instruction));
    }
  }
  return texts;
}

}  // namespace slipway::pte
