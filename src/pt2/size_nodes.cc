#include "pt2/size_nodes.h"

#include <variant>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "ir/symbol_values.h"

namespace slipway::pt2 {
namespace {

using ir::SymInt;

// Nodes of one graph; handles are indices into the numbers and tensors that have been met.
class SizeNodes final : public ir::SymbolValues {
 public:
  SizeNodes(ir::Graph& graph, const ir::SymbolRanges& ranges, SizeValues& sizes)
      : ir::SymbolValues(ranges), graph_(graph), ranges_(ranges), sizes_(sizes) {}

  Status add() {
    for (ir::Value* input : graph_.inputs()) define(input);
    for (const auto& node : graph_.nodes()) {
      next_ = node.get();
      for (const ir::Argument& argument : node->args()) {
        if (const Status status = need(argument); !status.ok()) {
          return status.error().with_context("node " + node->name());
        }
      }
      for (ir::Value* output : node->outputs()) define(output);
    }
    next_ = nullptr;
    for (const ir::Argument& output : graph_.outputs()) SLIPWAY_RETURN_IF_ERROR(need(output));
    return {};
  }

 private:
  using Number = std::variant<int64_t, ir::Value*>;

  int32_t handle(Number number) {
    numbers_.push_back(number);
    return static_cast<int32_t>(numbers_.size() - 1);
  }

  void define(ir::Value* value) {
    if (value->is_tensor() && !value->type().is_static()) {
      define_sizes(handle(value), value->sizes());
    } else if (value->kind() == ir::ValueKind::kSymInt) {
      sizes_[&graph_].try_emplace(value->expression(), value);
      SymbolValues::define(value->expression(), handle(value));
    }
  }

  // That each integer in it is a constant or has a value.
  Status need(const ir::Argument& argument) {
    if (const auto* integer = std::get_if<SymInt>(&argument)) return need(*integer);
    if (const auto* integers = std::get_if<std::vector<SymInt>>(&argument)) {
      for (const SymInt& integer : *integers) SLIPWAY_RETURN_IF_ERROR(need(integer));
    } else if (const auto* dictionary = std::get_if<ir::Dictionary>(&argument)) {
      for (const auto& entry : dictionary->entries) SLIPWAY_RETURN_IF_ERROR(need(entry.value));
    } else if (const auto* graph = std::get_if<std::shared_ptr<ir::Graph>>(&argument)) {
      return SizeNodes(**graph, ranges_, sizes_).add();
    }
    return {};
  }
  Status need(const SymInt& integer) {
    const auto number = value(integer);
    return number.ok() ? Status() : number.error();
  }

  ir::Argument argument(int32_t number) const {
    if (const auto* constant = std::get_if<int64_t>(&numbers_[number])) return SymInt(*constant);
    return expression(number);
  }
  SymInt expression(int32_t number) const {
    if (const auto* constant = std::get_if<int64_t>(&numbers_[number])) return *constant;
    return std::get<ir::Value*>(numbers_[number])->expression();
  }

  int32_t add_node(const char* op, std::vector<ir::Argument> arguments, const SymInt& expression) {
    ir::Node* node = graph_.add_node(op, std::move(arguments), {.before = next_, .origin = next_});
    ir::Value* value = graph_.add_output(node, ir::ValueKind::kSymInt, expression);
    sizes_[&graph_].try_emplace(expression, value);
    return handle(value);
  }

  bool has_pythons_remainder() const override { return true; }
  int32_t constant(int64_t number) override { return handle(number); }
  int32_t size(int32_t tensor, int64_t dim) override {
    auto* value = std::get<ir::Value*>(numbers_[tensor]);
    return add_node("aten.sym_size.int", {value, SymInt(dim)}, value->sizes()[dim]);
  }
  int32_t binary(Operation operation, int32_t a, int32_t b) override {
    const SymInt left = expression(a);
    const SymInt right = expression(b);
    const auto add = [&](const char* op, const SymInt& result) {
      return add_node(op, {argument(a), argument(b)}, result);
    };
    switch (operation) {
      case Operation::kAdd:
        return add("_operator.add", left + right);
      case Operation::kSub:
        return add("_operator.sub", left - right);
      case Operation::kMul:
        return add("_operator.mul", left * right);
      case Operation::kFloorDiv:
        return add("_operator.floordiv", SymInt::floordiv(left, right));
      case Operation::kMod:
        return add("_operator.mod", SymInt::mod(left, right));
      case Operation::kMin:
        return add("torch.sym_min", SymInt::min(left, right));
      case Operation::kMax:
        break;
    }
    return add("torch.sym_max", SymInt::max(left, right));
  }
  // The archive has no float of which it could say what it is.
  Result<int32_t> scale(int32_t a, double factor) override {
    return unsupported("it needs the size {}, which no value of the program holds",
                       SymInt::scale(expression(a), factor).to_string());
  }

  ir::Graph& graph_;
  const ir::SymbolRanges& ranges_;
  SizeValues& sizes_;
  ir::Node* next_ = nullptr;
  std::vector<Number> numbers_;
};

}  // namespace

Result<SizeValues> add_size_nodes(ir::Program& program) {
  SizeValues sizes;
  SLIPWAY_RETURN_IF_ERROR(SizeNodes(*program.graph, program.ranges, sizes).add());
  return sizes;
}

}  // namespace slipway::pt2
