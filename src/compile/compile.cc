#include "slipway/compile.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "base/piece_writer.h"
#include "base/try.h"
#include "compile/constant_evaluator.h"
#include "compile/symbol_bounds.h"
#include "ir/program.h"
#include "passes/passes.h"
#include "pte/emitter/emitter.h"

namespace slipway {

namespace {

struct Step {
  const char* name;
  Status (*run)(ir::Program&);
};

// What happens to a program between the archive and the file.
constexpr std::array kSteps = {
    Step{"functionalize", passes::functionalize},
    Step{"remove no-ops", passes::remove_no_ops},
    Step{"decompose", passes::decompose},
    Step{"remove what decomposing left over", passes::remove_no_ops},
    Step{"fold constants",
         [](ir::Program& program) { return passes::fold_constants(program, evaluate_constants); }},
    Step{"deduplicate", passes::deduplicate},
    Step{"remove dead code", passes::remove_dead_code},
};

Status run_steps(ir::Program& program, const CompileOptions& options) {
  for (const Step& step : kSteps) {
    if (options.on_step) options.on_step(step.name);
    SLIPWAY_RETURN_IF_ERROR(step.run(program));
    if (!options.verify_passes) continue;
    if (Status verified = ir::verify(program); !verified.ok()) {
      return internal_error("{}: the step \"{}\" left a program that is not sound: {}",
                            program.source, step.name, verified.error().message());
    }
  }
  return {};
}

Result<PieceList> compile_methods(
    const std::vector<std::pair<std::string, const Program*>>& methods,
    const CompileOptions& options) {
  std::vector<ir::Program> programs;
  programs.reserve(methods.size());
  for (const auto& [name, program] : methods) programs.push_back(program->ir().clone());
  SLIPWAY_RETURN_IF_ERROR(apply_bounds(programs, options.bounds));

  std::vector<pte::Method> emitted;
  for (size_t i = 0; i < methods.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(run_steps(programs[i], options));
    emitted.push_back({methods[i].first, &programs[i], methods[i].second->source_sha256()});
  }
  if (options.on_step) options.on_step("plan memory");
  return pte::emit(emitted, {.tool_version = "slipway " SLIPWAY_VERSION});
}

}  // namespace

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
