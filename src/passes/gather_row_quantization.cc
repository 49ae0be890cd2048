// Finds the steps of dynamic quantization in front of products, and of the weights there.
//
// PyTorch's exporter writes torchao's choose_qparams_affine, quantize_affine and dequantize_affine
// as their float32 steps, and expand_dynamic_quantization writes PT2E's as the same ones.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/half.h"
#include "ir/arguments.h"
#include "ir/fake_quantize_rows.h"
#include "ir/op_builder.h"
#include "ir/queries.h"
#include "passes/decompositions/quantization_steps.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "schema/traits.h"

namespace slipway::passes {
namespace {

using ir::Arguments;
using ir::Node;
using ir::Value;
using schema::Trait;

using decompositions::kLeastLevel;
using decompositions::kMostLevel;

// Of four bits.
constexpr int8_t kLeastNibble = -8;
constexpr int8_t kMostNibble = 7;

bool is_reshaped(Trait trait) { return trait == Trait::kSame || trait == Trait::kReshaped; }

// What the value is a view of, in the order of its elements.
Value* without_views(Value* value) {
  while (value->producer() != nullptr && is_reshaped(schema::trait_of(value->producer()->op()))) {
    Value* from = Arguments(*value->producer()).tensor(0);
    if (from == nullptr || from->dtype() != value->dtype()) break;
    value = from;
  }
  return value;
}

// Whether it holds what int8 holds.
bool holds_levels(DType dtype) {
  return dtype == DType::kInt8 || dtype == DType::kInt32 || dtype == DType::kInt64 ||
         dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

// And without conversions of levels.
Value* without_casts(Value* value) {
  while (value->producer() != nullptr && holds_levels(value->dtype())) {
    const Trait trait = schema::trait_of(value->producer()->op());
    Value* from = Arguments(*value->producer()).tensor(0);
    if (from == nullptr || !(is_reshaped(trait) || trait == Trait::kConverted)) break;
    value = from;
  }
  return value;
}

const Node* made_by(const Value* value, std::string_view op) {
  const Node* node = value != nullptr ? value->producer() : nullptr;
  return node != nullptr && node->op() == op ? node : nullptr;
}

// Argument i is this number, or a tensor that is full of it.
bool is_number(const Node& node, size_t i, double number) {
  const Arguments arguments(node);
  if (const Value* value = arguments.tensor(i)) {
    const Node* full = made_by(value, "aten.full_like.default");
    return full != nullptr && Arguments(*full).number(1) == number;
  }
  return arguments.number(i) == number;
}

// What aten.clamp limits to these; NaN: to nothing.
Value* clamped(Value* value, double low, double high) {
  const Node* node = made_by(value, "aten.clamp.default");
  if (node == nullptr) return nullptr;
  const Arguments arguments(*node);
  const auto is = [&](size_t i, double limit) {
    return std::isnan(limit) ? !arguments.has(i) : arguments.number(i) == limit;
  };
  return is(1, low) && is(2, high) ? arguments.tensor(0) : nullptr;
}

// The operands of a binary operator that multiplies its second one by nothing.
std::optional<std::pair<Value*, Value*>> operands(const Value* value, std::string_view op) {
  const Node* node = made_by(value, op);
  if (node == nullptr) return std::nullopt;
  const Arguments arguments(*node);
  if (arguments.has(2) && arguments.number(2) != 1) return std::nullopt;
  Value* a = arguments.tensor(0);
  Value* b = arguments.tensor(1);
  if (a == nullptr || b == nullptr) return std::nullopt;
  return std::pair(a, b);
}

// The reduction whose result a value is, or 0: the least (amin) or the largest number (amax).
const Node* extremum(Value* value, bool is_least) {
  const double none = std::nan("");
  Value* found = is_least ? clamped(value, none, 0) : clamped(value, 0, none);
  const Node* both = made_by(value, is_least ? "aten.minimum.default" : "aten.maximum.default");
  if (both != nullptr && is_number(*both, 1, 0)) found = Arguments(*both).tensor(0);
  if (found == nullptr) return nullptr;
  return made_by(without_views(found), is_least ? "aten.amin.default" : "aten.amax.default");
}

// What is rounded, and how.
struct Rounding {
  Value* x = nullptr;  // in the sizes in which it is multiplied
  int64_t dims = 0;    // the last so many have one scale
  double least_scale = 0;
  std::vector<const Node*> nodes;  // some of those that do it
};

// The dimensions over which both reductions go, if they go over the last so many of x's.
std::optional<int64_t> reduced(const Node& least, const Node& most, const Value* x) {
  const auto dims_of = [&](const Node& node) -> std::optional<int64_t> {
    const Value* from = Arguments(node).tensor(0);
    const auto dims = Arguments(node).integers(1);
    if (from == nullptr || !dims || from->rank() == 0) return std::nullopt;
    const bool has_all =
        dims->empty() || dims->size() == static_cast<size_t>(from->rank()) || from->rank() == 1;
    if (has_all) return x->rank();
    const bool has_last = dims->size() == 1 && (dims->front() == ir::SymInt(-1) ||
                                                dims->front() == ir::SymInt(from->rank() - 1));
    if (!has_last || from->sizes().back() != x->sizes().back()) return std::nullopt;
    return 1;
  };
  const auto dims = dims_of(least);
  return dims == dims_of(most) ? dims : std::nullopt;
}

// (level - zero) * scale
std::optional<Rounding> rounding(const Node& node) {
  const auto product = operands(node.output(), "aten.mul.Tensor");
  if (!product) return std::nullopt;
  const auto difference = operands(product->first, "aten.sub.Tensor");
  if (!difference || difference->first->dtype() != DType::kFloat32) return std::nullopt;
  Value* scale = without_views(product->second);
  const Value* zero = without_casts(difference->second);

  // level: clamp(round(x / scale) + zero)
  Value* level = clamped(without_casts(difference->first), kLeastLevel, kMostLevel);
  const auto sum = level != nullptr ? operands(level, "aten.add.Tensor") : std::nullopt;
  if (!sum || without_casts(sum->second) != zero) return std::nullopt;
  const Node* round = made_by(sum->first, "aten.round.default");
  const auto quotient =
      round != nullptr ? operands(Arguments(*round).tensor(0), "aten.mul.Tensor") : std::nullopt;
  if (!quotient) return std::nullopt;
  Value* inverse = without_views(quotient->second);
  if (const Node* once = made_by(inverse, "aten.mul.Scalar"); once && is_number(*once, 1, 1)) {
    inverse = without_views(Arguments(*once).tensor(0));
  }
  const Node* reciprocal = made_by(inverse, "aten.reciprocal.default");
  if (reciprocal == nullptr || without_views(Arguments(*reciprocal).tensor(0)) != scale) {
    return std::nullopt;
  }

  // scale: clamp((most - least) / 255)
  const Node* clamp = made_by(scale, "aten.clamp.default");
  if (clamp == nullptr) return std::nullopt;
  const auto least_scale = Arguments(*clamp).number(1);
  Value* step = Arguments(*clamp).tensor(0);
  const Node* division = step != nullptr ? step->producer() : nullptr;
  if (!least_scale || Arguments(*clamp).has(2) || division == nullptr ||
      (division->op() != "aten.div.Tensor" && division->op() != "aten.div.Scalar") ||
      !is_number(*division, 1, kMostLevel - kLeastLevel)) {
    return std::nullopt;
  }
  const auto range = operands(Arguments(*division).tensor(0), "aten.sub.Tensor");
  if (!range) return std::nullopt;
  const Node* most = extremum(range->first, false);
  const Node* least = extremum(range->second, true);
  if (most == nullptr || least == nullptr) return std::nullopt;

  // zero: clamp(-128 - round(least / scale))
  const Value* shifted = clamped(const_cast<Value*>(zero), kLeastLevel, kMostLevel);
  const Node* shift = made_by(shifted, "aten.rsub.Scalar");
  if (shift == nullptr || !is_number(*shift, 1, kLeastLevel) || !is_number(*shift, 2, 1)) {
    return std::nullopt;
  }
  const Node* whole = made_by(Arguments(*shift).tensor(0), "aten.round.default");
  const auto place =
      whole != nullptr ? operands(Arguments(*whole).tensor(0), "aten.div.Tensor") : std::nullopt;
  if (!place || place->first != range->second || without_views(place->second) != scale) {
    return std::nullopt;
  }

  // All of them of the same numbers, and each row by its own.
  Value* x = quotient->first;
  const Value* root = without_views(x);
  const auto reads_root = [&](const Node& reduction) {
    Value* from = Arguments(reduction).tensor(0);
    return from != nullptr && without_views(from) == root;
  };
  if (x->dtype() != DType::kFloat32 || x->rank() == 0 || !reads_root(*least) ||
      !reads_root(*most) || x->sizes() != node.output()->sizes()) {
    return std::nullopt;
  }
  const auto dims = reduced(*least, *most, x);
  if (!dims) return std::nullopt;
  std::vector<ir::SymInt> rows = x->sizes();
  rows.back() = 1;
  if (*dims < x->rank()) {
    const auto is_of_rows = [&](const Value* each) { return each->sizes() == rows; };
    if (!is_of_rows(product->second) || !is_of_rows(difference->second) ||
        !is_of_rows(sum->second) || !is_of_rows(quotient->second)) {
      return std::nullopt;
    }
  }
  return Rounding{x, *dims, *least_scale, {&node, round, clamp, division, most, least, whole}};
}

bool has_one_row(const Value* x) {
  return std::all_of(x->sizes().begin(), x->sizes().end() - 1,
                     [](const ir::SymInt& size) { return size == ir::SymInt(1); });
}

class Gatherer {
 public:
  Gatherer(ir::Program& program, const EngineChoice& engine, bool allow_reduced_precision)
      : program_(program),
        graph_(*program.graph),
        engine_(engine),
        reduced_(allow_reduced_precision) {
    for (const auto& [value, input] : ir::constant_inputs(program)) {
      constants_.emplace(value, *input->data);
    }
  }

  Status run() {
    for (const auto& node : graph_.nodes()) {
      ir::OpBuilder build(graph_, node.get(), node.get());
      if (Value* made = gather(build, *node)) replaced_.add(node->output(), made);
      if (!build.status().ok()) return build.status();
    }
    replaced_.apply(graph_);
    return remove_dead_code(program_);
  }

 private:
  Value* gather(ir::OpBuilder& build, const Node& node) {
    if (node.op() == "quantized_decomposed.dequantize_per_channel.default") {
      return with_range(build, node);
    }
    if (Value* weight = gather_weight(build, node)) return weight;
    if (node.op() != "aten.mul.Tensor") return nullptr;
    const auto found = rounding(node);
    if (!found) return nullptr;
    const bool is_by_row = found->dims == 1 || has_one_row(found->x);
    const bool is_excluded =
        std::any_of(found->nodes.begin(), found->nodes.end(),
                    [&](const Node* each) { return engine_.is_excluded(*each); });
    if ((!is_by_row && !reduced_) || is_excluded) return nullptr;
    const auto same = std::find_if(made_.begin(), made_.end(), [&](const auto& item) {
      const Rounding& other = item.first;
      return other.x == found->x && other.dims == found->dims &&
             other.least_scale == found->least_scale;
    });
    if (same != made_.end()) return same->second;
    Value* y =
        build.call(ir::kFakeQuantizeRows, {found->x, ir::SymInt(found->dims), found->least_scale},
                   node.output()->type());
    made_.emplace_back(*found, y);
    return y;
  }

  const ir::ConstantData* constant(const Value* value) const {
    const auto found = constants_.find(value);
    return found != constants_.end() ? &found->second : nullptr;
  }

  static bool are_all_zero(const ir::ConstantData& data) {
    const auto bytes = data.to_contiguous();
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
  }

  // The levels' range: that of four bits, if they fit.
  std::pair<int64_t, int64_t> range_of(const Value* weight) {
    const auto known = ranges_.find(weight);
    if (known != ranges_.end()) return known->second;
    int8_t least = 0;
    int8_t most = 0;
    const Status read =
        constant(weight)->source().write([&](std::span<const std::byte> bytes) -> Status {
          for (const std::byte byte : bytes) {
            least = std::min(least, static_cast<int8_t>(byte));
            most = std::max(most, static_cast<int8_t>(byte));
          }
          return {};
        });
    const bool fits = read.ok() && least >= kLeastNibble && most <= kMostNibble;
    const std::pair<int64_t, int64_t> range =
        fits ? std::pair<int64_t, int64_t>(kLeastNibble, kMostNibble)
             : std::pair<int64_t, int64_t>(-128, 127);
    ranges_.emplace(weight, range);
    return range;
  }

  // A weight that PT2E dequantizes, with the range that its levels have.
  Value* with_range(ir::OpBuilder& build, const Node& node) {
    const Arguments arguments(node);
    const Value* levels = arguments.tensor(0);
    const ir::ConstantData* data = constant(levels);
    if (data == nullptr || data->dtype != DType::kInt8 || levels->rank() != 2) return nullptr;
    const auto [low, high] = range_of(levels);
    std::vector<ir::Argument> args = node.args();
    if (args[4] == ir::Argument(ir::SymInt(low)) && args[5] == ir::Argument(ir::SymInt(high))) {
      return nullptr;
    }
    args[4] = ir::SymInt(low);
    args[5] = ir::SymInt(high);
    return build.call(node.op(), std::move(args), node.output()->type());
  }

  // (levels - 0) * scales, for each row, or for groups of it in the sizes [rows, groups, size].
  Value* gather_weight(ir::OpBuilder& build, const Node& node) {
    if (node.outputs().size() != 1 || !node.output()->is_tensor()) return nullptr;
    const Value* scaled = node.output();
    if (is_reshaped(schema::trait_of(node.op()))) scaled = Arguments(node).tensor(0);
    const auto product = operands(scaled, "aten.mul.Tensor");
    if (!product || engine_.is_excluded(node) || engine_.is_excluded(*scaled->producer())) {
      return nullptr;
    }
    Value* wide = product->first;
    if (const auto difference = operands(wide, "aten.sub.Tensor")) {
      const ir::ConstantData* zeros = constant(without_casts(difference->second));
      if (zeros == nullptr || !are_all_zero(*zeros)) return nullptr;
      wide = difference->first;
    }
    Value* levels = without_casts(wide);
    // The product is that of float32 and of what else is exact in it.
    Value* scales = without_views(product->second);
    if (scales->producer() != nullptr && scales->dtype() == DType::kFloat32 &&
        schema::trait_of(scales->producer()->op()) == Trait::kConverted) {
      scales = without_views(Arguments(*scales->producer()).tensor(0));
    }
    const bool is_brief = scales->dtype() == DType::kBFloat16;
    const ir::ConstantData* of_levels = constant(levels);
    const ir::ConstantData* of_scales = constant(scales);
    if (of_levels == nullptr || of_scales == nullptr || of_levels->dtype != DType::kInt8 ||
        (!is_brief && of_scales->dtype != DType::kFloat32) || wide->dtype() != DType::kFloat32 ||
        node.output()->dtype() != DType::kFloat32 || levels->rank() != 2) {
      return nullptr;
    }
    const std::vector<ir::SymInt>& sizes = scaled->sizes();
    std::vector<ir::SymInt> of_one = sizes;
    of_one.back() = 1;
    const bool has_groups = sizes.size() == 3;
    if ((sizes.size() != 2 && !has_groups) || wide->sizes() != sizes ||
        product->second->sizes() != of_one || sizes.front() != levels->sizes().front() ||
        node.output()->sizes() != levels->sizes()) {
      return nullptr;
    }
    const auto [low, high] = range_of(levels);
    if (!has_groups) {
      return build.call("quantized_decomposed.dequantize_per_channel.default",
                        {levels, as_floats(*of_scales, {sizes.front()}), ir::None(), ir::SymInt(0),
                         ir::SymInt(low), ir::SymInt(high), DType::kInt8, ir::None()},
                        node.output()->type());
    }
    return build.call("quantized_decomposed.dequantize_per_channel_group.default",
                      {levels, as_floats(*of_scales, {sizes[0], sizes[1]}), ir::None(),
                       ir::SymInt(low), ir::SymInt(high), DType::kInt8, sizes[2], DType::kFloat32},
                      node.output()->type());
  }

  // A constant of float32 or bfloat16 as one of float32 of other sizes, which are known.
  Value* as_floats(const ir::ConstantData& data, const std::vector<ir::SymInt>& sizes) {
    std::vector<std::byte> bytes = data.to_contiguous();
    if (data.dtype == DType::kBFloat16) {
      std::vector<float> floats;
      for (size_t i = 0; i + 1 < bytes.size(); i += sizeof(uint16_t)) {
        uint16_t half = 0;
        std::memcpy(&half, bytes.data() + i, sizeof half);
        floats.push_back(from_bfloat16(half));
      }
      const auto wide = std::as_bytes(std::span(floats));
      bytes.assign(wide.begin(), wide.end());
    }
    ir::ConstantData made;
    int64_t stride = static_cast<int64_t>(bytes.size() / sizeof(float));
    for (const ir::SymInt& size : sizes) {
      made.sizes.push_back(size.constant().value_or(0));
      stride /= std::max<int64_t>(made.sizes.back(), 1);
      made.strides.push_back(stride);
    }
    made.storage = own_bytes(std::move(bytes));
    return program_.add_constant("scales", std::move(made));
  }

  ir::Program& program_;
  ir::Graph& graph_;
  const EngineChoice& engine_;
  const bool reduced_;
  // As they are before any is added, which moves the program's own.
  std::unordered_map<const Value*, ir::ConstantData> constants_;
  std::unordered_map<const Value*, std::pair<int64_t, int64_t>> ranges_;
  std::vector<std::pair<Rounding, Value*>> made_;
  Replacements replaced_;
};

}  // namespace

Status gather_row_quantization(ir::Program& program, const EngineChoice& engine,
                               bool allow_reduced_precision) {
  return Gatherer(program, engine, allow_reduced_precision).run();
}

}  // namespace slipway::passes
