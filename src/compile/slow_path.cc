#include "compile/slow_path.h"

#include <set>
#include <vector>

#include <fmt/format.h>

#include "engine/slow_path.h"
#include "onnx/lowering.h"
#include "partition/integer_ranges.h"

namespace slipway {

std::string slow_path_remedy(const ir::Program& program, const ProgramEngines& parts,
                             const CompileOptions& options) {
  if (parts.outside.empty() || options.allow_reduced_precision) return {};
  CompileOptions reduced = options;
  reduced.allow_reduced_precision = true;
  const Builders builders = make_builders(reduced);
  if (builders.empty()) return {};
  std::set<std::string> outside;
  for (const engine::ManifestOutside& node : parts.outside) {
    if (!node.reason.starts_with(engine::kExcluded)) outside.insert(node.name);
  }
  const onnx::LoweringOptions lowering = builders.front()->lowering();
  const partition::IntegerRanges ranges(program);
  size_t count = 0;
  for (const auto& node : program.graph->nodes()) {
    if (outside.contains(node->name()) && onnx::supports(program, *node, lowering) &&
        !builders.front()->why_unsupported(program, *node, ranges)) {
      ++count;
    }
  }
  if (count == 0) return {};
  return fmt::format("; --allow-reduced-precision takes in {} of them", count);
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
