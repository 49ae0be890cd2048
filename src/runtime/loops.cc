#include "runtime/loops.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "pte/format/program_generated.h"
#include "pte/format/vectors.h"

namespace slipway::runtime {
namespace {

namespace fb = executorch_flatbuffer;
using Instructions = flatbuffers::Vector<flatbuffers::Offset<fb::Instruction>>;

constexpr size_t kNone = std::numeric_limits<size_t>::max();

uint64_t saturating_product(uint64_t a, uint64_t b) {
  return a > 0 && b > kMostCountedSteps / a ? kMostCountedSteps + 1 : a * b;
}

struct Loop {
  uint32_t begin = 0;
  uint32_t end = 0;  // the jump back
  int32_t counter = 0;
  int32_t step = 0;    // what is added to it
  int32_t count = 0;   // what it is compared with
  uint64_t times = 0;  // all turns in a run
  size_t parent = kNone;
};

class Finder {
 public:
  explicit Finder(const fb::ExecutionPlan& plan)
      : plan_(plan), is_written_(plan.values()->size()) {}

  Loops run() {
    Loops result;
    uint64_t steps = 0;
    for (const fb::Chain* chain : *plan_.chains()) result.any |= jumps_back(*chain->instructions());
    if (!result.any) return result;
    for (const int32_t input : *plan_.inputs()) is_written_[static_cast<size_t>(input)] = true;
    for (const fb::Chain* chain : *plan_.chains()) {
      for (const fb::Instruction* instruction : *chain->instructions()) {
        const int32_t value = written(*instruction);
        if (value >= 0) is_written_[static_cast<size_t>(value)] = true;
      }
    }
    for (const fb::Chain* chain : *plan_.chains()) {
      const auto of_chain = most_steps(*chain->instructions());
      if (!of_chain) return result;
      steps += *of_chain;
      if (steps > kMostCountedSteps) return result;
    }
    result.most_steps = steps;
    return result;
  }

 private:
  static const fb::JumpFalseCall* jump_back(const Instructions& instructions, uint32_t i) {
    const auto* jump = instructions.Get(i)->instr_args_as_JumpFalseCall();
    const bool back = jump != nullptr && jump->destination_instruction() <= static_cast<int32_t>(i);
    return back ? jump : nullptr;
  }

  static bool jumps_back(const Instructions& instructions) {
    for (uint32_t i = 0; i < instructions.size(); ++i) {
      if (jump_back(instructions, i) != nullptr) return true;
    }
    return false;
  }

  // The number that the instruction may write, or -1: of a kernel, the last argument, which for
  // et_copy_index is an index that it reads.
  int32_t written(const fb::Instruction& instruction) const {
    if (const auto* move = instruction.instr_args_as_MoveCall()) return move->move_to();
    const auto* call = instruction.instr_args_as_KernelCall();
    if (call == nullptr || call->args()->size() == 0) return -1;
    const fb::Operator& op = *plan_.operators()->Get(static_cast<uint32_t>(call->op_index()));
    return pte::view(op.name()) == "executorch_prim::et_copy_index"
               ? -1
               : call->args()->Get(call->args()->size() - 1);
  }

  // The arguments of a call of executorch_prim::<name>.Scalar, or null.
  const flatbuffers::Vector<int32_t>* primitive(const Instructions& instructions, uint32_t i,
                                                std::string_view name) const {
    const auto* call = instructions.Get(i)->instr_args_as_KernelCall();
    if (call == nullptr || call->args()->size() != 3) return nullptr;
    const fb::Operator& op = *plan_.operators()->Get(static_cast<uint32_t>(call->op_index()));
    return pte::view(op.name()) == name && pte::view(op.overload()) == "Scalar" ? call->args()
                                                                                : nullptr;
  }

  bool is_written(int32_t value) const { return is_written_[static_cast<size_t>(value)]; }

  std::optional<int64_t> stored(int32_t value) const {
    const auto* number = plan_.values()->Get(static_cast<uint32_t>(value))->val_as_Int();
    return number == nullptr ? std::nullopt : std::optional(number->int_val());
  }

  // The loops of a chain, outer ones first; nothing where some is not counted.
  std::optional<std::vector<Loop>> find(const Instructions& instructions) const {
    std::vector<Loop> loops;
    for (uint32_t end = 0; end < instructions.size(); ++end) {
      const auto* jump = jump_back(instructions, end);
      if (jump == nullptr) continue;
      const auto begin = static_cast<uint32_t>(jump->destination_instruction());
      if (end < begin + 2) return std::nullopt;
      const auto* add = primitive(instructions, end - 2, "executorch_prim::add");
      const auto* compare = primitive(instructions, end - 1, "executorch_prim::ge");
      if (add == nullptr || compare == nullptr || add->Get(0) != add->Get(2) ||
          add->Get(0) != compare->Get(0) || compare->Get(2) != jump->cond_value_index()) {
        return std::nullopt;
      }
      loops.push_back({begin, end, add->Get(0), add->Get(1), compare->Get(1)});
    }
    std::stable_sort(loops.begin(), loops.end(), [](const Loop& a, const Loop& b) {
      return std::pair(a.begin, -int64_t{a.end}) < std::pair(b.begin, -int64_t{b.end});
    });
    return loops;
  }

  // Which instructions write each of the values that loops count by.
  std::map<int32_t, std::vector<uint32_t>> find_writers(const Instructions& instructions,
                                                        const std::vector<Loop>& loops) const {
    std::map<int32_t, std::vector<uint32_t>> writers;
    for (const Loop& loop : loops) {
      for (const int32_t value : {loop.counter, loop.count}) writers[value];
    }
    // Of another chain, or of the caller: none of the kinds that are known.
    for (const int32_t input : *plan_.inputs()) {
      if (writers.contains(input)) writers[input].push_back(instructions.size());
    }
    for (const fb::Chain* chain : *plan_.chains()) {
      const auto& all = *chain->instructions();
      for (uint32_t i = 0; i < all.size(); ++i) {
        const auto found = writers.find(written(*all.Get(i)));
        if (found == writers.end()) continue;
        found->second.push_back(&all == &instructions ? i : instructions.size());
      }
    }
    return writers;
  }

  // The largest number that the loop may count to.
  std::optional<int64_t> largest_count(const Instructions& instructions, int32_t count,
                                       const std::vector<uint32_t>& writers) const {
    auto largest = stored(count);
    for (const uint32_t writer : writers) {
      if (!largest || writer >= instructions.size()) return std::nullopt;
      const auto* call = instructions.Get(writer)->instr_args_as_KernelCall();
      if (call == nullptr || call->args()->size() != 3) return std::nullopt;
      const fb::Operator& op = *plan_.operators()->Get(static_cast<uint32_t>(call->op_index()));
      const auto value = static_cast<uint32_t>(call->args()->Get(0));
      const auto* tensor = plan_.values()->Get(value)->val_as_Tensor();
      const auto dim = stored(call->args()->Get(1));
      if (pte::view(op.name()) != "aten::sym_size" || tensor == nullptr ||
          tensor->sizes() == nullptr || !dim || *dim < 0 || *dim >= tensor->sizes()->size()) {
        return std::nullopt;
      }
      largest = std::max<int64_t>(*largest, tensor->sizes()->Get(static_cast<uint32_t>(*dim)));
    }
    return largest;
  }

  // Whether the counter begins at a constant before each time that the loop does, and goes up.
  bool is_counted(const Instructions& instructions, const Loop& loop,
                  const std::map<int32_t, std::vector<uint32_t>>& writers,
                  const std::vector<size_t>& innermost) const {
    const auto start = stored(loop.counter);
    const auto step = stored(loop.step);
    if (!start || *start < 0 || step != 1 || is_written(loop.step)) return false;
    bool is_set = false;
    for (const uint32_t writer : writers.at(loop.counter)) {
      if (writer == loop.end - 2) continue;
      if (is_set || writer >= loop.begin || innermost[writer] != loop.parent) return false;
      const auto* move = instructions.Get(writer)->instr_args_as_MoveCall();
      const auto first = move != nullptr ? stored(move->move_from()) : std::nullopt;
      if (!first || *first < 0 || is_written(move->move_from())) return false;
      is_set = true;
    }
    return is_set;
  }

  // Sets each loop's parent; false where two cross.
  static bool nest(std::vector<Loop>& loops) {
    std::vector<size_t> open;
    for (size_t i = 0; i < loops.size(); ++i) {
      while (!open.empty() && loops[open.back()].end < loops[i].begin) open.pop_back();
      if (!open.empty() && loops[open.back()].end <= loops[i].end) return false;
      loops[i].parent = open.empty() ? kNone : open.back();
      open.push_back(i);
    }
    return true;
  }

  std::optional<uint64_t> most_steps(const Instructions& instructions) const {
    auto found = find(instructions);
    if (!found || !nest(*found)) return std::nullopt;
    std::vector<Loop>& loops = *found;
    std::vector<size_t> innermost(instructions.size(), kNone);
    std::vector<bool> is_target(instructions.size() + 1, false);
    size_t current = kNone;
    size_t next = 0;
    for (uint32_t i = 0; i < instructions.size(); ++i) {
      while (current != kNone && loops[current].end < i) current = loops[current].parent;
      while (next < loops.size() && loops[next].begin == i) current = next++;
      innermost[i] = current;
      if (const auto* jump = instructions.Get(i)->instr_args_as_JumpFalseCall()) {
        is_target[static_cast<size_t>(jump->destination_instruction())] = true;
      }
    }
    const auto writers = find_writers(instructions, loops);
    for (Loop& loop : loops) {
      // A jump past the sum would go back with the counter as it was.
      if (is_target[loop.end - 1] || is_target[loop.end]) return std::nullopt;
      if (!is_counted(instructions, loop, writers, innermost)) return std::nullopt;
      const auto count = largest_count(instructions, loop.count, writers.at(loop.count));
      if (!count) return std::nullopt;
      const uint64_t outer = loop.parent == kNone ? 1 : loops[loop.parent].times;
      loop.times = saturating_product(outer, static_cast<uint64_t>(std::max<int64_t>(*count, 1)));
    }
    uint64_t steps = 0;
    for (const size_t loop : innermost) {
      steps += loop == kNone ? 1 : loops[loop].times;
      if (steps > kMostCountedSteps) return std::nullopt;
    }
    return steps;
  }

  const fb::ExecutionPlan& plan_;
  std::vector<bool> is_written_;  // by an instruction or the caller
};

}  // namespace

Loops find_loops(const fb::ExecutionPlan& plan) { return Finder(plan).run(); }

}  // namespace slipway::runtime
