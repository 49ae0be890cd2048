// Which of PyTorch's operators compile, as the tables that decide it have it.
#pragma once

#include <string>
#include <vector>

namespace slipway::passes {

struct SupportedOperator {
  std::string target;  // "aten.silu.default"
  // What it takes: a kernel of ExecuTorch's, a rule that expresses it by other operators, or either
  // of them, depending on its arguments.
  bool has_kernel = false;
  bool has_rule = false;
};

// Functional operators, sorted. Their in-place and view forms become these before.
std::vector<SupportedOperator> supported_operators();

}  // namespace slipway::passes
