// The one table of what is lowered: for each operator the rule that writes it in ONNX. What is
// supported and the documentation derive from it; there is no second list.
//
// The tables are immutable and safe to read from several threads.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "onnx/context.h"

namespace slipway::onnx {

using Rule = void (*)(Context&);

struct Entry {
  const char* targets;  // separated by spaces; ".default" may be left out
  Rule rule;
  const char* note = "";  // what is not covered, for the documentation
};

// A family each, in ops/.
std::span<const Entry> elementwise_rules();
std::span<const Entry> binary_rules();
std::span<const Entry> activation_rules();
std::span<const Entry> matmul_rules();
std::span<const Entry> conv_rules();
std::span<const Entry> pool_rules();
std::span<const Entry> resize_rules();
std::span<const Entry> norm_rules();
std::span<const Entry> reduce_rules();
std::span<const Entry> shape_rules();
std::span<const Entry> pad_rules();
std::span<const Entry> index_rules();
std::span<const Entry> scatter_rules();
std::span<const Entry> create_rules();
std::span<const Entry> attention_rules();
std::span<const Entry> recurrent_rules();
std::span<const Entry> quantized_rules();
std::span<const Entry> symbolic_rules();

struct Family {
  const char* name;
  std::span<const Entry> entries;
};
const std::vector<Family>& families();

// Operators of PyTorch's core set that are left out, and why.
struct Exception {
  const char* targets;
  const char* reason;
};
std::span<const Exception> exceptions();

// The entry of "aten.silu.default", or null.
const Entry* find_entry(std::string_view target);
// All targets of an entry, with their overloads.
std::vector<std::string> targets(const Entry& entry);

}  // namespace slipway::onnx
