// Which element types ExecuTorch's kernels compute, as found by calling them (kernel_types.txt).
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "schema/schema.h"
#include "slipway/tensor.h"

namespace slipway::schema {

// The type that a kernel's parameter of this name has whatever the others are: of indices and
// masks.
std::optional<DType> fixed_type_of(std::string_view parameter);

// Whether the kernel makes results of a type from operands of another; nothing for operands where
// it has none. True as well for a kernel that the table does not list.
bool computes(const Schema& kernel, std::optional<DType> operands, DType result);

// The table itself: a line such as "aten::abs.out integers -> =; float32 -> floats" for each
// kernel, where = is the operands' type.
std::string_view kernel_types_text();

// Names in it that stand for several types.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kTypeGroups = {{
    {"integers", "uint8,int8,int16,int32,int64"},
    {"floats", "float16,bfloat16,float32,float64"},
}};

}  // namespace slipway::schema
