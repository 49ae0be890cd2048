// torch.vmap, as programs in the training dialect have it.
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "ir/arguments.h"
#include "passes/batching.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/vmap_marks.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;

// Innermost first, so that a vmap around others sees what they have become.
class VmapRemover {
 public:
  explicit VmapRemover(Graph& graph) : graph_(graph) {}

  Status run() {
    for (const auto& each : graph_.nodes()) {
      for (Graph* inner : sub_graphs(*each)) SLIPWAY_RETURN_IF_ERROR(VmapRemover(*inner).run());
    }
    std::vector<Node*> begins;
    for (auto it = graph_.nodes().begin(); it != graph_.nodes().end();) {
      Node* node = it->get();
      ++it;
      const std::string_view mark = vmap_mark(*node);
      if (mark == "lazy_load_decompositions" && node->outputs().empty()) graph_.erase(node);
      if (mark == "_vmap_increment_nesting") begins.push_back(node);
      if (mark != "_vmap_decrement_nesting") continue;
      if (begins.empty()) return damaged(*node);
      SLIPWAY_RETURN_IF_ERROR(remove(begins.back(), node));
      begins.pop_back();
    }
    return begins.empty() ? Status() : damaged(*begins.back());
  }

 private:
  // One vmap.
  struct Region {
    Batch batch;
    std::string randomness;
    Replacements results;
    std::vector<Node*> removed;
  };

  static Status damaged(const Node& node) {
    return invalid_file("{}: the marks of torch.vmap do not fit together", describe(node));
  }

  Status remove(Node* begin, Node* end) {
    const ir::Arguments arguments(*begin);
    const auto size = arguments.integer(0);
    const std::string* randomness = arguments.text(1);
    if (!size || !randomness) return damaged(*begin);
    Region region{{*size, {}}, *randomness, {}, {begin}};
    auto it = graph_.nodes().begin();
    while (it->get() != begin) ++it;
    // What is made for a node comes before it.
    for (++it; it->get() != end; ++it) SLIPWAY_RETURN_IF_ERROR(visit(region, it->get()));
    region.removed.push_back(end);
    region.results.apply(graph_);
    SLIPWAY_RETURN_IF_ERROR(check_unused(region));
    for (auto node = region.removed.rbegin(); node != region.removed.rend(); ++node) {
      graph_.erase(*node);
    }
    return {};
  }

  Status visit(Region& region, Node* node) {
    for (Argument& argument : node->args()) region.results.resolve(argument);
    const std::string_view mark = vmap_mark(*node);
    if (mark == "_add_batch_dim") return enter(region, node);
    if (mark == "_remove_batch_dim") return leave(region, node);
    if (!mark.empty()) return {};

    bool is_element = false;
    for (const Argument& argument : node->args()) {
      Graph::for_each_value(argument, [&](const Value* value) {
        is_element = is_element || region.batch.holds(value);
      });
    }
    if (draws_random_numbers(*node)) return draw(region, node, is_element);
    if (!is_element) return {};
    // They say something of an element that the compiler knows of the whole.
    const bool is_size = node->op().starts_with("aten.sym_");
    if (is_size || node->op() == "aten._assert_tensor_metadata.default") {
      region.removed.push_back(node);
      return {};
    }
    return apply(region, node, region.batch);
  }

  Status apply(Region& region, Node* node, const Batch& batch) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto values, apply_to_batch(graph_, node, batch));
    return stand_for(region, node, values);
  }

  Status stand_for(Region& region, Node* node, const std::vector<Value*>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i]) region.batch.whole[node->output(i)] = values[i];
    }
    region.removed.push_back(node);
    return {};
  }

  // _add_batch_dim(x, dim, level)
  Status enter(Region& region, Node* node) {
    const ir::Arguments arguments(*node);
    Value* x = arguments.tensor(0);
    if (!x || x->rank() == 0 || node->outputs().size() != 1) return damaged(*node);
    const auto dim = arguments.dim(1, x->rank());
    const auto* element = node->output();
    if (!dim || region.batch.holds(x) || !element->is_tensor() || element->dtype() != x->dtype() ||
        element->rank() != x->rank() - 1) {
      return damaged(*node);
    }
    std::vector<SymInt> sizes = element->sizes();
    sizes.insert(sizes.begin() + *dim, region.batch.size);
    if (sizes != x->sizes()) return damaged(*node);
    ir::OpBuilder build(graph_, node, node);
    return stand_for(region, node, {moved_first(build, x, *dim)});
  }

  // _remove_batch_dim(x, level, size, dim)
  Status leave(Region& region, Node* node) {
    const ir::Arguments arguments(*node);
    Value* x = arguments.tensor(0);
    if (!x || node->outputs().size() != 1 || !node->output()->is_tensor()) return damaged(*node);
    const auto dim = arguments.dim(3, x->rank() + 1);
    if (!dim || node->output()->rank() != x->rank() + 1 || node->output()->dtype() != x->dtype()) {
      return damaged(*node);
    }
    Batched c(graph_, node, region.batch);
    Value* whole = c.repeated(x);
    std::vector<int64_t> order;
    for (int64_t i = 1; i <= x->rank(); ++i) order.push_back(i);
    order.insert(order.begin() + *dim, 0);
    if (*dim != 0) whole = c.build.permute(whole, std::move(order));
    SLIPWAY_RETURN_IF_ERROR(c.build.status());
    if (whole->sizes() != node->output()->sizes()) return damaged(*node);
    region.results.add(node->output(), whole);
    region.removed.push_back(node);
    return {};
  }

  // With randomness="same" all elements have the numbers of one, and with "different" their own.
  Status draw(Region& region, Node* node, bool is_element) {
    const bool differ = region.randomness == "different";
    if (region.randomness == "same" && !is_element) return {};
    const auto* schema = schema::find_operator(node->op());
    const auto size = schema ? schema->find("size") : std::nullopt;
    std::vector<Value*> given;
    for (const Argument& argument : node->args()) {
      Graph::for_each_value(argument, [&](Value* value) { given.push_back(value); });
    }
    const bool is_whole = given.size() == 1 && ir::Arguments(*node).tensor(0) == given[0];
    const bool is_made = given.empty() && size;
    if (!differ || (!is_whole && !is_made) || node->outputs().size() != 1 ||
        (is_whole && given[0]->sizes() != node->output()->sizes())) {
      return unsupported(
          "{} draws random numbers in torch.vmap with randomness='{}', which is compiled for "
          "'same' where they depend on no element, and for 'different' where they are of a given "
          "size or of a tensor's: draw them before, and map over them",
          describe(*node), region.randomness);
    }
    Batched c(graph_, node, region.batch);
    std::vector<Argument> args = c.with([&](Value* value) { return c.repeated(value); });
    if (is_made) args[*size] = c.sizes_of(node->output());
    return stand_for(region, node, c.same(std::move(args)));
  }

  // Elements stay among themselves; what says otherwise is no program of PyTorch's.
  Status check_unused(const Region& region) const {
    const std::set<const Node*> removed(region.removed.begin(), region.removed.end());
    bool is_used = false;
    const auto look = [&](const Argument& argument) {
      Graph::for_each_value(argument, [&](const Value* value) {
        is_used = is_used || removed.contains(value->producer());
      });
    };
    for (const auto& node : graph_.nodes()) {
      if (!removed.contains(node.get())) {
        for (const Argument& argument : node->args()) look(argument);
      }
    }
    for (const Argument& output : graph_.outputs()) look(output);
    return is_used ? damaged(*region.removed.front()) : Status();
  }

  Graph& graph_;
};

}  // namespace

Status remove_vmaps(ir::Program& program) { return VmapRemover(*program.graph).run(); }

}  // namespace slipway::passes
