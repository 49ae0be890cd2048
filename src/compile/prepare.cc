#include "compile/prepare.h"

#include <utility>
#include <vector>

#include "base/try.h"
#include "compile/constant_evaluator.h"
#include "onnx/lowering.h"
#include "partition/exclusions.h"
#include "partition/integer_ranges.h"
#include "partition/partition.h"
#include "passes/passes.h"

namespace slipway {

namespace {

Result<std::vector<ir::ConstantData>> evaluate_functional(const ir::Program& functional) {
  ir::Program program = functional.clone();
  SLIPWAY_RETURN_IF_ERROR(passes::decompose(program));
  SLIPWAY_RETURN_IF_ERROR(passes::guard_empty_products(program));
  SLIPWAY_RETURN_IF_ERROR(passes::remove_no_ops(program));
  return evaluate_constants(program);
}

Status prepare(ir::Program& program, const passes::EngineChoice& engine) {
  SLIPWAY_RETURN_IF_ERROR(passes::fold_for_engine(program, evaluate_functional, engine));
  SLIPWAY_RETURN_IF_ERROR(passes::read_masks_as_floats(program, engine));
  SLIPWAY_RETURN_IF_ERROR(passes::decompose_for_engine(program, engine));
  // Rules make more constants.
  return passes::fold_for_engine(program, evaluate_functional, engine);
}

}  // namespace

Status prepare_for_engines(ir::Program& program, const Compilers& compilers,
                           const CompileOptions& options) {
  const partition::Options excluded = exclusions(options);
  SLIPWAY_RETURN_IF_ERROR(partition::check_exclusions(program, excluded));
  // Nodes that stand for many are for the first engine alone: others take the many.
  constexpr const char* kFakeQuantizeRows = "FakeQuantizeRows";
  std::vector<onnx::LoweringOptions> lowerings;
  lowerings.reserve(compilers.size());
  for (const auto& compiler : compilers) {
    lowerings.push_back(compiler->builders()[0]->lowering());
    if (lowerings.size() > 1) lowerings.back().fused.erase(kFakeQuantizeRows);
  }
  partition::IntegerRanges ranges(program);
  const auto any_engine = [&](const auto& holds) {
    for (size_t i = 0; i < compilers.size(); ++i) {
      if (holds(i, *compilers[i]->builders()[0])) return true;
    }
    return false;
  };
  const passes::EngineChoice engine{
      .takes =
          [&](const ir::Node& node) {
            ranges.add(node);
            return any_engine([&](size_t i, const engine_build::Builder& builder) {
              return !partition::why_excluded(node, excluded, i) &&
                     onnx::supports(program, node, lowerings[i]) &&
                     !builder.why_unsupported(program, node, ranges);
            });
          },
      .is_excluded =
          [&](const ir::Node& node) {
            return !any_engine([&](size_t i, const engine_build::Builder&) {
              return !partition::why_excluded(node, excluded, i);
            });
          },
      .is_left_whole =
          [&](const ir::Node& node) {
            return any_engine([&](size_t, const engine_build::Builder& builder) {
              return builder.is_left_whole(node);
            });
          },
      .packs_decomposed_weights =
          !compilers.empty() && compilers.front()->builders()[0]->packs_decomposed_weights()};
  if (!lowerings.empty() && lowerings.front().fused.contains(kFakeQuantizeRows)) {
    SLIPWAY_RETURN_IF_ERROR(
        passes::gather_row_quantization(program, engine, options.allow_reduced_precision));
  }
  return prepare(program, engine);
}

Status prepare_for_lowering(ir::Program& program, const onnx::LoweringOptions& lowering) {
  return prepare(
      program,
      {.takes = [&](const ir::Node& node) { return onnx::supports(program, node, lowering); },
       .is_excluded = [](const ir::Node&) { return false; }});
}

}  // namespace slipway
