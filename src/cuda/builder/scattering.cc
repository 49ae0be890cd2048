// A copy of a tensor in which some elements are replaced, or combined with others.
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

const char* combine_of(const std::string& reduction) {
  if (reduction == "add") return "s_sum";
  if (reduction == "mul") return "s_product";
  if (reduction == "max") return "s_maximum";
  if (reduction == "min") return "s_minimum";
  return nullptr;
}

// All of the operand, before it is updated.
void copy(Rule& r, const Value& from, const Value& to) {
  Kernel k(r.generator());
  const Indices at = k.unravel(k.thread_of(numel(to.sizes)), to.sizes);
  k.store(to, at, k.read(from, at));
  r.generator().launch(k);
}

// Where an update goes: indices, and a condition.
using Place = std::function<std::pair<Indices, std::string>(Kernel&, const Indices&)>;

// Of several updates of one element the last one stays, in whatever order threads come: the number
// of the last one is found first, for each element.
void replace(Rule& r, const Value& from, const Value& updates, const Value& to,
             const Place& place) {
  Generator& generator = r.generator();
  Value latest;
  latest.dtype = DType::kInt64;
  latest.sizes = to.sizes;
  generator.allocate(latest);
  Kernel none(generator);
  none.store(latest, none.unravel(none.thread_of(numel(to.sizes)), to.sizes), "-1");
  generator.launch(none);

  Kernel find(generator);
  const std::string i = find.thread_of(numel(updates.sizes));
  const auto [target, ok] = place(find, find.unravel(i, updates.sizes));
  find.open(fmt::format("if ({})", ok.empty() ? "true" : ok));
  find.line(fmt::format("atomicMax({} + {}, {});", find.buffer(*latest.buffer, latest.dtype, true),
                        find.ravel(target, to.sizes), i));
  find.close();
  generator.launch(find);

  Kernel take(generator);
  const Indices at = take.unravel(take.thread_of(numel(to.sizes)), to.sizes);
  const std::string number = take.let("Index", take.read(latest, at));
  const std::string element =
      take.choose(c_type(to.dtype),
                  {{fmt::format("{} < 0", number), [&] { return take.read(from, at); }},
                   {"", [&] { return take.read(updates, take.unravel(number, updates.sizes)); }}});
  take.store(to, at, element);
  generator.launch(take);
}

void combine_with(Rule& r, const Value& to, const Value& updates, const char* combine,
                  const Place& place) {
  const size_t width = dtype_size(to.dtype);
  // Threads can't share what is smaller than a word: then one does all.
  const bool is_alone = width < 4 || to.dtype == DType::kBool;
  Kernel k(r.generator());
  const SymInt count = numel(updates.sizes);
  std::string i;
  if (is_alone) {
    k.set_grid(SymInt::min(count, 1));
    k.set_block(1);
    i = k.fresh("i");
    k.open(fmt::format("for (Index {0} = 0; {0} < {1}; ++{0})", i, k.number(count)));
  } else {
    i = k.thread_of(count);
  }
  const Indices at = k.unravel(i, updates.sizes);
  const std::string element = k.read(updates, at);
  const auto [target, ok] = place(k, at);
  k.open(fmt::format("if ({})", ok.empty() ? "true" : ok));
  const std::string where = k.ravel(target, to.sizes);
  if (is_alone) {
    const std::string old = k.load(*to.buffer, to.dtype, where);
    k.store(to, target, fmt::format("{}()({}, {})", combine, old, element));
  } else {
    k.line(fmt::format("s_update{}({} + {}, {}, {}());", width,
                       k.buffer(*to.buffer, to.dtype, true), where, element, combine));
  }
  k.close();
  if (is_alone) k.close();
  r.generator().launch(k);
}

void scatter(Rule& r, const Place& place) {
  Value& x = r.input(0);
  Value& index = r.input(1);
  Value& updates = r.input(2);
  const Value& y = r.define_memory(0, x.sizes, {&x, &index, &updates}, {});
  if (const char* combine = combine_of(r.attribute("reduction", "none"))) {
    copy(r, x, y);
    combine_with(r, y, updates, combine, place);
  } else {
    replace(r, x, updates, y, place);
  }
}

void scatter_elements(Rule& r) {
  const Value* x = &r.input(0);
  const Value* index = &r.input(1);
  const size_t axis = r.axis(r.attribute("axis", int64_t{0}), x->sizes.size());
  scatter(r, [=](Kernel& k, const Indices& at) {
    Indices target = at;
    std::string ok;
    target[axis] = k.checked(k.read(*index, at), x->sizes[axis], ok);
    return std::pair(target, ok);
  });
}

void scatter_nd(Rule& r) {
  const Value* x = &r.input(0);
  const Value* index = &r.input(1);
  const auto depth = index->sizes.back().constant();
  if (!depth) return r.fail("its ScatterND has a number of indices that is not known");
  const size_t rank = index->sizes.size() - 1;
  scatter(r, [=](Kernel& k, const Indices& at) {
    Indices target;
    std::string condition;
    for (int64_t i = 0; i < *depth; ++i) {
      Indices place(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(rank));
      place.push_back(std::to_string(i));
      std::string ok;
      target.push_back(k.checked(k.read(*index, place), x->sizes.at(static_cast<size_t>(i)), ok));
      condition += fmt::format("{}{}", condition.empty() ? "" : " && ", ok);
    }
    target.insert(target.end(), at.begin() + static_cast<std::ptrdiff_t>(rank), at.end());
    return std::pair(target, condition);
  });
}

constexpr Entry kScatterRules[] = {
    {"ScatterElements", scatter_elements},
    {"ScatterND", scatter_nd},
};

}  // namespace

std::span<const Entry> scatter_rules() { return kScatterRules; }

}  // namespace slipway::cuda
