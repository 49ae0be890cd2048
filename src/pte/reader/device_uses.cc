#include "pte/reader/device_uses.h"

#include <utility>

#include "engine_list/registry.h"
#include "pte/reader/tables.h"

namespace slipway::pte {
namespace {

// Where the arguments of a kernel begin whose memory is used on the host, and end: all but those of
// ExecuTorch's copies to and from devices, and of questions for sizes.
std::pair<size_t, size_t> host_side(const fb::Operator& op, size_t arguments) {
  const std::string_view name = view(op.name());
  if (name == "et_copy::_h2d_copy") return {0, 1};
  const bool spares_first =
      name == "et_copy::_d2h_copy" || name == "aten::sym_size" || name == "aten::sym_numel";
  return {spares_first ? 1 : 0, arguments};
}

std::string name_of(const fb::ExecutionPlan& plan, const fb::Instruction& instruction) {
  if (const auto* call = instruction.instr_args_as_KernelCall()) {
    const fb::Operator& op = *plan.operators()->Get(static_cast<uint32_t>(call->op_index()));
    const std::string_view overload = view(op.overload());
    return fmt::format("{}{}{}", view(op.name()), overload.empty() ? "" : ".", overload);
  }
  if (const auto* call = instruction.instr_args_as_DelegateCall()) {
    return fmt::format(
        "an engine of {}",
        view(plan.delegates()->Get(static_cast<uint32_t>(call->delegate_index()))->id()));
  }
  return "the program";
}

}  // namespace

DeviceUses::DeviceUses(const fb::ExecutionPlan& plan)
    : plan_(plan), first_on_host_(plan.values()->size(), kNone) {
  std::vector<bool> takes_it;
  for (const fb::BackendDelegate* delegate : *plan.delegates()) {
    takes_it.push_back(engine_list::takes_cuda_memory(view(delegate->id())));
  }
  size_t position = 0;
  for (const fb::Chain* chain : *plan.chains()) {
    for (const fb::Instruction* instruction : *chain->instructions()) {
      if (const auto* call = instruction->instr_args_as_KernelCall()) {
        const auto& args = *call->args();
        const fb::Operator& op = *plan.operators()->Get(static_cast<uint32_t>(call->op_index()));
        const auto [begin, end] = host_side(op, args.size());
        for (size_t i = begin; i < end && i < args.size(); ++i) {
          note(args.Get(static_cast<uint32_t>(i)), position);
        }
      } else if (const auto* engine = instruction->instr_args_as_DelegateCall()) {
        const auto delegate = static_cast<uint32_t>(engine->delegate_index());
        for (const int32_t value : *engine->args()) {
          const bool is_tensor =
              plan.values()->Get(static_cast<uint32_t>(value))->val_as_Tensor() != nullptr;
          if (!takes_it[delegate] || !is_tensor) note(value, position);
          delegates_[static_cast<size_t>(value)].insert(delegate);
        }
      } else if (const auto* move = instruction->instr_args_as_MoveCall()) {
        note(move->move_from(), position);
        note(move->move_to(), position);
      } else if (const auto* jump = instruction->instr_args_as_JumpFalseCall()) {
        note(jump->cond_value_index(), position);
      } else if (const auto* free = instruction->instr_args_as_FreeCall()) {
        note(free->value_index(), position);
      }
      ++position;
    }
  }
}

// A list's tensors are used as the list is.
void DeviceUses::note(int64_t value, size_t instruction) {
  const auto is_news = [&](int64_t index) {
    return index >= 0 && static_cast<size_t>(index) < first_on_host_.size() &&
           first_on_host_[static_cast<size_t>(index)] == kNone;
  };
  if (!is_news(value)) return;
  first_on_host_[static_cast<size_t>(value)] = instruction;
  const fb::EValue& held = *plan_.values()->Get(static_cast<uint32_t>(value));
  const flatbuffers::Vector<int32_t>* items = nullptr;
  if (const auto* list = held.val_as_TensorList()) items = list->items();
  if (const auto* list = held.val_as_OptionalTensorList()) items = list->items();
  if (items == nullptr) return;
  for (const int32_t item : *items) {
    if (is_news(item)) first_on_host_[static_cast<size_t>(item)] = instruction;
  }
}

std::set<uint32_t> DeviceUses::delegates(size_t value) const {
  const auto found = delegates_.find(value);
  return found == delegates_.end() ? std::set<uint32_t>() : found->second;
}

std::string DeviceUses::obstacle(size_t value) const {
  size_t left = first_on_host_[value];
  if (left == kNone) return "";
  const size_t position = left;
  for (const fb::Chain* chain : *plan_.chains()) {
    const auto& instructions = *chain->instructions();
    if (left < instructions.size()) {
      return fmt::format("{} at instruction {}",
                         name_of(plan_, *instructions.Get(static_cast<uint32_t>(left))), position);
    }
    left -= instructions.size();
  }
  return "";
}

}  // namespace slipway::pte
