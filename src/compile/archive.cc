#include "compile/archive.h"

#include <utility>
#include <variant>
#include <vector>

#include "base/try.h"
#include "compile/compilers.h"
#include "compile/engines.h"
#include "compile/functional.h"
#include "compile/output.h"
#include "compile/program_impl.h"
#include "engine/record.h"
#include "engine_build/compiler.h"
#include "engine_list/compilers/registry.h"
#include "ir/queries.h"
#include "passes/passes.h"
#include "pt2/program_writer.h"

namespace slipway {

namespace {

// The tensor in whose memory a call of an engine has a result.
passes::EngineMemory memory_of_results(const std::vector<engine::Engine>& engines) {
  return [&](const ir::Value& result) -> const ir::Value* {
    const ir::Node& call = *result.producer();
    const auto index = std::get<ir::SymInt>(call.arg(0)).constant();
    const auto& inputs = std::get<std::vector<ir::Value*>>(call.arg(1));
    for (const engine::EngineAlias& alias :
         engines.at(static_cast<size_t>(*index)).record.aliases) {
      if (call.output(alias.output) == &result) return inputs.at(alias.input);
    }
    return nullptr;
  };
}

// Engines in place of parts of the program: the operators that call them.
Result<engine_build::ArchiveCalls> put_engines(ir::Program& program, const Compilers& compilers,
                                               const CompileOptions& options) {
  // Calls that are there already are operators like others.
  SLIPWAY_ASSIGN_OR_RETURN(const ProgramEngines parts, take_parts(program, {}, compilers, options));
  if (options.on_step) options.on_step(kFitPyTorch);
  SLIPWAY_RETURN_IF_ERROR(passes::for_pytorch(program, memory_of_results(parts.engines)));
  const EngineChoice& engine = options.engines.front();
  SLIPWAY_ASSIGN_OR_RETURN(
      auto calls,
      engine_list::find_compiler(engine.name)->put_engines(program, parts.engines, engine.options));
  warn_of_built(options, engine.name, calls.found, program.source);
  SLIPWAY_RETURN_IF_ERROR(look_at(program, kFitPyTorch, options));
  return calls;
}

}  // namespace

Result<ProgramArchive> write_archive(const Program& program, const CompileOptions& options) {
  std::vector<ir::Program> programs = {Program::Impl::of(program).ir.clone()};
  SLIPWAY_ASSIGN_OR_RETURN(const Compilers compilers, make_compilers(options));
  SLIPWAY_RETURN_IF_ERROR(apply_limits(programs, compilers, options));
  ProgramArchive archive;
  pt2::WriteOptions written;
  if (!compilers.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(auto calls, put_engines(programs[0], compilers, options));
    for (auto& [op, parameters] : calls.operators) {
      written.operators[op] = {.parameters = std::move(parameters), .gives_list = true};
    }
    written.objects = std::move(calls.objects);
    archive.engines = calls.engines;
    archive.engine_bytes = calls.engine_bytes;
  }
  archive.nodes = ir::count_nodes(*programs[0].graph);
  if (options.on_step) options.on_step("describe the program");
  SLIPWAY_ASSIGN_OR_RETURN(archive.bytes, pt2::write_program(programs[0], written));
  return archive;
}

}  // namespace slipway
