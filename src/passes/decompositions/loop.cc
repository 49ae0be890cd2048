// torch's loops over the elements of tensors.
#include <memory>
#include <utility>

#include "ir/scan.h"
#include "passes/decompositions/loops.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

// The lists that follow the body; null and unsupported() where they are not so many.
std::vector<const List*> lists(Context& c, size_t count) {
  std::vector<const List*> result;
  for (size_t i = 1; i <= count; ++i) {
    const bool is_there = i < c.node().args().size();
    const auto* list = is_there ? std::get_if<List>(&c.node().arg(i)) : nullptr;
    if (!list) {
      c.unsupported("a loop is compiled where all that it is given are tensors");
      return {};
    }
    result.push_back(list);
  }
  return result;
}

Values scan(Context& c, const List& state, const List& scanned, const List& given) {
  ir::Node* node = c.build.node(ir::kScan, {c.node().arg(0), state, scanned, false, given});
  for (const ir::Value* output : c.node().outputs()) {
    if (!output->is_tensor()) {
      return c.unsupported("one of its results is no tensor: leave it out of what the loop gives");
    }
    c.build.graph().add_output(node, output->type());
  }
  const auto checked = ir::scan_of(*node);
  if (!checked.ok()) return c.unsupported(checked.error().message());
  return node->outputs();
}

constexpr Entry kLoopRules[] = {
    // (combine_fn, init, xs, additional_inputs)
    {"higher_order.scan",
     [](Context& c) -> Values {
       const auto given = lists(c, 3);
       return given.empty() ? Values() : scan(c, *given[0], *given[1], *given[2]);
     }},
    // (f, xs, args)
    {"higher_order.map_impl",
     [](Context& c) -> Values {
       const auto given = lists(c, 2);
       return given.empty() ? Values() : scan(c, {}, *given[0], *given[1]);
     }},
};

}  // namespace

std::span<const Entry> loop_rules() { return kLoopRules; }

}  // namespace slipway::passes::decompositions
