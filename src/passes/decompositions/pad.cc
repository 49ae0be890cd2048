// Padding.
#include <algorithm>
#include <string>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

bool is_negative(const SymInt& size) { return size.constant() && *size.constant() < 0; }

// A negative pad removes elements; the kernels only add.
Value* without_negative(Context& c, Value* x, Sizes& pad) {
  for (size_t i = 0; i + 1 < pad.size(); i += 2) {
    const int64_t dim = x->rank() - 1 - static_cast<int64_t>(i / 2);
    const SymInt start = is_negative(pad.at(i)) ? -pad.at(i) : SymInt(0);
    const SymInt end = is_negative(pad.at(i + 1)) ? -pad.at(i + 1) : SymInt(0);
    if (start == SymInt(0) && end == SymInt(0)) continue;
    x = c.build.narrow(x, dim, start, x->sizes().at(dim) - start - end);
    if (is_negative(pad.at(i))) pad.at(i) = 0;
    if (is_negative(pad.at(i + 1))) pad.at(i + 1) = 0;
  }
  return x;
}

bool adds_nothing(const Sizes& pad) {
  return std::all_of(pad.begin(), pad.end(), [](const SymInt& p) { return p == SymInt(0); });
}

Values constant_pad(Context& c, size_t value) {
  Sizes pad = c.integers(1);
  const bool has_negative = std::any_of(pad.begin(), pad.end(), is_negative);
  if (!has_negative && c.op() == "aten.constant_pad_nd.default" && !adds_nothing(pad)) return {};
  Value* x = without_negative(c, c.tensor(0), pad);
  if (adds_nothing(pad)) return {x};
  return {c.build.constant_pad_nd(x, pad, c.has(value) ? c.scalar(value) : ir::Scalar(SymInt(0)))};
}

// The whole comes round: what is cut from one end is put before the other.
Values circular(Context& c) {
  Value* x = c.tensor(0);
  const Sizes pad = c.integers(1);
  for (size_t i = 0; i + 1 < pad.size(); i += 2) {
    const int64_t dim = x->rank() - 1 - static_cast<int64_t>(i / 2);
    const SymInt size = x->sizes().at(dim);
    if (is_negative(pad.at(i)) || is_negative(pad.at(i + 1))) {
      return c.unsupported("a negative circular pad is not covered: slice instead");
    }
    std::vector<Value*> parts;
    if (pad.at(i) != SymInt(0))
      parts.push_back(c.build.narrow(x, dim, size - pad.at(i), pad.at(i)));
    parts.push_back(x);
    if (pad.at(i + 1) != SymInt(0)) parts.push_back(c.build.narrow(x, dim, 0, pad.at(i + 1)));
    if (parts.size() > 1) x = c.build.cat(parts, dim);
  }
  return {x};
}

Values by_kernel(Context& c, const std::string& kind) {
  Sizes pad = c.integers(1);
  Value* x = c.tensor(0);
  if (kind == "replication") x = without_negative(c, x, pad);
  if (adds_nothing(pad)) return {x};
  const std::string op = "aten." + kind + "_pad" + std::to_string(pad.size() / 2) + "d.default";
  return {c.build.call(op, {x, pad}, c.dtype(), c.sizes())};
}

Values pad(Context& c) {
  const std::string mode = c.text(2);
  if (mode == "constant" || mode.empty()) return constant_pad(c, 3);
  if (mode == "reflect") return by_kernel(c, "reflection");
  if (mode == "replicate") return by_kernel(c, "replication");
  if (mode == "circular") return circular(c);
  return c.unsupported("its mode is unknown");
}

// PyTorch's numbers for the modes.
Values pad_enum(Context& c) {
  switch (c.constant(2)) {
    case 0:
      return by_kernel(c, "reflection");
    case 1:
      return by_kernel(c, "replication");
    case 2:
      return circular(c);
    default:
      return constant_pad(c, 3);
  }
}

constexpr Entry kPadRules[] = {
    {"aten.constant_pad_nd.default", [](Context& c) { return constant_pad(c, 2); }},
    {"aten.pad.default", pad},
    {"aten._pad_enum.default", pad_enum},
    {"aten._pad_circular.default", circular},
};

}  // namespace

std::span<const Entry> pad_rules() { return kPadRules; }

}  // namespace slipway::passes::decompositions
