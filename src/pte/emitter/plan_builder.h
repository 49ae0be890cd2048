// Fills a Plan: constants each once, instructions with the lifetimes of what they touch.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "ir/sym_int.h"
#include "pte/emitter/plan.h"
#include "slipway/result.h"

namespace slipway::pte {

class PlanBuilder {
 public:
  explicit PlanBuilder(std::string name) { plan_.name = std::move(name); }

  Plan& plan() { return plan_; }
  TensorValue& tensor(int32_t value) { return std::get<TensorValue>(plan_.values[value]); }
  const TensorValue& tensor(int32_t value) const {
    return std::get<TensorValue>(plan_.values[value]);
  }

  // Every later instruction is said to come from here.
  void set_origin(std::string origin) { origin_ = std::move(origin); }
  const std::string& origin() const { return origin_; }

  // A value of its own, which instructions may write to.
  int32_t add(PlanValue value);
  // Values that are never written: equal ones are one.
  int32_t null();
  int32_t integer(int64_t value);
  int32_t boolean(bool value);
  int32_t real(double value);
  int32_t string(const std::string& value);
  int32_t int_list(const std::vector<int32_t>& items);
  int32_t real_list(const std::vector<double>& items);
  int32_t bool_list(const std::vector<bool>& items);
  int32_t tensor_list(const std::vector<int32_t>& items);
  int32_t optional_tensor_list(const std::vector<int32_t>& items);
  // What a kernel gets for None where its schema says Tensor.
  int32_t absent_tensor();

  // Gives the tensor planned memory of its largest size.
  Status allocate(TensorValue& tensor);

  // Indices of the instructions they add.
  int32_t call(const std::string& name, const std::string& overload, std::vector<int32_t> args);
  // The same for an instruction that reads nothing but the sizes of its tensors.
  int32_t call_on_sizes(const std::string& name, const std::string& overload,
                        std::vector<int32_t> args);
  int32_t call_delegate(int32_t delegate, std::vector<int32_t> args);
  int32_t jump_false(int32_t condition);  // its destination is set later
  int32_t move(int32_t from, int32_t to);
  // Once all instructions are there: what the value's memory holds after the last one is still
  // read.
  void keep_to_end(int32_t value) { touch(value, next_instruction()); }
  void set_destination(int32_t jump, int32_t destination);
  // Between the two lie the instructions of a loop; the second adds the jump back to the first of
  // them, which is taken while `condition` is false. What exists before the loop and is touched in
  // it is kept to its end, and so is `kept`, since each turn leaves some of that to the next.
  void begin_loop(const std::vector<int32_t>& kept);
  void end_loop(int32_t condition);
  int32_t next_instruction() const { return static_cast<int32_t>(plan_.instructions.size()); }

 private:
  int32_t memoized(const std::string& key, PlanValue value);
  int32_t append(decltype(Instruction::call) call);
  int32_t operator_index(const std::string& name, const std::string& overload);
  void touch(int32_t value, int32_t instruction);
  void touch_block(int32_t index, int32_t instruction);

  struct Loop {
    int32_t begin = 0;
    std::set<int32_t> blocks;  // what is kept to its end
  };

  Plan plan_;
  std::vector<Loop> loops_;  // that have begun, outer ones first
  std::string origin_;
  std::map<std::string, int32_t> constants_;
  std::map<std::pair<std::string, std::string>, int32_t> operators_;
};

// The tensor's type with the largest sizes that `ranges` allow. `what` names the tensor in errors:
// a size without an upper bound, or one that ExecuTorch can't hold.
Result<TensorValue> tensor_value(const ir::TensorType& type, const ir::SymbolRanges& ranges,
                                 const std::string& what);
// Of the largest size; an error when it does not fit in 63 bits.
Result<uint64_t> tensor_nbytes(const TensorValue& tensor);

}  // namespace slipway::pte
