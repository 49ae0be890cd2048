// Reductions, and places of extremes.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/rows.h"
#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

std::string least(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return "(-s_inf())";
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kBFloat16:
      return "(-s_inff())";
    case DType::kInt64:
      return integer_literal(std::numeric_limits<int64_t>::min(), dtype);
    case DType::kInt32:
      return integer_literal(std::numeric_limits<int32_t>::min(), dtype);
    case DType::kInt16:
      return "((short)-32768)";
    case DType::kInt8:
      return "((signed char)-128)";
    default:
      return fmt::format("(({})0)", c_type(dtype));
  }
}

std::string most(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return "s_inf()";
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kBFloat16:
      return "s_inff()";
    case DType::kInt64:
      return integer_literal(std::numeric_limits<int64_t>::max(), dtype);
    case DType::kInt32:
      return integer_literal(std::numeric_limits<int32_t>::max(), dtype);
    case DType::kInt16:
      return "((short)32767)";
    case DType::kInt8:
      return "((signed char)127)";
    default:
      return fmt::format("(({})-1)", c_type(dtype));
  }
}

// How the dimensions of an operand part into those that stay and those that are reduced.
struct Split {
  std::vector<size_t> kept;
  std::vector<size_t> reduced;
  Sizes rows;
  Sizes within;
  Sizes result;

  Split(const Sizes& sizes, const std::vector<size_t>& axes, bool keeps) : reduced(axes) {
    std::sort(reduced.begin(), reduced.end());
    for (size_t i = 0; i < sizes.size(); ++i) {
      const bool is_reduced = std::find(axes.begin(), axes.end(), i) != axes.end();
      if (is_reduced) {
        within.push_back(sizes[i]);
        if (keeps) result.emplace_back(1);
      } else {
        kept.push_back(i);
        rows.push_back(sizes[i]);
        result.push_back(sizes[i]);
      }
    }
  }
  Indices operand(const Indices& row, const Indices& inner) const {
    Indices at(row.size() + inner.size());
    for (size_t i = 0; i < row.size(); ++i) at.at(kept[i]) = row[i];
    for (size_t i = 0; i < inner.size(); ++i) at.at(reduced[i]) = inner[i];
    return at;
  }
  Indices place(const Indices& row) const {
    if (result.size() == row.size()) return row;
    Indices at(result.size(), "0");
    for (size_t i = 0; i < row.size(); ++i) at.at(kept[i]) = row[i];
    return at;
  }
};

std::vector<size_t> axes_of(Rule& r, const Value& x) {
  std::vector<size_t> axes;
  if (r.has(1)) {
    for (const int64_t axis : r.constants(1)) axes.push_back(r.axis(axis, x.sizes.size()));
  }
  const bool nothing = r.attribute("noop_with_empty_axes", int64_t{0}) != 0;
  for (size_t i = 0; axes.empty() && !nothing && i < x.sizes.size(); ++i) axes.push_back(i);
  return axes;
}

void reduce(Rule& r) {
  Value* x = &r.input(0);
  const std::string op = r.node().op_type;
  const Split split(x->sizes, axes_of(r, *x), r.attribute("keepdims", int64_t{1}) != 0);
  const DType dtype = r.dtype();
  r.define_root(0, split.result, {x}, {}, [=](Kernel& k, const Store& store) {
    const SymInt count = numel(split.within);
    Rows rows(k, split.rows, Rows::form_for(split.rows, count));
    const std::string type = c_type(dtype);
    const char* combine = op == "ReduceProd"  ? "s_product"
                          : op == "ReduceMax" ? "s_maximum"
                          : op == "ReduceMin" ? "s_minimum"
                                              : "s_sum";
    const std::string initial = op == "ReduceProd"  ? fmt::format("({})1", type)
                                : op == "ReduceMax" ? least(dtype)
                                : op == "ReduceMin" ? most(dtype)
                                                    : fmt::format("({})0", type);
    std::string total = rows.reduce(type, initial, combine, count, [&](const std::string& i) {
      return k.read(*x, split.operand(rows.at(), k.unravel(i, split.within)));
    });
    if (op == "ReduceMean") total = fmt::format("{} / ({}){}", total, type, k.number(count));
    rows.once([&] { store(k, split.place(rows.at()), total); });
  });
}

void place_of_extreme(Rule& r) {
  Value* x = &r.input(0);
  const size_t axis = r.axis(r.attribute("axis", int64_t{0}), x->sizes.size());
  const Split split(x->sizes, {axis}, r.attribute("keepdims", int64_t{1}) != 0);
  const bool is_max = r.node().op_type == "ArgMax";
  r.define_root(0, split.result, {x}, {}, [=](Kernel& k, const Store& store) {
    const SymInt count = split.within.front();
    Rows rows(k, split.rows, Rows::form_for(split.rows, count));
    const std::string type = fmt::format("s_placed<{}>", c_type(x->dtype));
    const std::string best =
        rows.reduce(type, type + "{0, -1}", is_max ? "s_first_maximum" : "s_first_minimum", count,
                    [&](const std::string& i) {
                      const std::string element = k.read(*x, split.operand(rows.at(), {i}));
                      return fmt::format("{}{{{}, {}}}", type, element, i);
                    });
    rows.once([&] { store(k, split.place(rows.at()), fmt::format("(long long){}.place", best)); });
  });
}

// One thread adds up a row.
void cumulative_sum(Rule& r) {
  Value* x = &r.input(0);
  const std::vector<int64_t> given = r.constants(1);
  const size_t axis = r.axis(given.at(0), x->sizes.size());
  const Split split(x->sizes, {axis}, true);
  const DType dtype = r.dtype();
  if (r.attribute("exclusive", int64_t{0}) != 0 || r.attribute("reverse", int64_t{0}) != 0) {
    return r.fail("its CumSum is exclusive or goes backwards");
  }
  r.define_root(0, x->sizes, {x}, {}, [=](Kernel& k, const Store& store) {
    Rows rows(k, split.rows, Rows::Form::kThread);
    const std::string sum = k.fresh("a");
    // As PyTorch adds float32 on a CPU.
    const char* type = dtype == DType::kFloat32 ? "double" : c_type(dtype);
    k.line(fmt::format("{} {} = 0;", type, sum));
    rows.each(split.within.front(), [&](const std::string& i) {
      const Indices at = split.operand(rows.at(), {i});
      const std::string element = k.read(*x, at);
      k.line(fmt::format("{0} = s_add({0}, ({1})({2}));", sum, type, element));
      store(k, at, fmt::format("({})({})", c_type(dtype), sum));
    });
  });
}

constexpr Entry kReductionRules[] = {
    {"ReduceSum ReduceProd ReduceMax ReduceMin ReduceMean", reduce},
    {"ArgMax ArgMin", place_of_extreme},
    {"CumSum", cumulative_sum},
};

}  // namespace

std::span<const Entry> reduction_rules() { return kReductionRules; }

}  // namespace slipway::cuda
