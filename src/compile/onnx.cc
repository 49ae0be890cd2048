#include "base/guard.h"
#include "base/try.h"
#include "onnx/lowering.h"
#include "onnx/serializer.h"
#include "passes/passes.h"
#include "slipway/compile.h"

namespace slipway {

namespace {

Status lower_and_save(const Program& program, const std::string& path) {
  ir::Program functional = program.ir().clone();
  SLIPWAY_RETURN_IF_ERROR(passes::functionalize(functional));
  SLIPWAY_RETURN_IF_ERROR(passes::remove_no_ops(functional));
  SLIPWAY_RETURN_IF_ERROR(passes::remove_dead_code(functional));
  auto graph = onnx::lower(functional, onnx::LoweringOptions{});
  if (!graph.ok()) return graph.error().with_context(functional.source);
  return onnx::save(*graph, path);
}

}  // namespace

Status save_onnx(const Program& program, const std::string& path) {
  return guarded(program.ir().source, [&] { return lower_and_save(program, path); });
}

}  // namespace slipway
