#include "partition/interval_rules.h"

#include <cmath>
#include <map>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/core.h>

#include "ir/arguments.h"
#include "schema/operator_name.h"
#include "schema/traits.h"

namespace slipway::partition {
namespace {

using ir::Node;
using ir::SymInt;
using ir::Value;

using Known = std::optional<Interval>;

// Between spaces. The first result's elements are among the first argument's.
constexpr std::string_view kPicks =
    " gather index_select take take_along_dim embedding amax amin sort topk kthvalue "
    "cummax cummin mode median nanmedian max_pool2d max_pool2d_with_indices floor "
    "ceil round trunc _unsafe_index index ";
// Rules of these hold for integers only.
constexpr std::string_view kOfIntegers =
    " pow remainder fmod bitwise_and bitwise_not bitwise_or bitwise_xor sgn sign ";

bool is_one_of(std::string_view name, std::string_view names) {
  return names.find(fmt::format(" {} ", name)) != std::string_view::npos;
}

// A node's operands, for one of its results.
struct Call {
  const Node& node;
  const Intervals& intervals;
  DType dtype;    // of the result
  Interval type;  // what is exact in it

  // Nothing for an argument that is missing, of which nothing is known, or that the result's type
  // can't hold: it would wrap before it is used.
  Known at(size_t i) const {
    const Known operand = intervals.of(arguments().at(i));
    return operand && type.contains(*operand) ? operand : std::nullopt;
  }
  // Of a bound, which may be any integer where nothing is known of it.
  Known bound(size_t i) const {
    const Known operand = at(i);
    return operand || is_floating_point(dtype) ? operand : Interval();
  }
  bool is_whole(size_t i) const {
    const Known operand = at(i);
    const auto* number = operand ? std::get_if<double>(&arguments().at(i)) : nullptr;
    return operand && (!number || std::trunc(*number) == *number);
  }
  ir::Arguments arguments() const { return ir::Arguments(node); }
  bool is_none(size_t i) const { return !arguments().has(i); }
  const Value* tensor(size_t i) const { return arguments().tensor(i); }
  std::string_view text(size_t i) const {
    const std::string* text = arguments().text(i);
    return text ? std::string_view(*text) : std::string_view();
  }

  // How many elements the dimensions in argument `i` have (an integer or a list; all where it is
  // missing or empty) of the tensor in argument `from`.
  Known count(size_t i, size_t from = 0) const {
    const Value* self = tensor(from);
    if (!self) return std::nullopt;
    const auto dims = arguments().integers(i).value_or(std::vector<SymInt>());
    SymInt result = 1;
    if (dims.empty()) {
      result = self->type().numel();
    } else if (self->rank() > 0) {
      for (const SymInt& dim : dims) {
        const auto constant = dim.constant();
        const auto place = constant ? ir::wrap_dim(*constant, self->rank()) : std::nullopt;
        if (!place) return std::nullopt;
        result = result * self->sizes()[static_cast<size_t>(*place)];
      }
    }
    Interval interval = intervals.of(result);
    interval.min = std::max<Wide>(interval.min, 0);
    interval.max = std::max<Wide>(interval.max, 0);
    return interval;
  }
};

using Rule = Known (*)(const Call& call);

template <class Function>
Known with(const Known& a, const Known& b, Function function) {
  if (!a || !b) return std::nullopt;
  return function(*a, *b);
}

// Elements of the arguments at these places.
template <size_t... kPlaces>
Known any_of(const Call& call) {
  Known result;
  for (size_t i : {kPlaces...}) {
    const Known operand = call.at(i);
    if (!operand) return std::nullopt;
    result = result ? join(*result, *operand) : *operand;
  }
  return result;
}
template <size_t kPlace>
Known any_of_or_zero(const Call& call) {
  return with(call.at(0), call.is_none(kPlace) ? Interval{0, 0} : call.at(kPlace), join);
}

template <int kMin, int kMax>
Known constant(const Call&) {
  return Interval{kMin, kMax};
}

Known scaled(const Known& operand, const Call& call, size_t alpha) {
  const Known factor = call.is_none(alpha) ? Interval{1, 1} : call.at(alpha);
  return with(operand, factor, [](auto a, auto b) { return a * b; });
}
Known add(const Call& call) {
  return with(call.at(0), scaled(call.at(1), call, 2), [](auto a, auto b) { return a + b; });
}
Known sub(const Call& call) {
  return with(call.at(0), scaled(call.at(1), call, 2), [](auto a, auto b) { return a - b; });
}
Known rsub(const Call& call) {
  return with(call.at(1), scaled(call.at(0), call, 2), [](auto a, auto b) { return a - b; });
}
Known mul(const Call& call) {
  return with(call.at(0), call.at(1), [](auto a, auto b) { return a * b; });
}
Known neg(const Call& call) {
  return with(Interval{0, 0}, call.at(0), [](auto a, auto b) { return a - b; });
}

Interval absolute(const Interval& x) {
  const Wide largest = std::max(-x.min, x.max);
  return {std::max<Wide>({x.min, -x.max, 0}), largest};
}
Known abs(const Call& call) {
  const Known x = call.at(0);
  return x ? Known(absolute(*x)) : std::nullopt;
}
Known square(const Call& call) {
  const Known x = abs(call);
  return x ? Known(*x * *x) : std::nullopt;
}
Known pow(const Call& call) {
  const Known x = call.at(0);
  const Known exponent = call.at(1);
  constexpr int kLargest = 16;
  if (!x || !exponent || exponent->min != exponent->max || exponent->min < 0 ||
      exponent->max > kLargest) {
    return std::nullopt;
  }
  Interval result{1, 1};
  for (Wide i = 0; i < exponent->max; ++i) {
    result = result * *x;
    if (!Interval().contains(result)) return std::nullopt;
  }
  return result;
}

Interval lower(const Interval& a, const Interval& b) {
  return {std::min(a.min, b.min), std::min(a.max, b.max)};
}
Interval higher(const Interval& a, const Interval& b) {
  return {std::max(a.min, b.min), std::max(a.max, b.max)};
}
Known minimum(const Call& call) { return with(call.at(0), call.at(1), lower); }
Known maximum(const Call& call) { return with(call.at(0), call.at(1), higher); }
Known clamp_max(const Call& call) { return with(call.at(0), call.bound(1), lower); }
Known clamp_min(const Call& call) { return with(call.at(0), call.bound(1), higher); }
Known clamp(const Call& call) {
  Known x = call.at(0);
  if (!call.is_none(1)) x = with(x, call.bound(1), higher);
  if (!call.is_none(2)) x = with(x, call.bound(2), lower);
  return x;
}
Known relu(const Call& call) { return with(call.at(0), Interval{0, 0}, higher); }

Wide floor_divided(Wide a, Wide b) {
  const Wide quotient = a / b;
  return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}
bool contains_zero(const Interval& x) { return x.min <= 0 && x.max >= 0; }
Known floor_divide(const Call& call) {
  return with(call.at(0), call.at(1), [](auto a, auto b) -> Known {
    if (contains_zero(b)) return std::nullopt;
    return at_ends(a, b, floor_divided);
  });
}
Known div(const Call& call) {
  const std::string_view rounding = call.text(2);
  if (rounding == "floor") return floor_divide(call);
  return with(call.at(0), call.at(1), [&](auto a, auto b) -> Known {
    if (contains_zero(b)) return std::nullopt;
    if (rounding == "trunc") return at_ends(a, b, [](Wide x, Wide y) { return x / y; });
    // -floor(-x / y) is x / y rounded up.
    return join(at_ends(a, b, floor_divided),
                at_ends(a, b, [](Wide x, Wide y) { return -floor_divided(-x, y); }));
  });
}
// With the sign of the divisor. Integers divided by zero are an error.
Known remainder(const Call& call) {
  return with(call.at(0), call.at(1), [](auto a, auto b) {
    if (a.min >= 0 && a.max < b.min) return a;
    if (a.min >= 0 && b.min > 0) return Interval{0, std::min(a.max, b.max - 1)};
    return Interval{std::min<Wide>(b.min + 1, 0), std::max<Wide>(b.max - 1, 0)};
  });
}
// With the sign of the dividend.
Known fmod(const Call& call) {
  return with(call.at(0), call.at(1), [](auto a, auto b) {
    const Wide largest = std::max<Wide>(absolute(b).max - 1, 0);
    return Interval{std::min<Wide>(std::max(a.min, -largest), 0),
                    std::max<Wide>(std::min(a.max, largest), 0)};
  });
}

// All bits that some number up to `x`, which is not negative, has.
Wide bits_of(Wide x) {
  Wide mask = 0;
  while (mask < x) mask = 2 * mask + 1;
  return mask;
}
Known bitwise_and(const Call& call) {
  return with(call.at(0), call.at(1), [](auto a, auto b) -> Known {
    if (a.min < 0 && b.min < 0) return std::nullopt;
    if (a.min < 0) return Interval{0, b.max};
    if (b.min < 0) return Interval{0, a.max};
    return Interval{0, std::min(a.max, b.max)};
  });
}
Known bitwise_or(const Call& call) {
  return with(call.at(0), call.at(1), [](auto a, auto b) -> Known {
    if (a.min < 0 || b.min < 0) return std::nullopt;
    return Interval{0, bits_of(std::max(a.max, b.max))};
  });
}
Known bitwise_not(const Call& call) {
  return with(Interval{-1, -1}, call.at(0), [](auto a, auto b) { return a - b; });
}

// From the first number towards the second, which is not reached.
Known range(const Known& start, const Known& end, const Known& step) {
  if (!start || !end || !step || contains_zero(*step)) return std::nullopt;
  const bool up = step->min > 0;
  if (up) return Interval{start->min, std::max(start->max, end->max - 1)};
  return Interval{std::min(start->min, end->min + 1), start->max};
}
Known arange(const Call& call) {
  const std::string& op = call.node.op();
  const size_t numbers = op == "aten.arange.start_step" ? 3 : op == "aten.arange.start" ? 2 : 1;
  for (size_t i = 0; i < numbers; ++i) {
    if (!call.is_whole(i)) return std::nullopt;
  }
  const Interval one{1, 1};
  if (numbers == 1) return range(Interval{0, 0}, call.at(0), one);
  return range(call.at(0), call.at(1), numbers == 3 ? call.at(2) : one);
}

// Of partial sums too.
Known sum(const Call& call) {
  // sum.default has a type where others have dimensions.
  return with(call.at(0), call.count(1), [](auto x, auto n) {
    return Interval{std::min<Wide>(x.min, 0), std::max<Wide>(x.max, 0)} * Interval{0, n.max};
  });
}

// A place among so many.
Known place(const Known& count) {
  if (!count) return std::nullopt;
  return Interval{0, std::max<Wide>(count->max - 1, 0)};
}
template <size_t kDim>
Known place_in_dim(const Call& call) {
  return place(call.count(kDim));
}
// Between the elements, or before or after them.
template <size_t kSequence>
Known place_between(const Call& call) {
  const Known count = call.count(SIZE_MAX, kSequence);
  if (!count) return std::nullopt;
  return Interval{0, count->max};
}
Known nonzero(const Call& call) {
  const Value* self = call.tensor(0);
  if (!self) return std::nullopt;
  Interval result{0, 0};
  for (const SymInt& size : self->sizes()) result = join(result, *place(call.intervals.of(size)));
  return result;
}
// A row or a column, of so many each.
Known row_or_column(const Call& call) {
  const Known rows = place(call.at(0));
  const Known columns = place(call.at(1));
  if (!rows || !columns) return std::nullopt;
  return join(*rows, *columns);
}
Known count_nonzero(const Call& call) {
  const Known count = call.count(1);
  return count ? Known(Interval{0, count->max}) : std::nullopt;
}

Known index_put(const Call& call) {
  if (call.arguments().flag(3) != false) return std::nullopt;
  return any_of<0, 2>(call);
}
Known scatter(const Call& call) {
  if (call.node.op() != "aten.scatter.src" && call.node.op() != "aten.scatter.value") {
    return std::nullopt;
  }
  return any_of<0, 3>(call);
}
// Of one tensor an element, of two the larger or smaller ones.
Known max(const Call& call) {
  return call.node.op() == "aten.max.other" ? maximum(call) : call.at(0);
}
Known min(const Call& call) {
  return call.node.op() == "aten.min.other" ? minimum(call) : call.at(0);
}
Known pad(const Call& call) {
  return call.node.op() == "aten.pad.default" ? any_of_or_zero<3>(call) : any_of_or_zero<2>(call);
}

// For the first result.
const std::map<std::string_view, Rule> kRules = {
    {"abs", abs},
    {"add", add},
    {"arange", arange},
    {"argmax", place_in_dim<1>},
    {"argmin", place_in_dim<1>},
    {"bitwise_and", bitwise_and},
    {"bitwise_not", bitwise_not},
    {"bitwise_or", bitwise_or},
    {"bitwise_xor", bitwise_or},
    {"bucketize", place_between<1>},
    {"clamp", clamp},
    {"clamp_max", clamp_max},
    {"clamp_min", clamp_min},
    {"clip", clamp},
    {"constant_pad_nd", pad},
    {"copy", any_of<1>},
    {"count_nonzero", count_nonzero},
    {"cumsum", sum},
    {"diag_embed", any_of_or_zero<SIZE_MAX>},
    {"diagonal_scatter", any_of<0, 1>},
    {"div", div},
    {"divide", div},
    {"eye", constant<0, 1>},
    {"fill", any_of<1>},
    {"floor_divide", floor_divide},
    {"fmod", fmod},
    {"full", any_of<1>},
    {"full_like", any_of<1>},
    {"index_copy", any_of<0, 3>},
    {"index_fill", any_of<0, 3>},
    {"index_put", index_put},
    {"_unsafe_index_put", index_put},
    {"masked_fill", any_of<0, 2>},
    {"masked_scatter", any_of<0, 2>},
    {"max", max},
    {"maximum", maximum},
    {"min", min},
    {"minimum", minimum},
    {"mul", mul},
    {"multiply", mul},
    {"neg", neg},
    {"negative", neg},
    {"new_full", any_of<2>},
    {"new_ones", constant<1, 1>},
    {"new_zeros", constant<0, 0>},
    {"nonzero", nonzero},
    {"one_hot", constant<0, 1>},
    {"ones", constant<1, 1>},
    {"ones_like", constant<1, 1>},
    {"pad", pad},
    {"pow", pow},
    {"relu", relu},
    {"remainder", remainder},
    {"rsub", rsub},
    {"scalar_tensor", any_of<0>},
    {"scatter", scatter},
    {"searchsorted", place_between<0>},
    {"select_scatter", any_of<0, 1>},
    {"sgn", constant<-1, 1>},
    {"sign", constant<-1, 1>},
    {"slice_scatter", any_of<0, 1>},
    {"square", square},
    {"sub", sub},
    {"subtract", sub},
    {"sum", sum},
    {"tril", any_of_or_zero<SIZE_MAX>},
    {"tril_indices", row_or_column},
    {"triu", any_of_or_zero<SIZE_MAX>},
    {"triu_indices", row_or_column},
    {"where", any_of<1, 2>},
    {"zeros", constant<0, 0>},
    {"zeros_like", constant<0, 0>},
};

// Results that say where in the first argument an element is: which argument has the dimension.
// Overloads first, where they differ.
const std::map<std::string_view, std::pair<size_t, size_t>> kPlaces = {
    // operator, {result, dimension's argument}
    {"aten.argsort.default", {0, 1}},
    {"aten.argsort.stable", {0, 2}},
    {"aten.cummax.default", {1, 1}},
    {"aten.cummin.default", {1, 1}},
    {"aten.kthvalue.default", {1, 2}},
    {"aten.max.dim", {1, 1}},
    {"aten.max_pool2d_with_indices.default", {1, SIZE_MAX}},
    {"aten.median.dim", {1, 1}},
    {"aten.min.dim", {1, 1}},
    {"aten.mode.default", {1, 1}},
    {"aten.nanmedian.dim", {1, 1}},
    {"aten.sort.default", {1, 1}},
    {"aten.sort.stable", {1, 2}},
    {"aten.topk.default", {1, 2}},
};

}  // namespace

Known result_interval(const Node& node, size_t result, const Intervals& intervals) {
  const Value* output = node.output(result);
  const Known type = output->is_tensor() ? exact_interval(output->dtype()) : std::nullopt;
  if (!type) return std::nullopt;
  const Call call{node, intervals, output->dtype(), *type};
  if (const auto places = kPlaces.find(node.op()); places != kPlaces.end()) {
    const auto [index, dim] = places->second;
    if (result == index) return place(call.count(dim));
  }
  if (schema::only_moves(node.op())) return call.at(0);
  if (result > 0) return std::nullopt;
  const std::string_view name = schema::aten_name(node.op());
  if (node.op() == "aten.round.decimals") return std::nullopt;  // 8 may become 10
  const bool converts = schema::trait_of(node.op()) == schema::Trait::kConverted;
  if (converts || is_one_of(name, kPicks)) return call.at(0);
  if (is_floating_point(call.dtype) && is_one_of(name, kOfIntegers)) return std::nullopt;
  const auto rule = kRules.find(name);
  return rule != kRules.end() ? rule->second(call) : std::nullopt;
}
}  // namespace slipway::partition
