// What moves elements and computes nothing.
#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "xnnpack/builder/translator.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;
using Kind = xnn::XNodeUnion;

// What a constant becomes by a view of it needs no node.
std::optional<View> viewed(const Value& x, const Sizes& sizes) {
  if (!x.constant || x.constant->group != 0) return std::nullopt;
  View view = *x.constant;
  // Dimensions of size 1 come and go.
  Sizes strides;
  size_t scaled = 0;
  for (size_t i = 0; i < view.sizes.size(); ++i) {
    if (i == view.scaled_dim) scaled = strides.size();
    if (view.sizes[i] != 1) strides.push_back(view.strides[i]);
  }
  Sizes left = view.sizes;
  Sizes wanted = sizes;
  std::erase(left, 1);
  std::erase(wanted, 1);
  if (left != wanted) return std::nullopt;
  view.sizes = sizes;
  view.strides.clear();
  size_t next = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != 1 && next == scaled) view.scaled_dim = i;
    view.strides.push_back(sizes[i] == 1 ? 0 : strides[next++]);
  }
  return view;
}

// In the order that the elements have already, in other sizes.
void reshape(Translator& t, Dims sizes) {
  Value& x = t.input(0);
  Value& y = t.define_moved(x, std::move(sizes));
  if (ir::numel(x.sizes) != ir::numel(y.sizes)) {
    Translator::refuse("its sizes do not fit its operand");
  }
  if (auto view = viewed(x, t.most(y.sizes))) {
    y.constant = std::move(view);
    return;
  }
  if (y.sizes == x.sizes) {
    y.ids = x.ids;
    return;
  }
  if (x.is_rounded) {
    if (x.sizes.back() != y.sizes.back()) Translator::refuse("it divides rows that are quantized");
    t.reshape(Translator::unrounded(x), y.sizes, y.ids.front() = t.temporary(y.sizes));
    return;
  }
  const bool stays_last = x.is_last() && is_flat(x.sizes);
  const uint32_t from = t.held(x, stays_last ? Layout::kLast : Layout::kPlain);
  t.reshape(from, y.sizes, t.make(y, Layout::kPlain));
}

void reshape_rule(Translator& t) {
  const Value& x = t.input(0);
  const Sizes shape = t.integers(1);
  if (const Dims* declared = t.declared(0)) return reshape(t, *declared);
  // The size that is left open is what the others leave of those that no other is.
  Dims rest = x.sizes;
  Dims sizes;
  int64_t given = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool stays = shape[i] == 0 && i < x.rank();
    sizes.push_back(stays ? x.sizes[i] : ir::SymInt(shape[i]));
    if (stays) rest[i] = 1;
    if (shape[i] > 0) given *= shape[i];
  }
  const auto open = std::find(shape.begin(), shape.end(), -1);
  if (open != shape.end()) {
    sizes[static_cast<size_t>(open - shape.begin())] = ir::SymInt::floordiv(ir::numel(rest), given);
  }
  reshape(t, std::move(sizes));
}

void squeeze(Translator& t) {
  const Value& x = t.input(0);
  std::vector<size_t> axes;
  for (const int64_t item : t.integers(1)) axes.push_back(Translator::axis(item, x.rank()));
  Dims sizes;
  for (size_t i = 0; i < x.rank(); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) sizes.push_back(x.sizes[i]);
  }
  reshape(t, std::move(sizes));
}

void unsqueeze(Translator& t) {
  const Value& x = t.input(0);
  const auto items = t.integers(1);
  const size_t rank = x.rank() + items.size();
  Dims sizes(rank, 0);
  for (const int64_t item : items) sizes[Translator::axis(item, rank)] = 1;
  auto next = x.sizes.begin();
  for (ir::SymInt& size : sizes) {
    if (size == ir::SymInt(0) && next != x.sizes.end()) size = *next++;
  }
  reshape(t, std::move(sizes));
}

// To its own sizes, or with dimensions of 1 before them.
void expand(Translator& t) {
  const Value& x = t.input(0);
  const Sizes wanted = t.integers(1);
  Dims sizes = x.sizes;
  if (sizes.size() < wanted.size()) sizes.insert(sizes.begin(), wanted.size() - sizes.size(), 1);
  const size_t shift = sizes.size() - wanted.size();
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] != 1 && ir::SymInt(wanted[i]) != sizes[i + shift]) {
      Translator::refuse("XNNPACK repeats no elements");
    }
  }
  reshape(t, std::move(sizes));
}

void identity(Translator& t) { reshape(t, t.input(0).sizes); }

void transpose(Translator& t) {
  Value& x = t.input(0);
  const auto order = t.attribute("perm", Sizes{});
  Sizes sorted = order;
  std::sort(sorted.begin(), sorted.end());
  Sizes every(x.rank());
  std::iota(every.begin(), every.end(), 0);
  if (sorted != every) Translator::refuse("its order of dimensions is none");
  Dims sizes;
  for (const int64_t from : order) sizes.push_back(x.sizes[static_cast<size_t>(from)]);
  Value& y = t.define_moved(x, sizes);
  if (x.constant) {
    y.constant = permuted(*x.constant, order);
    return;
  }
  Writer& writer = t.writer();
  // Images whose channels come first are made of what has them last: it is there.
  if (order == Sizes{0, 3, 1, 2} && x.has(Layout::kPlain)) {
    y.id(Layout::kLast) = x.id(Layout::kPlain);
    return;
  }
  if (x.rank() != 4 || !x.is_last()) {
    return writer.transpose(t.held(x, Layout::kPlain), order, t.make(y, Layout::kPlain));
  }
  Sizes from_last;
  for (const int64_t from : order) {
    from_last.push_back(static_cast<int64_t>(
        Translator::axis_in(static_cast<size_t>(from), x.rank(), Layout::kLast)));
  }
  const uint32_t from = t.held(x, Layout::kLast);
  if (from_last == every) {
    y.id(Layout::kPlain) = from;
  } else {
    writer.transpose(from, from_last, t.make(y, Layout::kPlain));
  }
}

// XNNPACK takes the same number of elements in every call, along each dimension.
Sizes lengths(const Dims& taken) {
  Sizes result;
  for (const ir::SymInt& size : taken) result.push_back(Translator::known(size));
  return result;
}

// A part of x, in its layout.
void take(Translator& t, size_t result, Value& x, const Sizes& offsets, const Dims& sizes) {
  Value& y = t.define_moved(x, sizes, result);
  const Layout layout = Translator::layout_of(x);
  Sizes starts(layout == Layout::kLast ? 4 : x.rank(), 0);
  for (size_t i = 0; i < x.rank(); ++i) {
    starts[Translator::axis_in(i, x.rank(), layout)] = offsets[i];
  }
  const uint32_t from = t.held(x, layout);
  const Sizes taken = lengths(Translator::sizes_in(sizes, layout));
  t.writer().slice(from, starts, taken, t.make(y, layout));
}

void slice(Translator& t) {
  Value& x = t.input(0);
  const auto starts = t.integers(1);
  const auto ends = t.integers(2);
  const auto axes = t.integers(3);
  const auto steps = t.integers(4);
  Sizes offsets(x.rank(), 0);
  Dims sizes = x.sizes;
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t axis = Translator::axis(axes[i], x.rank());
    if (steps.at(i) != 1) Translator::refuse("XNNPACK takes elements that follow each other");
    const int64_t size = Translator::known(x.sizes[axis]);
    const auto within = [&](int64_t place) {
      return std::clamp<int64_t>(place < 0 ? place + size : place, 0, size);
    };
    offsets[axis] = within(starts.at(i));
    sizes[axis] = within(ends.at(i)) - offsets[axis];
  }
  take(t, 0, x, offsets, sizes);
}

// One element of a dimension, which is dropped.
void gather(Translator& t) {
  Value& x = t.input(0);
  const size_t axis = Translator::axis(t.attribute("axis", int64_t{0}), x.rank());
  const auto places = t.integers(1);
  if (places.size() != 1 || !t.is_scalar(1)) {
    Translator::refuse("XNNPACK takes elements that follow each other");
  }
  const int64_t size = Translator::known(x.sizes[axis]);
  const int64_t place = places[0] < 0 ? places[0] + size : places[0];
  if (place < 0 || place >= size) Translator::refuse("its place does not exist");
  Sizes offsets(x.rank(), 0);
  offsets[axis] = place;
  Dims sizes = x.sizes;
  sizes[axis] = 1;
  const uint32_t part = t.temporary(sizes, x.type);
  Dims left = sizes;
  left.erase(left.begin() + static_cast<std::ptrdiff_t>(axis));
  Value& y = t.define_moved(x, left);
  const uint32_t from = t.held(x, Layout::kPlain);
  t.writer().slice(from, offsets, lengths(sizes), part);
  t.reshape(part, left, t.make(y, Layout::kPlain));
}

void split(Translator& t) {
  Value& x = t.input(0);
  const size_t axis = Translator::axis(t.attribute("axis", int64_t{0}), x.rank());
  const auto count = static_cast<int64_t>(t.node().outputs.size());
  Sizes lengths;
  if (t.has(1)) {
    lengths = t.integers(1);
  } else if (Translator::known(x.sizes[axis]) % count == 0) {
    lengths.assign(t.node().outputs.size(), Translator::known(x.sizes[axis]) / count);
  }
  if (lengths.size() != t.node().outputs.size()) Translator::refuse("its parts are not known");
  Sizes offsets(x.rank(), 0);
  for (size_t i = 0; i < lengths.size(); ++i) {
    Dims sizes = x.sizes;
    sizes[axis] = lengths[i];
    take(t, i, x, offsets, sizes);
    offsets[axis] += lengths[i];
  }
}

Kind join_kind(size_t count) {
  switch (count) {
    case 2:
      return Kind::XNNConcatenate2;
    case 3:
      return Kind::XNNConcatenate3;
    case 4:
      return Kind::XNNConcatenate4;
    default:
      return Kind::XNNConcatenate5;
  }
}

void concat(Translator& t) {
  constexpr size_t kMost = 5;
  std::vector<Value*> parts;
  for (size_t i = 0; i < t.node().inputs.size(); ++i) parts.push_back(&t.input(i));
  const size_t rank = parts.front()->rank();
  const size_t axis = Translator::axis(t.attribute("axis", int64_t{0}), rank);
  Dims sizes = parts.front()->sizes;
  sizes[axis] = 0;
  for (const Value* part : parts) {
    for (size_t i = 0; i < rank; ++i) {
      const bool fits = part->rank() == rank && (i == axis || part->sizes[i] == sizes[i]);
      if (!fits) Translator::refuse("the sizes of what it joins do not fit each other");
    }
    sizes[axis] = sizes[axis] + part->sizes[axis];
  }
  if (parts.size() < 2) Translator::refuse("it joins a single tensor");
  // Of parts that are held in one way.
  const Type type = parts.front()->type;
  const bool stays = std::all_of(parts.begin(), parts.end(),
                                 [&](const Value* part) { return part->type == type; });
  Value& y = t.define(sizes);
  if (stays) y.type = type;
  const bool is_last =
      std::any_of(parts.begin(), parts.end(), [](const Value* part) { return part->is_last(); });
  const Layout layout = is_last ? Layout::kLast : Layout::kPlain;
  Writer& writer = t.writer();
  std::vector<uint32_t> ids;
  ids.reserve(parts.size());
  for (Value* part : parts) ids.push_back(stays ? t.held(*part, layout) : t.get(*part, layout));
  const auto place = static_cast<uint32_t>(Translator::axis_in(axis, rank, layout));
  // By fives, of which the first is what is joined already.
  uint32_t joined = ids.front();
  Dims so_far = parts.front()->sizes;
  for (size_t next = 1; next < ids.size();) {
    std::array<uint32_t, kMost> items = {joined, kNone, kNone, kNone, kNone};
    size_t count = 1;
    while (count < kMost && next < ids.size()) {
      so_far[axis] = so_far[axis] + parts[next]->sizes[axis];
      items[count++] = ids[next++];
    }
    joined = next == ids.size() ? t.make(y, layout)
                                : t.temporary(Translator::sizes_in(so_far, layout), y.type);
    writer.node(join_kind(count), xnn::Create_XNNCat(writer.builder(), place, items[0], items[1],
                                                     items[2], items[3], joined, 0, items[4]));
  }
}

void pad(Translator& t) {
  Value& x = t.input(0);
  const auto pads = t.integers(1);
  const auto fill = t.has(2) ? t.number(2) : 0.0F;
  if (t.attribute("mode", "constant") != "constant" || !fill) {
    Translator::refuse("XNNPACK pads with a number alone");
  }
  if (pads.size() != 2 * x.rank() ||
      std::any_of(pads.begin(), pads.end(), [](int64_t size) { return size < 0; })) {
    Translator::refuse("XNNPACK pads by nothing or more");
  }
  const Layout layout = Translator::layout_of(x);
  const size_t rank = layout == Layout::kLast ? 4 : x.rank();
  Sizes before(rank, 0);
  Sizes after(rank, 0);
  Dims sizes = x.sizes;
  for (size_t i = 0; i < x.rank(); ++i) {
    const size_t at = Translator::axis_in(i, x.rank(), layout);
    before[at] = pads[i];
    after[at] = pads[i + x.rank()];
    sizes[i] = sizes[i] + pads[i] + pads[i + x.rank()];
  }
  // Of numbers, 0 is sure to be among the levels and halves.
  Value& y = *fill == 0 ? t.define_moved(x, sizes) : t.define(sizes);
  const uint32_t from = y.type == x.type ? t.held(x, layout) : t.get(x, layout);
  t.writer().pad(from, before, after, *fill, t.make(y, layout));
}

constexpr Entry kMoveRules[] = {
    {"Reshape", reshape_rule}, {"Squeeze", squeeze},   {"Unsqueeze", unsqueeze},
    {"Expand", expand},        {"Identity", identity}, {"Transpose", transpose},
    {"Slice", slice},          {"Gather", gather},     {"Split", split},
    {"Concat", concat},        {"Pad", pad},
};

}  // namespace

std::span<const Entry> move_rules() { return kMoveRules; }

}  // namespace slipway::xnnpack
