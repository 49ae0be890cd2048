#include "slipway/compile.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/try.h"
#include "compile/archive.h"
#include "compile/artefact.h"
#include "compile/built_methods.h"
#include "compile/constant_evaluator.h"
#include "compile/engines.h"
#include "compile/functional.h"
#include "compile/onnx.h"
#include "compile/output.h"
#include "compile/prepare.h"
#include "compile/program_impl.h"
#include "compile/symbol_bounds.h"
#include "compile/tune.h"
#include "ir/program.h"
#include "passes/passes.h"
#include "pte/format/limits.h"

namespace slipway {

namespace {

// Bytes of a name that an error shows.
constexpr size_t kShownName = 64;

struct Step {
  const char* name;
  Status (*run)(ir::Program&);
};

// What happens to a program between the archive and the file: until it is functional, ...
constexpr std::array kFunctionalSteps = {
    Step{"inline regions", passes::inline_regions},
    Step{"merge checks", passes::merge_checks},
    Step{"functionalize", passes::functionalize},
    Step{"remove vmaps", passes::remove_vmaps},
    Step{"remove no-ops", passes::remove_no_ops},
    Step{"expand float8", passes::expand_float8},
    Step{"expand dynamic quantization", passes::expand_dynamic_quantization},
    Step{"narrow constants", passes::narrow_constants},
    Step{"shrink products", passes::shrink_products},
    Step{"reduce even bags", passes::reduce_even_bags},
    Step{"guard grids", passes::guard_grids},
    Step{"remove dead code", passes::remove_dead_code},
    Step{"bound counts", passes::bound_counts},
};
// ... with random numbers as arithmetic, ...
constexpr const char* kDraw = "draw random numbers";
// ... between these, where there are engines, ...
constexpr const char* kBuild = "build engines";
// ... and, once engines have taken their parts, until kernels run the rest.
constexpr std::array kKernelSteps = {
    Step{"decompose", passes::decompose},
    Step{"guard products over nothing", passes::guard_empty_products},
    Step{"remove what decomposing left over", passes::remove_no_ops},
    Step{"fold constants",
         [](ir::Program& program) { return passes::fold_constants(program, evaluate_constants); }},
    Step{"deduplicate", passes::deduplicate},
    Step{"keep the sizes of what is empty", passes::keep_empty_sizes},
    Step{"remove what is left unused", passes::remove_dead_code},
};

Status run_steps(std::span<const Step> steps, ir::Program& program, const CompileOptions& options) {
  for (const Step& step : steps) {
    if (options.on_step) options.on_step(step.name);
    SLIPWAY_RETURN_IF_ERROR(step.run(program));
    SLIPWAY_RETURN_IF_ERROR(look_at(program, step.name, options));
  }
  return {};
}

Status check_steps(const CompileOptions& options) {
  const std::vector<std::string> known = step_names(options.output);
  // Without engines an archive is the program as it was read, and there is nothing to prepare.
  const bool has_engines = !options.engines.empty();
  const bool has_steps = has_engines || options.output != Output::kArchive;
  for (const std::string& step : options.print_after) {
    if (std::find(known.begin(), known.end(), step) == known.end()) {
      return invalid_argument("option 'print_after': there is no step '{}'; there are {}", step,
                              fmt::join(known, ", "));
    }
    const bool is_for_engines = step == kPrepare || step == kBuild;
    if (has_steps && (has_engines || !is_for_engines || is_onnx(options.output))) continue;
    return invalid_argument("option 'print_after': without engines there is no step '{}'", step);
  }
  return {};
}

// Those of one method: what is dumped of several lies in folders of their own.
// What there is to compile: a null program and names that the checked reader would refuse in the
// end are errors.
Status check_methods(const NamedPrograms& methods) {
  if (methods.empty() || methods.size() > pte::kMaxMethods) {
    return invalid_argument("{} methods are given: a file holds 1 to {}", methods.size(),
                            pte::kMaxMethods);
  }
  std::set<std::string> names;
  for (const auto& [name, program] : methods) {
    if (program == nullptr || !program->is_loaded()) {
      return invalid_argument("a Program is missing: it is null or was moved from");
    }
    if (name.empty() || name.size() > pte::kMaxName || !is_utf8(name) ||
        name.find('\0') != std::string::npos) {
      return invalid_argument(
          "the method name '{}' can't be stored: it must be UTF-8 without NULs, of 1 to {} bytes",
          printable(name.substr(0, kShownName)), pte::kMaxName);
    }
    if (!names.insert(name).second) {
      return invalid_argument("two methods are named '{}'", printable(name));
    }
  }
  return {};
}

// Whether an engine that the program came with takes the user's inputs and gives the outputs, all
// of them in the program's order.
bool is_whole_program(const ProgramEngines& found, const ir::Program& program) {
  if (found.engines.size() != 1 || program.graph->nodes().size() != 1) return false;
  const ir::Node& call = *program.graph->nodes().front();
  std::vector<ir::Value*> inputs;
  for (const ir::Input& input : program.inputs) {
    if (input.kind != ir::InputKind::kUserInput) return false;
    inputs.push_back(input.value);
  }
  const std::vector<ir::Argument> outputs(call.outputs().begin(), call.outputs().end());
  return std::get<std::vector<ir::Value*>>(call.arg(1)) == inputs &&
         program.graph->outputs() == outputs;
}

Status bare_engine(const Program& program, const CompileOptions& options,
                   Artefact::Impl& artefact) {
  std::vector<ir::Program> programs = {Program::Impl::of(program).ir.clone()};
  SLIPWAY_ASSIGN_OR_RETURN(const Compilers compilers, make_compilers(options));
  SLIPWAY_RETURN_IF_ERROR(apply_limits(programs, compilers, options));
  const std::string& source = programs[0].source;
  SLIPWAY_ASSIGN_OR_RETURN(const ProgramEngines found, take_engines(programs[0]));
  for (const std::string& warning : found.warnings) {
    if (options.on_warning) options.on_warning(warning);
  }
  // Sizes that nothing asks for any more stand around engines with dynamic shapes.
  SLIPWAY_RETURN_IF_ERROR(passes::remove_dead_code(programs[0]));
  const std::string& engine = options.engines.front().name;
  if (is_whole_program(found, programs[0]) && found.engines[0].record.engine == engine) {
    SLIPWAY_RETURN_IF_ERROR(check_nothing_is_built(options, source));
    artefact.pieces.add(found.engines[0].bytes);
    return {};
  }
  if (!found.engines.empty()) {
    return unsupported(
        "{}: it came with {} engine(s) that are built already, and that are not all of it: compile "
        "it to .pte, or take one out (`slipway extract`)",
        source, found.engines.size());
  }
  SLIPWAY_ASSIGN_OR_RETURN(ProgramEngines parts, take_parts(programs[0], {}, compilers, options));
  if (parts.engines.size() != 1 || !parts.outside.empty()) {
    return unsupported(
        "{}: a bare engine holds a whole program, but this one becomes {} engine(s) and {} node(s) "
        "outside: compile it to .pte, and take an engine out of that (`slipway extract`)",
        source, parts.engines.size(), parts.outside.size());
  }
  if (!parts.engines[0].variants.empty()) {
    return invalid_argument(
        "{}: a bare engine is for one target, but {} are given: compile for each, or to .pte",
        source, parts.engines[0].variants.size() + 1);
  }
  artefact.started = StartedEngine::take_largest({&parts.engines[0]});
  artefact.pieces.add(parts.engines[0].bytes);
  return {};
}

// Steps and warnings go to the log, too.
CompileOptions with_log(CompileOptions options) {
  if (!is_logged(LogLevel::kError)) return options;
  options.on_step = logged(LogLevel::kInfo, "compile: ", std::move(options.on_step));
  options.on_warning = logged(LogLevel::kWarning, "", std::move(options.on_warning));
  return options;
}

}  // namespace

std::vector<std::string> step_names(Output output) {
  std::vector<std::string> names;
  names.reserve(kFunctionalSteps.size() + 3 + kKernelSteps.size());
  for (const Step& step : kFunctionalSteps) names.emplace_back(step.name);
  if (is_program(output)) names.emplace_back(kDraw);
  names.emplace_back(kPrepare);
  if (is_onnx(output)) return names;
  names.emplace_back(kBuild);
  if (output == Output::kEngine) return names;
  if (output == Output::kArchive) {
    names.emplace_back(kFitPyTorch);
    return names;
  }
  for (const Step& step : kKernelSteps) names.emplace_back(step.name);
  return names;
}

Status look_at(const ir::Program& program, const char* step, const CompileOptions& options) {
  if (options.on_program && options.print_after.contains(step)) {
    options.on_program(step, ir::print(program));
  }
  if (!options.verify_passes) return {};
  const Status verified = ir::verify(program);
  if (verified.ok()) return {};
  return internal_error("{}: the step \"{}\" left a program that is not sound: {}", program.source,
                        step, verified.error().message());
}

Status make_functional(ir::Program& program, const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(run_steps(kFunctionalSteps, program, options));
  // The others have no state of their own.
  if (!is_program(options.output)) return {};
  if (options.on_step) options.on_step(kDraw);
  SLIPWAY_RETURN_IF_ERROR(passes::draw_random_numbers(program, options.seed));
  return look_at(program, kDraw, options);
}

Status apply_limits(std::vector<ir::Program>& programs, const Compilers& compilers,
                    const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(apply_bounds(programs, options.bounds, options.on_warning));
  for (const auto& compiler : compilers) {
    SLIPWAY_RETURN_IF_ERROR(apply_size_limits(programs, compiler->size_limits()));
  }
  return {};
}

Result<ProgramEngines> take_parts(ir::Program& program, ProgramEngines found,
                                  const Compilers& compilers, const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(make_functional(program, options));
  if (!compilers.empty()) {
    if (options.on_step) options.on_step(kPrepare);
    SLIPWAY_RETURN_IF_ERROR(prepare_for_engines(program, compilers, options));
    SLIPWAY_RETURN_IF_ERROR(look_at(program, kPrepare, options));
  }
  SLIPWAY_ASSIGN_OR_RETURN(ProgramEngines parts,
                           build_engines(program, compilers, options, std::move(found)));
  if (!compilers.empty()) SLIPWAY_RETURN_IF_ERROR(look_at(program, kBuild, options));
  return parts;
}

Status make_kernel_program(ir::Program& program, const CompileOptions& options) {
  return run_steps(kKernelSteps, program, options);
}

Result<Artefact> compile(const Program& program, const CompileOptions& options) {
  return compile({{"forward", &program}}, options);
}

Result<Artefact> compile(const std::vector<std::pair<std::string, const Program*>>& methods,
                         const CompileOptions& given) {
  const CompileOptions options = with_log(given);
  SLIPWAY_RETURN_IF_ERROR(check_methods(methods));
  SLIPWAY_RETURN_IF_ERROR(check_output(options, methods.size()));
  SLIPWAY_RETURN_IF_ERROR(check_steps(options));
  return guarded(Program::Impl::of(*methods[0].second).ir.source, [&]() -> Result<Artefact> {
    Artefact::Impl artefact;
    for (const auto& [name, program] : methods) {
      artefact.sources.push_back(Program::Impl::of(*program).file);
      SLIPWAY_RETURN_IF_ERROR(artefact.sources.back().check_unchanged());
    }
    if (is_onnx(options.output)) {
      SLIPWAY_ASSIGN_OR_RETURN(onnx::Graph graph, lower_to_onnx(*methods[0].second, options));
      SLIPWAY_RETURN_IF_ERROR(artefact.set_model(std::move(graph)));
    } else if (options.output == Output::kEngine) {
      SLIPWAY_RETURN_IF_ERROR(bare_engine(*methods[0].second, options, artefact));
    } else if (options.output == Output::kArchive) {
      SLIPWAY_ASSIGN_OR_RETURN(ProgramArchive archive, write_archive(*methods[0].second, options));
      artefact.pieces.add(std::move(archive.bytes));
      artefact.nodes = archive.nodes;
      artefact.engines = archive.engines;
      artefact.engine_bytes = archive.engine_bytes;
    } else {
      std::optional<engine::Tuning> tuning;
      auto built = options.tune ? build_fastest(methods, options, tuning)
                                : BuiltMethods::build(methods, options);
      if (!built.ok()) return built.error();
      SLIPWAY_RETURN_IF_ERROR(std::move(*built).finish(options, std::move(tuning), artefact));
    }
    return Artefact::Impl::make(std::move(artefact));
  });
}

}  // namespace slipway
