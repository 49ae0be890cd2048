#include "compile/onnx.h"

#include <utility>

#include "base/try.h"
#include "compile/compilers.h"
#include "compile/functional.h"
#include "compile/prepare.h"
#include "compile/program_impl.h"
#include "onnx/lowering.h"

namespace slipway {

namespace {

// For tools of any kind.
onnx::LoweringOptions any_tool() {
  onnx::LoweringOptions lowering;
  // ONNX leaves the mean of nothing open, and ONNX Runtime gives 0; its products over nothing are
  // memory that nothing wrote.
  lowering.means_as_quotients = true;
  lowering.empty_products_apart = true;
  // It leaves open where NaN sorts, and ONNX Runtime puts the rest of such rows anywhere, too.
  lowering.sort_nan_by_key = true;
  return lowering;
}

}  // namespace

Result<onnx::Graph> lower_to_onnx(const Program& program, const CompileOptions& options) {
  ir::Program functional = Program::Impl::of(program).ir.clone();
  SLIPWAY_RETURN_IF_ERROR(make_functional(functional, options));
  Compilers compilers;
  if (options.output == Output::kEngineOnnx) {
    SLIPWAY_ASSIGN_OR_RETURN(compilers, make_compilers(options));
  }
  const auto* builder = compilers.empty() ? nullptr : compilers.front()->builders().front().get();
  const onnx::LoweringOptions lowering = builder == nullptr ? any_tool() : builder->lowering();
  if (options.on_step) options.on_step(kPrepare);
  SLIPWAY_RETURN_IF_ERROR(prepare_for_lowering(functional, lowering));
  SLIPWAY_RETURN_IF_ERROR(look_at(functional, kPrepare, options));
  if (options.on_step) options.on_step("lower to ONNX");
  auto graph = onnx::lower(functional, lowering);
  if (graph.ok() && builder != nullptr) graph = builder->prepare(std::move(*graph));
  if (!graph.ok()) return graph.error().with_context(functional.source);
  return graph;
}

}  // namespace slipway
