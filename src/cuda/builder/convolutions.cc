// Convolutions, as products of matrices.
#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/library_graph.h"
#include "cuda/builder/product.h"
#include "cuda/builder/tiled_product.h"
#include "cuda/builder/windows.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// A convolution of one group: its places, of all of the batch, are the rows, and its taps, each
// with all channels, are what is summed up. With the channels innermost these lie together.
struct Places {
  Value* x = nullptr;
  Value* weight = nullptr;
  Window window;
  Sizes rows;       // batch, places
  Sizes taps;       // taps, channels
  SymInt channels;  // of the result
  DType type = DType::kFloat32;
};

// The place in x, and a condition.
std::string place_in(Kernel& k, const Places& p, const std::string& row, const std::string& depth,
                     Indices& at) {
  Indices out = k.unravel(row, p.rows);
  Indices taps = k.unravel(depth, p.taps);
  at = {out.front(), taps.back()};
  out.erase(out.begin());
  taps.pop_back();
  return tap(k, p.window, p.x->sizes, out, taps, at);
}

bool are_all(const std::vector<int64_t>& numbers, int64_t number) {
  return std::all_of(numbers.begin(), numbers.end(), [&](int64_t n) { return n == number; });
}

// Whether all of its dimensions but the channels could be one.
bool is_matrix(const Value& x, const View& view) {
  const size_t last = x.sizes.size() - 1;
  SymInt stride = view.strides[last];
  for (size_t i = last + 1; i-- > 0;) {
    if (i == 1) continue;
    if (x.sizes[i] != SymInt(1) && view.strides[i] != stride) return false;
    stride = stride * x.sizes[i];
  }
  return true;
}

TiledOperand images(Generator& generator, const Places& p) {
  TiledOperand operand;
  operand.element = [p](Kernel& k, const Indices&, const std::string& row,
                        const std::string& depth) {
    Indices at;
    const std::string inside = place_in(k, p, row, depth, at);
    if (inside == "true") return k.read(*p.x, at);
    return k.choose("float", {{inside, [&] { return k.read(*p.x, at); }},
                              {"", [] { return std::string("0.0f"); }}});
  };
  const auto view = view_of(*p.x);
  const int64_t vector = vector_of(p.type);
  if (!view || !view->repeats.empty() || memory_dtype(*view->base) != p.type ||
      !is_multiple(p.taps.back(), vector) || view->strides[1] != SymInt(1) ||
      !is_multiple(view->offset, vector)) {
    return operand;
  }
  for (size_t i = 0; i < view->strides.size(); ++i) {
    const bool is_aligned =
        i == 1 || p.x->sizes[i] == SymInt(1) || is_multiple(view->strides[i], vector);
    if (!is_aligned) return operand;
  }
  operand.buffer = buffer_of(generator, *view);
  operand.place = [p, view](Kernel& k, const Indices&, const std::string& row,
                            const std::string& depth) {
    Indices at;
    static_cast<void>(place_in(k, p, row, depth, at));
    std::string place = k.number(view->offset);
    for (size_t i = 0; i < at.size(); ++i) {
      if (p.x->sizes[i] != SymInt(1) || i >= 2) {
        place = plus(place, times(at[i], k.number(view->strides[i])));
      }
    }
    return place;
  };
  const Sizes taps(p.taps.begin(), p.taps.end() - 1);
  if (ir::numel(taps) == SymInt(1) && are_all(p.window.strides, 1) && are_all(p.window.pads, 0) &&
      is_matrix(*p.x, *view)) {
    operand.row_stride = view->strides.back();
  }
  if (!are_all(p.window.pads, 0)) {
    operand.inside = [p](Kernel& k, const Indices&, const std::string& row,
                         const std::string& depth) {
      Indices at;
      return place_in(k, p, row, depth, at);
    };
  }
  return operand;
}

// What finds the same a box at a time, which takes every eighth place at the most.
std::optional<Windows> windows(Generator& generator, const Places& p, const TiledOperand& images) {
  constexpr int64_t kMostStep = 8;
  if (!images.buffer || images.row_stride || p.window.count != 2) return std::nullopt;
  if (std::max(p.window.strides[0], p.window.strides[1]) > kMostStep) return std::nullopt;
  const View view = *view_of(*p.x);
  Windows made = {
      buffer_of(generator, view), view.offset,        {},           {}, tail(p.rows, 1), {},
      p.window.strides,           p.window.dilations, p.window.pads};
  SymInt within = p.x->sizes[1];
  for (const size_t i : {3, 2, 0}) {
    const bool is_one = p.x->sizes[i] == SymInt(1);
    made.sizes.insert(made.sizes.begin(), p.x->sizes[i]);
    made.strides.insert(made.strides.begin(), is_one ? within : view.strides[i]);
    within = made.strides.front() * p.x->sizes[i];
  }
  made.sizes.push_back(p.x->sizes[1]);
  for (const size_t i : {0, 1}) {
    const auto taps = p.taps[i].constant();
    if (!taps || !made.places[i].constant()) return std::nullopt;
    made.taps.push_back(*taps);
  }
  return made;
}

// What [outer, inner, taps] is as [outer, taps, inner], with zeros behind.
struct FilterShape {
  size_t outer;
  size_t inner;
  size_t taps;
  size_t padded_inner;
  size_t padded_row;
};
std::vector<std::byte> with_channels_last(std::span<const std::byte> from, const FilterShape& shape,
                                          size_t size) {
  std::vector<std::byte> made(shape.outer * shape.padded_row * size);
  for (size_t o = 0; o < shape.outer; ++o) {
    for (size_t c = 0; c < shape.inner; ++c) {
      for (size_t t = 0; t < shape.taps; ++t) {
        std::memcpy(made.data() + (o * shape.padded_row + t * shape.padded_inner + c) * size,
                    from.data() + ((o * shape.inner + c) * shape.taps + t) * size, size);
      }
    }
  }
  return made;
}

TiledOperand filters(Generator& generator, const Places& p) {
  TiledOperand operand;
  operand.element = [p](Kernel& k, const Indices&, const std::string& row,
                        const std::string& depth) {
    Indices at = k.unravel(depth, p.taps);
    at.insert(at.begin(), {row, at.back()});
    at.pop_back();
    return k.read(*p.weight, at);
  };
  const auto view = view_of(*p.weight);
  const bool is_constant = view && view->base->initializer && view->base->dtype == p.type &&
                           view->base->sizes == p.weight->sizes && view->offset == SymInt(0) &&
                           ir::numel(p.weight->sizes) != SymInt(0);
  const auto itself = is_constant ? view_of(*view->base) : std::nullopt;
  if (!itself || itself->strides != view->strides) return operand;
  const auto known = [](const SymInt& size) { return static_cast<size_t>(*size.constant()); };
  const size_t depth = known(ir::numel(p.taps));
  const auto vector = static_cast<size_t>(vector_of(p.type));
  const size_t padded = (depth + vector - 1) / vector * vector;
  FilterShape shape = {known(p.channels), known(p.weight->sizes[1]), 0, known(p.taps.back()),
                       padded};
  shape.taps = depth / shape.padded_inner;
  const bool is_as_given = shape.taps == 1 && shape.inner == padded;
  operand.buffer =
      is_as_given ? generator.constant(*view->base)
                  : generator.constant(
                        *view->base, fmt::format("channels last, {}", shape.padded_inner), [&] {
                          return with_channels_last(generator.bytes(*view->base->initializer),
                                                    shape, dtype_size(p.type));
                        });
  operand.row_stride = static_cast<int64_t>(padded);
  operand.place = [padded](Kernel&, const Indices&, const std::string& row, const std::string& at) {
    return plus(times(row, std::to_string(padded)), at);
  };
  return operand;
}

// The same of images whose few channels are padded with zeros to a whole vector, as they are in
// memory then; nothing where tiles load vectors anyway, or the images are small.
std::optional<Places> with_whole_vectors(Rule& r, Places p) {
  constexpr int64_t kManyPlaces = 4096;
  const int64_t vector = vector_of(p.type);
  const int64_t channels = p.taps.back().constant().value_or(vector);
  if (channels >= vector || ir::numel(p.rows).constant().value_or(0) < kManyPlaces) {
    return std::nullopt;
  }
  p.taps.back() = vector;
  Generator& generator = r.generator();
  if (!filters(generator, p).buffer) return std::nullopt;
  Value& y = generator.value(fmt::format("{} in {} channels", p.x->name, vector));
  if (!y.buffer) {
    Value* const x = p.x;
    settle(generator, {x}, {});
    y.dtype = x->dtype;
    if (is_half(p.type) && !is_half(y.dtype)) y.narrow = p.type;
    y.sizes = x->sizes;
    y.sizes[1] = vector;
    y.order = Order::kChannelsLast;
    y.maker = &r.node();
    y.define = [x, channels](Kernel& k, const Indices& at) {
      const char* const type = c_type(x->dtype);
      return k.choose(type,
                      {{fmt::format("{} < {}", at[1], channels), [&] { return k.read(*x, at); }},
                       {"", [&] { return fmt::format("({})0", type); }}});
    };
    generator.materialize(y);
  }
  p.x = &y;
  return p;
}

}  // namespace

void convolve(Rule& r) {
  Value* x = &r.input(0);
  Value* weight = &r.input(1);
  Value* bias = r.has(2) ? &r.input(2) : nullptr;
  const bool is_transposed = r.node().op_type == "ConvTranspose";
  const Window w = window_of(r);
  const int64_t groups = r.attribute("group", int64_t{1});
  const Sizes kernel = tail(weight->sizes, 2);
  const SymInt inner = SymInt::floordiv(x->sizes.at(1), groups);
  const SymInt outer =
      is_transposed ? weight->sizes.at(1) : SymInt::floordiv(weight->sizes.at(0), groups);
  const auto extra = r.attribute("output_padding", std::vector<int64_t>(w.count, 0));
  Sizes sizes = {x->sizes[0], outer * groups};
  for (size_t i = 0; i < w.count; ++i) {
    const SymInt reach = (kernel[i] - 1) * w.dilations[i] + 1;
    const SymInt padding = w.pads[i] + w.pads[i + w.count];
    sizes.push_back(is_transposed
                        ? (x->sizes[i + 2] - 1) * w.strides[i] + reach - padding + extra.at(i)
                        : SymInt::floordiv(x->sizes[i + 2] + padding - reach, w.strides[i]) + 1);
  }
  sizes = r.declared(0, sizes);
  const Sizes places = tail(sizes, 2);
  Sizes taps = {inner};
  taps.insert(taps.end(), kernel.begin(), kernel.end());
  const DType dtype = r.dtype();

  Product p;
  p.batch = {sizes[0], groups};
  p.m = outer;
  p.n = numel(places);
  p.k = numel(taps);
  p.dtype = dtype;
  const auto channel = [](Kernel& k, const Indices& batch, const SymInt& each,
                          const std::string& i) {
    return k.let("Index", plus(times(batch.at(1), k.number(each)), i));
  };
  p.a = [=](Kernel& k, const Indices& batch, const std::string& m, const std::string& i) {
    const Indices t = k.unravel(i, taps);
    Indices at = is_transposed ? Indices{channel(k, batch, inner, t[0]), m}
                               : Indices{channel(k, batch, outer, m), t[0]};
    at.insert(at.end(), t.begin() + 1, t.end());
    return k.read(*weight, at);
  };
  p.b = [=](Kernel& k, const Indices& batch, const std::string& i, const std::string& n) {
    const Indices t = k.unravel(i, taps);
    Indices at = {batch.at(0), channel(k, batch, inner, t[0])};
    const Indices out = k.unravel(n, places);
    const Indices within(t.begin() + 1, t.end());
    const std::string inside = is_transposed ? tap_of_transposed(k, w, x->sizes, out, within, at)
                                             : tap(k, w, x->sizes, out, within, at);
    return k.choose(c_type(dtype), {{inside, [&] { return k.read(*x, at); }},
                                    {"", [&] { return fmt::format("({})0", c_type(dtype)); }}});
  };
  std::vector<Value*> operands = {x, weight};
  if (bias) operands.push_back(bias);

  Places by_tiles = {x, weight, w, places, tail(weight->sizes, 2), outer, DType::kFloat32};
  by_tiles.rows.insert(by_tiles.rows.begin(), sizes[0]);
  by_tiles.taps.push_back(inner);
  const auto type = tiled_type(*x, *weight, dtype);
  if (groups == 1 && !is_transposed && type && is_tiled(numel(by_tiles.rows), outer, p.k)) {
    by_tiles.type = *type;
    if (const auto padded = with_whole_vectors(r, by_tiles)) {
      operands.front() = x = padded->x;
      by_tiles = *padded;
    }
    if (!x->buffer && !x->initializer && !view_of(*x)) {
      x->order = Order::kChannelsLast;
      r.generator().materialize(*x);
    }
    r.output(0).order = Order::kChannelsLast;
    const Value* const sums = &r.output(0);
    return void(r.define_root(0, sizes, operands, {x}, [=](Kernel& k, const Store& store) {
      TiledProduct product = {{}, numel(by_tiles.rows), outer, numel(by_tiles.taps), *type, {}, {},
                              {}};
      product.a = images(k.generator(), by_tiles);
      product.b = filters(k.generator(), by_tiles);
      product.windows = windows(k.generator(), by_tiles, product.a);
      product.store = [&](Kernel& kernel, const Indices&, const std::string& m,
                          const std::string& n, const std::string& sum) {
        Indices at = kernel.unravel(m, by_tiles.rows);
        at.insert(at.begin() + 1, n);
        const std::string added = bias ? kernel.read(*bias, {n}) : "0";
        store(kernel, at, fmt::format("({} + {})", sum, added));
      };
      product.is_convolution = true;
      if (is_half(*type) && w.count == 2 && product.b.buffer) {
        product.by_cudnn = [&](Kernel& kernel) {
          return library_form(kernel, LibraryConvolution{by_tiles.x, *product.b.buffer,
                                                         *product.b.row_stride->constant(),
                                                         by_tiles.taps, w, bias, sums, *type});
        };
      }
      emit_tiled_product(k, product);
    }));
  }
  r.define_root(0, sizes, operands, {x, weight}, [=](Kernel& k, const Store& store) {
    Product product = p;
    product.store = [&](Kernel& kernel, const Indices& batch, const std::string& m,
                        const std::string& n, const std::string& sum) {
      Indices at = {batch.at(0), channel(kernel, batch, outer, m)};
      const Indices out = kernel.unravel(n, places);
      at.insert(at.end(), out.begin(), out.end());
      const std::string added = bias ? kernel.read(*bias, {at[1]}) : "0";
      store(kernel, at, fmt::format("({} + {})", sum, added));
    };
    emit_product(k, product);
  });
}

}  // namespace slipway::cuda
