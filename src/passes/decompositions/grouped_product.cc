// Products of groups of rows with a matrix for each group, as mixtures of experts have them.
#include <algorithm>
#include <bit>
#include <optional>

#include "passes/decompositions/loops.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;

// Rows that one turn of the loop multiplies: more share the reading of a matrix, and waste more
// where a group ends.
constexpr int64_t kMostGroupRows = 64;

int64_t rows_in_a_turn(const Context& c, const SymInt& rows, int64_t groups) {
  const int64_t most = c.bounds(rows).max.value_or(kMostGroupRows * groups);
  const auto each = static_cast<uint64_t>(std::clamp<int64_t>(most / groups, 1, kMostGroupRows));
  return static_cast<int64_t>(std::bit_floor(each));
}

// For each row of x, [rows, k], the product with the matrix, of [groups, k, n], of its group; the
// groups lie one after the other and end before the row that `ends` says, and what is behind the
// last one is 0. Blocks of rows are multiplied in turn. A group may end within a block, whose other
// rows are then not looked at.
Value* grouped(Context& c, Value* x, Value* matrices, Value* ends, int64_t groups) {
  auto& b = c.build;
  const SymInt rows = x->sizes().at(0);
  const int64_t size = rows_in_a_turn(c, rows, groups);
  const SymInt most_blocks = SymInt::min(rows, SymInt::floordiv(rows, size) + SymInt(groups));
  const auto group_of = [&](Value* group_ends, Value* place) {  // how many end before it
    Value* is_before = b.le(b.unsqueeze(group_ends, 0), b.unsqueeze(place, 1));
    Value* count = b.sum(b.to_dtype(is_before, DType::kInt64), {1});
    return b.clamp(count, std::nullopt, SymInt(groups - 1));
  };
  const auto of_group = [&](Value* values, Value* group) {
    return b.index_select(values, 0, group);
  };

  ends = b.to_dtype(ends, DType::kInt64);
  Value* starts = b.cat({b.zeros({1}, DType::kInt64), b.narrow(ends, 0, 0, SymInt(groups - 1))}, 0);
  Value* blocks = b.div_mode(b.add(b.sub(ends, starts), SymInt(size - 1)), SymInt(size), "floor");
  Value* last_blocks = b.cumsum(blocks, 0);
  Value* first_blocks = b.sub(last_blocks, blocks);

  Value* block = b.arange(most_blocks);
  Value* group = group_of(last_blocks, block);
  Value* first_row = b.add(of_group(starts, group),
                           b.mul(b.sub(block, of_group(first_blocks, group)), SymInt(size)));
  Value* block_rows = b.add(b.unsqueeze(first_row, 1), b.unsqueeze(b.arange(SymInt(size)), 0));
  block_rows = b.clamp(block_rows, SymInt(0), rows - 1);
  const auto turn = [](ir::OpBuilder& build, const LoopValues& now) -> LoopResults {
    Value* of_block = build.view(now.scanned.at(0), {1});
    Value* matrix = build.squeeze(build.index_select(now.given.at(1), 0, of_block), 0);
    Value* some = build.index_select(now.given.at(0), 0, now.scanned.at(1));
    return {{}, {build.mm(some, matrix)}};
  };
  Value* products = loop(c, {{}, {group, block_rows}, {x, matrices}}, false, turn).stacked.at(0);

  Value* row = b.arange(rows);
  Value* row_group = group_of(ends, row);
  Value* within = b.sub(row, of_group(starts, row_group));
  Value* place = b.add(b.mul(of_group(first_blocks, row_group), SymInt(size)), within);
  Value* is_in_group = b.lt(row, b.narrow(ends, 0, SymInt(groups - 1), 1));
  const SymInt width = last(matrices->sizes());
  products = b.view(products, {most_blocks * SymInt(size), width});
  products = b.index_select(products, 0, b.where(is_in_group, place, b.full_like(place, 0)));
  return b.where(b.unsqueeze(is_in_group, 1), products, b.zeros({1, width}, x->dtype()));
}

// (self, mat2, offs, bias, out_dtype); transformers' own, which it uses where PyTorch's is not to
// be had, has the first three.
Values grouped_mm(Context& c) {
  Value* x = c.tensor(0);
  Value* matrices = c.tensor(1);
  if (x->rank() == 3 && matrices->rank() == 3) {
    return {c.build.to_dtype(c.build.bmm(x, matrices), c.dtype())};
  }
  if (x->rank() != 2 || matrices->rank() != 3 || !c.has(2)) {
    return c.unsupported(
        "groups of rows are multiplied, each with a matrix of its own, or one matrix with each, "
        "and no groups of columns: swap the two, transposed, or slice them");
  }
  if (c.has(3)) return c.unsupported("it has a bias: add it afterwards");
  const auto groups = matrices->sizes().at(0).constant();
  if (!groups || *groups < 1) {
    return c.unsupported("its number of groups is not known before the run");
  }
  return {c.build.to_dtype(grouped(c, x, matrices, c.tensor(2), *groups), c.dtype())};
}

constexpr Entry kGroupedProductRules[] = {
    {"aten._grouped_mm.default transformers.grouped_mm_fallback.default", grouped_mm},
};

}  // namespace

std::span<const Entry> grouped_product_rules() { return kGroupedProductRules; }

}  // namespace slipway::passes::decompositions
