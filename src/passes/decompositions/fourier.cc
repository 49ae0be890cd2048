// Fourier transforms. The one kernel for a signal transforms a real one to the half of its spectrum
// that holds all of it; the rest follows from that. Along several dimensions a signal is
// transformed along one after the other.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "passes/decompositions/complex_parts.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

// Real and imaginary part of a signal; null: zeros.
struct Signal {
  Value* real;
  Value* imaginary;
};

Value* joined(Context& c, const Signal& x) {
  return complex_from(c, x.real, x.imaginary ? x.imaginary : c.build.full_like(x.real, 0));
}

Signal signal(Context& c, Value* x) {
  if (is_complex(x->dtype())) return {part(c, x, 0), part(c, x, 1)};
  return {c.build.to_dtype(x, part_type(c.dtype())), nullptr};
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

Signal fitted(Context& c, const Signal& x, int64_t dim, const SymInt& length) {
  return {fitted(c, x.real, dim, length),
          x.imaginary ? fitted(c, x.imaginary, dim, length) : nullptr};
}

// The first n / 2 + 1 entries, which the others mirror.
Value* half_spectrum(Context& c, Value* x, int64_t dim, int64_t norm) {
  Sizes sizes = x->sizes();
  sizes.at(dim) = SymInt::floordiv(sizes.at(dim), 2) + 1;
  return c.build.call("aten._fft_r2c.default", {x, Sizes{SymInt(dim)}, SymInt(norm), true},
                      complex_of(x->dtype()), sizes);
}

// Entry k past the middle is the conjugate of entry n - k.
Signal spectrum_of_real(Context& c, Value* x, int64_t dim, int64_t norm) {
  const SymInt n = x->sizes().at(dim);
  Value* half = half_spectrum(c, x, dim, norm);
  Value* place = c.build.arange(n);
  Value* mirrored = c.build.add(c.build.mul(place, -1), n);
  Value* from = c.build.minimum(place, mirrored);
  Value* is_mirrored = c.build.gt(place, mirrored);
  Value* sign = c.build.masked_fill(c.build.full_like(c.build.to_dtype(place, x->dtype()), 1.0),
                                    is_mirrored, -1.0);
  Sizes along(x->sizes().size(), 1);
  along.at(dim) = n;
  Value* imaginary = c.build.index_select(part(c, half, 1), dim, from);
  return {c.build.index_select(part(c, half, 0), dim, from),
          c.build.mul(imaginary, c.build.view(sign, along))};
}

// With the part that is missing: the spectrum of ib is i times that of b.
Signal spectrum(Context& c, const Signal& x, int64_t dim, int64_t norm) {
  if (!x.imaginary) return spectrum_of_real(c, x.real, dim, norm);
  const Signal of_imaginary = spectrum_of_real(c, x.imaginary, dim, norm);
  if (!x.real) return {c.build.neg(of_imaginary.imaginary), of_imaginary.real};
  const Signal of_real = spectrum_of_real(c, x.real, dim, norm);
  return {c.build.sub(of_real.real, of_imaginary.imaginary),
          c.build.add(of_real.imaginary, of_imaginary.real)};
}

// Back is forward with real and imaginary parts in each other's place, before and after.
Signal transformed(Context& c, const Signal& x, int64_t dim, int64_t norm, bool forward) {
  if (forward) return spectrum(c, x, dim, norm);
  const Signal swapped = spectrum(c, {x.imaginary, x.real}, dim, norm);
  return {swapped.imaginary, swapped.real};
}

// The dimensions along which (self, s, dim, norm) transforms, and their lengths if they are given.
struct Extent {
  std::vector<int64_t> dims;
  std::vector<std::optional<SymInt>> lengths;
};
Extent extent(Context& c, int64_t rank, bool two) {
  Extent e;
  const Sizes lengths = c.has(1) ? c.integers(1) : Sizes();
  if (c.has(2)) {
    for (const SymInt& dim : c.integers(2))
      e.dims.push_back(c.dim(dim.constant().value_or(0), rank));
  } else {
    // The last two, as many as there are lengths, or all.
    const int64_t last = two ? 2 : static_cast<int64_t>(lengths.size());
    const int64_t count = two || c.has(1) ? last : rank;
    for (int64_t d = std::max<int64_t>(rank - count, 0); d < rank; ++d) e.dims.push_back(d);
  }
  e.lengths.resize(e.dims.size());
  for (size_t i = 0; i < std::min(lengths.size(), e.lengths.size()); ++i) {
    if (lengths[i] != SymInt(-1)) e.lengths[i] = lengths[i];
  }
  return e;
}
Extent one_dimension(Context& c, int64_t rank) {
  return {{c.dim(c.has(2) ? c.constant(2) : -1, rank)},
          {c.has(1) ? std::optional<SymInt>(c.integer(1)) : std::nullopt}};
}

// fft, ifft and those along several dimensions.
Values of_complex(Context& c, const Extent& e, bool forward) {
  const int64_t norm = normalization(c.text(3), forward);
  Signal x = signal(c, c.tensor(0));
  for (size_t i = 0; i < e.dims.size(); ++i) {
    if (e.lengths[i]) x = fitted(c, x, e.dims[i], *e.lengths[i]);
  }
  for (const int64_t dim : e.dims) x = transformed(c, x, dim, norm, forward);
  return {joined(c, x)};
}

// rfft, and ihfft, which goes back: of the conjugate of its half.
Values of_real(Context& c, const Extent& e, bool forward) {
  if (e.dims.empty()) return c.unsupported("it transforms along no dimension");
  if (is_complex(c.tensor(0)->dtype())) return c.unsupported("its input is complex");
  const int64_t norm = normalization(c.text(3), forward);
  Value* x = signal(c, c.tensor(0)).real;
  for (size_t i = 0; i < e.dims.size(); ++i) {
    if (e.lengths[i]) x = fitted(c, x, e.dims[i], *e.lengths[i]);
  }
  Value* half = half_spectrum(c, x, e.dims.back(), norm);
  if (e.dims.size() == 1 && forward) return {half};
  Signal result = signal(c, half);
  if (!forward) result.imaginary = c.build.neg(result.imaginary);
  for (size_t i = 0; i + 1 < e.dims.size(); ++i) {
    result = transformed(c, result, e.dims[i], norm, forward);
  }
  return {joined(c, result)};
}

// irfft, and hfft, which goes forward: of its conjugate.
Values to_real(Context& c, const Extent& e, bool is_hermitian) {
  if (e.dims.empty()) return c.unsupported("it transforms along no dimension");
  const int64_t norm = normalization(c.text(3), is_hermitian);
  Value* given = c.tensor(0);
  const int64_t last = e.dims.back();
  const SymInt length = c.sizes().at(last);
  const SymInt half = SymInt::floordiv(length, 2) + 1;
  Signal x = signal(c, given);
  bool is_as_given = is_complex(given->dtype()) && e.dims.size() == 1 && !is_hermitian;
  for (size_t i = 0; i < e.dims.size(); ++i) {
    const bool is_last = i + 1 == e.dims.size();
    if (!e.lengths[i] && !is_last) continue;
    const SymInt wanted = is_last ? half : *e.lengths[i];
    if (x.real->sizes().at(e.dims[i]) == wanted) continue;
    x = fitted(c, x, e.dims[i], wanted);
    is_as_given = false;
  }
  for (size_t i = 0; i + 1 < e.dims.size(); ++i) {
    x = transformed(c, x, e.dims[i], norm, is_hermitian);
  }
  if (is_hermitian && x.imaginary) x.imaginary = c.build.neg(x.imaginary);
  return {
      c.build.call("aten._fft_c2r.default",
                   {is_as_given ? given : joined(c, x), Sizes{SymInt(last)}, SymInt(norm), length},
                   c.dtype(), c.sizes())};
}

template <bool forward>
Values fft(Context& c) {
  return of_complex(c, one_dimension(c, c.tensor(0)->rank()), forward);
}
template <bool forward, bool two>
Values fftn(Context& c) {
  return of_complex(c, extent(c, c.tensor(0)->rank(), two), forward);
}
template <bool forward>
Values rfft(Context& c) {
  return of_real(c, one_dimension(c, c.tensor(0)->rank()), forward);
}
template <bool forward, bool two>
Values rfftn(Context& c) {
  return of_real(c, extent(c, c.tensor(0)->rank(), two), forward);
}
template <bool is_hermitian>
Values irfft(Context& c) {
  return to_real(c, one_dimension(c, c.tensor(0)->rank()), is_hermitian);
}
template <bool is_hermitian, bool two>
Values irfftn(Context& c) {
  return to_real(c, extent(c, c.tensor(0)->rank(), two), is_hermitian);
}

std::vector<int64_t> dims_of(Context& c) {
  std::vector<int64_t> dims;
  for (const SymInt& dim : c.integers(1)) {
    dims.push_back(c.dim(dim.constant().value_or(0), c.tensor(0)->rank()));
  }
  return dims;
}

// (self, dim, normalization, forward)
Values c2c(Context& c) {
  Signal x = signal(c, c.tensor(0));
  for (const int64_t dim : dims_of(c)) x = transformed(c, x, dim, c.constant(2), c.flag(3));
  return {joined(c, x)};
}

// (self, dim, normalization, onesided): the kernel has one side only.
Values r2c(Context& c) {
  if (c.flag(3)) return {};
  Signal x = signal(c, c.tensor(0));
  for (const int64_t dim : dims_of(c)) x = spectrum(c, x, dim, c.constant(2));
  return {joined(c, x)};
}

// (n, d): how often entry k of a spectrum turns within a signal of n samples that are d apart.
Values frequencies(Context& c, bool is_half) {
  const SymInt n = c.integer(0);
  Value* place = c.build.arange(is_half ? SymInt::floordiv(n, 2) + 1 : n);
  if (!is_half) {
    place =
        c.build.where(c.build.gt(place, SymInt::floordiv(n - 1, 2)), c.build.sub(place, n), place);
  }
  if (!n.constant()) return c.unsupported("its number of samples is not static");
  const double spacing = c.has(1) ? c.real(1) : 1.0;
  return {c.build.mul(c.build.to_dtype(place, c.dtype()),
                      1.0 / (static_cast<double>(*n.constant()) * spacing))};
}

// (self, dim): by half of each dimension.
Values shifted(Context& c, bool back) {
  Value* x = c.tensor(0);
  std::vector<int64_t> dims;
  Sizes shifts;
  const int64_t rank = x->rank();
  for (int64_t d = 0; d < rank; ++d) {
    if (!c.has(1)) dims.push_back(d);
  }
  if (c.has(1)) dims = dims_of(c);
  for (const int64_t dim : dims) {
    const SymInt size = x->sizes().at(dim);
    shifts.push_back(SymInt::floordiv(back ? size + 1 : size, 2));
  }
  return {c.build.roll(x, shifts, dims)};
}

// A window of `length`, or of ones, in the middle of n places.
Value* window_of(Context& c, size_t i, int64_t length, int64_t n, DType dtype) {
  Value* window = c.has(i) ? c.tensor(i) : c.build.ones({length}, dtype);
  if (length == n) return window;
  const int64_t left = (n - length) / 2;
  return c.build.constant_pad_nd(window, {left, n - length - left});
}

// Transforms of overlapping, weighed pieces of the signal: [batch, frequencies, pieces].
Values stft(Context& c) {
  const bool centred = c.op() == "aten.stft.center";
  const size_t after = centred ? 7 : 5;  // normalized, onesided, return_complex, align_to_window
  if (c.flag(after + 3)) return c.unsupported("align_to_window is set");
  Value* x = c.tensor(0);
  const int64_t n = c.constant(1);
  const int64_t hop = c.has(2) ? c.constant(2) : n / 4;
  const int64_t window_length = c.has(3) ? c.constant(3) : n;
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
  if (c.has(4) || window_length < n) {
    pieces = c.build.mul(pieces, window_of(c, 4, window_length, n, x->dtype()));
  }
  // Frequencies come before pieces, and only real numbers are moved.
  pieces = c.build.transpose(pieces, 1, 2);
  if (is_complex(pieces->dtype())) {
    return c.unsupported(
        "it is that of a complex signal: save the exported program's `.run_decompositions()`");
  }
  const int64_t norm = c.flag(after) ? 1 : 0;
  const bool is_half = !c.has(after + 1) || c.flag(after + 1);
  Value* result = is_half ? half_spectrum(c, pieces, 1, norm)
                          : joined(c, spectrum(c, {pieces, nullptr}, 1, norm));
  if (!is_complex(c.dtype())) result = parts(c, result);
  return {single ? c.build.view(result, c.sizes()) : result};
}

// The sum of pieces, [batch, pieces, n], each `hop` after the one before it: parts of the pieces as
// long as the hop, of which those of one number lie beside each other in the sum.
Value* overlapped(Context& c, Value* pieces, int64_t hop) {
  auto& b = c.build;
  const SymInt batch = pieces->sizes().at(0);
  const SymInt count = pieces->sizes().at(1);
  const SymInt n = pieces->sizes().at(2);
  const int64_t parts = (*n.constant() + hop - 1) / hop;
  pieces =
      b.view(b.constant_pad_nd(pieces, {0, SymInt(parts * hop) - n}), {batch, count, parts, hop});
  Value* sum = nullptr;
  for (int64_t i = 0; i < parts; ++i) {
    Value* part = b.constant_pad_nd(b.select(pieces, 2, i), {0, 0, i, parts - 1 - i});
    sum = sum ? b.add(sum, part) : part;
  }
  const SymInt length = (count + SymInt(parts - 1)) * SymInt(hop);
  return b.narrow(b.view(sum, {batch, length}), 1, 0, n + SymInt(hop) * (count - 1));
}

// (self, n_fft, hop_length, win_length, window, center, normalized, onesided, length,
// return_complex)
Values istft(Context& c) {
  auto& b = c.build;
  if (c.flag(9)) {
    return c.unsupported(
        "its signal is complex: save the exported program's `.run_decompositions()`");
  }
  Value* x = c.tensor(0);
  const int64_t n = c.constant(1);
  const int64_t hop = c.has(2) ? c.constant(2) : n / 4;
  const int64_t window_length = c.has(3) ? c.constant(3) : n;
  if (n < 1 || hop < 1 || window_length < 1 || window_length > n) {
    return c.unsupported("its lengths are inconsistent");
  }
  if (!c.may_unroll((n + hop - 1) / hop, "pieces that overlap", "make hop_length larger"))
    return {};
  if (x->rank() == 2) x = b.unsqueeze(x, 0);
  x = b.transpose(b.narrow(x, 1, 0, n / 2 + 1), 1, 2);
  const SymInt batch = x->sizes().at(0);
  const SymInt count = x->sizes().at(1);
  Value* pieces =
      b.call("aten._fft_c2r.default", {x, Sizes{SymInt(2)}, SymInt(c.flag(6) ? 1 : 2), SymInt(n)},
             c.dtype(), {batch, count, n});
  Value* window = window_of(c, 4, window_length, n, c.dtype());
  Value* sum = overlapped(c, b.mul(pieces, window), hop);
  Value* weights = overlapped(c, b.expand(b.mul(window, window), {1, count, n}), hop);
  const SymInt whole = sum->sizes().at(1);
  const SymInt start = c.flag(5) ? n / 2 : 0;
  const SymInt wanted = last(c.sizes());
  const SymInt kept = SymInt::min(wanted, whole - start);
  weights = b.narrow(weights, 1, start, kept);
  // PyTorch's own limit.
  weights = c.unless(b.any(b.lt(b.abs(weights), 1e-11)), weights);
  sum = b.div(b.narrow(sum, 1, start, kept), weights);
  if (kept != wanted) sum = b.constant_pad_nd(sum, {0, wanted - kept});
  return {b.view(sum, c.sizes())};
}

constexpr Entry kFourierRules[] = {
    {"aten._fft_c2c.default", c2c},
    {"aten._fft_r2c.default", r2c},
    {"aten.fft_fft.default", fft<true>},
    {"aten.fft_ifft.default", fft<false>},
    {"aten.fft_fft2.default", fftn<true, true>},
    {"aten.fft_ifft2.default", fftn<false, true>},
    {"aten.fft_fftn.default", fftn<true, false>},
    {"aten.fft_ifftn.default", fftn<false, false>},
    {"aten.fft_rfft.default", rfft<true>},
    {"aten.fft_ihfft.default", rfft<false>},
    {"aten.fft_rfft2.default", rfftn<true, true>},
    {"aten.fft_rfftn.default", rfftn<true, false>},
    {"aten.fft_ihfft2.default", rfftn<false, true>},
    {"aten.fft_ihfftn.default", rfftn<false, false>},
    {"aten.fft_irfft.default", irfft<false>},
    {"aten.fft_hfft.default", irfft<true>},
    {"aten.fft_irfft2.default", irfftn<false, true>},
    {"aten.fft_irfftn.default", irfftn<false, false>},
    {"aten.fft_hfft2.default", irfftn<true, true>},
    {"aten.fft_hfftn.default", irfftn<true, false>},
    {"aten.fft_fftfreq.default", [](Context& c) { return frequencies(c, false); }},
    {"aten.fft_rfftfreq.default", [](Context& c) { return frequencies(c, true); }},
    {"aten.fft_fftshift.default", [](Context& c) { return shifted(c, false); }},
    {"aten.fft_ifftshift.default", [](Context& c) { return shifted(c, true); }},
    {"aten.stft.default aten.stft.center", stft},
    {"aten.istft.default", istft},
};

}  // namespace

std::span<const Entry> fourier_rules() { return kFourierRules; }

}  // namespace slipway::passes::decompositions
