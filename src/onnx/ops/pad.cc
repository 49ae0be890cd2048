#include <string>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

// PyTorch's pairs (before, after) from the last dimension on, as ONNX's befores and afters.
Sizes onnx_pads(Context& c) {
  const Sizes pairs = c.integers(1);
  const auto rank = static_cast<size_t>(c.rank(0));
  Sizes pads(2 * rank, 0);
  for (size_t i = 0; 2 * i + 1 < pairs.size() && i < rank; ++i) {
    pads.at(rank - 1 - i) = pairs.at(2 * i);
    pads.at(2 * rank - 1 - i) = pairs.at(2 * i + 1);
  }
  return pads;
}

void pad(Context& c, const std::string& mode) {
  const Ref x = c.tensor(0);
  c.result(c.op("Pad", {x, c.shape(onnx_pads(c))}, {{"mode", mode}}));
}

void constant_pad(Context& c, size_t value) {
  const Ref x = c.tensor(0);
  // Few runtimes pad bools.
  const Ref wide = x.dtype == DType::kBool ? c.cast(x, DType::kInt32) : x;
  const Ref fill = c.has(value) ? c.operand(value, c.dtype()) : c.number_like(0, x);
  c.result(c.op("Pad", {wide, c.shape(onnx_pads(c)), c.cast(fill, wide.dtype)}));
}

void constant_pad_rule(Context& c) { constant_pad(c, 2); }

// pad(x, pad, mode, value)
void pad_rule(Context& c) {
  const std::string mode = c.text(2);
  if (mode == "constant") return constant_pad(c, 3);
  if (mode == "reflect") return pad(c, "reflect");
  if (mode == "replicate") return pad(c, "edge");
  if (mode == "circular") return pad(c, "wrap");
  c.fail("the padding mode '" + mode + "' is not known");
}

void reflection(Context& c) { pad(c, "reflect"); }
void replication(Context& c) { pad(c, "edge"); }

constexpr Entry kPadRules[] = {
    {"aten.constant_pad_nd", constant_pad_rule},
    {"aten.pad", pad_rule},
    {"aten.reflection_pad1d aten.reflection_pad2d aten.reflection_pad3d", reflection},
    {"aten.replication_pad1d aten.replication_pad2d aten.replication_pad3d", replication},
};

}  // namespace

std::span<const Entry> pad_rules() { return kPadRules; }

}  // namespace slipway::onnx
