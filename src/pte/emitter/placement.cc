#include "pte/emitter/placement.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

#include "ir/arguments.h"
#include "pte/emitter/engine_calls.h"
#include "schema/operator_name.h"
#include "schema/traits.h"

namespace slipway::pte {

namespace {

using schema::Trait;

// Kernels that read an element of their inputs only when they write the same element of their
// result, so that an input of the result's shape may be the result.
constexpr std::array kElementwise = {
    std::string_view("aten.abs.default"),         std::string_view("aten.add.Scalar"),
    std::string_view("aten.add.Tensor"),          std::string_view("aten.bitwise_and.Scalar"),
    std::string_view("aten.bitwise_and.Tensor"),  std::string_view("aten.bitwise_not.default"),
    std::string_view("aten.bitwise_or.Scalar"),   std::string_view("aten.bitwise_or.Tensor"),
    std::string_view("aten.bitwise_xor.Scalar"),  std::string_view("aten.bitwise_xor.Tensor"),
    std::string_view("aten.clamp.default"),       std::string_view("aten.copy.default"),
    std::string_view("aten.cos.default"),         std::string_view("aten.div.Scalar"),
    std::string_view("aten.div.Tensor"),          std::string_view("aten.exp.default"),
    std::string_view("aten.fill.Scalar"),         std::string_view("aten.hardtanh.default"),
    std::string_view("aten.logical_and.default"), std::string_view("aten.logical_not.default"),
    std::string_view("aten.logical_or.default"),  std::string_view("aten.maximum.default"),
    std::string_view("aten.minimum.default"),     std::string_view("aten.mul.Scalar"),
    std::string_view("aten.mul.Tensor"),          std::string_view("aten.neg.default"),
    std::string_view("aten.relu.default"),        std::string_view("aten.rsqrt.default"),
    std::string_view("aten.sigmoid.default"),     std::string_view("aten.sin.default"),
    std::string_view("aten.sqrt.default"),        std::string_view("aten.sub.Scalar"),
    std::string_view("aten.sub.Tensor"),          std::string_view("aten.tanh.default"),
    std::string_view("aten.where.self"),
};
// Kernels that first copy their first argument into the result and then write some of it.
constexpr std::array kScatters = {
    std::string_view("aten.index_put.default"),      std::string_view("aten.scatter.src"),
    std::string_view("aten.scatter.value"),          std::string_view("aten.scatter_add.default"),
    std::string_view("aten.select_scatter.default"), std::string_view("aten.slice_scatter.default"),
};

template <size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view op) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

std::vector<ir::SymInt> without_ones(const std::vector<ir::SymInt>& sizes) {
  std::vector<ir::SymInt> result;
  for (const ir::SymInt& size : sizes) {
    if (!(size == ir::SymInt(1))) result.push_back(size);
  }
  return result;
}

// The dimensions of the input, in the order of the result; nothing where it is not known.
std::optional<std::vector<int64_t>> dimension_order(const ir::Node& node, int64_t rank) {
  std::vector<int64_t> order(static_cast<size_t>(rank));
  for (int64_t i = 0; i < rank; ++i) order[static_cast<size_t>(i)] = i;
  if (schema::trait_of(node.op()) == Trait::kExpanded) return order;
  const std::string_view name = schema::aten_name(node.op());
  const ir::Arguments arguments(node);
  if (name == "transpose" || name == "transpose_copy") {
    const auto a = arguments.dim(1, rank);
    const auto b = arguments.dim(2, rank);
    if (!a || !b || rank == 0) return std::nullopt;
    std::swap(order[static_cast<size_t>(*a)], order[static_cast<size_t>(*b)]);
    return order;
  }
  if (name == "permute" || name == "permute_copy") {
    const auto dims = arguments.integers(1);
    if (!dims || dims->size() != order.size()) return std::nullopt;
    for (size_t i = 0; i < dims->size(); ++i) {
      const auto dim = (*dims)[i].constant();
      const auto wrapped = dim ? ir::wrap_dim(*dim, rank) : std::nullopt;
      if (!wrapped) return std::nullopt;
      order[i] = *wrapped;
    }
    return order;
  }
  return std::nullopt;  // those are expressed by others before
}

bool moves_nothing(const ir::Node& node, const ir::Value* input) {
  auto order = dimension_order(node, input->rank());
  if (!order) return false;
  std::vector<int64_t> moved;
  for (int64_t dim : *order) {
    if (!(input->sizes()[static_cast<size_t>(dim)] == ir::SymInt(1))) moved.push_back(dim);
  }
  return std::is_sorted(moved.begin(), moved.end());
}

const ir::Value* view_input(const ir::Value* value) {
  const ir::Node* node = value->producer();
  return node && is_view(*node) ? node->value(0) : nullptr;
}

// The last place where each value's bytes are read, as a number of a node in order; outputs come
// after all nodes.
class LastUses {
 public:
  LastUses(const ir::Graph& graph, const Placement& placement) {
    int position = 0;
    for (const auto& node : graph.nodes()) {
      position_[node.get()] = position;
      for (const ir::Argument& argument : node->args()) {
        ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
          if (value->is_tensor()) last_[placement.root(value)] = position;
        });
      }
      ++position;
    }
    for (const ir::Argument& output : graph.outputs()) {
      ir::Graph::for_each_value(output, [&](const ir::Value* value) {
        if (value->is_tensor()) last_[placement.root(value)] = position;
      });
    }
  }
  bool is_used_after(const ir::Value* root, const ir::Node* node) const {
    auto last = last_.find(root);
    return last != last_.end() && last->second > position_.at(node);
  }

 private:
  std::map<const ir::Node*, int> position_;
  std::map<const ir::Value*, int> last_;
};

// Whether the node calls an engine that has `result` in the memory of `target`, and does not read
// that as another input.
bool is_alias(const ir::Node& node, const ir::Value* result, const ir::Value* target,
              const Placement& placement, const std::vector<engine::Engine>& engines) {
  const auto call = engine_call(node, engines);
  if (!call) return false;
  const std::vector<ir::Value*>& inputs = *call->inputs;
  const auto reads = std::count_if(inputs.begin(), inputs.end(), [&](const ir::Value* input) {
    return placement.root(input) == target;
  });
  const auto& aliases = engines[call->engine].record.aliases;
  return reads == 1 &&
         std::any_of(aliases.begin(), aliases.end(), [&](const engine::EngineAlias& alias) {
           return alias.input < inputs.size() && inputs[alias.input] == target &&
                  alias.output < node.outputs().size() && node.output(alias.output) == result;
         });
}

// Whether the node reads the bytes of `target`.
bool reads(const ir::Node& node, const ir::Value* target, const Placement& placement) {
  bool found = false;
  for (const ir::Argument& argument : node.args()) {
    ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
      found = found || (value->is_tensor() && placement.root(value) == target);
    });
  }
  return found;
}

// Whether the node may write `result` over the bytes of `target`, which nothing reads later.
bool may_overwrite(const ir::Node& node, const ir::Value* result, const ir::Value* target,
                   const Placement& placement, const std::vector<engine::Engine>& engines) {
  bool reads_elsewhere = false;  // in another argument than the first
  bool reads_first = false;
  bool other_shape = false;
  for (size_t i = 0; i < node.args().size(); ++i) {
    ir::Graph::for_each_value(node.arg(i), [&](const ir::Value* value) {
      if (!value->is_tensor() || placement.root(value) != target) return;
      (i == 0 ? reads_first : reads_elsewhere) = true;
      other_shape |= value->sizes() != result->sizes() || value->dtype() != result->dtype();
    });
  }
  if (!reads_first && !reads_elsewhere) return true;
  if (other_shape) return false;
  if (contains(kElementwise, node.op())) return true;
  if (is_alias(node, result, target, placement, engines)) return true;
  return contains(kScatters, node.op()) && !reads_elsewhere;
}

void place_mutations(const ir::Program& program, const std::vector<engine::Engine>& engines,
                     Placement& placement) {
  LastUses uses(*program.graph, placement);
  std::set<const ir::Value*> taken;
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const ir::Input* entry = mutation_target(program, program.outputs[i]);
    const auto* value = std::get_if<ir::Value*>(&program.graph->outputs()[i]);
    if (!entry || !value) continue;
    const ir::Value* target = entry->value;
    const ir::Value* root = placement.root(*value);
    const ir::Node* node = root->producer();
    if (!node || placement.in_place.contains(root) || taken.contains(target)) continue;
    // A kernel could make an input that is not static larger than the caller's memory.
    bool fits = root->dtype() == target->dtype() && root->type().is_static() &&
                (root->sizes() == target->sizes() || entry->kind != ir::InputKind::kUserInput);
    if (!fits || uses.is_used_after(target, node)) continue;
    if (!may_overwrite(*node, root, target, placement, engines)) continue;
    placement.in_place.emplace(root, target);
    taken.insert(target);
  }
}

void place_targets(const std::vector<Target>& targets, Placement& placement) {
  for (size_t i = 0; i < targets.size(); ++i) {
    const ir::Value* value = targets[i].value;
    if (!value) continue;
    bool same_type =
        value->dtype() == targets[i].type.dtype && value->sizes() == targets[i].type.sizes;
    if (!value->producer() || !same_type || placement.is_placed(value)) {
      placement.copied.insert(i);
      continue;
    }
    if (view_input(value)) {
      const ir::Value* root = placement.root(value);
      if (root->producer() && !placement.is_placed(root) && root->type().is_static() &&
          value->type().is_static()) {
        placement.through_view.emplace(root, i);
        placement.aliases_target.insert(value);
      }
    }
    placement.direct.emplace(value, i);
  }
}

}  // namespace

bool is_view(const ir::Node& node) {
  const Trait trait = schema::trait_of(node.op());
  const bool moves = trait == Trait::kExpanded || trait == Trait::kPermuted;
  if (!moves && trait != Trait::kSame && trait != Trait::kReshaped) return false;
  const ir::Value* input = ir::Arguments(node).tensor(0);
  if (!input || node.outputs().size() != 1) return false;
  const ir::Value* result = node.output();
  if (input->dtype() != result->dtype()) return false;
  if (moves) {
    return without_ones(input->sizes()) == without_ones(result->sizes()) &&
           moves_nothing(node, input);
  }
  return true;
}

const ir::Value* Placement::root(const ir::Value* value) const {
  while (!is_copied_view(value)) {
    const ir::Value* input = view_input(value);
    if (!input) break;
    value = input;
  }
  return value;
}

Placement place(const std::vector<Target>& targets) {
  Placement placement;
  place_targets(targets, placement);
  return placement;
}

Placement place_loop(const ir::Graph& body, size_t states) {
  Placement placement;
  const LastUses uses(body, placement);
  for (size_t i = 0; i < states; ++i) {
    const auto* value = std::get_if<ir::Value*>(&body.outputs()[i]);
    const ir::Node* node = value ? (*value)->producer() : nullptr;
    if (!node || is_view(*node) || placement.is_placed(*value)) continue;
    const ir::Value* state = body.inputs()[i];
    // A result that changes its size must not be an argument.
    const bool fits = (*value)->type() == state->type() &&
                      (state->type().is_static() || !reads(*node, state, placement));
    if (!fits || uses.is_used_after(state, node)) continue;
    if (may_overwrite(*node, *value, state, placement, {})) placement.direct.emplace(*value, i);
  }
  return placement;
}

Placement place(const ir::Program& program, const std::vector<Target>& targets,
                const std::vector<engine::Engine>& engines) {
  Placement placement;
  place_mutations(program, engines, placement);
  place_targets(targets, placement);
  return placement;
}

const ir::Input* mutation_target(const ir::Program& program, const ir::Output& output) {
  for (const ir::Input& input : program.inputs) {
    if (!input.value) continue;
    if (output.kind == ir::OutputKind::kBufferMutation) {
      bool state = input.kind == ir::InputKind::kBuffer ||
                   input.kind == ir::InputKind::kParameter ||
                   input.kind == ir::InputKind::kConstant;
      if (state && input.target == output.target) return &input;
    } else if (output.kind == ir::OutputKind::kUserInputMutation) {
      if (input.kind == ir::InputKind::kUserInput && input.name == output.target) return &input;
    }
  }
  return nullptr;
}

}  // namespace slipway::pte
