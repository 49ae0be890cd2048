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
  return passes::decompose_for_engine(program, engine);
}

}  // namespace

Status prepare_for_engine(ir::Program& program, const build::Builder& builder,
                          const CompileOptions& options) {
  const partition::Options excluded{.exclude_ops = options.exclude_ops,
                                    .exclude_nodes = options.exclude_nodes};
  SLIPWAY_RETURN_IF_ERROR(partition::check_exclusions(program, excluded));
  const onnx::LoweringOptions lowering = builder.lowering();
  partition::IntegerRanges ranges(program);
  const passes::EngineChoice engine{
      .takes =
          [&](const ir::Node& node) {
            ranges.add(node);
            return onnx::supports(program, node, lowering) &&
                   !builder.why_unsupported(program, node, ranges);
          },
      .is_excluded =
          [&](const ir::Node& node) {
            return partition::why_excluded(node, excluded).has_value();
          }};
  return prepare(program, engine);
}

Status prepare_for_lowering(ir::Program& program, const onnx::LoweringOptions& lowering) {
  return prepare(
      program,
      {.takes = [&](const ir::Node& node) { return onnx::supports(program, node, lowering); },
       .is_excluded = [](const ir::Node&) { return false; }});
}

}  // namespace slipway
