#include "slipway/compile.h"

#include <array>
#include <set>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/guard.h"
#include "base/piece_writer.h"
#include "base/printable.h"
#include "base/try.h"
#include "compile/constant_evaluator.h"
#include "compile/engines.h"
#include "compile/functional.h"
#include "compile/prepare.h"
#include "compile/slow_path.h"
#include "compile/symbol_bounds.h"
#include "compile/weight_streaming.h"
#include "ir/program.h"
#include "passes/passes.h"
#include "pte/emitter/emitter.h"
#include "pte/reader/limits.h"
#include "pte/reader/reader.h"
#include "runtime/plan.h"
#include "runtime/signature.h"

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
    Step{"functionalize", passes::functionalize},
    Step{"remove no-ops", passes::remove_no_ops},
    Step{"shrink products", passes::shrink_products},
    Step{"remove dead code", passes::remove_dead_code},
};
// ... and, once engines have taken their parts, until kernels run the rest.
constexpr std::array kKernelSteps = {
    Step{"decompose", passes::decompose},
    Step{"guard products over nothing", passes::guard_empty_products},
    Step{"remove what decomposing left over", passes::remove_no_ops},
    Step{"fold constants",
         [](ir::Program& program) { return passes::fold_constants(program, evaluate_constants); }},
    Step{"deduplicate", passes::deduplicate},
    Step{"keep the sizes of what is empty", passes::keep_empty_sizes},
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
Result<ProgramEngines> take_parts(ir::Program& program, const Builders& builders,
                                  const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(make_functional(program, options));
  if (!builders.empty()) {
    if (options.on_step) options.on_step("prepare for engines");
    SLIPWAY_RETURN_IF_ERROR(prepare_for_engine(program, *builders.front(), options));
    SLIPWAY_RETURN_IF_ERROR(check(program, "prepare for engines", options));
  }
  SLIPWAY_ASSIGN_OR_RETURN(ProgramEngines parts, build_engines(program, builders, options));
  SLIPWAY_RETURN_IF_ERROR(check(program, "build engines", options));
  return parts;
}

// What the checked reader would refuse in the end.
Status check_names(const std::vector<std::pair<std::string, const Program*>>& methods) {
  if (methods.empty() || methods.size() > pte::kMaxMethods) {
    return invalid_argument("{} methods are given: a file holds 1 to {}", methods.size(),
                            pte::kMaxMethods);
  }
  std::set<std::string> names;
  for (const auto& [name, program] : methods) {
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

// A file that our own reader refuses is of no use to anybody.
Status check_readable(const OwnedSpan& bytes, const std::string& name) {
  auto checked = [&]() -> Status {
    SLIPWAY_ASSIGN_OR_RETURN(const pte::File file, pte::File::read(bytes, name));
    for (const std::string& method : runtime::method_names(file)) {
      SLIPWAY_RETURN_IF_ERROR(runtime::Signature::create(file, method));
    }
    return {};
  }();
  if (checked.ok()) return {};
  return unsupported("nothing is written, because the result could not be loaded: {}",
                     checked.error().message());
}

// Leaves out of the list what is in the program no more: constants after all, or equal to another.
void drop_folded(ProgramEngines& parts, const ir::Program& program) {
  std::set<std::string> origins;
  for (const auto& node : program.graph->nodes()) origins.insert(node->origin());
  std::vector<engine::ManifestOutside> left;
  for (size_t i = 0; i < parts.outside.size(); ++i) {
    if (origins.contains(parts.origins[i])) left.push_back(std::move(parts.outside[i]));
  }
  parts.outside = std::move(left);
}

Result<PieceList> compile_methods(
    const std::vector<std::pair<std::string, const Program*>>& methods,
    const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(check_names(methods));
  for (const auto& [name, program] : methods) {
    SLIPWAY_RETURN_IF_ERROR(program->file().check_unchanged());
  }
  std::vector<ir::Program> programs;
  programs.reserve(methods.size());
  for (const auto& [name, program] : methods) programs.push_back(program->ir().clone());
  SLIPWAY_RETURN_IF_ERROR(apply_limits(programs, options));
  SLIPWAY_RETURN_IF_ERROR(check_bounded(programs));

  const Builders builders = make_builders(options);
  std::vector<pte::Method> emitted;
  for (size_t i = 0; i < methods.size(); ++i) {
    ir::Program& program = programs[i];
    SLIPWAY_ASSIGN_OR_RETURN(ProgramEngines parts, take_parts(program, builders, options));
    const std::string remedy = slow_path_remedy(program, parts, options);
    SLIPWAY_RETURN_IF_ERROR(make_kernel_program(program, options));
    drop_folded(parts, program);
    warn_of_slow_path(program.source, parts, remedy, options);
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
  return pte::emit(emitted, {.tool_version = "slipway " SLIPWAY_VERSION,
                             .alloc_graph_output = options.alloc_graph_output});
}

Result<PieceList> bare_engine(const Program& program, const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(program.file().check_unchanged());
  std::vector<ir::Program> programs = {program.ir().clone()};
  SLIPWAY_RETURN_IF_ERROR(apply_limits(programs, options));
  SLIPWAY_ASSIGN_OR_RETURN(const ProgramEngines parts,
                           take_parts(programs[0], make_builders(options), options));
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

Status check_present(const Program* program) {
  if (program != nullptr && program->is_loaded()) return {};
  return invalid_argument("a Program is missing: it is null or was moved from");
}

Status make_functional(ir::Program& program, const CompileOptions& options) {
  return run_steps(kFunctionalSteps, program, options);
}

Status make_kernel_program(ir::Program& program, const CompileOptions& options) {
  return run_steps(kKernelSteps, program, options);
}

class Artefact::Impl {
 public:
  // Whether the archives still are what was compiled.
  Status check_sources() const {
    for (const FileIdentity& source : sources) SLIPWAY_RETURN_IF_ERROR(source.check_unchanged());
    return {};
  }
  // Everything that a user of the written bytes would trip over is found here.
  Status check(const OwnedSpan& bytes, const std::string& name) const {
    SLIPWAY_RETURN_IF_ERROR(check_sources());
    return is_pte ? check_readable(bytes, name) : Status();
  }

  PieceList pieces;  // keeps the archives mapped
  bool is_pte = true;
  std::vector<FileIdentity> sources;
};

Status Artefact::save(const std::string& path,
                      const std::function<void(uint64_t, uint64_t)>& progress) const {
  return guarded(path, [&]() -> Status {
    for (const FileIdentity& source : impl_->sources) {
      SLIPWAY_RETURN_IF_ERROR(source.check_not_output(path));
    }
    SLIPWAY_RETURN_IF_ERROR(impl_->check_sources());
    return write_file(path, impl_->pieces, progress,
                      [&](const OwnedSpan& bytes) { return impl_->check(bytes, path); });
  });
}

Result<std::vector<std::byte>> Artefact::to_memory() const {
  SLIPWAY_RETURN_IF_ERROR(impl_->check_sources());
  SLIPWAY_ASSIGN_OR_RETURN(auto bytes, write_to_memory(impl_->pieces));
  SLIPWAY_RETURN_IF_ERROR(impl_->check({bytes, nullptr}, "the compiled program"));
  return bytes;
}

uint64_t Artefact::size() const { return impl_->pieces.size(); }

Result<Artefact> compile_to_engine(const Program& program, const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(check_present(&program));
  SLIPWAY_ASSIGN_OR_RETURN(PieceList pieces, guarded(program.ir().source, [&] {
                             return bare_engine(program, options);
                           }));
  return Artefact(std::make_shared<const Artefact::Impl>(
      Artefact::Impl{std::move(pieces), /*is_pte=*/false, {program.file()}}));
}

Result<Artefact> compile(const Program& program, const CompileOptions& options) {
  return compile({{"forward", &program}}, options);
}

Result<Artefact> compile(const std::vector<std::pair<std::string, const Program*>>& methods,
                         const CompileOptions& options) {
  for (const auto& [name, program] : methods) SLIPWAY_RETURN_IF_ERROR(check_present(program));
  const std::string what = methods.empty() ? "compile" : methods[0].second->ir().source;
  SLIPWAY_ASSIGN_OR_RETURN(PieceList pieces,
                           guarded(what, [&] { return compile_methods(methods, options); }));
  std::vector<FileIdentity> sources;
  sources.reserve(methods.size());
  for (const auto& [name, program] : methods) sources.push_back(program->file());
  return Artefact(std::make_shared<const Artefact::Impl>(
      Artefact::Impl{std::move(pieces), /*is_pte=*/true, std::move(sources)}));
}

}  // namespace slipway
