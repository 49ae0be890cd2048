#include "passes/supported_operators.h"

#include <algorithm>

#include "passes/decompositions/registry.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "schema/schema.h"

namespace slipway::passes {

std::vector<SupportedOperator> supported_operators() {
  std::vector<SupportedOperator> result;
  for (const schema::Schema& op : schema::operators()) {
    const std::string target = op.target();
    const bool has_kernel = !is_random(target) && schema::kernel_for(target) != nullptr;
    const bool has_rule = decompositions::find(target) || decompositions::find_complex(target) ||
                          decompositions::find_half(target) || is_drawn(target);
    if (has_kernel || has_rule) result.push_back({target, has_kernel, has_rule});
  }
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.target < b.target; });
  return result;
}

}  // namespace slipway::passes
