// Pictures in other sizes, and at places that data gives.
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// How a dimension is resized.
struct Axis {
  size_t dim = 0;
  SymInt in;
  SymInt out;
  std::string step;  // how far the operand's places are apart, as a C expression, if it is given
};

struct Resize {
  std::vector<Axis> axes;
  std::string mode;
  std::string coordinates;
  std::string rounding;
  std::string a;  // the cubic's coefficient
  const char* type = "float";
};

std::string step_of(Kernel& k, const Resize& resize, const Axis& axis) {
  const std::string in = k.number(axis.in);
  const std::string out = k.number(axis.out);
  if (resize.coordinates == "align_corners") {
    return k.let(resize.type,
                 fmt::format("{1} > 1 ? ({2})({0} - 1) / ({1} - 1) : 0", in, out, resize.type));
  }
  if (!axis.step.empty()) return axis.step;
  return k.let(resize.type, fmt::format("({2}){0} / ({2}){1}", in, out, resize.type));
}

// The place among the operand's of an element of the result, a real number.
std::string source_place(Kernel& k, const Resize& resize, const Axis& axis, const std::string& i) {
  const std::string step = step_of(k, resize, axis);
  if (resize.coordinates == "half_pixel") {
    return k.let(resize.type,
                 fmt::format("({0}) * (({2}){1} + ({2})0.5) - ({2})0.5", step, i, resize.type));
  }
  return k.let(resize.type, fmt::format("({}) * ({}){}", step, resize.type, i));
}

std::string clamped(Kernel& k, const std::string& i, const SymInt& size) {
  const std::string n = k.number(size);
  const std::string place = k.let("Index", i);
  return k.let("Index", fmt::format("{0} < 0 ? 0 : {0} >= {1} ? {1} - 1 : {0}", place, n));
}

struct Tap {
  std::string place;
  std::string weight;
};

// The elements of one dimension that enter into one of the result.
std::vector<Tap> taps_of(Kernel& k, const Resize& resize, const Axis& axis, const std::string& i) {
  const char* type = resize.type;
  std::string place = source_place(k, resize, axis, i);
  if (resize.mode == "nearest") {
    if (resize.rounding != "floor") {
      // Half a place up, as PyTorch does before it multiplies.
      const std::string step = step_of(k, resize, axis);
      place = k.let(type, fmt::format("({}) * (({}){} + ({})0.5)", step, type, i, type));
    }
    return {{clamped(k, fmt::format("(Index)s_floor({})", place), axis.in), ""}};
  }
  if (resize.mode == "linear") {
    const std::string at = k.let(type, fmt::format("{0} < 0 ? 0 : {0}", place));
    const std::string base = k.let("Index", fmt::format("(Index)s_floor({})", at));
    const std::string t = k.let(type, fmt::format("{} - ({}){}", at, type, base));
    return {{clamped(k, base, axis.in), fmt::format("(1 - {})", t)},
            {clamped(k, plus(base, "1"), axis.in), t}};
  }
  const std::string base = k.let("Index", fmt::format("(Index)s_floor({})", place));
  const std::string t = k.let(type, fmt::format("{} - ({}){}", place, type, base));
  std::vector<Tap> taps;
  for (int tap = -1; tap <= 2; ++tap) {
    taps.push_back(
        {clamped(k, fmt::format("{} + ({})", base, tap), axis.in),
         k.let(type, fmt::format("s_cubic<{0}>({1} - ({0})({2}), {3})", type, t, tap, resize.a))});
  }
  return taps;
}

void resize(Rule& r) {
  Value* x = &r.input(0);
  const size_t rank = x->sizes.size();
  Resize resize;
  resize.mode = r.attribute("mode", "nearest");
  resize.coordinates = r.attribute("coordinate_transformation_mode", "half_pixel");
  resize.rounding = r.attribute("nearest_mode", "round_prefer_floor");
  resize.type = r.dtype() == DType::kFloat64 ? "double" : "float";
  resize.a = real_literal(r.attribute("cubic_coeff_a", -0.75F),
                          r.dtype() == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32);
  Sizes sizes = x->sizes;
  std::vector<double> scales;
  if (r.has(3)) {
    sizes = r.integers(3);
  } else {
    scales = r.reals(2).value_or(std::vector<double>());
    if (scales.size() != rank) return r.fail("its Resize has scales that are not known");
    for (size_t i = 0; i < rank; ++i) {
      if (scales[i] != 1) sizes[i] = SymInt::scale(sizes[i], scales[i]);
    }
    sizes = r.declared(0, sizes);
  }
  for (size_t i = 0; i < rank; ++i) {
    const bool stays = x->sizes[i] == sizes[i] && (scales.empty() || scales[i] == 1);
    if (stays) continue;
    Axis axis{i, x->sizes[i], sizes[i], ""};
    if (!scales.empty()) {
      axis.step = real_literal(1 / scales[i],
                               r.dtype() == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32);
    }
    resize.axes.push_back(std::move(axis));
  }
  Value* const y = &r.output(0);
  y->order = x->order;
  r.define_root(0, sizes, {x}, {x}, [=](Kernel& k, const Store& store) {
    const Indices at = k.unravel(k.thread_of(numel(sizes)), *y);
    std::vector<std::vector<Tap>> taps;
    for (const Axis& axis : resize.axes) taps.push_back(taps_of(k, resize, axis, at[axis.dim]));
    // One dimension within the other, the last one innermost.
    std::function<std::string(size_t, const Indices&)> sum = [&](size_t i, const Indices& from) {
      if (i == taps.size()) return k.read(*x, from);
      std::string total;
      for (const Tap& tap : taps[i]) {
        Indices place = from;
        place[resize.axes[i].dim] = tap.place;
        std::string part = sum(i + 1, place);
        if (!tap.weight.empty()) part = fmt::format("{} * {}", tap.weight, part);
        total = total.empty() ? part : fmt::format("{} + {}", total, part);
      }
      return taps[i].size() == 1 ? total : fmt::format("({})", total);
    };
    store(k, at, sum(0, at));
  });
}

struct Grid {
  bool align = false;
  std::string mode;
  std::string padding;
  const char* type = "float";
};

// From -1 to 1 to places of a dimension.
std::string unnormalized(Kernel& k, const Grid& grid, const std::string& x, const SymInt& size) {
  const std::string n = k.number(size);
  return k.let(grid.type, grid.align
                              ? fmt::format("({0} + 1) / 2 * ({2})({1} - 1)", x, n, grid.type)
                              : fmt::format("(({0} + 1) * ({2}){1} - 1) / 2", x, n, grid.type));
}

std::string padded(Kernel& k, const Grid& grid, const std::string& x, const SymInt& size) {
  const std::string n = k.number(size);
  if (grid.padding == "zeros") return x;
  std::string place = x;
  if (grid.padding == "reflection") {
    place = fmt::format("s_reflect<{}>({}, {}, {})", grid.type, x, grid.align ? "0" : "-1",
                        grid.align ? fmt::format("2 * ({} - 1)", n) : fmt::format("2 * {} - 1", n));
  }
  return k.let(grid.type, fmt::format("s_within<{0}>({1}, ({0})({2} - 1))", grid.type, place, n));
}

// An element at whole places; 0 outside.
std::string element(Kernel& k, const Value& x, Indices at, const std::vector<std::string>& places) {
  std::string inside;
  for (size_t i = 0; i < places.size(); ++i) {
    const std::string n = k.number(x.sizes.at(i + 2));
    inside += fmt::format("{0}{1} >= 0 && {1} < {2}", inside.empty() ? "" : " && ", places[i], n);
    at.push_back(places[i]);
  }
  return k.choose(c_type(x.dtype), {{inside, [&] { return k.read(x, at); }},
                                    {"", [&] { return fmt::format("({})0", c_type(x.dtype)); }}});
}

std::string sample(Kernel& k, const Value& x, const Grid& grid, const Indices& head,
                   const std::vector<std::string>& coordinates) {
  const size_t n = coordinates.size();
  const char* type = grid.type;
  std::vector<std::vector<Tap>> taps(n);
  for (size_t i = 0; i < n; ++i) {
    const SymInt& size = x.sizes.at(i + 2);
    const std::string raw = unnormalized(k, grid, coordinates[i], size);
    if (grid.mode == "cubic") {
      const std::string base = k.let(type, fmt::format("s_floor({})", raw));
      const std::string t = k.let(type, fmt::format("{} - {}", raw, base));
      for (int tap = -1; tap <= 2; ++tap) {
        const std::string at =
            padded(k, grid, k.let(type, fmt::format("{} + ({})", base, tap)), size);
        taps[i].push_back(
            {k.let("Index", fmt::format("s_place({})", at)),
             k.let(type, fmt::format("s_cubic<{0}>({1} - ({0})({2}), ({0})-0.75)", type, t, tap))});
      }
      continue;
    }
    const std::string at = padded(k, grid, raw, size);
    if (grid.mode == "nearest") {
      taps[i].push_back({k.let("Index", fmt::format("s_place(s_rint({}))", at)), ""});
      continue;
    }
    const std::string base = k.let(type, fmt::format("s_floor({})", at));
    const std::string place = k.let("Index", fmt::format("s_place({})", base));
    taps[i].push_back({place, k.let(type, fmt::format("{} + 1 - {}", base, at))});
    taps[i].push_back({k.let("Index", fmt::format("{} + 1", place)),
                       k.let(type, fmt::format("{} - {}", at, base))});
  }
  std::function<std::string(size_t, const std::vector<std::string>&)> sum =
      [&](size_t i, const std::vector<std::string>& places) {
        if (i == n) return element(k, x, head, places);
        std::string total;
        for (const Tap& tap : taps[i]) {
          std::vector<std::string> next = places;
          next.push_back(tap.place);
          std::string part = sum(i + 1, next);
          if (!tap.weight.empty()) part = fmt::format("{} * {}", tap.weight, part);
          total = total.empty() ? part : fmt::format("{} + {}", total, part);
        }
        return taps[i].size() == 1 ? total : fmt::format("({})", total);
      };
  return sum(0, {});
}

void grid_sample(Rule& r) {
  Value* x = &r.input(0);
  Value* places = &r.input(1);
  Grid grid;
  grid.align = r.attribute("align_corners", int64_t{0}) != 0;
  grid.mode = r.attribute("mode", "linear");
  grid.padding = r.attribute("padding_mode", "zeros");
  grid.type = c_type(r.dtype());
  Sizes sizes = {x->sizes.at(0), x->sizes.at(1)};
  sizes.insert(sizes.end(), places->sizes.begin() + 1, places->sizes.end() - 1);
  const size_t n = sizes.size() - 2;
  r.define_root(0, sizes, {x, places}, {x, places}, [=](Kernel& k, const Store& store) {
    const Indices at = k.unravel(k.thread_of(numel(sizes)), sizes);
    std::vector<std::string> coordinates;
    for (size_t i = 0; i < n; ++i) {
      Indices from = {at[0]};
      from.insert(from.end(), at.begin() + 2, at.end());
      // The last coordinate is of the first dimension.
      from.push_back(std::to_string(n - 1 - i));
      coordinates.push_back(k.read(*places, from));
    }
    store(k, at, fmt::format("({})", sample(k, *x, grid, {at[0], at[1]}, coordinates)));
  });
}

constexpr Entry kResamplingRules[] = {{"Resize", resize}, {"GridSample", grid_sample}};

}  // namespace

std::span<const Entry> resampling_rules() { return kResamplingRules; }

}  // namespace slipway::cuda
