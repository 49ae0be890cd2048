// From ATen to ONNX. One table-driven registry of operators (registry.h) does it, and what is
// supported and documented derives from that table.
//
// Takes operators as torch.export has them, in the training or the core IR, after functionalize and
// remove_no_ops; no decomposition is needed. Functions here may be called from several threads.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ir/program.h"
#include "onnx/graph.h"
#include "slipway/result.h"

namespace slipway::onnx {

// The baseline. Newer operators are used only where `fused` names them.
inline constexpr int64_t kBaselineOpset = 20;

// How a graph holds quantized values that nothing but dequantization reads.
enum class QuantizedValues : uint8_t {
  kAsGiven,    // in the program's types
  kUnsigned,   // int8 as uint8, higher by 128: for engines whose products in 8 bits take no other
  kFloat32,    // as float32
  kSymmetric,  // int8 with a zero point of 0; others as float32: for engines that have no other
};

struct LoweringOptions {
  // Of the graph; at least kBaselineOpset, and what the fused operators need.
  int64_t opset = kBaselineOpset;
  // Operators that stay one node where they can: Gelu, HardSwish, LayerNormalization, Mish, Cast
  // (that to a half type, by which round_halves rounds), GroupNormalization (opset 21),
  // RMSNormalization (23), Attention (23), TensorScatter (24; where it changes a buffer that
  // nothing else reads, [batch, heads, positions, width]), ATen (embedding_bag, of sums),
  // FakeQuantizeRows (ir::kFakeQuantizeRows; with it DequantizeLinear has a block_size where a
  // weight has scales of groups, and bits, 4, where its levels have no more). Others are written as
  // their parts.
  std::set<std::string> fused = {"Gelu", "HardSwish", "LayerNormalization", "Mish"};
  // But for kAsGiven, QuantizeLinear is used for these values alone: it rounds halves otherwise
  // than PyTorch, whose steps are written for values that are read otherwise.
  QuantizedValues quantized = QuantizedValues::kAsGiven;
  // Bring indices into their range, for engines that would read or write outside of the tensor
  // where PyTorch makes an error of one.
  bool clamp_indices = false;
  // Compute float16 and bfloat16 in float32 and round what each operator gives, as PyTorch does,
  // for engines that would leave the rounding out. Inputs, outputs and weights keep their types.
  bool round_halves = false;
  // Keep extrema of nothing but infinities infinite, for engines that make them the largest finite
  // numbers.
  bool keep_infinite_extrema = false;
  // Cut what is expanded to a size that may be 0 to at most that size, for engines that make 1 of
  // it.
  bool slice_before_expand = false;
  // The sizes that a reshape is given and that may be 0 are no sizes of its operand as they are,
  // for engines that then take them for such that stay.
  bool reshape_sizes_apart = false;
  // Means over sizes that may be 0 are sums divided by counts, for engines and runtimes whose mean
  // of nothing is 0.
  bool means_as_quotients = false;
  // Nothing is joined to a product over a size that may be 0, for engines that fail at it, and what
  // it gives is not read, for runtimes that leave it unwritten.
  bool empty_products_apart = false;
  // Choices between integers are products with the condition where sizes are dynamic, for engines
  // that choose in float32 behind a comparison.
  bool choices_as_products = false;
  // What a reduction of integers gives is read twice, by a maximum with itself, for engines that
  // join the next operator to it and then compute that for a part of the elements.
  bool integer_reductions_apart = false;
  // What orders floats is given keys in which NaN is the largest number, for engines that put it
  // elsewhere, and others with it. The two largest finite float32 have one key.
  bool sort_nan_by_key = false;
};

// A part of a program's graph. Constants of the program that the nodes use need not be named.
struct Part {
  std::vector<const ir::Node*> nodes;    // in topological order
  std::vector<const ir::Value*> inputs;  // in the order of the graph's inputs
  std::vector<const ir::Value*> outputs;
};

// The whole program. Its user inputs and then the state that it changes are the graph's inputs; its
// user outputs and then that state are the outputs. Literals among the outputs have none. The error
// lists every node that can't be lowered, with its reason and source line.
Result<Graph> lower(const ir::Program& program, const LoweringOptions& options);
Result<Graph> lower(const ir::Program& program, const Part& part, const LoweringOptions& options);

// Why a node can't be lowered; nothing for one that can.
std::optional<std::string> why_unsupported(const ir::Program& program, const ir::Node& node,
                                           const LoweringOptions& options);
inline bool supports(const ir::Program& program, const ir::Node& node,
                     const LoweringOptions& options) {
  return !why_unsupported(program, node, options);
}

// A Markdown page of what the registry holds, and of what it leaves out and why.
std::string document_operators();

}  // namespace slipway::onnx
