#include "compile/engines.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "compile/check.h"
#include "compile/culprit.h"
#include "compile/large_values.h"
#include "compile/part_graph.h"
#include "compile/partition_dump.h"
#include "compile/program_impl.h"
#include "engine_build/build_engine.h"
#include "engine_build/builder.h"
#include "engine_build/engine_cache.h"
#include "engine_list/compilers/registry.h"
#include "engine_list/registry.h"
#include "onnx/lowering.h"
#include "onnx/serializer.h"
#include "partition/integer_ranges.h"
#include "partition/partition.h"
#include "passes/passes.h"
#include "pte/emitter/placement.h"

namespace slipway {

namespace {

// After so many rounds of nodes that the engine refuses by name the build is given up.
constexpr int kMostRounds = 8;
// How many nodes an error lists.
constexpr size_t kMostListed = 20;

std::string describe(const ir::Node& node) {
  return fmt::format("{} ({})", node.name(), node.op());
}

void collect_used(const onnx::Graph& graph, std::set<std::string>& used) {
  for (const onnx::ValueType& output : graph.outputs) used.insert(output.name);
  for (const onnx::Node& node : graph.nodes) {
    used.insert(node.inputs.begin(), node.inputs.end());
    for (const auto& [name, attribute] : node.attributes) {
      const auto* nested = std::get_if<std::shared_ptr<onnx::Graph>>(&attribute);
      if (nested) collect_used(**nested, used);
    }
  }
}

// Takes inputs out of the graph of which only the type and the shape counted, and gives the values
// behind those that stay.
std::vector<const ir::Value*> drop_unused_inputs(onnx::Graph& graph,
                                                 const std::vector<const ir::Value*>& values) {
  std::set<std::string> used;
  collect_used(graph, used);
  std::vector<const ir::Value*> kept;
  std::vector<onnx::ValueType> inputs;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    // Behind the values there are symbols.
    if (i < values.size() && !used.contains(graph.inputs[i].name)) continue;
    if (i < values.size()) kept.push_back(values[i]);
    inputs.push_back(std::move(graph.inputs[i]));
  }
  graph.inputs = std::move(inputs);
  return kept;
}

Status add_header(engine::Engine& engine) {
  const engine::Description* known = engine_list::find_backend(engine.record.backend);
  if (known == nullptr || known->header == nullptr) return {};
  SLIPWAY_ASSIGN_OR_RETURN(engine.header, known->header(engine.record));
  return {};
}

// Builds the engines of one program.
class EngineStep {
 public:
  EngineStep(ir::Program& program, const Compilers& compilers, const CompileOptions& options,
             ProgramEngines found)
      : program_(program),
        result_(std::move(found)),
        options_(options),
        ranges_(program),
        large_values_(find_large_values(program)) {
    for (const auto& compiler : compilers) {
      const auto& builders = compiler->builders();
      engines_.push_back({builders, builders.front()->lowering()});
    }
  }

  Result<ProgramEngines> run() {
    SLIPWAY_ASSIGN_OR_RETURN(partition::Plan plan, make_plan());
    SLIPWAY_RETURN_IF_ERROR(check_libraries(plan));
    SLIPWAY_RETURN_IF_ERROR(dump_.begin());
    if (!options_.cache.empty()) cache_.emplace(options_.cache, warn());
    while (rounds_ < kMostRounds) {
      refused_by_name_ = false;
      SLIPWAY_ASSIGN_OR_RETURN(const bool all_built, build(plan));
      if (all_built) return finish(std::move(plan));
      // Others come to an end by themselves: each leaves out a node more.
      if (refused_by_name_) ++rounds_;
      SLIPWAY_ASSIGN_OR_RETURN(plan, make_plan());
    }
    return unsupported(
        "{}: after {} rounds the engine still refuses nodes: leave their operators outside with "
        "option 'exclude_ops'",
        program_.source, kMostRounds);
  }

 private:
  // An engine, the tensors of the partition that it is given, and the symbols besides them.
  struct Built {
    engine::Engine engine;
    std::vector<const ir::Value*> inputs;
    std::vector<std::string> symbols;
  };
  using Nodes = std::vector<const ir::Node*>;
  using NodeOf = std::pair<const ir::Node*, size_t>;  // and an engine's place

  // One of the list of engines.
  struct OneEngine {
    const std::vector<std::unique_ptr<engine_build::Builder>>& builders;
    onnx::LoweringOptions lowering;
    bool builds_anything = false;
  };

  engine_build::Warn warn() const {
    return [this](const std::string& message) {
      if (options_.on_warning) options_.on_warning(message);
    };
  }

  Result<partition::Plan> make_plan() {
    auto why_not = [this](const ir::Node& node, size_t engine) {
      return why_outside(node, engine);
    };
    auto plan = partition::plan(program_, why_not, exclusions(options_));
    if (!plan.ok()) return plan.error().with_context(program_.source);
    if (!options_.require_full || plan->outside.empty()) return plan;
    std::vector<std::string> lines;
    for (const partition::Outside& outside : plan->outside) {
      if (lines.size() == kMostListed) {
        lines.push_back(fmt::format("and {} more", plan->outside.size() - kMostListed));
        break;
      }
      const std::string& trace = outside.node->stack_trace();
      lines.push_back(fmt::format("{}: {}{}", describe(*outside.node), outside.reason,
                                  trace.empty() ? "" : "; from " + trace));
    }
    return unsupported(
        "{}: {} node(s) would stay outside the engine{}, and option 'require_full' allows none; "
        "change the model there, or compile without it:\n  {}",
        program_.source, plan->outside.size(), engines_.size() > 1 ? "s" : "",
        fmt::join(lines, "\n  "));
  }

  std::optional<std::string> why_outside(const ir::Node& node, size_t place) {
    const OneEngine& engine = engines_[place];
    const NodeOf key(&node, place);
    if (auto refused = refused_.find(key); refused != refused_.end()) return refused->second;
    auto [known, is_new] = answers_.try_emplace(key);
    if (is_new) {
      const auto large = large_values_.find(&node);
      if (large != large_values_.end()) known->second = large->second;
      if (!known->second) known->second = onnx::why_unsupported(program_, node, engine.lowering);
      if (!known->second) {
        known->second = engine.builders.front()->why_unsupported(program_, node, ranges_);
      }
    }
    return known->second;
  }

  // Before any work, so that a missing library is the first thing to be said. What nothing is built
  // by may be missing: the program came with its engines.
  Status check_libraries(const partition::Plan& plan) const {
    std::set<size_t> used;
    for (const partition::Partition& part : plan.partitions) used.insert(part.engine);
    for (const size_t engine : used) {
      for (const auto& builder : engines_[engine].builders) {
        SLIPWAY_RETURN_IF_ERROR(builder->fingerprint());
      }
    }
    return {};
  }

  const std::string& name_of(size_t engine) const { return options_.engines[engine].name; }

  Result<onnx::Graph> lower(const partition::Partition& part) const {
    return onnx::lower(program_, {part.nodes, part.inputs, part.outputs},
                       engines_[part.engine].lowering);
  }

  // Whether every partition became an engine. What was built in an earlier round stays.
  Result<bool> build(const partition::Plan& plan) {
    bool all_built = true;
    for (size_t i = 0; i < plan.partitions.size(); ++i) {
      const partition::Partition& part = plan.partitions[i];
      if (built_.contains({part.engine, part.nodes})) continue;
      const std::string what =
          fmt::format("build engine {} of {} ({}{} nodes)", i + 1, plan.partitions.size(),
                      engines_.size() > 1 ? name_of(part.engine) + ", " : "", part.nodes.size());
      SLIPWAY_ASSIGN_OR_RETURN(const bool is_built, build(part, what));
      all_built = all_built && is_built;
    }
    return all_built;
  }

  // Builds the partition for every target, unless one of them refuses nodes.
  Result<bool> build(const partition::Partition& part, const std::string& what) {
    const auto& builders = engines_[part.engine].builders;
    SLIPWAY_ASSIGN_OR_RETURN(onnx::Graph graph, lower(part));
    std::vector<const ir::Value*> inputs = drop_unused_inputs(graph, part.inputs);
    std::vector<engine::Engine> engines;
    for (const auto& builder : builders) {
      if (options_.on_step) {
        options_.on_step(builders.size() == 1 ? what
                                              : fmt::format("{}, target {} of {}", what,
                                                            engines.size() + 1, builders.size()));
      }
      SLIPWAY_ASSIGN_OR_RETURN(const onnx::Graph prepared, builder->prepare(graph));
      SLIPWAY_RETURN_IF_ERROR(dump_.write(prepared, name_of(part.engine)));
      auto outcome = engine_build::build_engine(*builder, prepared, cache_ ? &*cache_ : nullptr,
                                                warn(), {destination(), offset_of_engine()});
      if (!outcome.ok()) return outcome.error().with_context(program_.source);
      if (const auto* refusals = std::get_if<std::vector<engine_build::Refusal>>(&*outcome)) {
        SLIPWAY_RETURN_IF_ERROR(refuse(part, *builder, *refusals));
        return false;
      }
      engine::Engine& engine = engines.emplace_back(std::get<engine::Engine>(std::move(*outcome)));
      if (builder->may_write_over_inputs()) add_aliases(engine.record, part.outputs, inputs);
      SLIPWAY_RETURN_IF_ERROR(add_header(engine));
      SLIPWAY_ASSIGN_OR_RETURN(const bool is_right,
                               check(*builder, {part, inputs, graph.symbol_inputs, engine}));
      if (!is_right) return false;
    }
    engine::Engine first = std::move(engines.front());
    first.variants.assign(std::make_move_iterator(engines.begin() + 1),
                          std::make_move_iterator(engines.end()));
    built_[{part.engine, part.nodes}] = {std::move(first), std::move(inputs),
                                         std::move(graph.symbol_inputs)};
    return true;
  }

  // What the program's mutable buffers and inputs become is written where they are.
  void add_aliases(engine::EngineRecord& record, const std::vector<const ir::Value*>& outputs,
                   const std::vector<const ir::Value*>& inputs) const {
    std::set<const ir::Value*> written;
    for (size_t i = 0; i < program_.outputs.size(); ++i) {
      const ir::Input* const target = pte::mutation_target(program_, program_.outputs[i]);
      const auto* const value = std::get_if<ir::Value*>(&program_.graph->outputs()[i]);
      if (target == nullptr || value == nullptr) continue;
      const auto output = std::find(outputs.begin(), outputs.end(), *value);
      const auto input = std::find(inputs.begin(), inputs.end(), target->value);
      if (output == outputs.end() || input == inputs.end()) continue;
      const bool is_same = (*value)->type().is_static() && (*value)->dtype() == (*input)->dtype() &&
                           (*value)->sizes() == (*input)->sizes();
      if (!is_same || !written.insert(*value).second) continue;
      record.aliases.push_back({static_cast<uint32_t>(output - outputs.begin()),
                                static_cast<uint32_t>(input - inputs.begin()), "user"});
    }
  }

  // Wherever the process is when the rest of the file is written.
  std::string destination() const {
    return options_.destination.empty() ? std::string()
                                        : std::filesystem::absolute(options_.destination).string();
  }

  // In the file that is compiled.
  uint64_t offset_of_engine() const {
    return options_.output == Output::kEngine ? 0 : engine::kLargeEngineOffset;
  }

  // Whether the engine gives what the kernels do; where it doesn't, a node is left outside.
  Result<bool> check(const engine_build::Builder& builder, const EngineOfPart& engine) {
    if (options_.check == EngineCheck::kOff) return true;
    if (options_.on_step) options_.on_step("check the engine");
    SLIPWAY_ASSIGN_OR_RETURN(const Verdict verdict, check_engine(program_, ranges_, builder, engine,
                                                                 most_multiply_adds()));
    if (verdict.kind == Verdict::Kind::kNotMade && options_.check != EngineCheck::kSmall) {
      warn()(fmt::format("an engine of {} nodes, from {} on, is not checked: {}",
                         engine.part.nodes.size(), describe(*engine.part.nodes.front()),
                         verdict.text));
    }
    if (verdict.kind != Verdict::Kind::kDifferent) return true;
    if (options_.check == EngineCheck::kFail) {
      return internal_error(
          "{}: {}; leave it outside with option 'check' or "
          "option 'exclude_nodes'",
          program_.source, verdict.text);
    }
    const auto try_part =
        [&](const partition::Partition& head) -> Result<std::vector<engine_build::Refusal>> {
      return try_checked(builder, head);
    };
    SLIPWAY_ASSIGN_OR_RETURN(const RefusedNodes refused,
                             find_culprit(engine.part, verdict.text, try_part, tries_left_));
    leave_outside(refused, engine.part.engine);
    return false;
  }

  uint64_t most_multiply_adds() const {
    return options_.check == EngineCheck::kSmall ? kMostCheckedMultiplyAdds
                                                 : std::numeric_limits<uint64_t>::max();
  }

  // Builds a part for nothing but a look at it.
  Result<std::vector<engine_build::Refusal>> try_checked(const engine_build::Builder& builder,
                                                         const partition::Partition& part) {
    SLIPWAY_ASSIGN_OR_RETURN(onnx::Graph graph, lower(part));
    const std::vector<const ir::Value*> inputs = drop_unused_inputs(graph, part.inputs);
    const std::vector<std::string> symbols = graph.symbol_inputs;
    SLIPWAY_ASSIGN_OR_RETURN(const onnx::Graph prepared, builder.prepare(std::move(graph)));
    SLIPWAY_ASSIGN_OR_RETURN(auto outcome,
                             engine_build::build_engine(builder, prepared, nullptr, warn()));
    if (auto* refusals = std::get_if<std::vector<engine_build::Refusal>>(&outcome)) {
      return std::move(*refusals);
    }
    const auto& engine = std::get<engine::Engine>(outcome);
    SLIPWAY_ASSIGN_OR_RETURN(const Verdict verdict,
                             check_engine(program_, ranges_, builder,
                                          {part, inputs, symbols, engine}, most_multiply_adds()));
    if (verdict.kind != Verdict::Kind::kDifferent) return std::vector<engine_build::Refusal>();
    return std::vector<engine_build::Refusal>{{"", verdict.text}};
  }

  // `which`: what the engine is besides, as a clause.
  void leave_outside(const RefusedNodes& refused, size_t engine, const char* which = "") {
    for (const auto& [node, reason] : refused) {
      refused_[{node, engine}] = reason;
      warn()(fmt::format("{} stays outside the engine{}: {}", describe(*node), which, reason));
    }
  }

  Status refuse(const partition::Partition& part, const engine_build::Builder& builder,
                const std::vector<engine_build::Refusal>& refusals) {
    RefusedNodes refused = find_refused(part, refusals);
    if (!refused.empty()) {
      refused_by_name_ = true;
    } else if (!refusals.empty() && refusals.front().origin.empty()) {
      SLIPWAY_ASSIGN_OR_RETURN(refused, search(part, builder, refusals.front().reason));
    }
    leave_outside(refused, part.engine, ", which refuses it");
    if (!refused.empty()) return {};
    return internal_error("{}: the engine refuses a node that its partition does not have",
                          program_.source);
  }

  // Which node it is that the library fails at without a name.
  Result<RefusedNodes> search(const partition::Partition& part,
                              const engine_build::Builder& builder, const std::string& reason) {
    if (bool& builds_anything = engines_[part.engine].builds_anything; !builds_anything) {
      const Status builds = check_builds_anything(builder, reason);
      if (!builds.ok()) return builds.error().with_context(program_.source);
      builds_anything = true;
    }
    const auto try_build =
        [&](const partition::Partition& head) -> Result<std::vector<engine_build::Refusal>> {
      if (options_.on_step) {
        options_.on_step(fmt::format("find what the engine fails at ({} of {} nodes)",
                                     head.nodes.size(), part.nodes.size()));
      }
      SLIPWAY_ASSIGN_OR_RETURN(onnx::Graph graph, lower(head));
      drop_unused_inputs(graph, head.inputs);
      SLIPWAY_ASSIGN_OR_RETURN(const onnx::Graph prepared, builder.prepare(std::move(graph)));
      SLIPWAY_ASSIGN_OR_RETURN(
          engine_build::Outcome outcome,
          builder.build(prepared, [](std::span<const std::byte>) -> Status { return {}; }));
      auto* const refusals = std::get_if<std::vector<engine_build::Refusal>>(&outcome);
      return refusals ? std::move(*refusals) : std::vector<engine_build::Refusal>();
    };
    auto culprit = find_culprit(part, reason, try_build, tries_left_);
    if (!culprit.ok()) return culprit.error().with_context(program_.source);
    return culprit;
  }

  Result<ProgramEngines> finish(partition::Plan plan) {
    const size_t first_engine = result_.engines.size();
    std::vector<std::vector<std::string>> symbols;
    for (partition::Partition& part : plan.partitions) {
      Built& built = built_.at({part.engine, part.nodes});
      part.inputs = std::move(built.inputs);
      result_.engines.push_back(std::move(built.engine));
      symbols.push_back(std::move(built.symbols));
      std::vector<std::string>& names = result_.nodes.emplace_back();
      for (const ir::Node* node : part.nodes) names.push_back(describe(*node));
      std::vector<engine::ManifestOutside>& passed_over = result_.passed_over.emplace_back();
      for (const auto& [node, place, reason] : part.passed_over) {
        passed_over.push_back(
            {node->name(), node->op(), fmt::format("{}: {}", name_of(place), reason)});
      }
    }
    for (engine::EngineGraph& graph : graphs_of(plan.partitions)) {
      result_.graphs.push_back(std::move(graph));
    }
    for (const partition::Outside& outside : plan.outside) {
      result_.outside.push_back({outside.node->name(), outside.node->op(), outside.reason});
      result_.origins.push_back(outside.node->origin());
    }
    SLIPWAY_RETURN_IF_ERROR(partition::replace(program_, plan, first_engine, symbols));
    return std::move(result_);
  }

  ir::Program& program_;
  ProgramEngines result_;
  const CompileOptions& options_;
  std::vector<OneEngine> engines_;
  const partition::IntegerRanges ranges_;
  const std::map<const ir::Node*, std::string> large_values_;
  std::optional<engine_build::EngineCache> cache_;
  std::map<NodeOf, std::string> refused_;
  int rounds_ = 0;
  PartitionDump dump_{options_};
  bool refused_by_name_ = false;
  int tries_left_ = kMostTries;
  std::map<NodeOf, std::optional<std::string>> answers_;
  std::map<std::pair<size_t, Nodes>, Built> built_;
};

}  // namespace

Result<ProgramEngines> take_engines(ir::Program& program) {
  // A region that is no branch may hold a call.
  SLIPWAY_RETURN_IF_ERROR(passes::inline_regions(program));
  ProgramEngines parts;
  for (const auto* compiler : engine_list::compilers()) {
    if (compiler->take_engines == nullptr) continue;
    SLIPWAY_ASSIGN_OR_RETURN(auto found, compiler->take_engines(program, parts.engines.size()));
    for (engine_build::FoundEngine& one : found) {
      parts.engines.push_back(std::move(one.engine));
      parts.nodes.push_back({std::move(one.node)});
      parts.graphs.emplace_back();
      parts.passed_over.emplace_back();
      if (one.warning.empty()) continue;
      parts.warnings.push_back(fmt::format("{}: {}", program.source, one.warning));
    }
  }
  return parts;
}

std::vector<engine_build::ListedEngine> list_engines(const Program& program) {
  ir::Program copy = Program::Impl::of(program).ir.clone();
  // What can't be inlined has calls in branches, which are listed as such.
  if (!passes::inline_regions(copy).ok()) copy = Program::Impl::of(program).ir.clone();
  std::vector<engine_build::ListedEngine> listed;
  for (const auto* compiler : engine_list::compilers()) {
    if (compiler->list_engines == nullptr) continue;
    for (auto& one : compiler->list_engines(copy)) listed.push_back(std::move(one));
  }
  return listed;
}

Result<ProgramEngines> build_engines(ir::Program& program, const Compilers& compilers,
                                     const CompileOptions& options, ProgramEngines found) {
  if (compilers.empty()) return found;
  return EngineStep(program, compilers, options, std::move(found)).run();
}

}  // namespace slipway
