#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "ir/arguments.h"
#include "ir/op_builder.h"
#include "passes/aliases.h"
#include "passes/in_place.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/strided_view.h"
#include "passes/view_step.h"
#include "passes/vmap_marks.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::OpBuilder;
using ir::SymInt;
using ir::TensorType;
using ir::Value;
using Kind = ViewStep::Kind;

struct View;

// Memory that tensors share.
struct Storage {
  View* root = nullptr;
  int64_t version = 0;  // how often it was written to
  // Whether something shares the memory in a way that no ViewStep describes.
  bool opaque = false;
  size_t number = 0;  // in the order in which they are made
};

// A tensor as PyTorch has it: a chain of steps from the tensor that its memory was made for.
struct View {
  Storage* storage = nullptr;
  View* parent = nullptr;  // null for the root
  ViewStep step;
  TensorType type;  // with PyTorch's strides
  const Node* origin = nullptr;
  // Elements from the start of the storage; missing where it is not known.
  std::optional<SymInt> offset;
  // What it holds, as of a version of the storage. A stale value is made again from the parent's.
  Value* value = nullptr;
  int64_t version = -1;
};

TensorType contiguous(TensorType type) {
  type.strides.clear();
  return type;
}

std::vector<SymInt> to_symbolic(const std::vector<int64_t>& values) {
  return {values.begin(), values.end()};
}

std::vector<int64_t> inverse(const std::vector<int64_t>& dims) {
  std::vector<int64_t> result(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    result[static_cast<size_t>(dims[i])] = static_cast<int64_t>(i);
  }
  return result;
}

class Functionalizer {
 public:
  // `program` is null for a sub-graph; `may_draw`: whether random numbers are drawn in it.
  Functionalizer(Graph& graph, ir::Program* program, bool may_draw = true)
      : graph_(graph), program_(program), may_draw_(may_draw) {}

  Status run() {
    for (Value* input : graph_.inputs()) {
      if (input->is_tensor()) add_root(input, nullptr);
    }
    if (program_) tie_inputs();
    std::vector<Node*> nodes;
    for (const auto& node : graph_.nodes()) nodes.push_back(node.get());
    for (Node* node : nodes) SLIPWAY_RETURN_IF_ERROR(process(node));
    for (Argument& output : graph_.outputs()) {
      SLIPWAY_RETURN_IF_ERROR(use_current(output, nullptr));
    }
    SLIPWAY_RETURN_IF_ERROR(declare_mutations());
    for (auto it = replaced_.rbegin(); it != replaced_.rend(); ++it) graph_.erase(*it);
    clear_strides();
    return {};
  }

 private:
  View* add_view() {
    views_.push_back(std::make_unique<View>());
    return views_.back().get();
  }

  View* add_root(Value* value, const Node* origin) {
    storages_.push_back(std::make_unique<Storage>());
    View* view = add_view();
    view->storage = storages_.back().get();
    view->storage->number = storages_.size() - 1;
    view->storage->root = view;
    view->type = value->type();
    view->origin = origin;
    view->offset = 0;
    view->value = value;
    view->version = 0;
    view_of_[value] = view;
    return view;
  }

  View* add_child(View* parent, ViewStep step, TensorType type, const Node* origin) {
    View* view = add_view();
    view->storage = parent->storage;
    view->parent = parent;
    view->offset = offset_of(step, parent->type, parent->offset);
    view->step = std::move(step);
    view->type = std::move(type);
    view->origin = origin;
    return view;
  }

  // Null for what is no tensor, and for constants that this pass added.
  View* find(const Value* value) const {
    auto view = view_of_.find(value);
    return view == view_of_.end() ? nullptr : view->second;
  }

  using Key = std::tuple<const std::byte*, size_t, DType, std::vector<int64_t>,
                         std::vector<int64_t>, int64_t>;

  // Entries whose data is one and the same are one tensor. Lifted constants are another name of a
  // buffer that is one.
  void tie_inputs() {
    std::map<Key, View*> tied;
    tie_inputs(tied, [](ir::InputKind kind) { return kind != ir::InputKind::kConstant; });
    tie_inputs(tied, [](ir::InputKind kind) { return kind == ir::InputKind::kConstant; });
  }
  void tie_inputs(std::map<Key, View*>& tied, bool (*is_of_kind)(ir::InputKind)) {
    for (const ir::Input& input : program_->inputs) {
      if (!input.value || !input.data || !is_of_kind(input.kind)) continue;
      const ir::ConstantData& data = *input.data;
      view_of_[input.value]->offset = data.storage_offset;
      if (data.storage.bytes.empty()) continue;
      const Key key{data.storage.bytes.data(),
                    data.storage.bytes.size(),
                    data.dtype,
                    data.sizes,
                    data.strides,
                    data.storage_offset};
      const auto [first, is_new] = tied.try_emplace(key, view_of_[input.value]);
      view_of_[input.value] = first->second;
      if (!is_new && input.kind == ir::InputKind::kConstant) other_names_.insert(input.value);
    }
  }

  // What the view holds now.
  Result<Value*> current(View* view, Node* before) {
    if (view->version == view->storage->version) return view->value;
    SLIPWAY_ASSIGN_OR_RETURN(Value * parent, current(view->parent, before));
    OpBuilder builder(graph_, before, view->origin);
    view->value = replay(view->step, parent, view->type, builder);
    view->version = view->storage->version;
    return view->value;
  }

  static Value* replay(const ViewStep& step, Value* x, const TensorType& with_strides,
                       OpBuilder& builder) {
    const TensorType type = contiguous(with_strides);
    switch (step.kind) {
      case Kind::kIdentity:
        return x;
      case Kind::kPermute:
        return builder.call("aten.permute.default", {x, to_symbolic(step.dims)}, type);
      case Kind::kView:
        return builder.call("aten.view.default", {x, type.sizes}, type);
      case Kind::kExpand:
        return builder.call("aten.expand.default", {x, type.sizes}, type);
      case Kind::kSelect:
        return builder.call("aten.select.int", {x, SymInt(step.dim), *step.start}, type);
      case Kind::kSlice:
        return builder.call("aten.slice.Tensor",
                            {x, SymInt(step.dim), *step.start, step.end, step.step}, type);
      case Kind::kDiagonal:
        return builder.call("aten.diagonal.default",
                            {x, *step.start, SymInt(step.dim), SymInt(step.dim2)}, type);
      case Kind::kUnfold:
        return builder.call("aten.unfold.default", {x, SymInt(step.dim), step.end, step.step},
                            type);
      case Kind::kAsStrided:
        return builder.call("aten.as_strided.default", {x, step.sizes, step.strides, *step.start},
                            type);
      case Kind::kBitcast:
        return builder.call("aten.view.dtype", {x, type.dtype}, type);
    }
    return x;
  }

  // Makes the view hold `value`, and with it all that shares its memory.
  Status write(View* view, Value* value, Node* before) {
    if (view->storage->opaque) {
      return unsupported(
          "{} writes to memory that another operator, such as torch.vmap or torch.meshgrid, shares "
          "in a way that Slipway does not know: write to a clone",
          describe(*before));
    }
    if (!view->parent) {
      ++view->storage->version;
    } else {
      SLIPWAY_ASSIGN_OR_RETURN(Value * parent, current(view->parent, before));
      SLIPWAY_ASSIGN_OR_RETURN(Value * written, write_back(*view, parent, value, before));
      SLIPWAY_RETURN_IF_ERROR(write(view->parent, written, before));
    }
    view->value = value;
    view->version = view->storage->version;
    return {};
  }

  // What the parent holds once its view holds `value`.
  Result<Value*> write_back(const View& view, Value* parent, Value* value, Node* before) {
    OpBuilder builder(graph_, before, before);
    const ViewStep& step = view.step;
    const TensorType type = contiguous(parent->type());
    const bool whole = type.sizes == view.type.sizes;
    switch (step.kind) {
      case Kind::kIdentity:
        return value;
      case Kind::kPermute:
        return builder.call("aten.permute.default", {value, to_symbolic(inverse(step.dims))}, type);
      case Kind::kView:
        return builder.call("aten.view.default", {value, type.sizes}, type);
      case Kind::kBitcast:
        return builder.call("aten.view.dtype", {value, type.dtype}, type);
      case Kind::kExpand:
        if (whole) return value;
        if (ir::numel(type.sizes) == ir::numel(view.type.sizes)) {
          return builder.call("aten.view.default", {value, type.sizes}, type);
        }
        return invalid_file("{} writes to an expanded tensor, of which elements share memory",
                            describe(*before));
      case Kind::kSelect:
        return builder.call("aten.select_scatter.default",
                            {parent, value, SymInt(step.dim), *step.start}, type);
      case Kind::kSlice:
        if (whole && step.step == SymInt(1)) return value;
        return builder.call("aten.slice_scatter.default",
                            {parent, value, SymInt(step.dim), *step.start, step.end, step.step},
                            type);
      case Kind::kDiagonal:
      case Kind::kUnfold:
      case Kind::kAsStrided:
        break;
    }
    return scatter_back(view, parent, value, before, builder);
  }

  // Through the positions that the view reads, as a constant.
  Result<Value*> scatter_back(const View& view, Value* parent, Value* value, Node* before,
                              OpBuilder& builder) {
    const auto numel = ir::numel(parent->sizes()).constant();
    if (!program_ || !numel) {
      return unsupported("{} writes through a strided view whose sizes are not fixed",
                         describe(*before));
    }
    auto list = positions(view.step, parent->type(), view.type);
    if (!list.ok()) return list.error().with_context(describe(*before) + " writes to a view");
    const int64_t count = static_cast<int64_t>(list->size());
    const auto bytes = std::as_bytes(std::span<const int64_t>(*list));
    ir::ConstantData data;
    data.dtype = DType::kInt64;
    data.sizes = {count};
    data.strides = {1};
    data.storage = own_bytes(std::vector<std::byte>(bytes.begin(), bytes.end()));
    Value* index = program_->add_constant("positions", std::move(data));
    Value* flat =
        builder.index_put(builder.view(parent, {*numel}), {index}, builder.view(value, {count}));
    Value* result = builder.view(flat, parent->sizes());
    if (!builder.status().ok()) return builder.status().error().with_context(describe(*before));
    return result;
  }

  Status use_current(Argument& argument, Node* before) {
    Status status;
    Graph::for_each_value(argument, [&](Value*& value) {
      View* view = find(value);
      if (!status.ok() || !view) return;
      auto now = current(view, before);
      if (now.ok()) {
        value = *now;
      } else {
        status = now.error();
      }
    });
    return status;
  }

  Status process(Node* node) {
    for (Graph* inner : sub_graphs(*node)) {
      const bool may_draw = may_draw_ && node->op() == "higher_order.cond";
      SLIPWAY_RETURN_IF_ERROR(Functionalizer(*inner, nullptr, may_draw).run());
    }
    if (is_in_place_view(node->op())) return add_views(node, false);
    SLIPWAY_ASSIGN_OR_RETURN(const bool in_place, is_in_place(*node));
    if (in_place) return process_in_place(node);
    if (node->op() == "aten.as_strided_scatter.default") return process_as_strided_scatter(node);
    if (!may_draw_ && draws_random_numbers(*node)) {
      return unsupported(
          "{} draws random numbers in a loop, which is done outside of loops alone: draw them "
          "before, and pass them in",
          describe(*node));
    }
    if (view_step(*node, 0) && shares_memory(*node, view_of_.at(node->value(0))->type)) {
      return add_views(node, true);
    }
    std::vector<const Value*> shared = arguments_in_results(*node);
    if (shared.empty() && shares_batch(*node)) shared = values_of(node->arg(0));
    for (const Value* value : shared) {
      if (View* view = find(value)) view->storage->opaque = true;
    }
    for (Argument& argument : node->args()) SLIPWAY_RETURN_IF_ERROR(use_current(argument, node));
    for (Value* output : node->outputs()) {
      if (output->is_tensor()) add_root(output, node)->storage->opaque = !shared.empty();
    }
    return {};
  }

  // Whether torch.vmap's mark gives an element of a batch, or results in memory that anything else
  // sees, too: that of such an element, of a tensor from outside, or of another result.
  bool shares_batch(const Node& node) {
    const std::string_view mark = vmap_mark(node);
    if (mark == "_vmap_increment_nesting") {
      vmaps_.push_back(storages_.size());
    } else if (mark == "_vmap_decrement_nesting") {
      if (!vmaps_.empty()) vmaps_.pop_back();
    } else if (mark == "_add_batch_dim") {
      return true;
    } else if (mark == "_remove_batch_dim") {
      const ir::Arguments arguments(node);
      const View* view = find(arguments.tensor(0));
      if (!view || node.outputs().empty()) return true;
      Storage* storage = view->storage;
      const bool is_outer = vmaps_.empty() || storage->number < vmaps_.back();
      const auto [first, is_new] = batch_of_.try_emplace(storage, node.output());
      if (!is_new) view_of_.at(first->second)->storage->opaque = true;
      return is_outer || !is_new || storage->opaque;
    }
    return false;
  }

  // `keep`: the node stays and computes the views' first values; else they are made when needed.
  Status add_views(Node* node, bool keep) {
    View* parent = view_of_.at(node->value(0));
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      auto step = view_step(*node, i);
      if (!step) {
        return unsupported("{} is a view that Slipway does not know", describe(*node));
      }
      Value* output = node->output(i);
      if (step->kind == Kind::kAsStrided) {
        keep = false;
        SLIPWAY_ASSIGN_OR_RETURN(view_of_[output], as_strided(*parent, std::move(*step), node));
      } else {
        view_of_[output] = add_child(parent, std::move(*step), output->type(), node);
      }
    }
    if (!keep) {
      replaced_.push_back(node);
      return {};
    }
    for (Argument& argument : node->args()) SLIPWAY_RETURN_IF_ERROR(use_current(argument, node));
    for (Value* output : node->outputs()) {
      view_of_[output]->value = output;
      view_of_[output]->version = parent->storage->version;
    }
    return {};
  }

  // as_strided looks at the storage, not at the tensor that it is given: the view's parent is the
  // storage's whole tensor in the order of its memory.
  Result<View*> as_strided(const View& input, ViewStep step, const Node* node) {
    View* root = input.storage->root;
    TensorType type{input.type.dtype, step.sizes, step.strides};
    const auto order = memory_order(root->type);
    if (!step.start) step.start = input.offset;
    if (!order || !step.start || root->type.dtype != type.dtype) {
      return unsupported("{} looks at memory that does not lie in one piece", describe(*node));
    }
    step.start = *step.start - *root->offset;
    View* parent = root;
    if (!std::is_sorted(order->begin(), order->end())) {
      ViewStep permute;
      permute.kind = Kind::kPermute;
      permute.dims = *order;
      TensorType ordered{root->type.dtype, {}, {}};
      for (int64_t dim : *order) {
        ordered.sizes.push_back(root->type.sizes[static_cast<size_t>(dim)]);
      }
      parent = add_child(root, std::move(permute), std::move(ordered), node);
    }
    const SymInt start = *step.start;
    if (start == SymInt(0) && is_contiguous(type, {}) && type.numel() == root->type.numel()) {
      step.kind = Kind::kView;
    }
    View* view = add_child(parent, std::move(step), std::move(type), node);
    view->offset = start + *root->offset;
    return view;
  }

  // The functional form of writing to as_strided: the result is a copy of the first argument, laid
  // out as that is.
  Status process_as_strided_scatter(Node* node) {
    const auto* sizes = std::get_if<std::vector<SymInt>>(&node->arg(2));
    const auto* strides = std::get_if<std::vector<SymInt>>(&node->arg(3));
    const auto* start = std::get_if<SymInt>(&node->arg(4));
    const TensorType type = view_of_.at(node->value(0))->type;
    if (!sizes || !strides) return unsupported("{}: unknown arguments", describe(*node));
    for (Argument& argument : node->args()) SLIPWAY_RETURN_IF_ERROR(use_current(argument, node));
    ViewStep step;
    step.kind = Kind::kAsStrided;
    step.sizes = *sizes;
    step.strides = *strides;
    step.start = start ? *start : SymInt(0);
    View* copy = add_root(node->output(), node);
    copy->type = type;
    copy->value = node->value(0);
    SLIPWAY_ASSIGN_OR_RETURN(View * view, as_strided(*copy, std::move(step), node));
    SLIPWAY_RETURN_IF_ERROR(write(view, node->value(1), node));
    replaced_.push_back(node);
    return {};
  }

  Status process_in_place(Node* node) {
    View* self = view_of_.at(node->value(0));
    for (Argument& argument : node->args()) SLIPWAY_RETURN_IF_ERROR(use_current(argument, node));
    OpBuilder builder(graph_, node, node);
    SLIPWAY_ASSIGN_OR_RETURN(Value * result, in_place_result(*node, builder));
    // Inactive dropout in place writes what is there already.
    if (result != node->value(0)) SLIPWAY_RETURN_IF_ERROR(write(self, result, node));
    for (Value* output : node->outputs()) view_of_[output] = self;
    replaced_.push_back(node);
    return {};
  }

  Status declare_mutations() {
    if (!program_) {
      for (const Value* input : graph_.inputs()) {
        const View* view = find(input);
        if (view && view->storage->version > 0) {
          return unsupported("a sub-graph writes to its input {}, which torch.export forbids",
                             input->name());
        }
      }
      return {};
    }
    std::vector<ir::Output> outputs;
    std::vector<Argument> values;
    size_t declared = 0;
    while (declared < program_->outputs.size() &&
           program_->outputs[declared].kind != ir::OutputKind::kUserOutput) {
      outputs.push_back(program_->outputs[declared]);
      values.push_back(graph_.outputs()[declared]);
      ++declared;
    }
    for (ir::Input& input : program_->inputs) {
      if (!input.value || !input.value->is_tensor()) continue;
      const View* view = find(input.value);
      if (!view || view->storage->version == 0) continue;
      if (other_names_.contains(input.value)) continue;
      SLIPWAY_RETURN_IF_ERROR(check_unshared(input));
      ir::Output output;
      if (input.kind == ir::InputKind::kUserInput) {
        output.kind = ir::OutputKind::kUserInputMutation;
        output.target = input.name;
      } else {
        // A constant that the model writes to is state, as a buffer is.
        if (input.kind == ir::InputKind::kConstant) {
          input.kind = ir::InputKind::kBuffer;
          input.persistent = false;
        }
        output.kind = ir::OutputKind::kBufferMutation;
        output.target = input.target;
      }
      outputs.push_back(std::move(output));
      values.emplace_back(view->value);
    }
    outputs.insert(outputs.end(), program_->outputs.begin() + static_cast<ptrdiff_t>(declared),
                   program_->outputs.end());
    values.insert(values.end(), graph_.outputs().begin() + static_cast<ptrdiff_t>(declared),
                  graph_.outputs().end());
    program_->outputs = std::move(outputs);
    graph_.outputs() = std::move(values);
    return {};
  }

  // Refuses to write to an entry whose memory another entry sees differently.
  Status check_unshared(const ir::Input& input) const {
    if (!input.data) return {};
    for (const ir::Input& other : program_->inputs) {
      if (!other.value || !other.data || find(other.value) == find(input.value)) continue;
      const auto a = extent(*input.data);
      const auto b = extent(*other.data);
      if (a.first < b.second && b.first < a.second) {
        return unsupported(
            "the model writes to {}, which shares memory with {}; register one of them, and take "
            "the other as a view of it in forward",
            input.target, other.target);
      }
    }
    return {};
  }

  // The bytes that the tensor reaches.
  static std::pair<const std::byte*, const std::byte*> extent(const ir::ConstantData& data) {
    int64_t last = 0;
    for (size_t i = 0; i < data.sizes.size(); ++i) {
      if (data.sizes[i] == 0) return {nullptr, nullptr};
      last += (data.sizes[i] - 1) * data.strides[i];
    }
    const int64_t size = static_cast<int64_t>(dtype_size(data.dtype));
    const std::byte* begin = data.storage.bytes.data() + data.storage_offset * size;
    return {begin, begin + (last + 1) * size};
  }

  void clear_strides() {
    auto clear = [](Value* value) {
      if (value->is_tensor() && !value->type().strides.empty()) {
        value->set_type(contiguous(value->type()));
      }
    };
    for (Value* input : graph_.inputs()) clear(input);
    for (const auto& node : graph_.nodes()) {
      for (Value* output : node->outputs()) clear(output);
    }
  }

  Graph& graph_;
  ir::Program* program_;
  bool may_draw_;
  std::vector<std::unique_ptr<Storage>> storages_;
  std::vector<std::unique_ptr<View>> views_;
  std::unordered_map<const Value*, View*> view_of_;
  std::vector<size_t> vmaps_;  // how much memory there was where each begins
  std::unordered_map<const Storage*, const Value*> batch_of_;  // what torch.vmap first gave of it
  std::vector<Node*> replaced_;
  std::set<const Value*> other_names_;  // constants that are a buffer, or another constant
};

}  // namespace

Status functionalize(ir::Program& program) {
  Status status = Functionalizer(*program.graph, &program).run();
  if (!status.ok()) return status.error().with_context(program.source);
  return {};
}

}  // namespace slipway::passes
