#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/half.h"
#include "base/try.h"
#include "passes/decompositions/registry.h"
#include "passes/kernel_types.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

// What an archive says of a node's results is not checked before they are computed.
constexpr const char* kDisagreement =
    "the file is damaged; if PyTorch wrote it so, report a defect of Slipway";

using ir::Graph;
using ir::Node;
using ir::Value;

// Rules build on each other a few levels deep; more is two rules that undo each other.
constexpr int kMaxDepth = 16;

std::string remedy(const std::string& op, bool is_training) {
  if (is_random(op)) {
    return "of the operators that draw random numbers it is none that is compiled: draw them "
           "outside and pass them in as an input";
  }
  if (op.starts_with("higher_order.")) {
    return "of the operators that hold a sub-graph it is none that is compiled: move it out of the "
           "exported module";
  }
  if (op.find("functorch") != std::string::npos) {
    return "derivatives (torch.func.grad, jvp) are compiled once PyTorch has expressed them by "
           "others: save the exported program's `.run_decompositions()`";
  }
  if (op.starts_with("torchao.") && is_training) {
    return "torchao's operator is not compiled for these types: save the exported program's "
           "`.run_decompositions()`, where it is expressed by PyTorch's own";
  }
  if (!op.starts_with("aten.")) {
    return "it is not an operator of PyTorch's own: replace it with torch operators before "
           "exporting";
  }
  if (is_training) {
    return "no kernel computes it and no rule expresses it by others: save the exported program's "
           "`.run_decompositions()`, where PyTorch itself may express it by others, rewrite this "
           "line with other torch operators, or leave it out of the exported module";
  }
  return "no kernel computes it and no rule expresses it by others: rewrite this line with other "
         "torch operators, or leave it out of the exported module";
}

template <class Function>
void for_each_tensor(const Node& node, Function function) {
  const auto visit = [&](const Value* value) {
    if (value->is_tensor()) function(value);
  };
  for (const ir::Argument& argument : node.args()) Graph::for_each_value(argument, visit);
  for (const Value* output : node.outputs()) visit(output);
}

bool has_complex(const Node& node) {
  bool found = false;
  for_each_tensor(node, [&](const Value* value) { found = found || is_complex(value->dtype()); });
  return found;
}

// "operands of bool and a result of float32"
std::string types_of(const Node& node) {
  std::string operands;
  for (const ir::Argument& argument : node.args()) {
    Graph::for_each_value(argument, [&](const Value* value) {
      if (value->is_tensor() && operands.empty()) operands = dtype_name(value->dtype());
    });
  }
  const auto result = fmt::format("a result of {}", dtype_name(node.output()->dtype()));
  return operands.empty() ? result : fmt::format("operands of {} and {}", operands, result);
}

bool has_half(const Node& node) {
  bool found = false;
  for_each_tensor(node, [&](const Value* value) { found = found || is_half(value->dtype()); });
  return found;
}

// Results without elements need no computation, and kernels refuse many of them.
bool computes_nothing(const Node& node) {
  const auto is_empty = [](const Value* output) {
    return output->is_tensor() && !is_complex(output->dtype()) &&
           output->type().numel() == ir::SymInt(0);
  };
  return node.op() != "aten.full.default" && !node.outputs().empty() &&
         std::all_of(node.outputs().begin(), node.outputs().end(), is_empty);
}

decompositions::Values nothing(decompositions::Context& context) {
  decompositions::Values values;
  for (const Value* output : context.node().outputs()) {
    values.push_back(context.build.zeros(output->sizes(), output->dtype()));
  }
  return values;
}

class Decomposer {
 public:
  explicit Decomposer(const ir::Program& program)
      : ranges_(program.ranges), is_training_(program.dialect == "TRAINING") {}

  Status run(Graph& graph) {
    Replacements replacements;
    std::vector<Node*> replaced;
    Walk walk{graph, replacements, replaced};
    for (auto it = graph.nodes().begin(); it != graph.nodes().end(); ++it) {
      SLIPWAY_RETURN_IF_ERROR(visit(walk, it, 0));
    }
    replacements.apply(graph);
    for (auto it = replaced.rbegin(); it != replaced.rend(); ++it) graph.erase(*it);
    return {};
  }

  Status finish(const std::string& source) const {
    if (problems_.empty()) return {};
    std::string text =
        fmt::format("{}: {} that can't be compiled:", source,
                    problems_.size() == 1 ? std::string("it has an operator")
                                          : fmt::format("it has {} operators", problems_.size()));
    for (const auto& [op, problem] : problems_) {
      text += fmt::format(
          "\n  {}, {}: {}\n    {}", op,
          problem.count == 1 ? std::string("once") : fmt::format("{} times, first", problem.count),
          problem.first, problem.reason);
    }
    return Error(ErrorCode::kUnsupported, text);
  }

 private:
  struct Walk {
    Graph& graph;
    Replacements& replacements;
    std::vector<Node*>& replaced;
  };
  struct Problem {
    int count = 0;
    std::string first;
    std::string reason;
  };
  using Position = Graph::NodeList::const_iterator;

  Status visit(Walk& walk, Position position, int depth) {
    Node* node = position->get();
    for (ir::Argument& argument : node->args()) walk.replacements.resolve(argument);
    for (Graph* inner : sub_graphs(*node)) SLIPWAY_RETURN_IF_ERROR(run(*inner));

    if (node->op() == ir::kCallEngine) return {};
    const bool is_flow = is_control_flow(node->op());
    const bool has_absent_result =
        std::any_of(node->outputs().begin(), node->outputs().end(),
                    [](const Value* output) { return output->kind() == ir::ValueKind::kAbsent; });
    if (has_absent_result && !is_flow) {
      report(*node,
             "one of its results is None, which no kernel gives: rewrite this line with other "
             "torch operators, or leave it out of the exported module");
      return {};
    }

    const bool is_complex = has_complex(*node);
    auto rule = is_complex ? decompositions::find_complex(node->op()) : nullptr;
    if (computes_nothing(*node) && !is_flow) rule = nothing;
    // Anything that gives half numbers is computed in float32 first, and then comes here again.
    const auto half_rule =
        !rule && has_half(*node) ? decompositions::find_half(node->op()) : nullptr;
    if (!rule) rule = decompositions::find(node->op());
    if (!rule && !half_rule) {
      if (is_complex && schema::kernel_for(node->op())) check_complex_kernel(*node);
      if (!schema::kernel_for(node->op()) && !decompositions::is_symbolic(node->op()) && !is_flow) {
        report(*node, remedy(node->op(), is_training_));
        return {};
      }
      return settle(walk, position, depth);
    }
    if (depth > kMaxDepth) {
      return internal_error("{}: its decomposition does not end", describe(*node));
    }

    const bool first = position == walk.graph.nodes().begin();
    const Position previous = first ? position : std::prev(position);
    decompositions::Context context(walk.graph, node, ranges_);
    std::vector<Value*> values;
    if (half_rule) values = decompositions::apply(half_rule, context);
    if (values.empty() && rule) values = decompositions::apply(rule, context);
    const Position begin = first ? walk.graph.nodes().begin() : std::next(previous);
    if (context.reason()) {
      report(*node, *context.reason());
      return {};
    }
    if (!context.build.status().ok()) {
      return context.build.status().error().with_context(describe(*node));
    }
    if (!values.empty() || node->outputs().empty()) {
      SLIPWAY_RETURN_IF_ERROR(replace(walk, node, values, begin, position));
    } else if (!schema::kernel_for(node->op()) && !decompositions::is_symbolic(node->op())) {
      report(*node, remedy(node->op(), is_training_));
    } else if (is_complex) {
      check_complex_kernel(*node);
    } else {
      SLIPWAY_RETURN_IF_ERROR(settle(walk, position, depth));
    }
    for (Position it = begin; it != position; ++it) {
      SLIPWAY_RETURN_IF_ERROR(visit(walk, it, depth + 1));
    }
    return {};
  }

  // A node that stays is its kernel's, if that takes the node's types.
  Status settle(Walk& walk, Position position, int depth) {
    Node* node = position->get();
    if (has_kernel_types(*node)) return {};
    const bool first = position == walk.graph.nodes().begin();
    const Position previous = first ? position : std::prev(position);
    ir::OpBuilder build(walk.graph, node, node);
    const std::vector<Value*> values = in_wider_type(build, *node);
    if (values.empty()) {
      report(*node,
             fmt::format("no kernel computes it for {}: convert its operands to another type "
                         "before this line, such as float32 or int64",
                         types_of(*node)));
      return {};
    }
    const Position begin = first ? walk.graph.nodes().begin() : std::next(previous);
    SLIPWAY_RETURN_IF_ERROR(replace(walk, node, values, begin, position));
    for (Position it = begin; it != position; ++it) {
      SLIPWAY_RETURN_IF_ERROR(visit(walk, it, depth + 1));
    }
    return {};
  }

  // Few kernels know complex numbers; others leave the result unwritten, or fail when they run.
  void check_complex_kernel(const Node& node) {
    bool one_type = true;
    for_each_tensor(node, [&](const Value* value) {
      one_type = one_type && value->dtype() == node.output()->dtype();
    });
    const bool converts = node.op() == "aten.view_as_real_copy.default" ||
                          node.op() == "aten._fft_r2c.default" ||
                          node.op() == "aten._fft_c2r.default";
    if (decompositions::has_complex_kernel(node.op()) && (one_type || converts)) return;
    report(node,
           "it is not computed for complex numbers, nor for these types: compute with the real and "
           "the imaginary part (torch.view_as_real, torch.view_as_complex)");
  }

  // Lets `values` stand for the node's outputs.
  Status replace(Walk& walk, Node* node, const std::vector<Value*>& values, Position begin,
                 Position end) {
    if (values.size() != node->outputs().size()) {
      return invalid_file("{}: it computes {} results, and the archive says {}: {}",
                          describe(*node), values.size(), node->outputs().size(), kDisagreement);
    }
    for (size_t i = 0; i < values.size(); ++i) {
      const Value* from = node->output(i);
      if (!values[i]) {
        if (is_used(walk.graph, from)) {
          report(*node, fmt::format("its result {} is not computed here: do without it", i));
        }
        continue;
      }
      if (from->is_tensor()) {
        const auto& to = values[i]->type();
        if (to.dtype != from->dtype() || to.sizes.size() != from->sizes().size()) {
          return invalid_file("{}: it computes {}, and the archive says {}: {}", describe(*node),
                              ir::print(to), ir::print(from->type()), kDisagreement);
        }
        // The archive's own sizes are better than those derived: they name the symbols that this
        // value alone defines.
        const bool is_new = std::any_of(begin, end, [&](const auto& inserted) {
          return inserted.get() == values[i]->producer();
        });
        if (is_new) values[i]->set_type(from->type());
      }
      walk.replacements.add(from, values[i]);
    }
    walk.replaced.push_back(node);
    return {};
  }

  // Whether a later node or an output of the graph uses the value.
  static bool is_used(const Graph& graph, const Value* value) {
    bool used = false;
    const auto look = [&](const ir::Argument& argument) {
      Graph::for_each_value(argument, [&](const Value* other) { used = used || other == value; });
    };
    for (const auto& node : graph.nodes()) {
      for (const ir::Argument& argument : node->args()) look(argument);
    }
    for (const ir::Argument& output : graph.outputs()) look(output);
    return used;
  }

  void report(const Node& node, const std::string& reason) {
    Problem& problem = problems_[node.op()];
    if (++problem.count > 1) return;
    problem.first = describe(node);
    problem.reason = reason;
  }

  const ir::SymbolRanges& ranges_;
  bool is_training_;
  std::map<std::string, Problem> problems_;
};

}  // namespace

Status decompose(ir::Program& program) {
  Decomposer decomposer(program);
  SLIPWAY_RETURN_IF_ERROR(decomposer.run(*program.graph));
  return decomposer.finish(program.source);
}

}  // namespace slipway::passes
