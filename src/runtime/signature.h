// What a method takes and gives, and whether inputs fit it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pte/reader/reader.h"
#include "runtime/shape_expression.h"
#include "slipway/tree.h"
#include "slipway/value_info.h"

namespace slipway::runtime {

// Of a tensor; of an integer that varies its range; else none.
std::span<const SizeInfo> sizes_of(const ValueInfo& info);

class Signature {
 public:
  // From the manifest where the file has one that agrees with the plan, else from the plan alone.
  static Result<Signature> create(const pte::File& file, const std::string& method);

  const std::vector<ValueInfo>& inputs() const { return inputs_; }
  const std::vector<ValueInfo>& outputs() const { return outputs_; }
  const Tree& input_tree() const { return input_tree_; }
  const Tree& output_tree() const { return output_tree_; }

  // The position of the input of this name, or nothing.
  std::optional<size_t> find_input(const std::string& name) const;

  // Whether the input is an integer that the caller chooses, within bounds.
  bool is_chosen(size_t index) const {
    return std::holds_alternative<IntegerInfo>(inputs_[index].type);
  }
  // Requires is_chosen(index), and a value that passed check().
  int64_t chosen_integer(size_t index, const Value& value) const;

  // Count, types, ranks, bounds, literals, and that a symbol has one value wherever it occurs.
  // Changes scratch memory, so that a run allocates nothing for it: one thread at a time.
  Status check(std::span<const Value> inputs);

  // Sizes that fit together: those that are given by symbol, as "<input>.<dimension>" or as
  // "<input>" of an integer, and else
  // each symbol the smallest that is not zero where it may be more. No error where none are given.
  Result<std::vector<std::vector<int64_t>>> example_sizes(
      const std::map<std::string, int64_t>& given) const;

 private:
  struct Dimension {
    int64_t min = 0;
    int64_t max = 0;
    std::optional<int> symbol;  // a bare one
    std::optional<ShapeExpression> expression;
  };

  Status check_tensor(size_t index, DType dtype, const Tensor& tensor);
  Status check_number(size_t index, const Value& value);
  Status check_size(size_t index, const Dimension& dimension, int64_t size,
                    const std::function<std::string()>& got);
  Error mismatch(size_t index, const std::string& got) const;
  std::string expected(size_t index) const;
  std::string place_of(size_t index, size_t dimension) const;
  // Gives their values to the symbols that are named, or follow from named dimensions.
  Status choose(const std::map<std::string, int64_t>& given, SymbolValues& values) const;

  std::vector<ValueInfo> inputs_;
  std::vector<ValueInfo> outputs_;
  Tree input_tree_;
  Tree output_tree_;
  std::vector<std::vector<Dimension>> dimensions_;  // one list an input
  SymbolTable symbols_;
  SymbolValues symbol_values_;
  std::vector<size_t> symbol_inputs_;  // which input gave the value
  bool has_expressions_ = false;
};

}  // namespace slipway::runtime
