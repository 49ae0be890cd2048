#include "compile/slow_path.h"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/core.h>

#include "engine/slow_path.h"
#include "onnx/lowering.h"
#include "partition/integer_ranges.h"

namespace slipway {

std::string slow_path_remedy(const ir::Program& program, const ProgramEngines& parts,
                             const CompileOptions& options) {
  if (parts.outside.empty() || options.allow_reduced_precision) return {};
  CompileOptions reduced = options;
  reduced.allow_reduced_precision = true;
  const auto exact_compilers = make_compilers(options);
  const auto compilers = make_compilers(reduced);
  if (!exact_compilers.ok() || !compilers.ok() || compilers->empty()) return {};
  std::set<std::string> outside;
  for (const engine::ManifestOutside& node : parts.outside) {
    if (!node.reason.starts_with(engine::kExcluded)) outside.insert(node.name);
  }
  const partition::IntegerRanges ranges(program);
  const auto is_taken = [&](const ir::Node& node, const auto& by) {
    return std::any_of(by.begin(), by.end(), [&](const auto& compiler) {
      const engine_build::Builder& builder = *compiler->builders().front();
      return onnx::supports(program, node, builder.lowering()) &&
             !builder.why_unsupported(program, node, ranges);
    });
  };
  size_t count = 0;
  for (const auto& node : program.graph->nodes()) {
    // One that the engine takes anyway is outside for another reason, such as a partition's size.
    if (outside.contains(node->name()) && is_taken(*node, *compilers) &&
        !is_taken(*node, *exact_compilers)) {
      ++count;
    }
  }
  if (count == 0) return {};
  return fmt::format("; option 'allow_reduced_precision' takes in {} of them", count);
}

void warn_of_slow_path(const std::string& source, const ProgramEngines& parts,
                       const std::string& remedy, const CompileOptions& options) {
  if (!options.on_warning) return;
  size_t inside = 0;
  for (const std::vector<std::string>& nodes : parts.nodes) inside += nodes.size();
  for (const std::string& line : engine::slow_path(parts.outside, inside)) {
    options.on_warning(fmt::format("{}: {}{}", source, line, remedy));
  }
}

}  // namespace slipway
