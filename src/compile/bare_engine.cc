#include "compile/bare_engine.h"

#include <utility>

#include "base/guard.h"
#include "base/try.h"
#include "compile/artefact.h"
#include "compile/functional.h"
#include "pte/emitter/emitter.h"
#include "slipway/version.h"

namespace slipway {

Result<Artefact> wrap_engine(const OwnedSpan& engine, const std::string& name,
                             const engine_build::CompilerDescription& compiler,
                             const engine_build::OptionValues& options) {
  return guarded(name, [&]() -> Result<Artefact> {
    auto bare = compiler.open_bare(engine, options);
    if (!bare.ok()) return bare.error().with_context(name);
    ir::Program& program = bare->program;
    program.source = name;
    SLIPWAY_RETURN_IF_ERROR(make_kernel_program(program, {}));
    pte::Method method = {.name = "forward",
                          .program = &program,
                          .source_sha256 = bare->engine.record.sha256,
                          .engine_nodes = {{}}};
    method.engines.push_back(std::move(bare->engine));
    Artefact::Impl artefact;
    SLIPWAY_ASSIGN_OR_RETURN(
        artefact.pieces,
        pte::emit({method}, {.tool_version = std::string("slipway ") + version()}));
    artefact.is_pte = true;
    return Artefact::Impl::make(std::move(artefact));
  });
}

}  // namespace slipway
