// Rewrites of a program, one a file; compile/ says in which order they are applied. Each leaves a
// program that ir::verify accepts.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::passes {

// Sub-graphs that only stand under a setting (torch.no_grad, torch.autocast, invoke_subgraph,
// hints_wrapper, checkpoints) become nodes of the graph around them, with the casts that autocast
// makes.
Status inline_regions(ir::Program& program);

// Checks of what a factorization says of its errors, which PyTorch keeps in order by tokens, become
// an argument of the factorization.
Status merge_checks(ir::Program& program);

// In-place operators and mutations through views become functional operators; what a buffer or a
// user input holds at the end becomes a declared mutation output. Afterwards no operator aliases or
// mutates as far as the graph can tell: views are functions of their input, strides are empty
// (every tensor counts as contiguous), and memory formats mean nothing.
Status functionalize(ir::Program& program);

// What torch.vmap leaves in the training dialect, marks around nodes on one element of a batch,
// becomes nodes on the whole batch, or loops over it where no rule has the operator. An error names
// a node whose results are no tensors, or whose random numbers are not known for the batch.
Status remove_vmaps(ir::Program& program);

// Dropout (in inference), detach, alias, lift_fresh_copy, contiguous, clones, conversions to the
// same type, views and permutations that change nothing, assertions that are known to hold. One
// that is known to fail is an error; one that can't be known here is removed, because PyTorch's own
// guards stay outside exported programs too.
Status remove_no_ops(ir::Program& program);

// Numbers of 8 bits (float8) become wider ones: constants float16, and what the program converts to
// them float32 that is rounded as PyTorch rounds. An error names the node that does more with them
// than converting and viewing.
Status expand_float8(ir::Program& program);

// What is quantized by numbers that are known only when it runs (choose_qparams, one for the tensor
// or for each token, and what quantizes and dequantizes by them) becomes the float32 steps that
// PyTorch takes.
Status expand_dynamic_quantization(ir::Program& program);

// Large constants that have the same numbers again and again, by strides of 0, become expansions of
// what they have once.
Status narrow_constants(ir::Program& program);

// Batched products (bmm, matmul) with a matrix that is repeated over the whole batch become
// products with the matrix itself (matmul), so that nothing holds it as often as it is repeated.
// Choices (where) repeat their operands themselves.
Status shrink_products(ir::Program& program);

// embedding_bag of bags that have equally many entries, as those of a matrix of indices, becomes
// embedding and a reduction.
Status reduce_even_bags(ir::Program& program);

// The number of bins that bincount gives gets an upper bound where it has none: by the type of what
// is counted, or by the bins that are read, where others are not asked for. Numbers past these are
// then counted in one bin behind them. The number of boxes that nms leaves gets that of all boxes.
Status bound_counts(ir::Program& program);

// Random numbers become arithmetic of a state of the program's, which begins with the seed and
// changes at each run; operators on them that it does not know stay.
Status draw_random_numbers(ir::Program& program, uint64_t seed);
// Whether it knows the operator ("aten.rand.default").
bool is_drawn(std::string_view op);

// What ExecuTorch's kernels don't run becomes what they run. Afterwards each node is either an
// operator with a kernel (schema::kernel_for), a symbolic operator (_operator.*, sym_*), control
// flow (is_control_flow of rewrite.h), or a call of an engine; the error lists every other
// operator, with its node and source line.
Status decompose(ir::Program& program);

// ExecuTorch's concatenation has the size 0 where its operands have no elements because of another
// dimension: a view gives it its own. What removes views that change nothing must come before.
Status keep_empty_sizes(ir::Program& program);

// ExecuTorch's matrix products leave what they give unwritten where they add up nothing: where the
// inner size may be 0, they pass a choice between themselves and 0.
Status guard_empty_products(ir::Program& program);

// ExecuTorch's sampling by a grid, and engines', take NaN and infinities in the grid for other
// places than PyTorch: where the grid has one, it samples a place of the same result, or the result
// is NaN.
Status guard_grids(ir::Program& program);

// Views of constants become constants over the same storage, at no cost. Other nodes whose inputs
// are all constant are computed by `evaluate`, unless the result is large: it receives a program
// without user inputs and returns one tensor an output.
using Evaluator = std::function<Result<std::vector<ir::ConstantData>>(const ir::Program&)>;
Status fold_constants(ir::Program& program, const Evaluator& evaluate);

// What an engine would do with a node: whether it computes it, and whether the user keeps it from
// the engine by name, so that it is to stay as it is.
struct EngineChoice {
  std::function<bool(const ir::Node&)> takes;
  std::function<bool(const ir::Node&)> is_excluded;
  // Whether a rule against a fault leaves it outside: not even what it can be expressed by goes to
  // the engine.
  std::function<bool(const ir::Node&)> is_left_whole = [](const ir::Node&) { return false; };
  // What makes floats of weights of 8 bits, which stay so if it is decomposed, is not folded.
  bool packs_decomposed_weights = false;
};

// The same before partitions are cut, so that what is computed from constants is a constant of the
// engine that needs it, whatever computes it. What the engine takes itself is folded only where the
// result is no larger than its constants, and views are left to it; what it does not take may be
// larger by as much as a conversion of types makes it. What `evaluate`, which receives functional
// programs here, can't compute stays.
Status fold_for_engine(ir::Program& program, const Evaluator& evaluate, const EngineChoice& engine);

// Nodes that the engine does not take become what decompose makes of them, where it takes all of
// that.
Status decompose_for_engine(ir::Program& program, const EngineChoice& engine);

// The steps of dynamic quantization to int8, by scales of each row, and those of weights of 8 bits
// for the products behind them, become one node each, for an engine that has them:
// ir::kFakeQuantizeRows, and quantized_decomposed.dequantize_per_channel and _group, which say what
// range the levels have. With `allow_reduced_precision` one scale for all rows serves as well.
Status gather_row_quantization(ir::Program& program, const EngineChoice& engine,
                               bool allow_reduced_precision);

// Comparisons with small numbers, conversions and promotions of int64 tensors that the engine does
// not take, because it counts in fewer bits, become those of the tensor in float32, which is made
// before the elements are moved.
Status read_masks_as_floats(ir::Program& program, const EngineChoice& engine);

// A functional program becomes one that PyTorch runs to the same numbers: what needs tensors that
// lie in one piece has them, and no output lies in the memory of an entry that the program writes
// to at its end. `memory_of` says of a result of ir::kCallEngine in the memory of which of the
// call's inputs it is; null for one in memory of its own.
using EngineMemory = std::function<const ir::Value*(const ir::Value& result)>;
Status for_pytorch(ir::Program& program, const EngineMemory& memory_of);

// Removes nodes, and then constants, that nothing uses.
Status remove_dead_code(ir::Program& program);

// Equal pure nodes become one, and equal constants become one.
Status deduplicate(ir::Program& program);

}  // namespace slipway::passes
