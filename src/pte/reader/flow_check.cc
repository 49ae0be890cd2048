#include "pte/reader/flow_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "base/try.h"
#include "pte/reader/blob_check.h"
#include "pte/reader/engine_check.h"
#include "pte/reader/kernel_check.h"
#include "schema/schema.h"

namespace slipway::pte {
namespace {

using Instructions = flatbuffers::Vector<flatbuffers::Offset<fb::Instruction>>;

// Values that no instruction writes stay what the file says; the state holds the others. States
// only grow from pass to pass, so that what is wrong in one pass stays wrong.
class FlowChecker final : private ValueView {
 public:
  FlowChecker(const Tables& tables, const fb::ExecutionPlan& plan,
              const std::vector<ValueFacts>& facts)
      : tables_(tables),
        plan_(plan),
        facts_(facts),
        engines_(described_engines(tables, plan)),
        roles_(facts.size(), 0),
        slots_(facts.size(), -1) {}

  Status run() {
    SLIPWAY_RETURN_IF_ERROR(check_structure());
    do {
      changed_ = false;
      SLIPWAY_RETURN_IF_ERROR(count_steps(entry_.size() + plan_.outputs()->size()));
      // A run may begin with what any instruction of the run before left.
      std::vector<ValueKinds> state = entry_;
      for (uint32_t i = 0; i < plan_.chains()->size(); ++i) {
        SLIPWAY_ASSIGN_OR_RETURN(state, run_chain(i, std::move(state)));
      }
      state_ = &state;
      for (const int32_t output : *plan_.outputs()) SLIPWAY_RETURN_IF_ERROR(check_bound(output));
    } while (changed_);
    return {};
  }

 private:
  using State = std::vector<ValueKinds>;

  // What instructions do to a value.
  static constexpr uint8_t kMovedTo = 1 << 0;
  static constexpr uint8_t kMovedFrom = 1 << 1;
  static constexpr uint8_t kRebound = 1 << 2;  // a view's result, or freed
  static constexpr uint8_t kFreed = 1 << 3;
  static constexpr uint8_t kComputed = 1 << 4;  // a symbolic operator's result

  ValueKinds kinds(int32_t value) const override {
    const int32_t slot = slots_[static_cast<size_t>(value)];
    return slot < 0 ? facts_[static_cast<size_t>(value)].kinds
                    : (*state_)[static_cast<size_t>(slot)];
  }
  const TensorFacts& tensor(int32_t value) const override {
    return facts_[static_cast<size_t>(value)].tensor;
  }
  const fb::EValue& stored(int32_t value) const override {
    return *plan_.values()->Get(static_cast<uint32_t>(value));
  }
  std::optional<int64_t> constant_int(int32_t value) const override {
    if (slots_[static_cast<size_t>(value)] >= 0) return std::nullopt;
    const auto* number = stored(value).val_as_Int();
    return number == nullptr ? std::nullopt : std::optional(number->int_val());
  }

  // The number of a bool that no instruction writes.
  std::optional<bool> constant_bool(int32_t value) const {
    if (slots_[static_cast<size_t>(value)] >= 0) return std::nullopt;
    const auto* flag = stored(value).val_as_Bool();
    return flag == nullptr ? std::nullopt : std::optional(flag->bool_val());
  }

  Status check_index(int32_t value) const {
    if (value < 0 || static_cast<size_t>(value) >= facts_.size()) {
      return invalid_file("value {} does not exist", value);
    }
    return {};
  }

  Status check_args(const flatbuffers::Vector<int32_t>* args) {
    if (args == nullptr) return invalid_file("its arguments are missing");
    args_ += args->size();
    if (args_ > kMaxItems) return invalid_file("there are more than {} arguments", kMaxItems);
    SLIPWAY_RETURN_IF_ERROR(count_steps(args->size()));
    for (const int32_t value : *args) SLIPWAY_RETURN_IF_ERROR(check_index(value));
    return {};
  }

  // What does not depend on the flow; finds the values that are written.
  Status check_structure() {
    for (uint32_t i = 0; i < plan_.chains()->size(); ++i) {
      const auto* instructions = plan_.chains()->Get(i)->instructions();
      if (instructions == nullptr) return invalid_file("chain {} has no instructions", i);
      SLIPWAY_RETURN_IF_ERROR(count_steps(kStepsOfOne * instructions->size()));
      for (uint32_t j = 0; j < instructions->size(); ++j) {
        auto status = check_instruction(*instructions->Get(j), instructions->size());
        if (!status.ok()) return status.error().with_context(where(*instructions, j));
      }
    }
    return make_slots();
  }

  // A tensor that is moved shares everything with the one it came from, so that giving the one new
  // memory, or the caller's, gives it to the other.
  Status make_slots() {
    for (const int32_t input : *plan_.inputs()) {
      if (roles_[static_cast<size_t>(input)] & (kMovedTo | kRebound | kComputed)) {
        return invalid_file("an instruction replaces value {}, which is an input", input);
      }
    }
    for (size_t value = 0; value < roles_.size(); ++value) {
      const uint8_t role = roles_[value];
      if ((role & kRebound) && (role & kMovedTo)) {
        return invalid_file("value {} is moved to, and given other memory", value);
      }
      if ((role & kFreed) && (role & kMovedFrom)) {
        return invalid_file("value {} is moved from, and freed", value);
      }
      if ((role & (kMovedTo | kRebound | kComputed)) == 0) continue;
      slots_[value] = static_cast<int32_t>(entry_.size());
      // What a view showed in the run before may be gone.
      entry_.push_back(role & kRebound ? kUnboundTensor : facts_[value].kinds);
    }
    return {};
  }

  Status check_instruction(const fb::Instruction& instruction, uint32_t count) {
    if (instruction.instr_args() == nullptr) return invalid_file("it has no content");
    switch (instruction.instr_args_type()) {
      case fb::InstructionArguments::KernelCall:
        return check_kernel(*instruction.instr_args_as_KernelCall());
      case fb::InstructionArguments::DelegateCall: {
        const auto& call = *instruction.instr_args_as_DelegateCall();
        if (call.delegate_index() < 0 ||
            static_cast<uint32_t>(call.delegate_index()) >= plan_.delegates()->size()) {
          return invalid_file("delegate {} does not exist", call.delegate_index());
        }
        return check_args(call.args());
      }
      case fb::InstructionArguments::MoveCall:
        return check_move(*instruction.instr_args_as_MoveCall());
      case fb::InstructionArguments::JumpFalseCall: {
        const auto& jump = *instruction.instr_args_as_JumpFalseCall();
        SLIPWAY_RETURN_IF_ERROR(check_index(jump.cond_value_index()));
        if (jump.destination_instruction() < 0 ||
            static_cast<uint32_t>(jump.destination_instruction()) > count) {
          return invalid_file("it jumps to instruction {} of {}", jump.destination_instruction(),
                              count);
        }
        return {};
      }
      case fb::InstructionArguments::FreeCall: {
        const int32_t value = instruction.instr_args_as_FreeCall()->value_index();
        SLIPWAY_RETURN_IF_ERROR(check_index(value));
        if ((facts_[static_cast<size_t>(value)].kinds & kTensor) == 0) {
          return invalid_file("it frees value {}, which is not a tensor", value);
        }
        roles_[static_cast<size_t>(value)] |= kRebound | kFreed;
        return {};
      }
      default:
        return invalid_file("its type, {}, is unknown",
                            static_cast<int>(instruction.instr_args_type()));
    }
  }

  Status check_kernel(const fb::KernelCall& call) {
    SLIPWAY_RETURN_IF_ERROR(check_args(call.args()));
    if (call.op_index() < 0 || static_cast<size_t>(call.op_index()) >= count(plan_.operators())) {
      return invalid_file("operator {} does not exist", call.op_index());
    }
    const schema::Schema* kernel = find_kernel(call);
    if (kernel == nullptr) {
      if (tables_.trust) return {};
      return unsupported(
          "the operator is not one of ExecuTorch's, so its arguments cannot be checked: load the "
          "file with option 'trust' if you know where it comes from");
    }
    if (call.args()->size() == 0) return {};
    // Only symbolic operators and views change what a value is.
    const auto result = static_cast<size_t>(call.args()->Get(call.args()->size() - 1));
    if (kernel->name == "executorch_prim::et_view") {
      roles_[result] |= kRebound;
    } else if (std::none_of(kernel->parameters.begin(), kernel->parameters.end(),
                            [](const auto& parameter) { return parameter.type.is_mutable(); })) {
      roles_[result] |= kComputed;
    }
    return {};
  }

  Status check_move(const fb::MoveCall& move) {
    SLIPWAY_RETURN_IF_ERROR(check_index(move.move_from()));
    SLIPWAY_RETURN_IF_ERROR(check_index(move.move_to()));
    const ValueFacts& from = facts_[static_cast<size_t>(move.move_from())];
    const ValueFacts& to = facts_[static_cast<size_t>(move.move_to())];
    if ((from.kinds & kTensor) != 0 && (to.kinds & kTensor) != 0) {
      if (from.tensor.dtype != to.tensor.dtype || from.tensor.rank != to.tensor.rank ||
          from.tensor.nbytes > to.tensor.nbytes) {
        return invalid_file("it moves a tensor to one of another type or rank, or a smaller one");
      }
    } else if ((from.kinds & ~kScalar) != 0 || (to.kinds & ~kScalar) != 0) {
      // Lists stay where they are: their items are looked up in the file.
      return invalid_file("it moves {} to {}", describe(from.kinds), describe(to.kinds));
    }
    roles_[static_cast<size_t>(move.move_from())] |= kMovedFrom;
    roles_[static_cast<size_t>(move.move_to())] |= kMovedTo;
    return {};
  }

  const schema::Schema* find_kernel(const fb::KernelCall& call) const {
    const fb::Operator& op = *plan_.operators()->Get(static_cast<uint32_t>(call.op_index()));
    return schema::find_kernel(view(op.name()), view(op.overload()));
  }

  std::string where(const Instructions& instructions, uint32_t index) const {
    const auto* call = instructions.Get(index)->instr_args_as_KernelCall();
    if (call != nullptr && call->op_index() >= 0 &&
        static_cast<size_t>(call->op_index()) < count(plan_.operators())) {
      const fb::Operator& op = *plan_.operators()->Get(static_cast<uint32_t>(call->op_index()));
      return fmt::format("instruction {} ({}.{})", index, view(op.name()), view(op.overload()));
    }
    return fmt::format("instruction {}", index);
  }

  Status merge(const State& from, std::optional<State>& into, bool backward) {
    if (!into) {
      into = from;
      changed_ = changed_ || backward;
      return count_steps(from.size());
    }
    for (size_t i = 0; i < from.size(); ++i) {
      const auto merged = static_cast<ValueKinds>((*into)[i] | from[i]);
      changed_ = changed_ || (backward && merged != (*into)[i]);
      (*into)[i] = merged;
    }
    return count_steps(from.size());
  }

  void write(State& state, int32_t value, ValueKinds kinds) {
    const auto slot = static_cast<size_t>(slots_[static_cast<size_t>(value)]);
    state[slot] = kinds;
    const auto merged = static_cast<ValueKinds>(entry_[slot] | kinds);
    changed_ = changed_ || merged != entry_[slot];
    entry_[slot] = merged;
  }

  Result<State> run_chain(uint32_t chain, State entry) {
    const auto& instructions = *plan_.chains()->Get(chain)->instructions();
    auto& targets = targets_[chain];
    std::optional<State> state = std::move(entry);
    for (uint32_t i = 0; i < instructions.size(); ++i) {
      if (auto target = targets.find(i); target != targets.end()) {
        SLIPWAY_RETURN_IF_ERROR(merge(*target->second, state, /*backward=*/false));
      }
      if (!state) continue;  // no way leads here
      state_ = &*state;
      auto goes_on = step(*instructions.Get(i), i, *state, targets);
      if (!goes_on.ok()) return goes_on.error().with_context(where(instructions, i));
      if (!*goes_on) state.reset();
      SLIPWAY_RETURN_IF_ERROR(count_steps(kStepsOfOne));
    }
    if (auto target = targets.find(instructions.size()); target != targets.end()) {
      SLIPWAY_RETURN_IF_ERROR(merge(*target->second, state, /*backward=*/false));
    }
    // A chain without an end never reaches the next one.
    return state ? std::move(*state) : entry_;
  }

  // Gives whether the next instruction may run.
  Result<bool> step(const fb::Instruction& instruction, uint32_t index, State& state,
                    std::map<uint32_t, std::optional<State>>& targets) {
    if (const auto* call = instruction.instr_args_as_KernelCall()) {
      SLIPWAY_RETURN_IF_ERROR(step_kernel(*call, state));
    } else if (const auto* delegate = instruction.instr_args_as_DelegateCall()) {
      SLIPWAY_RETURN_IF_ERROR(step_delegate(*delegate));
    } else if (const auto* move = instruction.instr_args_as_MoveCall()) {
      write(state, move->move_to(), kinds(move->move_from()));
    } else if (const auto* free = instruction.instr_args_as_FreeCall()) {
      write(state, free->value_index(), kUnboundTensor);
    } else if (const auto* jump = instruction.instr_args_as_JumpFalseCall()) {
      return step_jump(*jump, index, state, targets);
    }
    return true;
  }

  Status step_kernel(const fb::KernelCall& call, State& state) {
    const std::span<const int32_t> args(call.args()->data(), call.args()->size());
    size_t steps = args.size();
    for (const int32_t value : args) steps += list_size(value);
    SLIPWAY_RETURN_IF_ERROR(count_steps(steps));
    const schema::Schema* kernel = find_kernel(call);
    if (kernel == nullptr) {
      for (const int32_t value : args) SLIPWAY_RETURN_IF_ERROR(check_bound(value));
      return {};
    }
    SLIPWAY_ASSIGN_OR_RETURN(const auto writes, check_kernel_call(*kernel, args, *this));
    for (const Write& written : writes) write(state, written.value, written.kinds);
    return {};
  }

  Status step_delegate(const fb::DelegateCall& call) {
    const std::span<const int32_t> args(call.args()->data(), call.args()->size());
    SLIPWAY_RETURN_IF_ERROR(count_steps(args.size()));
    for (const int32_t value : args) SLIPWAY_RETURN_IF_ERROR(check_bound(value));
    const fb::BackendDelegate& delegate =
        *plan_.delegates()->Get(static_cast<uint32_t>(call.delegate_index()));
    SLIPWAY_ASSIGN_OR_RETURN(const auto* ends, check_blob(tables_, delegate));
    if (ends != nullptr) SLIPWAY_RETURN_IF_ERROR(check_blob_call(*ends, args, *this));
    if (engines_ == nullptr) return {};
    const auto& engine = (*engines_)[static_cast<size_t>(call.delegate_index())];
    return check_engine_call(engine.record, args, *this);
  }

  Result<bool> step_jump(const fb::JumpFalseCall& jump, uint32_t index, const State& state,
                         std::map<uint32_t, std::optional<State>>& targets) {
    const int32_t condition = jump.cond_value_index();
    const ValueKinds kinds = this->kinds(condition);
    if ((kinds & ~(kBool | kReadableTensor)) != 0 ||
        ((kinds & kTensor) != 0 && tensor(condition).dtype != DType::kBool)) {
      return invalid_file("its condition, value {}, is {}", condition,
                          (kinds & kTensor) != 0 ? "a tensor that is not of bools or has no memory"
                                                 : describe(kinds));
    }
    const auto constant = constant_bool(condition);
    if (constant != true) {
      const auto target = static_cast<uint32_t>(jump.destination_instruction());
      auto& kept = targets[target];
      if (!kept) kept_state_ += state.size();
      if (kept_state_ > kMaxKeptState) return invalid_file("there are too many jumps to check");
      SLIPWAY_RETURN_IF_ERROR(merge(state, kept, /*backward=*/target <= index));
    }
    return constant != false;
  }

  Status count_steps(uint64_t count) const { return pte::count_steps(tables_, count); }

  Status check_bound(int32_t value) const {
    if ((kinds(value) & kUnboundTensor) != 0) {
      return invalid_file("value {} is a tensor without memory", value);
    }
    return {};
  }

  size_t list_size(int32_t value) const {
    if (const auto* ints = stored(value).val_as_IntList()) return ints->items()->size();
    if (const auto* list = stored(value).val_as_TensorList()) return list->items()->size();
    if (const auto* list = stored(value).val_as_OptionalTensorList()) return list->items()->size();
    return 0;
  }

  const Tables& tables_;
  const fb::ExecutionPlan& plan_;
  const std::vector<ValueFacts>& facts_;
  const std::vector<engine::ManifestEngine>* engines_;  // null where they are not known
  std::vector<uint8_t> roles_;
  // The place in a state of each value that is written, or -1.
  std::vector<int32_t> slots_;
  State entry_;
  const State* state_ = nullptr;
  // What values are where jumps arrive, by chain and instruction.
  std::map<uint32_t, std::map<uint32_t, std::optional<State>>> targets_;
  size_t args_ = 0;
  size_t kept_state_ = 0;
  bool changed_ = false;
};

}  // namespace

Status check_flow(const Tables& tables, const fb::ExecutionPlan& plan,
                  const std::vector<ValueFacts>& values) {
  return FlowChecker(tables, plan, values).run();
}

}  // namespace slipway::pte
