#include "pte/reader/value_uses.h"

#include <algorithm>
#include <cstddef>

#include "pte/format/program_generated.h"
#include "pte/format/vectors.h"
#include "pte/reader/state.h"
#include "schema/schema.h"

namespace slipway::pte {
namespace {

namespace fb = executorch_flatbuffer;

class Reader {
 public:
  explicit Reader(const fb::ExecutionPlan& plan)
      : plan_(plan), is_known_(plan.values()->size(), false), added_(plan.values()->size()) {
    for (const int32_t input : *plan.inputs()) is_known_[static_cast<size_t>(input)] = true;
    for (const StateBuffer& buffer : state_of(plan)) is_known_[buffer.value] = true;
    for (uint32_t i = 0; i < plan.values()->size(); ++i) {
      const fb::Tensor* tensor = plan.values()->Get(i)->val_as_Tensor();
      if (tensor != nullptr && tensor->data_buffer_idx() != 0) is_known_[i] = true;
    }
  }

  ValueUses read(const fb::Instruction& instruction) {
    ValueUses uses;
    ++count_;
    written_ = &uses.writes;
    if (const auto* call = instruction.instr_args_as_KernelCall()) {
      read_kernel(*call, uses);
    } else if (const auto* engine = instruction.instr_args_as_DelegateCall()) {
      for (const int32_t value : *engine->args()) {
        add(value, is_known_[static_cast<size_t>(value)] ? uses.reads : uses.writes);
      }
    } else if (const auto* move = instruction.instr_args_as_MoveCall()) {
      add(move->move_from(), uses.reads);
      add(move->move_to(), uses.writes);
    } else if (const auto* jump = instruction.instr_args_as_JumpFalseCall()) {
      add(jump->cond_value_index(), uses.reads);
    }
    for (const uint32_t value : uses.writes) is_known_[value] = true;
    return uses;
  }

 private:
  void read_kernel(const fb::KernelCall& call, ValueUses& uses) {
    const fb::Operator& op = *plan_.operators()->Get(static_cast<uint32_t>(call.op_index()));
    const schema::Schema* kernel = schema::find_kernel(view(op.name()), view(op.overload()));
    const auto& args = *call.args();
    // What it gives follows its parameters.
    const size_t parameters =
        kernel == nullptr ? 0 : std::min<size_t>(kernel->parameters.size(), args.size());
    bool writes_arguments = false;
    for (uint32_t i = 0; i < parameters; ++i) {
      const bool is_written = kernel->parameters[i].type.is_mutable();
      writes_arguments = writes_arguments || is_written;
      add(args.Get(i), is_written ? uses.writes : uses.reads);
    }
    for (auto i = static_cast<uint32_t>(parameters); i < args.size() && !writes_arguments; ++i) {
      const bool is_last = i + 1 == args.size();
      add(args.Get(i), is_last ? uses.writes : uses.reads, is_last);
    }
  }

  // `is_result`: numbers count, too.
  void add(int32_t index, std::vector<uint32_t>& values, bool is_result = false) {
    const auto value = static_cast<uint32_t>(index);
    const fb::EValue& stored = *plan_.values()->Get(value);
    if (const auto* list = stored.val_as_TensorList()) {
      for (const int32_t item : *list->items()) add(item, values);
      return;
    }
    if (const auto* list = stored.val_as_OptionalTensorList()) {
      for (const int32_t item : *list->items()) {
        if (item >= 0) add(item, values);
      }
      return;
    }
    const bool is_tensor = stored.val_as_Tensor() != nullptr;
    if (!is_tensor && !is_result && !is_known_[value]) return;
    // Each once; what is read first and written then is in both.
    Added& added = added_[value];
    size_t& seen = &values == written_ ? added.writes : added.reads;
    if (seen != count_) values.push_back(value);
    seen = count_;
  }

  // The last instructions, counted from 1, that a value was added for.
  struct Added {
    size_t reads = 0;
    size_t writes = 0;
  };

  const fb::ExecutionPlan& plan_;
  std::vector<bool> is_known_;  // something is in it before the next instruction
  std::vector<Added> added_;
  size_t count_ = 0;
  const std::vector<uint32_t>* written_ = nullptr;  // of the instruction
};

}  // namespace

std::vector<ValueUses> value_uses(const fb::ExecutionPlan& plan) {
  std::vector<ValueUses> all;
  Reader reader(plan);
  for (const fb::Chain* chain : *plan.chains()) {
    for (const fb::Instruction* instruction : *chain->instructions()) {
      all.push_back(reader.read(*instruction));
    }
  }
  return all;
}

}  // namespace slipway::pte
