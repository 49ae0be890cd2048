// What an archive says of a tensor: type, sizes and strides, each a number or an expression.
//
// As everywhere in reading JSON, what is wrong is recorded in the document (json.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/json.h"
#include "ir/graph.h"
#include "ir/program.h"
#include "ir/sym_int.h"

namespace slipway::pt2 {

// torch.strided, as archives number layouts (torch/_export/serde/schema.py).
inline constexpr int64_t kStridedLayout = 7;
// Tensors of more dimensions are taken for damage.
inline constexpr size_t kMaxRank = 64;

// The archive's number of an element type (torch's ScalarType plus one, in the archive's own
// enumeration), or nothing for one that Slipway does not know.
std::optional<DType> dtype_from_scalar_type(int64_t scalar_type);
int64_t scalar_type_of(DType dtype);
DType read_dtype(JsonValue scalar_type);

// What the symbol of `expression` was at the export, by the hint of `as_expr`, which is the
// expression's; nothing where that does not tell.
std::optional<std::pair<std::string, int64_t>> symbol_hint(const ir::SymInt& expression,
                                                           JsonValue as_expr);

// Reads expressions, each distinct text once. Texts must outlive the reader.
class ExpressionReader {
 public:
  // {"as_int": 5} or {"as_expr": {"expr_str": ..., "hint": ...}}
  ir::SymInt read(JsonValue sym_int);
  // {"dtype": ..., "sizes": [...], "strides": [...], "layout": 7, ...}
  ir::TensorType read_tensor_type(JsonValue tensor_meta);
  // Of the symbols in what was read.
  const std::map<std::string, int64_t>& hints() const { return hints_; }

 private:
  std::unordered_map<std::string_view, ir::SymInt> parsed_;
  std::map<std::string, int64_t> hints_;
};

// The same for a stored tensor, whose sizes are numbers; `storage` is left empty.
ir::ConstantData read_constant_meta(JsonValue tensor_meta);

}  // namespace slipway::pt2
