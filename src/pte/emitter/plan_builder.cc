#include "pte/emitter/plan_builder.h"

#include <algorithm>
#include <bit>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "pte/format/layout.h"
#include "pte/format/scalar_types.h"

namespace slipway::pte {

namespace {

// "s77, s3" of the symbols that let `size` grow without end.
std::vector<std::string> unbounded_symbols(const ir::SymInt& size, const ir::SymbolRanges& ranges) {
  std::vector<std::string> result;
  for (const std::string& symbol : size.symbols()) {
    auto range = ranges.find(symbol);
    if (range == ranges.end() || !range->second.max) result.push_back(symbol);
  }
  return result;
}

}  // namespace

int32_t PlanBuilder::add(PlanValue value) {
  plan_.values.push_back(std::move(value));
  return static_cast<int32_t>(plan_.values.size()) - 1;
}

int32_t PlanBuilder::memoized(const std::string& key, PlanValue value) {
  auto [entry, inserted] = constants_.try_emplace(key, 0);
  if (inserted) entry->second = add(std::move(value));
  return entry->second;
}

int32_t PlanBuilder::null() { return memoized("null", NullValue{}); }
int32_t PlanBuilder::integer(int64_t value) { return memoized(fmt::format("i{}", value), value); }
int32_t PlanBuilder::boolean(bool value) { return memoized(value ? "true" : "false", value); }
int32_t PlanBuilder::real(double value) {
  // By their bits: 0.0 and -0.0 differ, and a NaN equals itself.
  return memoized(fmt::format("d{:x}", std::bit_cast<uint64_t>(value)), value);
}
int32_t PlanBuilder::string(const std::string& value) { return memoized("s" + value, value); }
int32_t PlanBuilder::int_list(const std::vector<int32_t>& items) {
  return memoized(fmt::format("I{}", fmt::join(items, ",")),
                  IntListValue{{items.begin(), items.end()}});
}
int32_t PlanBuilder::real_list(const std::vector<double>& items) {
  std::string key = "D";
  for (double item : items) key += fmt::format("{:x},", std::bit_cast<uint64_t>(item));
  return memoized(key, items);
}
int32_t PlanBuilder::bool_list(const std::vector<bool>& items) {
  std::string key = "B";
  for (bool item : items) key += item ? '1' : '0';
  return memoized(key, items);
}
int32_t PlanBuilder::tensor_list(const std::vector<int32_t>& items) {
  return memoized(fmt::format("T{}", fmt::join(items, ",")), TensorListValue{items});
}
int32_t PlanBuilder::optional_tensor_list(const std::vector<int32_t>& items) {
  return memoized(fmt::format("O{}", fmt::join(items, ",")), OptionalTensorListValue{items});
}
int32_t PlanBuilder::absent_tensor() {
  TensorValue tensor;
  tensor.dtype = DType::kUInt8;
  tensor.sizes = {0};
  return memoized("absent", std::move(tensor));
}

Status PlanBuilder::allocate(TensorValue& tensor) {
  SLIPWAY_ASSIGN_OR_RETURN(uint64_t size, tensor_nbytes(tensor));
  tensor.block = static_cast<int32_t>(plan_.blocks.size());
  tensor.allocated = true;
  plan_.blocks.push_back({.size = size});
  return {};
}

int32_t PlanBuilder::call(const std::string& name, const std::string& overload,
                          std::vector<int32_t> args) {
  for (int32_t arg : args) touch(arg, next_instruction());
  return append(KernelCall{operator_index(name, overload), std::move(args)});
}

int32_t PlanBuilder::call_on_sizes(const std::string& name, const std::string& overload,
                                   std::vector<int32_t> args) {
  return append(KernelCall{operator_index(name, overload), std::move(args)});
}

int32_t PlanBuilder::call_delegate(int32_t delegate, std::vector<int32_t> args) {
  for (int32_t arg : args) touch(arg, next_instruction());
  return append(DelegateCall{delegate, std::move(args)});
}

int32_t PlanBuilder::jump_false(int32_t condition) {
  touch(condition, next_instruction());
  return append(JumpFalse{condition, 0});
}

int32_t PlanBuilder::move(int32_t from, int32_t to) { return append(Move{from, to}); }

void PlanBuilder::set_destination(int32_t jump, int32_t destination) {
  std::get<JumpFalse>(plan_.instructions[jump].call).destination = destination;
}

void PlanBuilder::begin_loop(const std::vector<int32_t>& kept) {
  const int32_t begin = next_instruction();
  loops_.push_back({begin, {}});
  for (const int32_t value : kept) {
    touch(value, begin);
    const auto* tensor = std::get_if<TensorValue>(&plan_.values[value]);
    if (tensor && tensor->block >= 0) loops_.back().blocks.insert(tensor->block);
  }
}

void PlanBuilder::end_loop(int32_t condition) {
  const Loop loop = std::move(loops_.back());
  loops_.pop_back();
  const int32_t jump = jump_false(condition);
  set_destination(jump, loop.begin);
  for (const int32_t block : loop.blocks) touch_block(block, jump);
}

int32_t PlanBuilder::append(decltype(Instruction::call) call) {
  plan_.instructions.push_back({std::move(call), origin_});
  return next_instruction() - 1;
}

int32_t PlanBuilder::operator_index(const std::string& name, const std::string& overload) {
  auto [entry, inserted] = operators_.try_emplace(std::pair(name, overload),
                                                  static_cast<int32_t>(plan_.operators.size()));
  if (inserted) plan_.operators.push_back({name, overload});
  return entry->second;
}

void PlanBuilder::touch(int32_t value, int32_t instruction) {
  if (value < 0) return;
  const PlanValue& content = plan_.values[value];
  if (const auto* tensor = std::get_if<TensorValue>(&content)) {
    if (tensor->block >= 0) touch_block(tensor->block, instruction);
  } else if (const auto* list = std::get_if<TensorListValue>(&content)) {
    for (int32_t item : list->items) touch(item, instruction);
  } else if (const auto* optionals = std::get_if<OptionalTensorListValue>(&content)) {
    for (int32_t item : optionals->items) touch(item, instruction);
  }
}

void PlanBuilder::touch_block(int32_t index, int32_t instruction) {
  Block& block = plan_.blocks[index];
  if (block.first < 0) block.first = instruction;
  block.last = instruction;
  for (Loop& loop : loops_) {
    if (block.first < loop.begin) loop.blocks.insert(index);
  }
}

Result<TensorValue> tensor_value(const ir::TensorType& type, const ir::SymbolRanges& ranges,
                                 const std::string& what) {
  TensorValue tensor;
  tensor.dtype = type.dtype;
  if (!scalar_type_of(type.dtype)) {
    return unsupported("{}: ExecuTorch has no tensors of {}; convert it in the model", what,
                       dtype_name(type.dtype));
  }
  if (type.sizes.size() > kMaxRank) {
    return unsupported("{}: a tensor of {} dimensions; ExecuTorch has at most {}", what,
                       type.sizes.size(), kMaxRank);
  }
  for (const ir::SymInt& size : type.sizes) {
    ir::Range range = size.bounds(ranges);
    if (!range.max) {
      const std::vector<std::string> symbols = unbounded_symbols(size, ranges);
      if (symbols.empty()) {
        return invalid_argument(
            "{}: its size {} has no upper bound, because something in it has no lower one: check "
            "it in the model, such as with torch._check(n >= 0), and export again",
            what, size.to_string());
      }
      return invalid_argument(
          "{}: its size {} has no upper bound, because {} {} none; give one with option 'bounds' "
          "{}=64, or export with a dimension that has a maximum",
          what, size.to_string(), fmt::join(symbols, " and "), symbols.size() == 1 ? "has" : "have",
          fmt::join(symbols, "=64 option 'bounds' "));
    }
    if (*range.max < 0 || *range.max > std::numeric_limits<int32_t>::max()) {
      return unsupported("{}: its size {} may be {}; ExecuTorch holds 0 to 2147483647", what,
                         size.to_string(), *range.max);
    }
    tensor.sizes.push_back(static_cast<int32_t>(*range.max));
    tensor.dynamic |= !size.is_constant();
  }
  auto nbytes = tensor_nbytes(tensor);
  if (!nbytes.ok()) return nbytes.error().with_context(what);
  return tensor;
}

Result<uint64_t> tensor_nbytes(const TensorValue& tensor) {
  std::vector<int64_t> sizes(tensor.sizes.begin(), tensor.sizes.end());
  SLIPWAY_ASSIGN_OR_RETURN(size_t nbytes, contiguous_nbytes(tensor.dtype, sizes));
  return static_cast<uint64_t>(nbytes);
}

}  // namespace slipway::pte
