// Elements at places that data gives.
#include <algorithm>
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

// Whether an index is known to be within the dimension, and not negative.
bool is_within(Rule& r, size_t input, const SymInt& size) {
  const Value& index = r.input(input);
  const auto count = size.constant();
  if (!index.initializer || !count) return false;
  const auto places = r.reals(input);
  return places && std::all_of(places->begin(), places->end(), [&](double place) {
           return place >= 0 && place < static_cast<double>(*count);
         });
}

// Reads the operand where its place along some dimensions comes from data; 0 where that is out of
// range.
std::string read_checked(Kernel& k, const Value& x, const std::vector<std::string>& oks,
                         const Indices& at) {
  std::string condition;
  for (const std::string& ok : oks) {
    if (!ok.empty()) condition += fmt::format("{}{}", condition.empty() ? "" : " && ", ok);
  }
  if (condition.empty()) return k.read(x, at);
  return k.choose(c_type(x.dtype), {{condition, [&] { return k.read(x, at); }},
                                    {"", [&] { return fmt::format("({})0", c_type(x.dtype)); }}});
}

std::string place_of(Kernel& k, const std::string& index, const SymInt& size, bool is_safe,
                     std::vector<std::string>& oks) {
  if (is_safe) return k.let("Index", index);
  return k.checked(index, size, oks.emplace_back());
}

void gather(Rule& r) {
  Value* x = &r.input(0);
  Value* index = &r.input(1);
  const size_t axis = r.axis(r.attribute("axis", int64_t{0}), x->sizes.size());
  const SymInt size = x->sizes.at(axis);
  if (x->ints && index->ints && x->sizes.size() == 1) {
    std::vector<SymInt> taken;
    const auto count = static_cast<int64_t>(x->ints->size());
    bool is_known = true;
    for (const SymInt& place : *index->ints) {
      const auto known = place.constant();
      is_known = is_known && known && *known >= -count && *known < count;
      if (is_known) taken.push_back(x->ints->at(static_cast<size_t>((*known + count) % count)));
    }
    if (is_known) return void(r.define_integers(0, index->sizes, std::move(taken)));
  }
  Sizes sizes(x->sizes.begin(), x->sizes.begin() + static_cast<std::ptrdiff_t>(axis));
  sizes.insert(sizes.end(), index->sizes.begin(), index->sizes.end());
  sizes.insert(sizes.end(), x->sizes.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
               x->sizes.end());
  const size_t rank = index->sizes.size();
  const bool is_safe = is_within(r, 1, size);
  Value& y =
      r.define(0, sizes, {x, index}, Rule::Kind::kMove, 2, [=](Kernel& k, const Indices& at) {
        const auto begin = at.begin() + static_cast<std::ptrdiff_t>(axis);
        const auto end = begin + static_cast<std::ptrdiff_t>(rank);
        std::vector<std::string> oks;
        const std::string place =
            place_of(k, k.read(*index, Indices(begin, end)), size, is_safe, oks);
        Indices from(at.begin(), begin);
        from.push_back(place);
        from.insert(from.end(), end, at.end());
        return read_checked(k, *x, oks, from);
      });
  if (index->ints && index->sizes.empty() && is_safe) {
    y.moved = x;
    y.move = [axis, place = index->ints->front()](View view) -> std::optional<View> {
      if (!view.repeats.empty()) return std::nullopt;
      view.offset = view.offset + place * view.strides[axis];
      view.strides.erase(view.strides.begin() + static_cast<std::ptrdiff_t>(axis));
      return view;
    };
  }
}

void gather_elements(Rule& r) {
  Value* x = &r.input(0);
  Value* index = &r.input(1);
  const size_t axis = r.axis(r.attribute("axis", int64_t{0}), x->sizes.size());
  const bool is_safe = is_within(r, 1, x->sizes.at(axis));
  r.define(0, index->sizes, {x, index}, Rule::Kind::kMove, 2, [=](Kernel& k, const Indices& at) {
    std::vector<std::string> oks;
    Indices from = at;
    from[axis] = place_of(k, k.read(*index, at), x->sizes[axis], is_safe, oks);
    return read_checked(k, *x, oks, from);
  });
}

// The last dimension of the index holds places of the first dimensions of x.
void gather_nd(Rule& r) {
  Value* x = &r.input(0);
  Value* index = &r.input(1);
  const auto depth = index->sizes.back().constant();
  if (!depth) return r.fail("its GatherND has a number of indices that is not known");
  const auto count = static_cast<size_t>(*depth);
  Sizes sizes(index->sizes.begin(), index->sizes.end() - 1);
  const size_t rank = sizes.size();
  sizes.insert(sizes.end(), x->sizes.begin() + *depth, x->sizes.end());
  r.define(0, sizes, {x, index}, Rule::Kind::kMove, 4, [=](Kernel& k, const Indices& at) {
    Indices from;
    std::vector<std::string> oks;
    for (size_t i = 0; i < count; ++i) {
      Indices place(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(rank));
      place.push_back(std::to_string(i));
      from.push_back(place_of(k, k.read(*index, place), x->sizes.at(i), false, oks));
    }
    from.insert(from.end(), at.begin() + static_cast<std::ptrdiff_t>(rank), at.end());
    return read_checked(k, *x, oks, from);
  });
}

constexpr Entry kIndexRules[] = {
    {"Gather", gather},
    {"GatherElements", gather_elements},
    {"GatherND", gather_nd},
};

}  // namespace

std::span<const Entry> index_rules() { return kIndexRules; }

}  // namespace slipway::cuda
