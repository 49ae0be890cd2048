// Complex numbers as far as the kernels go: the transform of real signals, and what is read off it.
#include <cmath>
#include <string>

#include "passes/decompositions/complex_parts.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

DType part_type(DType complex) {
  return complex == DType::kComplex128 ? DType::kFloat64 : DType::kFloat32;
}

DType complex_of(DType real) {
  return real == DType::kFloat64 ? DType::kComplex128 : DType::kComplex64;
}

namespace {

// [..., 2]
Value* parts(Context& c, Value* x) {
  Sizes sizes = x->sizes();
  sizes.emplace_back(2);
  return c.build.call("aten.view_as_real_copy.default", {x}, part_type(x->dtype()), sizes);
}

}  // namespace

Value* part(Context& c, Value* x, int64_t i) { return c.build.select(parts(c, x), -1, i); }

// No kernel makes a complex number of two, but the transform of four real numbers a, 0, 0, b has
// a - 0 + (b - 0)i as its second entry, exactly.
Value* complex_from(Context& c, Value* real, Value* imaginary) {
  const int64_t rank = real->rank();
  Value* first = c.build.unsqueeze(real, rank);
  Value* zero = c.build.full_like(first, 0);
  Value* four = c.build.cat({first, zero, zero, c.build.unsqueeze(imaginary, rank)}, rank);
  Sizes sizes = real->sizes();
  sizes.emplace_back(3);
  Value* transformed =
      c.build.call("aten._fft_r2c.default", {four, Sizes{SymInt(rank)}, SymInt(0), true},
                   complex_of(real->dtype()), sizes);
  return c.build.select(transformed, -1, 1);
}

namespace {

Values absolute(Context& c) {
  Value* x = c.tensor(0);
  if (!is_complex(x->dtype())) {
    // The kernel leaves -0.0 as it is, unless 0 was added to it.
    if (!is_floating_point(x->dtype()) || adds_zero(x)) return {};
    return {c.build.abs(c.build.add(x, 0.0))};
  }
  return {c.build.call("aten.hypot.default", {part(c, x, 0), part(c, x, 1)}, c.dtype(), c.sizes())};
}

Values angle(Context& c) {
  Value* x = c.tensor(0);
  if (is_complex(x->dtype())) return {c.build.atan2(part(c, x, 1), part(c, x, 0))};
  x = c.build.to_dtype(x, c.dtype());
  Value* turned = c.build.masked_fill(c.build.full_like(x, 0.0), c.build.lt(x, 0), std::acos(-1.0));
  return {c.build.where(c.build.isnan(x), x, turned)};
}

Values real(Context& c) {
  Value* x = c.tensor(0);
  return {is_complex(x->dtype()) ? part(c, x, 0) : x};
}

// PyTorch's numbers: 0 none, 1 by the square root, 2 by the length.
int64_t normalization(const std::string& name, bool forward) {
  if (name == "ortho") return 1;
  if (name == "forward") return forward ? 2 : 0;
  return forward ? 0 : 2;
}

// Cut or padded with zeros to `length`.
Value* fitted(Context& c, Value* x, int64_t dim, const SymInt& length) {
  const SymInt size = x->sizes().at(dim);
  if (size == length) return x;
  const auto missing = (length - size).constant();
  if (missing && *missing < 0) return c.build.narrow(x, dim, 0, length);
  const auto least = c.bounds(length - size).min;
  const bool may_be_cut = !least || *least < 0;
  Sizes pad(2 * (x->sizes().size() - static_cast<size_t>(dim)), 0);
  pad.at(pad.size() - 1) = may_be_cut ? SymInt::max(length - size, 0) : length - size;
  x = c.build.constant_pad_nd(x, pad);
  return may_be_cut ? c.build.narrow(x, dim, 0, length) : x;
}

// (self, n, dim, norm)
Values rfft(Context& c) {
  Value* x = c.build.to_dtype(c.tensor(0), part_type(c.dtype()));
  const int64_t dim = c.dim(c.has(2) ? c.constant(2) : -1, x->rank());
  if (c.has(1)) x = fitted(c, x, dim, c.integer(1));
  return {c.build.call("aten._fft_r2c.default",
                       {x, Sizes{SymInt(dim)}, SymInt(normalization(c.text(3), true)), true},
                       c.dtype(), c.sizes())};
}

Values irfft(Context& c) {
  Value* x = c.tensor(0);
  const int64_t dim = c.dim(c.has(2) ? c.constant(2) : -1, x->rank());
  const SymInt length = c.sizes().at(dim);
  if (!is_complex(x->dtype()) || x->sizes().at(dim) != SymInt::floordiv(length, 2) + 1) {
    return c.unsupported("only a spectrum of n / 2 + 1 complex entries is transformed back");
  }
  return {c.build.call("aten._fft_c2r.default",
                       {x, Sizes{SymInt(dim)}, SymInt(normalization(c.text(3), false)), length},
                       c.dtype(), c.sizes())};
}

// Transforms of overlapping, weighed pieces of the signal: [batch, frequencies, pieces].
Values stft(Context& c) {
  const bool centred = c.op() == "aten.stft.center";
  const size_t after = centred ? 7 : 5;  // normalized, onesided, return_complex
  Value* x = c.tensor(0);
  const int64_t n = c.constant(1);
  const int64_t hop = c.has(2) ? c.constant(2) : n / 4;
  const int64_t window_length = c.has(3) ? c.constant(3) : n;
  if (c.has(after + 1) && !c.flag(after + 1)) {
    return c.unsupported("only one-sided transforms are covered: leave onesided out");
  }
  const bool single = x->rank() == 1;
  if (single) x = c.build.unsqueeze(x, 0);
  if (centred && c.flag(5)) {
    const std::string mode = c.text(6);
    const Sizes pad = {n / 2, n / 2};
    Sizes sizes = x->sizes();
    sizes.at(1) = sizes.at(1) + SymInt(n / 2 * 2);
    const Sizes planes = {sizes.at(0), 1, sizes.at(1)};
    x = c.build.unsqueeze(x, 1);
    x = c.build.call("aten.pad.default", {x, pad, mode.empty() ? "reflect" : mode, 0.0}, x->dtype(),
                     planes);
    x = c.build.view(x, sizes);
  }
  const SymInt count = SymInt::floordiv(x->sizes().at(1) - SymInt(n), hop) + 1;
  Value* pieces = c.build.call("aten.unfold_copy.default", {x, SymInt(1), SymInt(n), SymInt(hop)},
                               x->dtype(), {x->sizes().at(0), count, n});
  if (c.has(4)) {
    Value* window = c.tensor(4);
    if (window_length < n) {
      const int64_t left = (n - window_length) / 2;
      window = c.build.constant_pad_nd(window, {left, n - window_length - left});
    }
    pieces = c.build.mul(pieces, window);
  } else if (window_length < n) {
    const int64_t left = (n - window_length) / 2;
    pieces = c.build.mul(pieces, c.build.constant_pad_nd(c.build.ones({window_length}, x->dtype()),
                                                         {left, n - window_length - left}));
  }
  // Frequencies come before pieces, and only real numbers are moved.
  pieces = c.build.transpose(pieces, 1, 2);
  Sizes sizes = {x->sizes().at(0), n / 2 + 1, count};
  Value* result =
      c.build.call("aten._fft_r2c.default", {pieces, Sizes{1}, SymInt(c.flag(after) ? 1 : 0), true},
                   complex_of(x->dtype()), sizes);
  if (!is_complex(c.dtype())) result = parts(c, result);
  return {single ? c.build.view(result, c.sizes()) : result};
}

constexpr Entry kRules[] = {
    {"aten.abs.default", absolute},
    {"aten.angle.default", angle},
    {"aten.real.default", real},
    {"aten.imag.default", [](Context& c) -> Values { return {part(c, c.tensor(0), 1)}; }},
    {"aten.view_as_real.default", [](Context& c) -> Values { return {parts(c, c.tensor(0))}; }},
    {"aten.fft_rfft.default", rfft},
    {"aten.fft_irfft.default", irfft},
    {"aten.stft.default aten.stft.center", stft},
};

}  // namespace

std::span<const Entry> complex_rules() { return kRules; }

}  // namespace slipway::passes::decompositions
