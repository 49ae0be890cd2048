#include "cuda/builder/layout.h"

#include <algorithm>
#include <utility>

namespace slipway::cuda {

using ir::SymInt;

DType memory_dtype(const Value& value) {
  return value.narrow && !value.output && !value.initializer ? *value.narrow : value.dtype;
}

std::vector<size_t> memory_order(const Value& value) {
  std::vector<size_t> order(value.sizes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (value.order == Order::kChannelsLast) {
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  }
  if (value.order == Order::kTokensFirst) std::swap(order.at(1), order.at(2));
  return order;
}

std::optional<View> view_of(const Value& value) {
  if (!value.buffer && !value.initializer) {
    auto view = value.moved ? view_of(*value.moved) : std::nullopt;
    return view ? value.move(*std::move(view)) : std::nullopt;
  }
  View view = {&value, 0, Sizes(value.sizes.size()), {}};
  const std::vector<size_t> order = memory_order(value);
  SymInt stride = 1;
  for (size_t i = order.size(); i-- > 0;) {
    view.strides[order[i]] = stride;
    stride = stride * value.sizes[order[i]];
  }
  return view;
}

void keep_view(Value& y, const Value* x) {
  y.moved = x;
  y.move = [](View view) { return std::optional(std::move(view)); };
}

namespace {

// Heads that several others share: a dimension that was expanded is joined with the one before it.
std::optional<View> repeated(const View& view, const Sizes& from, const Sizes& to) {
  if (to.size() + 1 != from.size()) return std::nullopt;
  for (size_t d = 0; d < to.size(); ++d) {
    if (from[d] == to[d]) continue;
    const bool is_joined = view.strides[d + 1] == SymInt(0) && to[d] == from[d] * from[d + 1] &&
                           std::equal(to.begin() + static_cast<std::ptrdiff_t>(d) + 1, to.end(),
                                      from.begin() + static_cast<std::ptrdiff_t>(d) + 2);
    if (!is_joined) return std::nullopt;
    View result = view;
    result.strides.erase(result.strides.begin() + static_cast<std::ptrdiff_t>(d) + 1);
    result.repeats.assign(to.size(), 1);
    result.repeats[d] = from[d + 1];
    return result;
  }
  return std::nullopt;
}

}  // namespace

// Dimensions that lie together, from the last one on, are split or joined.
std::optional<View> reshaped(const View& view, const Sizes& from, const Sizes& to) {
  if (!view.repeats.empty()) return std::nullopt;
  if (std::find(from.begin(), from.end(), SymInt(0)) != from.end()) return std::nullopt;
  View result = {view.base, view.offset, Sizes(to.size()), {}};
  size_t next = to.size();
  size_t d = from.size();
  while (d > 0) {
    SymInt stride = view.strides[d - 1];
    SymInt count = 1;
    do {
      if (from[d - 1] != SymInt(1)) {
        if (count == SymInt(1)) stride = view.strides[d - 1];
        count = count * from[d - 1];
      }
      --d;
    } while (d > 0 && (count == SymInt(1) || from[d - 1] == SymInt(1) ||
                       view.strides[d - 1] == stride * count));
    SymInt made = 1;
    while (next > 0 && (made != count || to[next - 1] == SymInt(1))) {
      result.strides[next - 1] = stride * made;
      made = made * to[next - 1];
      --next;
    }
    if (made != count) return repeated(view, from, to);
  }
  while (next > 0) {
    if (to[--next] != SymInt(1)) return std::nullopt;
  }
  return result;
}

std::optional<View> expanded(View view, const Sizes& from, const Sizes& to) {
  if (!view.repeats.empty()) return from == to ? std::optional(std::move(view)) : std::nullopt;
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] == SymInt(1)) view.strides[i] = 0;
  }
  view.strides.insert(view.strides.begin(), to.size() - from.size(), SymInt(0));
  return view;
}

bool is_multiple(const SymInt& value, int64_t of) {
  const auto terms = value.terms();
  return std::all_of(terms.begin(), terms.end(),
                     [&](const SymInt::Term& term) { return term.coefficient % of == 0; });
}

}  // namespace slipway::cuda
