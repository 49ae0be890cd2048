// Softmax and normalizations: what takes all elements of a row, and gives a row.
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/attention.h"
#include "cuda/builder/rows.h"
#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

void softmax(Rule& r) {
  Value* x = &r.input(0);
  const size_t axis = r.axis(r.attribute("axis", int64_t{-1}), x->sizes.size());
  const bool is_log = r.node().op_type == "LogSoftmax";
  const DType dtype = r.dtype();
  const auto emit = [=](Kernel& k, const Store& store) {
    Sizes row_sizes = x->sizes;
    row_sizes[axis] = 1;
    const SymInt& count = x->sizes[axis];
    k.use_short_indices();
    Rows rows(k, row_sizes, Rows::form_for(row_sizes, count));
    const std::string type = c_type(dtype);
    const auto place = [&](const std::string& i) {
      Indices at = rows.at();
      at[axis] = i;
      return at;
    };
    const std::string lowest = real_literal(-__builtin_inf(), dtype);
    const std::string most =
        rows.reduce(type, lowest, "s_maximum", count,
                    [&](const std::string& i) { return k.read(*x, place(i)); });
    const std::string sum = rows.reduce(type, "0", "s_sum", count, [&](const std::string& i) {
      return fmt::format("s_exp({} - {})", k.read(*x, place(i)), most);
    });
    std::string log_sum;
    if (is_log) log_sum = k.let(c_type(dtype), fmt::format("s_log({})", sum));
    rows.each(count, [&](const std::string& i) {
      const std::string shifted = fmt::format("({} - {})", k.read(*x, place(i)), most);
      store(k, place(i),
            is_log ? fmt::format("({} - {})", shifted, log_sum)
                   : fmt::format("(s_exp{} / {})", shifted, sum));
    });
  };
  if (!weighs_scores(r, *x, axis)) return void(r.define_root(0, x->sizes, {x}, {x}, emit));
  Value& y = r.define_root(0, x->sizes, {}, {}, [=](Kernel& k, const Store& store) {
    k.generator().materialize(*x);
    emit(k, store);
  });
  y.root->softmax_of = x;
}

struct Norm {
  const Value* x = nullptr;
  const Value* scale = nullptr;
  const Value* bias = nullptr;
  Sizes rows;
  Sizes within;
  float epsilon = 0;
  bool centred = true;
  DType dtype = DType::kFloat32;
  // The operand's place, and that of its scale and bias.
  std::function<Indices(Kernel&, const Indices&, const Indices&)> place;
  std::function<Indices(Kernel&, const Indices&)> parameter;
};

void normalize(Kernel& k, const Norm& n, const Store& store) {
  const SymInt count = numel(n.within);
  k.use_short_indices();
  Rows rows(k, n.rows, Rows::form_for(n.rows, count));
  const std::string type = c_type(n.dtype);
  const std::string length = fmt::format("({}){}", type, k.number(count));
  const auto element = [&](const std::string& i) {
    return k.read(*n.x, n.place(k, rows.at(), k.unravel(i, n.within)));
  };
  std::string mean = "0";
  if (n.centred) {
    const std::string sum = rows.reduce(type, "0", "s_sum", count, element);
    mean = k.let(c_type(n.dtype), fmt::format("{} / {}", sum, length));
  }
  const std::string squares = rows.reduce(type, "0", "s_sum", count, [&](const std::string& i) {
    const std::string distance = k.let(c_type(n.dtype), fmt::format("{} - {}", element(i), mean));
    return fmt::format("{0} * {0}", distance);
  });
  const std::string inverse = k.let(
      c_type(n.dtype),
      fmt::format("1 / s_sqrt({} / {} + {})", squares, length, real_literal(n.epsilon, n.dtype)));
  rows.each(count, [&](const std::string& i) {
    const Indices at = n.place(k, rows.at(), k.unravel(i, n.within));
    std::string y = fmt::format("({} - {}) * {}", k.read(*n.x, at), mean, inverse);
    const Indices parameter = n.parameter(k, at);
    if (n.scale) y = fmt::format("({}) * {}", y, k.read(*n.scale, parameter));
    if (n.bias) y = fmt::format("{} + {}", y, k.read(*n.bias, parameter));
    store(k, at, fmt::format("({})", y));
  });
}

void layer_normalization(Rule& r) {
  Norm n;
  Value* x = &r.input(0);
  n.x = x;
  n.scale = r.has(1) ? &r.input(1) : nullptr;
  n.bias = r.has(2) ? &r.input(2) : nullptr;
  const size_t axis = r.axis(r.attribute("axis", int64_t{-1}), x->sizes.size());
  const auto middle = x->sizes.begin() + static_cast<std::ptrdiff_t>(axis);
  n.rows.assign(x->sizes.begin(), middle);
  n.within.assign(middle, x->sizes.end());
  n.epsilon = r.attribute("epsilon", 1e-5F);
  n.centred = r.node().op_type == "LayerNormalization";
  n.dtype = r.dtype();
  n.place = [](Kernel&, const Indices& row, const Indices& inner) {
    Indices at = row;
    at.insert(at.end(), inner.begin(), inner.end());
    return at;
  };
  n.parameter = [axis](Kernel&, const Indices& at) {
    return Indices(at.begin() + static_cast<std::ptrdiff_t>(axis), at.end());
  };
  std::vector<Value*> operands = {x};
  for (size_t i = 1; i < r.input_count(); ++i) {
    if (r.has(i)) operands.push_back(&r.input(i));
  }
  r.define_root(0, x->sizes, operands, {x},
                [n](Kernel& k, const Store& store) { normalize(k, n, store); });
}

// [batch, channels, ...]: a row for each channel, or group of channels.
void instance_normalization(Rule& r) {
  Norm n;
  Value* x = &r.input(0);
  n.x = x;
  n.scale = &r.input(1);
  n.bias = &r.input(2);
  const Sizes& sizes = x->sizes;
  const bool is_group = r.node().op_type == "GroupNormalization";
  const SymInt groups = is_group ? SymInt(r.attribute("num_groups", int64_t{1})) : sizes.at(1);
  const SymInt width = is_group ? SymInt::floordiv(sizes.at(1), groups) : SymInt(1);
  n.rows = {sizes.at(0), groups};
  n.within = {width};
  n.within.insert(n.within.end(), sizes.begin() + 2, sizes.end());
  n.epsilon = r.attribute("epsilon", 1e-5F);
  n.dtype = r.dtype();
  n.place = [width](Kernel& k, const Indices& row, const Indices& inner) {
    Indices at = {row.at(0), k.let("Index", plus(times(row.at(1), k.number(width)), inner.at(0)))};
    at.insert(at.end(), inner.begin() + 1, inner.end());
    return at;
  };
  n.parameter = [](Kernel&, const Indices& at) { return Indices{at.at(1)}; };
  r.define_root(0, sizes, {x, &r.input(1), &r.input(2)}, {x},
                [n](Kernel& k, const Store& store) { normalize(k, n, store); });
}

// What each channel is multiplied by, where that is known: a buffer of float32.
std::optional<uint32_t> factors(Rule& r, const Value& scale, const Value& variance, float epsilon) {
  const auto scales = r.reals(scale);
  const auto variances = r.reals(variance);
  if (r.dtype() != DType::kFloat32 || !scales || !variances || scales->size() != variances->size())
    return std::nullopt;
  const Value* of = &variance;
  while (!of->initializer) of = of->operands.front();
  return r.generator().constant(
      *of, fmt::format("{} by its root and {}", scale.name, epsilon), [&] {
        std::vector<std::byte> made(scales->size() * sizeof(float));
        for (size_t i = 0; i < scales->size(); ++i) {
          const float root = std::sqrt(static_cast<float>((*variances)[i]) + epsilon);
          const float factor = static_cast<float>((*scales)[i]) * (1 / root);
          std::memcpy(made.data() + sizeof(float) * i, &factor, sizeof factor);
        }
        return made;
      });
}

// By statistics that are given: pointwise.
void batch_normalization(Rule& r) {
  Value* x = &r.input(0);
  std::vector<Value*> operands = {x};
  for (size_t i = 1; i < 5; ++i) operands.push_back(&r.input(i));
  const float least = r.attribute("epsilon", 1e-5F);
  const std::string epsilon = real_literal(least, r.dtype());
  const auto known = factors(r, *operands[1], *operands[4], least);
  r.define(0, x->sizes, operands, Rule::Kind::kPointwise, 6, [=](Kernel& k, const Indices& at) {
    const Indices channel = {at.size() > 1 ? at.at(1) : "0"};
    const auto of = [&](size_t i) { return k.read(*operands.at(i), channel); };
    const std::string factor = k.let(
        c_type(x->dtype), known ? k.load(*known, DType::kFloat32, channel.front())
                                : fmt::format("{} * (1 / s_sqrt({} + {}))", of(1), of(4), epsilon));
    return fmt::format("(({} - {}) * {} + {})", k.read(*x, at), of(3), factor, of(2));
  });
}

constexpr Entry kRowRules[] = {
    {"Softmax LogSoftmax", softmax},
    {"LayerNormalization RMSNormalization", layer_normalization},
    {"InstanceNormalization GroupNormalization", instance_normalization},
    {"BatchNormalization", batch_normalization},
};

}  // namespace

std::span<const Entry> row_rules() { return kRowRules; }

}  // namespace slipway::cuda
