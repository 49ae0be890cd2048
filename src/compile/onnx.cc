#include <utility>

#include "base/file_writer.h"
#include "base/guard.h"
#include "base/try.h"
#include "compile/engines.h"
#include "compile/functional.h"
#include "compile/prepare.h"
#include "onnx/lowering.h"
#include "onnx/serializer.h"
#include "slipway/compile.h"

namespace slipway {

namespace {

Status lower_and_save(const Program& program, const std::string& path,
                      const CompileOptions& options) {
  for (const char* extension : {"", ".data"}) {
    SLIPWAY_RETURN_IF_ERROR(program.file().check_not_output(path + extension));
  }
  SLIPWAY_RETURN_IF_ERROR(program.file().check_unchanged());
  ir::Program functional = program.ir().clone();
  SLIPWAY_RETURN_IF_ERROR(make_functional(functional, {}));
  const Builders builders = make_builders(options);
  onnx::LoweringOptions lowering;
  // ONNX leaves the mean of nothing open, and ONNX Runtime gives 0; its products over nothing are
  // memory that nothing wrote.
  lowering.means_as_quotients = true;
  lowering.empty_products_apart = true;
  if (!builders.empty()) lowering = builders.front()->lowering();
  SLIPWAY_RETURN_IF_ERROR(prepare_for_lowering(functional, lowering));
  auto graph = onnx::lower(functional, lowering);
  if (!graph.ok()) return graph.error().with_context(functional.source);
  if (builders.empty()) return onnx::save(*graph, path);
  auto prepared = builders.front()->prepare(std::move(*graph));
  if (!prepared.ok()) return prepared.error().with_context(functional.source);
  return onnx::save(*prepared, path);
}

}  // namespace

Status save_onnx(const Program& program, const std::string& path, const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(check_present(&program));
  return guarded(program.ir().source, [&] { return lower_and_save(program, path, options); });
}

Status save_onnx(const Program& program, const std::string& path) {
  CompileOptions options;
  options.engine = EngineKind::kNone;
  return save_onnx(program, path, options);
}

}  // namespace slipway
