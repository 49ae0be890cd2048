// slipway operators: docs/operators.md, from the tables that decide what compiles.

#include <string>

#include <fmt/core.h>

#include "cli/commands.h"
#include "passes/supported_operators.h"

namespace slipway::cli {
namespace {

constexpr const char* kIntroduction = R"(# Operators

Made by `slipway operators` from the tables that the compiler itself reads.

- **kernel**: one of ExecuTorch's kernels computes it.
- **rule**: it is expressed by other operators; with both, the arguments decide.

In-place operators and views become the functional operators below first. Arithmetic on sizes and
other numbers, `item()` and `torch.cond` compile to instructions; dropout in inference, detach and
assertions disappear. What is not listed here is refused, in one message that names each such operator with its
place in the source.

Of the 193 operators that PyTorch 2.14 tags as core, ten do not compile: seven compute gradients
(`convolution_backward` and its kin), `resize_` changes a tensor's memory, `sym_is_contiguous`
stands in no archive, and `atan2.out`, with which a program writes into its argument, is `atan2`
after `run_decompositions()`. `sym_stride` and `sym_storage_offset` have no row below, since the
archive itself says what they are.

Of 344 operators that the models of tests/peers use, or that others were refused for once
(tests/peers/operators_in_use.txt), three do not compile: `linalg_svd` (nor do `linalg_pinv`,
`linalg_eigh` and what else asks for singular values or eigenvalues), `i0` (nor its kin) and
`unflatten_dense_tensors`. `torch.export` 2.14 itself refuses `cov`, `corrcoef`, `ctc_loss` and
`linalg_lstsq`. Matrices of complex numbers are multiplied, but no equations solved with them.

`torch.vmap` in the training dialect, whose operators are those of one element, becomes operators on
the whole batch, also of nested ones and of dynamic sizes: element by element, views, reductions,
indices, products, convolutions, norms and attention, which are as fast as after
`run_decompositions()`. An operator that has no such rule, and convolutions whose weights are mapped
over, run in a loop over the batch. Writing in place to a tensor that is mapped over, or to a result
that is one unchanged, is refused: write to a clone. So are random numbers with `randomness="same"`
that depend on an element, and, before `run_decompositions()`, `torch.func.grad` and `jvp`, and
`torch.vmap` together with `torch.autocast`.

What `choose_qparams` and its kin choose, and what quantizes and dequantizes by it, is written as
PyTorch's own steps in float32, since ExecuTorch's kernels choose other numbers. float8 numbers are
read as constants, which become float16, and as what the program converts to them, rounded as
PyTorch rounds; of operators, only conversions and views take them.

Random numbers are drawn where the program is, but in loops, of PyTorch's distributions;
the numbers are not PyTorch's own. A module gives other ones at each run and the same ones each time
that it is loaded. Where they begin is the compile's option `seed` (`--seed`), 0 unless it is given.
Probabilities and weights that PyTorch refuses (NaN, below 0, all 0) are no error: what is drawn with
them is left open.

Matrices are factorized, and equations solved, in float64, whatever their type is: PyTorch's float32
results differ from these by as much as the condition of the matrix has it. Their size, of at most
1024, is known before the run. What PyTorch finds to be an error in the numbers, such as a singular
matrix, is one when the program runs, and else the `info` of those that give one; what they give
beside an `info` that is not 0 is left open.

`istft` whose windows add up to 0 at some place is an error, too: when the program runs, and when it
is compiled where the window is a constant. After `run_decompositions()` nothing looks for that, and
it gives NaN.

`torch.export` (2.14 and 2.15) takes no packed sequences: LSTM, GRU and RNN of a `PackedSequence`,
whether it is given, made of lengths that are data or constants, or goes to `_VF.lstm` as it is, end
in errors of its own, and `_pack_padded_sequence` alone is exported with sizes and a type that it
does not have. It also fixes the number of steps of these layers. `torch.scan` over a cell takes any
number, and a state that `where` keeps for sequences that have ended gives what packed ones do.

These take more than twice the time of eager PyTorch on two cores, since kernels go over whole
tensors for each step: random numbers (a million of `rand` 90 ms, and 8 in eager PyTorch), matrices
(the inverse of one of 64 by 64 2 ms and 0.1, of 256 by 256 350 ms and 1.3), `nms` (1000 boxes 80 ms
and 4), `index_reduce` and `scatter_reduce` (10000 rows of 64 numbers into 1000 by maxima 100 and
700 ms, and 1 and 2; by means 30 ms and 1), `max_unpool2d` (7 times), `grouped_mm` of bfloat16 (512
rows of 512 with 16 matrices 70 ms and 2), and `roi_align` with a `sampling_ratio` of 0 or less (100
boxes in 256 channels of 50 by 50 330 ms and 85). There an infinity or a NaN makes NaN of all boxes
in its channel of its picture.

So do, by how often: `embedding_bag` of uneven bags (10240 entries in 512 bags of 64 numbers: 230
times on kernels, 3 in the default engine, by maxima 20 times) and of a matrix of indices (4 times);
`searchsorted` of 20000 numbers among 2000, and `bucketize`, 5; `median`, `nanmedian`, `mode`,
`kthvalue` and `quantile`, which sort, 6 to 12; `bincount` 30, `histc` 12, `cumsum` 7 and
`nonzero_static` 25; `stft` 9, `istft` 4 and `grid_sampler_2d` 8. ExecuTorch's kernels that read and
write by index take 20 ns for an element, and the default engine 5 (10000 rows of 64 numbers:
`gather` 120 and 30 times, `scatter_add` 40 and 16, `index_add` 90 and 15); `index_select` and
`embedding`, which move rows, are as fast as PyTorch.

ExecuTorch's kernel that quantizes makes the least number of NaN, of which PyTorch makes 0. The
greatest of a bag with NaN is NaN, where PyTorch forgets one that is not the bag's first. Condition
numbers of matrices with NaN are NaN or infinity, and not always as in PyTorch. Complex
numbers are added, and divided by real ones, part by part: PyTorch multiplies what is added by a
complex 1, and divides by a number as by a complex one, so that an infinite part makes NaN of the
other. `layer_norm` and `group_norm` give 0 where the squares of a row overflow (from about 1e19 on);
PyTorch gives 0 or NaN, by the length of the row (0 for 9 elements, NaN for 8).

| operator | by |
| --- | --- |
)";

Status print_operators() {
  fmt::print("{}", kIntroduction);
  for (const auto& op : passes::supported_operators()) {
    fmt::print("| `{}` | {} |\n", op.target,
               op.has_kernel ? (op.has_rule ? "kernel, rule" : "kernel") : "rule");
  }
  return {};
}

}  // namespace

void add_operators(const Command& tool, Action& action) {
  const Command command = tool.add_command("operators", "List the PyTorch operators that compile");
  command.footer("\nExample:\n  slipway operators > operators.md");
  command.on_parsed([&action] { action = print_operators; });
}

}  // namespace slipway::cli
