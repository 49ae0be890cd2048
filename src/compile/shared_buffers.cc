#include "compile/shared_buffers.h"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "ir/equal_constants.h"
#include "ir/queries.h"
#include "passes/passes.h"

namespace slipway {

namespace {

// The first method that has a buffer, and its initial value.
struct SharedBuffer {
  const std::string& method;
  const ir::ConstantData& data;
};

std::string type_of(const ir::ConstantData& data) { return format_type(data.dtype, data.sizes); }

Status check_same(const std::string& name, const SharedBuffer& first, const SharedBuffer& other) {
  const auto differ = [&](const std::string& how) {
    return invalid_argument(
        "methods {} and {} can't share the buffer '{}' (option 'share_buffers'): {}", first.method,
        other.method, name, how);
  };
  if (type_of(first.data) != type_of(other.data)) {
    return differ(fmt::format("it is {} in one and {} in the other", type_of(first.data),
                              type_of(other.data)));
  }
  ir::EqualConstants constants;
  SLIPWAY_ASSIGN_OR_RETURN(const size_t a, constants.add(first.data));
  SLIPWAY_ASSIGN_OR_RETURN(const size_t b, constants.add(other.data));
  if (a == b) return {};
  return differ("it begins with other values: export both of one model in one state");
}

}  // namespace

Status share_buffers(std::vector<ir::Program>& programs, const NamedPrograms& methods,
                     const CompileOptions& options) {
  std::set<std::string> changed;
  for (ir::Program& program : programs) {
    for (const auto step : {passes::inline_regions, passes::merge_checks, passes::functionalize}) {
      SLIPWAY_RETURN_IF_ERROR(step(program));
    }
    changed.merge(ir::mutated_targets(program));
  }
  std::map<std::string, SharedBuffer> buffers;
  bool any = false;
  for (size_t i = 0; i < programs.size(); ++i) {
    ir::Program& program = programs[i];
    const std::set<std::string> own = ir::mutated_targets(program);
    for (const ir::Input& input : program.inputs) {
      if (!input.value || !input.data || !changed.contains(input.target)) continue;
      const SharedBuffer buffer = {methods[i].first, *input.data};
      const auto [first, is_new] = buffers.try_emplace(input.target, buffer);
      if (!is_new) {
        SLIPWAY_RETURN_IF_ERROR(check_same(input.target, first->second, buffer));
        any = true;
      }
      if (own.contains(input.target)) continue;
      program.outputs.insert(program.outputs.begin(),
                             {ir::OutputKind::kBufferMutation, input.target});
      auto& outputs = program.graph->outputs();
      outputs.insert(outputs.begin(), ir::Argument(input.value));
    }
  }
  if (!any && options.on_warning) {
    options.on_warning(
        "option 'share_buffers' has no effect: no two methods have a buffer of one name "
        "that one of them changes");
  }
  return {};
}

}  // namespace slipway
