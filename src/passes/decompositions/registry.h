// The one table of what decompose rewrites: for each operator, the rule that expresses it by
// others. What the kernels run as it is needs no entry. The list of supported operators and its
// documentation derive from this table and from schema::kernel_for; there is no second list.
//
// The tables are immutable and safe to read from several threads.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "passes/decompositions/context.h"

namespace slipway::passes::decompositions {

// What stands for the node's outputs, one each; null for one that the rule does not compute, which
// is an error where something uses it. Nothing at all: the node stays as it is.
using Values = std::vector<ir::Value*>;
// Adds nodes through the context, in terms of any operator that has a kernel or a rule of its own.
using Rule = Values (*)(Context&);

struct Entry {
  const char* targets;  // separated by spaces; ".default" may be left out
  Rule rule;
};

// A family each, beside its rules.
std::span<const Entry> activation_rules();
std::span<const Entry> attention_rules();
std::span<const Entry> binary_rules();
std::span<const Entry> bit_rules();
std::span<const Entry> complex_rules();
std::span<const Entry> complex_arithmetic_rules();
std::span<const Entry> convolution_rules();
std::span<const Entry> counting_rules();
std::span<const Entry> creation_rules();
std::span<const Entry> detection_rules();
std::span<const Entry> difference_rules();
std::span<const Entry> fourier_rules();
std::span<const Entry> grouped_product_rules();
std::span<const Entry> half_rules();
std::span<const Entry> index_rules();
std::span<const Entry> linear_algebra_rules();
std::span<const Entry> loop_rules();
std::span<const Entry> loss_rules();
std::span<const Entry> matmul_rules();
std::span<const Entry> normalization_rules();
std::span<const Entry> pad_rules();
std::span<const Entry> pooling_rules();
std::span<const Entry> quantized_rules();
std::span<const Entry> recurrent_rules();
std::span<const Entry> reduction_rules();
std::span<const Entry> resize_rules();
std::span<const Entry> scatter_rules();
std::span<const Entry> shape_rules();
std::span<const Entry> sort_rules();
std::span<const Entry> special_rules();
std::span<const Entry> unary_rules();

// What the rule gives. A rule looks at sizes and lists with at(): one that is shorter than the
// operator needs makes the context unsupported().
Values apply(Rule rule, Context& context);

// The rule of "aten.silu.default", or null.
Rule find(std::string_view target);
// The rules for calls that have complex tensors, and float16 or bfloat16 ones, which go before
// find()'s; or null.
Rule find_complex(std::string_view target);
Rule find_half(std::string_view target);
// Whether the operator's kernel is right for tensors of one complex type.
bool has_complex_kernel(std::string_view target);
// Every target that has a rule, sorted.
std::vector<std::string> targets();

// Operators on symbolic numbers, which become instructions rather than kernel calls.
bool is_symbolic(std::string_view target);

}  // namespace slipway::passes::decompositions
