#include "pte/emitter/symbols.h"

#include <string>

namespace slipway::pte {

namespace {

using Operation = ir::SymbolValues::Operation;

// ExecuTorch's primitive.
const char* primitive(Operation operation) {
  switch (operation) {
    case Operation::kAdd:
      return "add";
    case Operation::kSub:
      return "sub";
    case Operation::kMul:
      return "mul";
    case Operation::kFloorDiv:
      return "floordiv";
    case Operation::kMod:
      return "mod";
    case Operation::kMin:
      return "sym_min";
    case Operation::kMax:
      return "sym_max";
  }
  return "";
}

}  // namespace

int32_t Symbols::size(int32_t tensor, int64_t dim) {
  const int32_t result = plan_.add(int64_t{0});
  plan_.call_on_sizes("aten::sym_size", "int", {tensor, plan_.integer(dim), result});
  return result;
}

int32_t Symbols::binary(Operation operation, int32_t a, int32_t b) {
  const int32_t result = plan_.add(int64_t{0});
  plan_.call(std::string("executorch_prim::") + primitive(operation), "Scalar", {a, b, result});
  return result;
}

Result<int32_t> Symbols::scale(int32_t a, double factor) {
  const int32_t product = binary(Operation::kMul, a, plan_.real(factor));
  const int32_t result = plan_.add(int64_t{0});
  plan_.call("executorch_prim::trunc", "Scalar", {product, result});
  return result;
}

}  // namespace slipway::pte
