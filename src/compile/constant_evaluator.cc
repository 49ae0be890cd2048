#include "compile/constant_evaluator.h"

#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "pte/emitter/emitter.h"
#include "slipway/module.h"

namespace slipway {

Result<std::vector<ir::ConstantData>> evaluate_constants(const ir::Program& program) {
  SLIPWAY_ASSIGN_OR_RETURN(const PieceList pieces, pte::emit({{"forward", &program, ""}}, {}));
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<std::byte> file, write_to_memory(pieces));
  SLIPWAY_ASSIGN_OR_RETURN(const Module module,
                           Module::load(std::move(file), "the constants of " + program.source));
  SLIPWAY_ASSIGN_OR_RETURN(const Method method, module.method());
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Value> outputs, method.run(std::span<const Value>()));
  std::vector<ir::ConstantData> result;
  for (const Value& output : outputs) {
    const auto* tensor = std::get_if<Tensor>(&output);
    if (!tensor) {
      return internal_error("a constant of {} is {}, not a tensor", program.source,
                            format_value_type(output));
    }
    ir::ConstantData data;
    data.dtype = tensor->dtype();
    data.sizes = tensor->sizes();
    const std::vector<ir::SymInt> sizes(data.sizes.begin(), data.sizes.end());
    for (const ir::SymInt& stride : ir::contiguous_strides(sizes)) {
      data.strides.push_back(*stride.constant());
    }
    const auto bytes = tensor->bytes();
    data.storage = own_bytes(std::vector<std::byte>(bytes.begin(), bytes.end()));
    result.push_back(std::move(data));
  }
  return result;
}

}  // namespace slipway
