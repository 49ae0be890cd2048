// PyTorch's operator schemas, as torch prints them:
// "aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor".
//
// Everything here is immutable after the first use and safe to read from several threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "slipway/result.h"

namespace slipway::schema {

enum class BaseType : uint8_t {
  kTensor,
  kInt,  // int and SymInt
  kFloat,
  kBool,
  kScalar,  // int, float, bool
  kString,
  kScalarType,
  kLayout,
  kMemoryFormat,
  kDevice,
  kGenerator,
  kOther,  // anything else; `name` has it
};

struct Type {
  BaseType base = BaseType::kTensor;
  std::string name;             // as written, without modifiers
  bool list = false;            // T[], T[2]
  bool optional = false;        // T?, and T[]? for a list
  bool optional_items = false;  // T?[]
  int64_t list_size = 0;        // 2 for int[2]: one item stands for all
  std::string alias;            // "a" for Tensor(a), "a!" for Tensor(a!); "" for none
  bool is_mutable() const { return !alias.empty() && alias.find('!') != std::string::npos; }
};

struct NoDefault {
  bool operator==(const NoDefault&) const = default;
};
struct NoneDefault {
  bool operator==(const NoneDefault&) const = default;
};
// Enumerations (contiguous_format, float32, strided, Mean) are their names.
using Default = std::variant<NoDefault, NoneDefault, int64_t, double, bool, std::string,
                             std::vector<int64_t>, std::vector<double>, std::vector<bool>>;

struct Parameter {
  std::string name;
  Type type;
  Default default_value;
  bool keyword_only = false;
  bool is_out = false;  // in the out-argument group: keyword-only and Tensor(x!)
};

struct Schema {
  std::string name;      // "aten::add"
  std::string overload;  // "Tensor"; "" for the default one
  std::vector<Parameter> parameters;
  std::vector<Type> returns;
  std::string text;

  // "aten.add.Tensor", "aten.relu.default"
  std::string target() const;
  // Index of the parameter of this name.
  std::optional<size_t> find(std::string_view parameter) const;
};

Result<Schema> parse(std::string_view text);

// The functional and in-place operators that Slipway knows, by PyTorch's name of the target
// ("aten.add.Tensor", "quantized_decomposed.quantize_per_tensor.default"), or null.
const Schema* find_operator(std::string_view target);
// All of them, in the table's order.
const std::vector<Schema>& operators();

// The kernels of ExecuTorch's optimized, portable and quantized libraries and its primitive
// operators, by name and overload ("aten::add", "out"), or null.
const Schema* find_kernel(std::string_view name, std::string_view overload);
// The kernel that computes a functional operator ("aten.add.Tensor" -> aten::add.out): the one of
// the same name whose parameters without the out-arguments are the operator's, apart from those
// that say how a new tensor is made (dtype, layout, device, pin_memory), which the out-argument
// says. Null where there is none.
const Schema* kernel_for(std::string_view target);
// All of them, in the table's order.
const std::vector<Schema>& kernels();

}  // namespace slipway::schema
