#include "slipway/compile.h"

#include <array>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "base/piece_writer.h"
#include "base/try.h"
#include "compile/constant_evaluator.h"
#include "compile/engines.h"
#include "compile/functional.h"
#include "compile/symbol_bounds.h"
#include "compile/weight_streaming.h"
#include "ir/program.h"
#include "passes/passes.h"
#include "pte/emitter/emitter.h"

namespace slipway {

namespace {

struct Step {
  const char* name;
  Status (*run)(ir::Program&);
};

// What happens to a program between the archive and the file: until it is functional, ...
constexpr std::array kFunctionalSteps = {
    Step{"functionalize", passes::functionalize},
    Step{"remove no-ops", passes::remove_no_ops},
    Step{"remove dead code", passes::remove_dead_code},
};
// ... and, once engines have taken their parts, until kernels run the rest.
constexpr std::array kKernelSteps = {
    Step{"decompose", passes::decompose},
    Step{"remove what decomposing left over", passes::remove_no_ops},
    Step{"fold constants",
         [](ir::Program& program) { return passes::fold_constants(program, evaluate_constants); }},
    Step{"deduplicate", passes::deduplicate},
    Step{"remove dead code", passes::remove_dead_code},
};

Status check(const ir::Program& program, const char* step, const CompileOptions& options) {
  if (!options.verify_passes) return {};
  const Status verified = ir::verify(program);
  if (verified.ok()) return {};
  return internal_error("{}: the step \"{}\" left a program that is not sound: {}", program.source,
                        step, verified.error().message());
}

Status run_steps(std::span<const Step> steps, ir::Program& program, const CompileOptions& options) {
  for (const Step& step : steps) {
    if (options.on_step) options.on_step(step.name);
    SLIPWAY_RETURN_IF_ERROR(step.run(program));
    SLIPWAY_RETURN_IF_ERROR(check(program, step.name, options));
  }
  return {};
}

// What the user says of sizes. An engine serves those of its profile only, so the program does.
Status apply_limits(std::vector<ir::Program>& programs, const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(apply_bounds(programs, options.bounds));
  if (options.engine != EngineKind::kTensorRt) return {};
  return apply_profiles(programs, options.tensorrt.profiles);
}

// The program with calls of engines in it, and then kernels.
Result<ProgramEngines> take_parts(ir::Program& program, const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(make_functional(program, options));
  SLIPWAY_ASSIGN_OR_RETURN(ProgramEngines parts, build_engines(program, options));
  SLIPWAY_RETURN_IF_ERROR(check(program, "build engines", options));
  return parts;
}

Result<PieceList> compile_methods(
    const std::vector<std::pair<std::string, const Program*>>& methods,
    const CompileOptions& options) {
  std::vector<ir::Program> programs;
  programs.reserve(methods.size());
  for (const auto& [name, program] : methods) programs.push_back(program->ir().clone());
  SLIPWAY_RETURN_IF_ERROR(apply_limits(programs, options));

  std::vector<pte::Method> emitted;
  for (size_t i = 0; i < methods.size(); ++i) {
    ir::Program& program = programs[i];
    SLIPWAY_ASSIGN_OR_RETURN(ProgramEngines parts, take_parts(program, options));
    SLIPWAY_RETURN_IF_ERROR(run_steps(kKernelSteps, program, options));
    emitted.push_back({.name = methods[i].first,
                       .program = &program,
                       .source_sha256 = methods[i].second->source_sha256(),
                       .engines = std::move(parts.engines),
                       .engine_nodes = std::move(parts.nodes),
                       .outside = std::move(parts.outside)});
  }
  std::vector<engine::Engine*> engines;
  for (pte::Method& method : emitted) {
    for (engine::Engine& engine : method.engines) engines.push_back(&engine);
  }
  set_weight_streaming_budgets(engines, options.tensorrt);
  if (options.on_step) options.on_step("plan memory");
  return pte::emit(emitted, {.tool_version = "slipway " SLIPWAY_VERSION});
}

Result<PieceList> bare_engine(const Program& program, const CompileOptions& options) {
  std::vector<ir::Program> programs = {program.ir().clone()};
  SLIPWAY_RETURN_IF_ERROR(apply_limits(programs, options));
  SLIPWAY_ASSIGN_OR_RETURN(const ProgramEngines parts, take_parts(programs[0], options));
  const std::string& source = program.ir().source;
  if (parts.engines.size() != 1 || !parts.outside.empty()) {
    return unsupported(
        "{}: a bare engine holds a whole program, but this one becomes {} engine(s) and {} node(s) "
        "outside: compile it to .pte, and take an engine out with `slipway extract FILE --engine N "
        "-o x.engine`",
        source, parts.engines.size(), parts.outside.size());
  }
  if (!parts.engines[0].variants.empty()) {
    return invalid_argument(
        "{}: a bare engine is for one target, but {} are given: compile for each, or to .pte",
        source, parts.engines[0].variants.size() + 1);
  }
  PieceList pieces;
  pieces.add(parts.engines[0].bytes);
  return pieces;
}

}  // namespace

Status make_functional(ir::Program& program, const CompileOptions& options) {
  return run_steps(kFunctionalSteps, program, options);
}

class Artefact::Impl {
 public:
  explicit Impl(PieceList file) : pieces(std::move(file)) {}
  // Keeps the archives mapped.
  PieceList pieces;
};

Status Artefact::save(const std::string& path,
                      const std::function<void(uint64_t, uint64_t)>& progress) const {
  return guarded(path, [&] { return write_file(path, impl_->pieces, progress); });
}

Result<std::vector<std::byte>> Artefact::to_memory() const {
  return write_to_memory(impl_->pieces);
}

uint64_t Artefact::size() const { return impl_->pieces.size(); }

Result<Artefact> compile_to_engine(const Program& program, const CompileOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(PieceList pieces, guarded(program.ir().source, [&] {
                             return bare_engine(program, options);
                           }));
  return Artefact(std::make_shared<const Artefact::Impl>(std::move(pieces)));
}

Result<Artefact> compile(const Program& program, const CompileOptions& options) {
  return compile({{"forward", &program}}, options);
}

Result<Artefact> compile(const std::vector<std::pair<std::string, const Program*>>& methods,
                         const CompileOptions& options) {
  const std::string what = methods.empty() ? "compile" : methods[0].second->ir().source;
  SLIPWAY_ASSIGN_OR_RETURN(PieceList pieces,
                           guarded(what, [&] { return compile_methods(methods, options); }));
  return Artefact(std::make_shared<const Artefact::Impl>(std::move(pieces)));
}

}  // namespace slipway
