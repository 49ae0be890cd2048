// Grids that say where to sample an image and hold NaN or infinities.
#include <limits>
#include <vector>

#include "base/try.h"
#include "ir/arguments.h"
#include "ir/op_builder.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Node;
using ir::Value;

enum Mode : uint8_t { kBilinear, kNearest, kBicubic };
enum Padding : uint8_t { kZeros, kBorder, kReflection };

bool samples_images(const Node& node) {
  const bool is_sampler =
      node.op() == "aten.grid_sampler.default" || node.op() == "aten.grid_sampler_2d.default";
  return is_sampler && node.value(0)->rank() == 4;
}

Value* guarded_grid(ir::OpBuilder& b, const Node& node) {
  if (!samples_images(node)) return nullptr;
  const ir::Arguments arguments(node);
  const auto mode = arguments.constant(2);
  const auto padding = arguments.constant(3);
  if (!mode || !padding) return nullptr;
  Value* grid = node.value(1);
  Value* is_finite = b.lt(b.abs(grid), std::numeric_limits<double>::infinity());
  const auto number = [&](double value) { return b.scalar_tensor(value, grid->dtype()); };
  const bool gives_nan = mode == kBicubic || (mode == kBilinear && padding == kZeros);
  Value* instead = number(0);
  if (padding == kZeros && !gives_nan) instead = number(3);  // outside of the image
  if (padding == kReflection) instead = number(-1);
  if (padding == kBorder) instead = b.where(b.gt(grid, 0.0), number(1), number(-1));
  std::vector<ir::Argument> sampled = node.args();
  sampled[1] = b.where(is_finite, grid, instead);
  Value* result = b.call(node.op(), sampled, node.output()->type());
  if (!gives_nan) return result;
  Value* finite = b.sum(b.where(is_finite, number(1), number(0)), {-1});
  return b.where(b.unsqueeze(b.gt(finite, 1.5), 1), result,
                 number(std::numeric_limits<double>::quiet_NaN()));
}

}  // namespace

Status guard_grids(ir::Program& program) {
  SLIPWAY_RETURN_IF_ERROR(rewrite_nodes(*program.graph, guarded_grid));
  return remove_dead_code(program);
}

}  // namespace slipway::passes
