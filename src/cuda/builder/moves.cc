// Operators that give elements of their operands as they are.
#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/layout.h"
#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

const ir::SymbolRanges& ranges(Rule& r) { return r.generator().graph().ranges; }

// The same elements in the same order.
void reordered(Rule& r, Sizes sizes) {
  Value* x = &r.input(0);
  if (x->ints && sizes.size() <= 1) return void(r.define_integers(0, sizes, *x->ints));
  const Sizes own = r.declared(0, sizes);
  Value& y = r.define(0, sizes, {x}, Rule::Kind::kMove, 1, [=](Kernel& k, const Indices& at) {
    return k.read(*x, k.unravel(k.ravel(at, own), x->sizes));
  });
  y.moved = x;
  y.move = [x, own](const View& view) { return reshaped(view, x->sizes, own); };
}

// The view of x with the dimensions that `change` leaves.
void set_move(Value& y, const Value* x, std::function<void(View&)> change) {
  y.moved = x;
  y.move = [change = std::move(change)](View view) -> std::optional<View> {
    if (!view.repeats.empty()) return std::nullopt;
    change(view);
    return view;
  };
}

void reshape(Rule& r) {
  const Value& x = r.input(0);
  const bool allows_zero = r.attribute("allowzero", int64_t{0}) != 0;
  Sizes sizes = r.integers(1);
  std::optional<size_t> inferred;
  SymInt others = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == SymInt(-1)) {
      inferred = i;
      continue;
    }
    if (sizes[i] == SymInt(0) && !allows_zero) sizes[i] = x.sizes.at(i);
    others = others * sizes[i];
  }
  if (inferred) {
    const SymInt count = numel(x.sizes);
    sizes[*inferred] = others == SymInt(0) ? SymInt(0) : SymInt::floordiv(count, others);
  }
  reordered(r, std::move(sizes));
}

void squeeze(Rule& r) {
  Sizes sizes = r.input(0).sizes;
  std::vector<size_t> axes;
  for (const int64_t axis : r.constants(1)) axes.push_back(r.axis(axis, sizes.size()));
  std::sort(axes.rbegin(), axes.rend());
  for (const size_t axis : axes) sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(axis));
  reordered(r, std::move(sizes));
}

void unsqueeze(Rule& r) {
  Sizes sizes = r.input(0).sizes;
  const std::vector<int64_t> given = r.constants(1);
  std::vector<size_t> axes;
  axes.reserve(given.size());
  for (const int64_t axis : given) axes.push_back(r.axis(axis, sizes.size() + given.size()));
  std::sort(axes.begin(), axes.end());
  for (const size_t axis : axes) {
    sizes.insert(sizes.begin() + static_cast<std::ptrdiff_t>(axis), SymInt(1));
  }
  reordered(r, std::move(sizes));
}

void flatten(Rule& r) {
  const Sizes& from = r.input(0).sizes;
  const auto axis = static_cast<size_t>(r.attribute("axis", int64_t{1}));
  const Sizes front(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(axis));
  const Sizes rest(from.begin() + static_cast<std::ptrdiff_t>(axis), from.end());
  reordered(r, {numel(front), numel(rest)});
}

void transpose(Rule& r) {
  Value* x = &r.input(0);
  const size_t rank = x->sizes.size();
  std::vector<int64_t> order;
  for (size_t i = rank; i-- > 0;) order.push_back(static_cast<int64_t>(i));
  order = r.attribute("perm", order);
  Sizes sizes;
  for (const int64_t axis : order) sizes.push_back(x->sizes.at(static_cast<size_t>(axis)));
  Value& y = r.define(0, sizes, {x}, Rule::Kind::kMove, 1, [=](Kernel& k, const Indices& at) {
    Indices from(rank);
    for (size_t i = 0; i < rank; ++i) from.at(static_cast<size_t>(order[i])) = at.at(i);
    return k.read(*x, from);
  });
  y.moved = x;
  y.move = [order](View view) {
    for (Sizes* numbers : {&view.strides, &view.repeats}) {
      if (numbers->empty()) continue;
      const Sizes given = *numbers;
      for (size_t i = 0; i < order.size(); ++i) {
        (*numbers)[i] = given.at(static_cast<size_t>(order[i]));
      }
    }
    return view;
  };
}

void expand(Rule& r) {
  Value* x = &r.input(0);
  const Sizes sizes = broadcast(x->sizes, r.integers(1));
  Value& y = r.define(0, sizes, {x}, Rule::Kind::kMove, 0,
                      [=](Kernel& k, const Indices& at) { return k.read(*x, aligned(at, *x)); });
  y.moved = x;
  y.move = [x, sizes](const View& view) { return expanded(view, x->sizes, sizes); };
}

void tile(Rule& r) {
  Value* x = &r.input(0);
  const std::vector<SymInt> repeats = r.integers(1);
  Sizes sizes = x->sizes;
  for (size_t i = 0; i < sizes.size(); ++i) sizes[i] = sizes[i] * repeats.at(i);
  r.define(0, sizes, {x}, Rule::Kind::kMove, 1, [=](Kernel& k, const Indices& at) {
    Indices from = at;
    for (size_t i = 0; i < from.size(); ++i) {
      if (repeats[i] == SymInt(1)) continue;
      from[i] = k.let("Index", fmt::format("{} % {}", at[i], k.number(x->sizes[i])));
    }
    return k.read(*x, from);
  });
}

// A position that counts from the end where it is negative, within [least, most].
SymInt position(Rule& r, const SymInt& value, const SymInt& size, const SymInt& least,
                const SymInt& most) {
  const ir::Range bounds = value.bounds(ranges(r));
  SymInt result = value;
  if (bounds.max && *bounds.max < 0) {
    result = value + size;
  } else if (!bounds.min || *bounds.min < 0) {
    // Whether it is negative: min(max(-value, 0), 1).
    result = value + size * SymInt::min(SymInt::max(-value, 0), 1);
  }
  return SymInt::max(SymInt::min(result, most), least);
}

void slice(Rule& r) {
  Value* x = &r.input(0);
  const std::vector<SymInt> starts = r.integers(1);
  const std::vector<SymInt> ends = r.integers(2);
  std::vector<int64_t> axes;
  for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (r.has(3)) axes = r.constants(3);
  std::vector<int64_t> steps(starts.size(), 1);
  if (r.has(4)) steps = r.constants(4);
  Sizes sizes = x->sizes;
  std::vector<SymInt> first(sizes.size(), 0);
  std::vector<int64_t> step(sizes.size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t axis = r.axis(axes[i], sizes.size());
    const SymInt size = x->sizes.at(axis);
    step[axis] = steps.at(i);
    if (steps[i] > 0) {
      const auto last = ends.at(i).constant();
      const SymInt start = position(r, starts[i], size, 0, size);
      const SymInt end = last && *last >= std::numeric_limits<int32_t>::max()
                             ? size
                             : position(r, ends[i], size, 0, size);
      first[axis] = start;
      sizes[axis] = SymInt::max(SymInt::floordiv(end - start + (steps[i] - 1), steps[i]), 0);
    } else {
      const auto last = ends.at(i).constant();
      const auto begin = starts[i].constant();
      const SymInt start = begin && *begin >= std::numeric_limits<int32_t>::max()
                               ? size - 1
                               : position(r, starts[i], size, -1, size - 1);
      const SymInt end = last && *last <= -std::numeric_limits<int32_t>::max()
                             ? SymInt(-1)
                             : position(r, ends[i], size, -1, size - 1);
      first[axis] = start;
      sizes[axis] = SymInt::max(SymInt::floordiv(start - end + (-steps[i] - 1), -steps[i]), 0);
    }
  }
  const auto from = first.empty() ? std::nullopt : first[0].constant();
  const auto count = sizes.empty() ? std::nullopt : sizes[0].constant();
  if (x->ints && x->sizes.size() == 1 && from && count) {
    std::vector<SymInt> taken;
    for (int64_t i = 0; i < *count; ++i) {
      taken.push_back(x->ints->at(static_cast<size_t>(*from + i * step[0])));
    }
    return void(r.define_integers(0, sizes, std::move(taken)));
  }
  Value& y = r.define(0, sizes, {x}, Rule::Kind::kMove, 1, [=](Kernel& k, const Indices& at) {
    Indices place = at;
    for (size_t i = 0; i < place.size(); ++i) {
      if (first[i] == SymInt(0) && step[i] == 1) continue;
      place[i] = k.let("Index", plus(k.number(first[i]), times(at[i], std::to_string(step[i]))));
    }
    return k.read(*x, place);
  });
  set_move(y, x, [first, step](View& view) {
    for (size_t i = 0; i < first.size(); ++i) {
      view.offset = view.offset + first[i] * view.strides[i];
      view.strides[i] = view.strides[i] * step[i];
    }
  });
}

void concat(Rule& r) {
  std::vector<Value*> parts;
  parts.reserve(r.input_count());
  for (size_t i = 0; i < r.input_count(); ++i) parts.push_back(&r.input(i));
  Sizes sizes = parts.front()->sizes;
  const size_t axis = r.axis(r.attribute("axis", int64_t{0}), sizes.size());
  const bool is_known = sizes.size() == 1 && std::all_of(parts.begin(), parts.end(), [](auto* p) {
                          return p->ints.has_value();
                        });
  if (is_known) {
    std::vector<SymInt> all;
    for (const Value* part : parts) all.insert(all.end(), part->ints->begin(), part->ints->end());
    const auto count = static_cast<int64_t>(all.size());
    return void(r.define_integers(0, {count}, std::move(all)));
  }
  std::vector<SymInt> ends;
  ends.reserve(parts.size());
  SymInt end = 0;
  for (const Value* part : parts) ends.push_back(end = end + part->sizes.at(axis));
  sizes[axis] = end;
  const DType dtype = r.dtype();
  const int weight = static_cast<int>(parts.size());
  r.define(0, sizes, parts, Rule::Kind::kMove, weight, [=](Kernel& k, const Indices& at) {
    std::vector<Kernel::Choice> choices;
    for (size_t i = 0; i < parts.size(); ++i) {
      // What has no elements is never read.
      if (parts[i]->sizes.at(axis) == SymInt(0) && parts.size() > 1) continue;
      choices.push_back({fmt::format("{} < {}", at.at(axis), k.number(ends[i])), [=, &k] {
                           Indices place = at;
                           if (i > 0) {
                             place[axis] =
                                 k.let("Index", minus(at.at(axis), k.number(ends[i - 1])));
                           }
                           return k.read(*parts[i], place);
                         }});
    }
    if (choices.empty()) return fmt::format("({})0", c_type(dtype));
    return k.choose(c_type(dtype), choices);
  });
}

void split(Rule& r) {
  Value* x = &r.input(0);
  const size_t axis = r.axis(r.attribute("axis", int64_t{0}), x->sizes.size());
  const size_t count = r.node().outputs.size();
  std::vector<SymInt> lengths;
  if (r.has(1)) {
    lengths = r.integers(1);
  } else {
    const auto parts = static_cast<int64_t>(count);
    const SymInt each = SymInt::floordiv(x->sizes[axis] + (parts - 1), parts);
    lengths.assign(count - 1, each);
    lengths.push_back(x->sizes[axis] - each * (parts - 1));
  }
  SymInt start = 0;
  for (size_t i = 0; i < count; ++i) {
    Sizes sizes = x->sizes;
    sizes[axis] = lengths.at(i);
    if (r.is_used(i)) {
      Value& y = r.define(i, sizes, {x}, Rule::Kind::kMove, 1, [=](Kernel& k, const Indices& at) {
        Indices place = at;
        place[axis] = k.let("Index", plus(at[axis], k.number(start)));
        return k.read(*x, place);
      });
      set_move(y, x, [=](View& view) { view.offset = view.offset + start * view.strides[axis]; });
    }
    start = start + lengths.at(i);
  }
}

// Where an element of what is padded lies before it was, by mode.
std::string source(Kernel& k, const std::string& mode, const std::string& shifted,
                   const SymInt& size) {
  const std::string n = k.number(size);
  const std::string i = k.let("Index", shifted);
  if (mode == "edge") {
    return k.let("Index", fmt::format("{0} < 0 ? 0 : {0} >= {1} ? {1} - 1 : {0}", i, n));
  }
  if (mode == "wrap") {
    return k.let("Index", fmt::format("({0} % {1} + {1}) % {1}", i, n));
  }
  const std::string folded = k.let("Index", fmt::format("{0} < 0 ? -{0} : {0}", i));
  return k.let("Index", fmt::format("{0} >= {1} ? 2 * ({1} - 1) - {0} : {0}", folded, n));
}

void pad(Rule& r) {
  Value* x = &r.input(0);
  Value* fill = r.has(2) ? &r.input(2) : nullptr;
  const std::string mode = r.attribute("mode", "constant");
  const size_t rank = x->sizes.size();
  std::vector<SymInt> pads = r.integers(1);
  Sizes sizes = x->sizes;
  for (size_t i = 0; i < rank; ++i) sizes[i] = sizes[i] + pads.at(i) + pads.at(i + rank);
  const DType dtype = r.dtype();
  std::vector<Value*> operands = {x};
  if (fill) operands.push_back(fill);
  r.define(0, sizes, operands, Rule::Kind::kMove, 2, [=](Kernel& k, const Indices& at) {
    Indices place = at;
    std::string inside;
    for (size_t i = 0; i < rank; ++i) {
      if (pads[i] == SymInt(0) && pads[i + rank] == SymInt(0)) continue;
      const std::string shifted = k.let("Index", minus(at[i], k.number(pads[i])));
      if (mode != "constant") {
        place[i] = source(k, mode, shifted, x->sizes[i]);
        continue;
      }
      place[i] = shifted;
      inside += fmt::format("{}{} >= 0 && {} < {}", inside.empty() ? "" : " && ", shifted, shifted,
                            k.number(x->sizes[i]));
    }
    if (inside.empty()) return k.read(*x, place);
    return k.choose(
        c_type(dtype),
        {{inside, [&] { return k.read(*x, place); }},
         {"", [&] { return fill ? k.read(*fill, {}) : fmt::format("({})0", c_type(dtype)); }}});
  });
}

// From start on by steps: integers as 64 bits, real numbers in their type.
void range(Rule& r) {
  const Value* start = &r.input(0);
  const Value* limit = &r.input(1);
  const Value* step = &r.input(2);
  if (!start->ints || !limit->ints || !step->ints) {
    return r.fail("its Range has a length that is known only from data");
  }
  const SymInt first = start->ints->front();
  const auto by = step->ints->front().constant();
  if (!by || *by <= 0) return r.fail("its Range has a step that is not positive");
  const SymInt count =
      SymInt::max(SymInt::floordiv(limit->ints->front() - first + (*by - 1), *by), 0);
  r.define(0, {count}, {}, Rule::Kind::kMove, 1, [=](Kernel& k, const Indices& at) {
    const std::string place = fmt::format("(long long){}", at.at(0));
    return plus(k.number(first), times(place, std::to_string(*by)));
  });
}

constexpr Entry kMoveRules[] = {
    {"Reshape", reshape},
    {"Squeeze", squeeze},
    {"Unsqueeze", unsqueeze},
    {"Flatten", flatten},
    {"Transpose", transpose},
    {"Expand", expand},
    {"Tile", tile},
    {"Slice", slice},
    {"Concat", concat},
    {"Split", split},
    {"Pad", pad},
    {"Range", range},
};

}  // namespace

std::span<const Entry> move_rules() { return kMoveRules; }

}  // namespace slipway::cuda
