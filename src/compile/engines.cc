#include "compile/engines.h"

#include <algorithm>
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
#include "build/build_engine.h"
#include "build/builder.h"
#include "build/engine_cache.h"
#include "build/helper.h"
#include "compile/check.h"
#include "compile/culprit.h"
#include "onnx/lowering.h"
#include "openvino/builder/builder.h"
#include "openvino/builder/workarounds.h"
#include "partition/integer_ranges.h"
#include "partition/partition.h"
#include "tensorrt/builder/builder.h"

namespace slipway {

namespace {

build::BuildOptions build_options(const CompileOptions& options, bool process_for_each_engine) {
  return {.allow_reduced_precision = options.allow_reduced_precision,
          .compat = options.openvino_compat,
          .disabled_rules = options.disabled_rules,
          .worker = build::make_helper(build::find_helper(), process_for_each_engine,
                                       options.on_warning)};
}

Builders openvino_builders(const CompileOptions& options) {
  Builders builders;
  builders.push_back(openvino::make_builder(build_options(options, false)));
  return builders;
}

Builders tensorrt_builders(const CompileOptions& options) {
  std::vector<std::string> targets = options.tensorrt.targets;
  if (targets.empty()) targets.emplace_back();
  Builders builders;
  // Addresses decide about the bytes of its plans.
  const build::BuildOptions each = build_options(options, true);
  for (const std::string& target : targets) {
    builders.push_back(tensorrt::make_builder(options.tensorrt, target, each));
  }
  return builders;
}

// Each engine, once.
struct EngineEntry {
  EngineKind kind;
  const char* name;
  Builders (*make)(const CompileOptions&);  // null: no engine
};
constexpr EngineEntry kEngines[] = {
    {EngineKind::kOpenVino, "openvino", openvino_builders},
    {EngineKind::kTensorRt, "tensorrt", tensorrt_builders},
    {EngineKind::kNone, "none", nullptr},
};

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

// Builds the engines of one program.
class EngineStep {
 public:
  EngineStep(ir::Program& program, const Builders& builders, const CompileOptions& options)
      : program_(program),
        builders_(builders),
        options_(options),
        lowering_(builders.front()->lowering()),
        ranges_(program) {}

  Result<ProgramEngines> run() {
    if (!options_.cache.empty()) cache_.emplace(options_.cache, warn());
    while (rounds_ < kMostRounds) {
      refused_by_name_ = false;
      SLIPWAY_ASSIGN_OR_RETURN(partition::Plan plan, make_plan());
      SLIPWAY_ASSIGN_OR_RETURN(const bool all_built, build(plan));
      if (all_built) return finish(std::move(plan));
      // Others come to an end by themselves: each leaves out a node more.
      if (refused_by_name_) ++rounds_;
    }
    return unsupported(
        "{}: after {} rounds the engine still refuses nodes: leave their operators outside with "
        "--exclude-op",
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

  build::Warn warn() const {
    return [this](const std::string& message) {
      if (options_.on_warning) options_.on_warning(message);
    };
  }

  Result<partition::Plan> make_plan() {
    auto why_not = [this](const ir::Node& node) { return why_outside(node); };
    auto plan = partition::plan(program_, why_not,
                                {.exclude_ops = options_.exclude_ops,
                                 .exclude_nodes = options_.exclude_nodes,
                                 .min_size = options_.min_partition_size});
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
        "{}: {} node(s) would stay outside the engine, and --require-full allows none; change the "
        "model there, or compile without it:\n  {}",
        program_.source, plan->outside.size(), fmt::join(lines, "\n  "));
  }

  std::optional<std::string> why_outside(const ir::Node& node) {
    if (auto refused = refused_.find(&node); refused != refused_.end()) return refused->second;
    auto [known, is_new] = answers_.try_emplace(&node);
    if (is_new) {
      known->second = onnx::why_unsupported(program_, node, lowering_);
      if (!known->second) {
        known->second = builders_.front()->why_unsupported(program_, node, ranges_);
      }
    }
    return known->second;
  }

  // Whether every partition became an engine. What was built in an earlier round stays.
  Result<bool> build(const partition::Plan& plan) {
    bool all_built = true;
    for (size_t i = 0; i < plan.partitions.size(); ++i) {
      const partition::Partition& part = plan.partitions[i];
      if (built_.contains(part.nodes)) continue;
      const std::string what = fmt::format("build engine {} of {} ({} nodes)", i + 1,
                                           plan.partitions.size(), part.nodes.size());
      SLIPWAY_ASSIGN_OR_RETURN(const bool is_built, build(part, what));
      all_built = all_built && is_built;
    }
    return all_built;
  }

  // Builds the partition for every target, unless one of them refuses nodes.
  Result<bool> build(const partition::Partition& part, const std::string& what) {
    SLIPWAY_ASSIGN_OR_RETURN(
        onnx::Graph graph,
        onnx::lower(program_, {part.nodes, part.inputs, part.outputs}, lowering_));
    std::vector<const ir::Value*> inputs = drop_unused_inputs(graph, part.inputs);
    std::vector<engine::Engine> engines;
    for (const auto& builder : builders_) {
      if (options_.on_step) {
        options_.on_step(builders_.size() == 1 ? what
                                               : fmt::format("{}, target {} of {}", what,
                                                             engines.size() + 1, builders_.size()));
      }
      SLIPWAY_ASSIGN_OR_RETURN(const onnx::Graph prepared, builder->prepare(graph));
      auto outcome = build::build_engine(*builder, prepared, cache_ ? &*cache_ : nullptr, warn());
      if (!outcome.ok()) return outcome.error().with_context(program_.source);
      if (const auto* refusals = std::get_if<std::vector<build::Refusal>>(&*outcome)) {
        SLIPWAY_RETURN_IF_ERROR(refuse(part, *builder, *refusals));
        return false;
      }
      engine::Engine& engine = engines.emplace_back(std::get<engine::Engine>(std::move(*outcome)));
      SLIPWAY_ASSIGN_OR_RETURN(engine.header, builder->header(engine.record));
      SLIPWAY_ASSIGN_OR_RETURN(const bool is_right,
                               check(*builder, {part, inputs, graph.symbol_inputs, engine}));
      if (!is_right) return false;
    }
    engine::Engine first = std::move(engines.front());
    first.variants.assign(std::make_move_iterator(engines.begin() + 1),
                          std::make_move_iterator(engines.end()));
    built_[part.nodes] = {std::move(first), std::move(inputs), std::move(graph.symbol_inputs)};
    return true;
  }

  // Whether the engine gives what the kernels do; where it doesn't, a node is left outside.
  Result<bool> check(const build::Builder& builder, const EngineOfPart& engine) {
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
      return internal_error("{}: {}; leave it outside with --check=outside or --exclude-node",
                            program_.source, verdict.text);
    }
    const auto try_part =
        [&](const partition::Partition& head) -> Result<std::vector<build::Refusal>> {
      return try_checked(builder, head);
    };
    SLIPWAY_ASSIGN_OR_RETURN(const RefusedNodes refused,
                             find_culprit(engine.part, verdict.text, try_part, tries_left_));
    leave_outside(refused);
    return false;
  }

  uint64_t most_multiply_adds() const {
    return options_.check == EngineCheck::kSmall ? kMostCheckedMultiplyAdds
                                                 : std::numeric_limits<uint64_t>::max();
  }

  // Builds a part for nothing but a look at it.
  Result<std::vector<build::Refusal>> try_checked(const build::Builder& builder,
                                                  const partition::Partition& part) {
    SLIPWAY_ASSIGN_OR_RETURN(
        onnx::Graph graph,
        onnx::lower(program_, {part.nodes, part.inputs, part.outputs}, lowering_));
    const std::vector<const ir::Value*> inputs = drop_unused_inputs(graph, part.inputs);
    const std::vector<std::string> symbols = graph.symbol_inputs;
    SLIPWAY_ASSIGN_OR_RETURN(const onnx::Graph prepared, builder.prepare(std::move(graph)));
    SLIPWAY_ASSIGN_OR_RETURN(auto outcome, build::build_engine(builder, prepared, nullptr, warn()));
    if (auto* refusals = std::get_if<std::vector<build::Refusal>>(&outcome)) {
      return std::move(*refusals);
    }
    const auto& engine = std::get<engine::Engine>(outcome);
    SLIPWAY_ASSIGN_OR_RETURN(const Verdict verdict,
                             check_engine(program_, ranges_, builder,
                                          {part, inputs, symbols, engine}, most_multiply_adds()));
    if (verdict.kind != Verdict::Kind::kDifferent) return std::vector<build::Refusal>();
    return std::vector<build::Refusal>{{"", verdict.text}};
  }

  void leave_outside(const RefusedNodes& refused) {
    for (const auto& [node, reason] : refused) {
      refused_[node] = reason;
      warn()(fmt::format("{} stays outside the engine: {}", describe(*node), reason));
    }
  }

  Status refuse(const partition::Partition& part, const build::Builder& builder,
                const std::vector<build::Refusal>& refusals) {
    RefusedNodes refused = find_refused(part, refusals);
    if (!refused.empty()) {
      refused_by_name_ = true;
    } else if (!refusals.empty() && refusals.front().origin.empty()) {
      SLIPWAY_ASSIGN_OR_RETURN(refused, search(part, builder, refusals.front().reason));
    }
    for (const auto& [node, reason] : refused) {
      refused_[node] = reason;
      warn()(fmt::format("{} stays outside the engine, which refuses it: {}", describe(*node),
                         reason));
    }
    if (!refused.empty()) return {};
    return internal_error("{}: the engine refuses a node that its partition does not have",
                          program_.source);
  }

  // Which node it is that the library fails at without a name.
  Result<RefusedNodes> search(const partition::Partition& part, const build::Builder& builder,
                              const std::string& reason) {
    if (!builds_anything_) {
      const Status builds = check_builds_anything(builder, reason);
      if (!builds.ok()) return builds.error().with_context(program_.source);
      builds_anything_ = true;
    }
    const auto try_build =
        [&](const partition::Partition& head) -> Result<std::vector<build::Refusal>> {
      if (options_.on_step) {
        options_.on_step(fmt::format("find what the engine fails at ({} of {} nodes)",
                                     head.nodes.size(), part.nodes.size()));
      }
      SLIPWAY_ASSIGN_OR_RETURN(
          onnx::Graph graph,
          onnx::lower(program_, {head.nodes, head.inputs, head.outputs}, lowering_));
      drop_unused_inputs(graph, head.inputs);
      SLIPWAY_ASSIGN_OR_RETURN(const onnx::Graph prepared, builder.prepare(std::move(graph)));
      SLIPWAY_ASSIGN_OR_RETURN(
          build::Outcome outcome,
          builder.build(prepared, [](std::span<const std::byte>) -> Status { return {}; }));
      auto* const refusals = std::get_if<std::vector<build::Refusal>>(&outcome);
      return refusals ? std::move(*refusals) : std::vector<build::Refusal>();
    };
    auto culprit = find_culprit(part, reason, try_build, tries_left_);
    if (!culprit.ok()) return culprit.error().with_context(program_.source);
    return culprit;
  }

  Result<ProgramEngines> finish(partition::Plan plan) {
    ProgramEngines result;
    std::vector<std::vector<std::string>> symbols;
    for (partition::Partition& part : plan.partitions) {
      Built& built = built_.at(part.nodes);
      part.inputs = std::move(built.inputs);
      result.engines.push_back(std::move(built.engine));
      symbols.push_back(std::move(built.symbols));
      std::vector<std::string>& names = result.nodes.emplace_back();
      for (const ir::Node* node : part.nodes) names.push_back(describe(*node));
    }
    for (const partition::Outside& outside : plan.outside) {
      result.outside.push_back({outside.node->name(), outside.node->op(), outside.reason});
      result.origins.push_back(outside.node->origin());
    }
    SLIPWAY_RETURN_IF_ERROR(partition::replace(program_, plan, 0, symbols));
    return result;
  }

  ir::Program& program_;
  const Builders& builders_;
  const CompileOptions& options_;
  const onnx::LoweringOptions lowering_;
  const partition::IntegerRanges ranges_;
  std::optional<build::EngineCache> cache_;
  std::map<const ir::Node*, std::string> refused_;
  int rounds_ = 0;
  bool refused_by_name_ = false;
  bool builds_anything_ = false;
  int tries_left_ = kMostTries;
  std::map<const ir::Node*, std::optional<std::string>> answers_;
  std::map<Nodes, Built> built_;
};

const EngineEntry& entry_of(EngineKind kind) {
  return *std::find_if(std::begin(kEngines), std::end(kEngines),
                       [kind](const EngineEntry& entry) { return entry.kind == kind; });
}

}  // namespace

std::vector<std::string> engine_names() {
  std::vector<std::string> names;
  for (const EngineEntry& entry : kEngines) names.emplace_back(entry.name);
  return names;
}

const char* engine_name(EngineKind kind) { return entry_of(kind).name; }

Result<EngineKind> parse_engine(const std::string& name) {
  for (const EngineEntry& entry : kEngines) {
    if (name == entry.name) return entry.kind;
  }
  return invalid_argument("there is no engine '{}'; there are {}", name,
                          fmt::join(engine_names(), ", "));
}

std::vector<std::string> rule_names() { return openvino::workaround_names(); }

Builders make_builders(const CompileOptions& options) {
  const EngineEntry& entry = entry_of(options.engine);
  return entry.make ? entry.make(options) : Builders();
}

Result<ProgramEngines> build_engines(ir::Program& program, const Builders& builders,
                                     const CompileOptions& options) {
  const std::vector<std::string> rules = rule_names();
  for (const std::string& rule : options.disabled_rules) {
    if (std::find(rules.begin(), rules.end(), rule) == rules.end()) {
      return invalid_argument("there is no rule '{}'; there are {}", rule, fmt::join(rules, ", "));
    }
  }
  if (!options.openvino_compat.empty() && options.openvino_compat != openvino::kCompat) {
    return invalid_argument("engines can be written for OpenVINO {}, not for {}", openvino::kCompat,
                            options.openvino_compat);
  }
  if (builders.empty()) return ProgramEngines();
  // Before any work, so that a missing library is the first thing to be said.
  for (const auto& builder : builders) SLIPWAY_RETURN_IF_ERROR(builder->fingerprint());
  return EngineStep(program, builders, options).run();
}

}  // namespace slipway
