// The largest or smallest elements in order.
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// Each element counts those that come before it, which is its place. NaN counts as the largest, and
// of equals the first comes first.
void top_k(Rule& r) {
  Value* x = &r.input(0);
  const SymInt count = r.integers(1).at(0);
  const size_t axis = r.axis(r.attribute("axis", int64_t{-1}), x->sizes.size());
  const bool is_largest = r.attribute("largest", int64_t{1}) != 0;
  Sizes sizes = x->sizes;
  sizes[axis] = count;
  std::vector<const Value*> results;
  for (const size_t i : {0, 1}) {
    results.push_back(r.is_used(i) ? &r.define_memory(i, sizes, {x}, {x}) : nullptr);
  }
  Kernel k(r.generator());
  const Indices at = k.unravel(k.thread_of(numel(x->sizes)), x->sizes);
  const std::string own = k.read(*x, at);
  const std::string place = k.fresh("p");
  k.line(fmt::format("Index {} = 0;", place));
  const std::string i = k.fresh("i");
  k.open(fmt::format("for (Index {0} = 0; {0} < {1}; ++{0})", i, k.number(x->sizes[axis])));
  Indices other_at = at;
  other_at[axis] = i;
  const std::string other = k.read(*x, other_at);
  // Only NaN differs from itself.
  const std::string equal = fmt::format("({0} == {1} || ({0} != {0} && {1} != {1}))", other, own);
  const std::string before =
      is_largest ? fmt::format("({1} == {1} && ({0} > {1} || {0} != {0}))", other, own)
                 : fmt::format("({0} == {0} && ({0} < {1} || {1} != {1}))", other, own);
  k.line(fmt::format("if ({} ? {} < {} : {}) ++{};", equal, i, at[axis], before, place));
  k.close();
  k.open(fmt::format("if ({} < {})", place, k.number(count)));
  Indices to = at;
  to[axis] = place;
  if (results[0]) k.store(*results[0], to, own);
  if (results[1]) k.store(*results[1], to, at[axis]);
  k.close();
  r.generator().launch(k);
}

constexpr Entry kSortRules[] = {{"TopK", top_k}};

}  // namespace

std::span<const Entry> sort_rules() { return kSortRules; }

}  // namespace slipway::cuda
