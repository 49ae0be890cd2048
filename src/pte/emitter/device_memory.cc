#include "pte/emitter/device_memory.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace slipway::pte {

namespace {

// Who uses each block.
class Uses {
 public:
  explicit Uses(const Plan& plan) : plan_(plan), uses_(plan.blocks.size()) {
    for (const int32_t input : plan.inputs) on_host(input);
    for (const int32_t output : plan.outputs) on_host(output);
    for (const Instruction& instruction : plan.instructions) {
      std::visit([&](const auto& call) { add(call); }, instruction.call);
    }
  }

  std::optional<int8_t> device(size_t block) const {
    const Use& use = uses_[block];
    return use.is_on_host ? std::nullopt : use.device;
  }

 private:
  struct Use {
    bool is_on_host = false;
    std::optional<int8_t> device;
  };

  void add(const KernelCall& call) {
    const std::string& name = plan_.operators[static_cast<size_t>(call.op)].name;
    // Questions for sizes read no elements.
    const bool asks = name == "aten::sym_size" || name == "aten::sym_numel";
    for (size_t i = asks ? 1 : 0; i < call.args.size(); ++i) on_host(call.args[i]);
  }
  void add(const DelegateCall& call) {
    const std::optional<int8_t> device = plan_.delegates[static_cast<size_t>(call.delegate)].device;
    for (const int32_t arg : call.args) {
      const auto* tensor = std::get_if<TensorValue>(&plan_.values[static_cast<size_t>(arg)]);
      if (tensor == nullptr || tensor->block < 0) continue;
      Use& use = uses_[static_cast<size_t>(tensor->block)];
      use.is_on_host |= !device || (use.device && use.device != device);
      use.device = device;
    }
  }
  void add(const JumpFalse& jump) { on_host(jump.condition); }
  void add(const Move& move) {
    on_host(move.from);
    on_host(move.to);
  }

  void on_host(int32_t value) {
    if (value < 0) return;
    const PlanValue& content = plan_.values[static_cast<size_t>(value)];
    if (const auto* tensor = std::get_if<TensorValue>(&content)) {
      if (tensor->block >= 0) uses_[static_cast<size_t>(tensor->block)].is_on_host = true;
    } else if (const auto* list = std::get_if<TensorListValue>(&content)) {
      for (const int32_t item : list->items) on_host(item);
    } else if (const auto* optionals = std::get_if<OptionalTensorListValue>(&content)) {
      for (const int32_t item : optionals->items) on_host(item);
    }
  }

  const Plan& plan_;
  std::vector<Use> uses_;
};

}  // namespace

void place_on_devices(Plan& plan) {
  const Uses uses(plan);
  for (size_t i = 0; i < plan.blocks.size(); ++i) plan.blocks[i].device = uses.device(i);
}

void bring_to_front(Plan& plan, size_t begin) {
  const auto moved = static_cast<int32_t>(plan.instructions.size() - begin);
  for (size_t i = 0; i < plan.instructions.size(); ++i) {
    auto* jump = std::get_if<JumpFalse>(&plan.instructions[i].call);
    if (jump != nullptr) jump->destination += i < begin ? moved : -static_cast<int32_t>(begin);
  }
  for (Block& block : plan.blocks) {
    if (block.permanent || block.first < 0) continue;
    block.first += moved;
    block.last += moved;
  }
  std::rotate(plan.instructions.begin(), plan.instructions.begin() + static_cast<ptrdiff_t>(begin),
              plan.instructions.end());
}

}  // namespace slipway::pte
