// Pools, and what they share with convolutions.
#include "cuda/builder/windows.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/rows.h"

namespace slipway::cuda {

using ir::SymInt;

Window window_of(Rule& r) {
  Window w;
  w.count = r.input(0).sizes.size() - 2;
  w.strides = r.attribute("strides", std::vector<int64_t>(w.count, 1));
  w.dilations = r.attribute("dilations", std::vector<int64_t>(w.count, 1));
  w.pads = r.attribute("pads", std::vector<int64_t>(2 * w.count, 0));
  return w;
}

std::string tap(Kernel& k, const Window& w, const Sizes& sizes, const Indices& out,
                const Indices& taps, Indices& at) {
  std::string condition;
  for (size_t i = 0; i < w.count; ++i) {
    const std::string place =
        k.let("Index", minus(plus(times(out.at(i), std::to_string(w.strides.at(i))),
                                  times(taps.at(i), std::to_string(w.dilations.at(i)))),
                             std::to_string(w.pads.at(i))));
    at.push_back(place);
    if (w.pads.at(i) == 0 && w.pads.at(i + w.count) == 0) continue;
    condition += fmt::format("{}{} >= 0 && {} < {}", condition.empty() ? "" : " && ", place, place,
                             k.number(sizes.at(i + 2)));
  }
  return condition.empty() ? "true" : condition;
}

std::string tap_of_transposed(Kernel& k, const Window& w, const Sizes& sizes, const Indices& out,
                              const Indices& taps, Indices& at) {
  std::string condition;
  for (size_t i = 0; i < w.count; ++i) {
    const std::string stride = std::to_string(w.strides.at(i));
    const std::string far =
        k.let("Index", minus(plus(out.at(i), std::to_string(w.pads.at(i))),
                             times(taps.at(i), std::to_string(w.dilations.at(i)))));
    const std::string place = k.let("Index", fmt::format("{} / {}", far, stride));
    at.push_back(place);
    condition +=
        fmt::format("{0}{1} >= 0 && {1} % {2} == 0 && {3} < {4}", condition.empty() ? "" : " && ",
                    far, stride, place, k.number(sizes.at(i + 2)));
  }
  return condition.empty() ? "true" : condition;
}

Sizes tail(const Sizes& sizes, size_t start) {
  return {sizes.begin() + static_cast<std::ptrdiff_t>(start), sizes.end()};
}

namespace {

struct Pool {
  Window window;
  Sizes kernel;
  Sizes sizes;  // of the result
};

Pool pool_of(Rule& r) {
  Pool pool;
  pool.window = window_of(r);
  const Sizes& from = r.input(0).sizes;
  pool.sizes = {from.at(0), from.at(1)};
  const auto kernel = r.attribute("kernel_shape", std::vector<int64_t>());
  if (r.attribute("ceil_mode", int64_t{0}) != 0) r.fail("its pool has a ceil mode");
  for (size_t i = 0; i < pool.window.count; ++i) {
    pool.kernel.emplace_back(kernel.at(i));
    const SymInt reach = (kernel[i] - 1) * pool.window.dilations[i] + 1;
    const SymInt padding = pool.window.pads[i] + pool.window.pads[i + pool.window.count];
    pool.sizes.push_back(
        SymInt::floordiv(from.at(i + 2) + padding - reach, pool.window.strides[i]) + 1);
  }
  return pool;
}

// The largest element, the first of equals, and where it lies in the whole tensor; of several NaN
// the last one.
void max_pool(Rule& r) {
  Value* x = &r.input(0);
  const Pool pool = pool_of(r);
  const DType dtype = x->dtype;
  const auto emit = [=](Kernel& k, const Value& y, bool places, const Store& store) {
    Rows rows(k, y);
    const Indices& out = rows.at();
    const std::string type = fmt::format("s_placed<{}>", c_type(dtype));
    const std::string best = k.fresh("a");
    k.line(fmt::format("{} {} = {{0, -1}};", type, best));
    rows.each(numel(pool.kernel), [&](const std::string& i) {
      Indices at = {out[0], out[1]};
      const Indices spatial(out.begin() + 2, out.end());
      const std::string inside =
          tap(k, pool.window, x->sizes, spatial, k.unravel(i, pool.kernel), at);
      k.open(fmt::format("if ({})", inside));
      const std::string element = k.let(c_type(dtype), k.read(*x, at));
      k.line(
          fmt::format("if ({0}.place < 0 || {1} > {0}.value || {1} != {1}) {0} = {2}{{{1}, {3}}};",
                      best, element, type, k.ravel(at, x->sizes)));
      k.close();
    });
    const std::string lowest =
        is_floating_point(dtype) ? real_literal(-__builtin_inf(), dtype) : "0";
    store(k, out,
          places ? fmt::format("(long long){}.place", best)
                 : fmt::format("({0}.place < 0 ? {1} : {0}.value)", best, lowest));
  };
  for (const bool places : {false, true}) {
    if (!r.is_used(places ? 1 : 0)) continue;
    Value* const y = &r.output(places ? 1 : 0);
    y->order = x->order;
    r.define_root(places ? 1 : 0, pool.sizes, {x}, {x},
                  [=](Kernel& k, const Store& store) { emit(k, *y, places, store); });
  }
}

void average_pool(Rule& r) {
  Value* x = &r.input(0);
  const Pool pool = pool_of(r);
  const bool includes_pads = r.attribute("count_include_pad", int64_t{0}) != 0;
  const char* type = c_type(r.dtype());
  Value* const y = &r.output(0);
  y->order = x->order;
  r.define_root(0, pool.sizes, {x}, {x}, [=](Kernel& k, const Store& store) {
    Rows rows(k, *y);
    const Indices& out = rows.at();
    const std::string sum = k.fresh("a");
    const std::string count = k.fresh("c");
    k.line(fmt::format("{} {} = 0;", type, sum));
    k.line(fmt::format("int {} = 0;", count));
    rows.each(numel(pool.kernel), [&](const std::string& i) {
      Indices at = {out[0], out[1]};
      const Indices spatial(out.begin() + 2, out.end());
      const std::string inside =
          tap(k, pool.window, x->sizes, spatial, k.unravel(i, pool.kernel), at);
      k.open(fmt::format("if ({})", inside));
      const std::string element = k.read(*x, at);
      k.line(fmt::format("{} += {};", sum, element));
      k.line(fmt::format("++{};", count));
      k.close();
    });
    const std::string divisor = includes_pads ? k.number(numel(pool.kernel)) : count;
    store(k, out, fmt::format("({} / ({}){})", sum, type, divisor));
  });
}

void global_average_pool(Rule& r) {
  Value* x = &r.input(0);
  const Sizes within = tail(x->sizes, 2);
  Sizes sizes = x->sizes;
  for (size_t i = 2; i < sizes.size(); ++i) sizes[i] = 1;
  const std::string type = c_type(r.dtype());
  r.define_root(0, sizes, {x}, {}, [=](Kernel& k, const Store& store) {
    const SymInt count = numel(within);
    Rows rows(k, sizes, Rows::form_for(sizes, count));
    const std::string sum = rows.reduce(type, "0", "s_sum", count, [&](const std::string& i) {
      Indices at = {rows.at()[0], rows.at()[1]};
      const Indices inner = k.unravel(i, within);
      at.insert(at.end(), inner.begin(), inner.end());
      return k.read(*x, at);
    });
    rows.once(
        [&] { store(k, rows.at(), fmt::format("({} / ({}){})", sum, type, k.number(count))); });
  });
}

// Adds up columns, one for each place of a window: [batch, channels * taps, places].
void columns_to_image(Rule& r) {
  Value* x = &r.input(0);
  const std::vector<SymInt> image = r.integers(1);
  const std::vector<int64_t> kernel = r.constants(2);
  Window w;
  w.count = image.size();
  w.strides = r.attribute("strides", std::vector<int64_t>(w.count, 1));
  w.dilations = r.attribute("dilations", std::vector<int64_t>(w.count, 1));
  w.pads = r.attribute("pads", std::vector<int64_t>(2 * w.count, 0));
  const Sizes taps(kernel.begin(), kernel.end());
  // As many windows as a convolution has; in a tensor of its own sizes.
  Sizes windows = {1, 1};
  for (size_t i = 0; i < w.count; ++i) {
    const SymInt reach = (taps.at(i) - 1) * w.dilations[i] + 1;
    windows.push_back(
        SymInt::floordiv(image[i] + (w.pads[i] + w.pads[i + w.count]) - reach, w.strides[i]) + 1);
  }
  const Sizes places = tail(windows, 2);
  Sizes sizes = {x->sizes.at(0), SymInt::floordiv(x->sizes.at(1), numel(taps))};
  sizes.insert(sizes.end(), image.begin(), image.end());
  const char* type = c_type(r.dtype());
  r.define_root(0, sizes, {x}, {x}, [=](Kernel& k, const Store& store) {
    Rows rows(k, sizes, Rows::Form::kThread);
    const Indices& out = rows.at();
    const std::string sum = k.fresh("a");
    k.line(fmt::format("{} {} = 0;", type, sum));
    rows.each(numel(taps), [&](const std::string& i) {
      Indices at;
      const Indices spatial(out.begin() + 2, out.end());
      const std::string inside = tap_of_transposed(k, w, windows, spatial, k.unravel(i, taps), at);
      k.open(fmt::format("if ({})", inside));
      const std::string row = k.let("Index", plus(times(out[1], k.number(numel(taps))), i));
      const std::string element = k.read(*x, {out[0], row, k.ravel(at, places)});
      k.line(fmt::format("{0} = s_add({0}, {1});", sum, element));
      k.close();
    });
    store(k, out, fmt::format("({})", sum));
  });
}

constexpr Entry kWindowRules[] = {
    {"Conv ConvTranspose", convolve}, {"MaxPool", max_pool},
    {"AveragePool", average_pool},    {"GlobalAveragePool", global_average_pool},
    {"Col2Im", columns_to_image},
};

}  // namespace

std::span<const Entry> window_rules() { return kWindowRules; }

}  // namespace slipway::cuda
