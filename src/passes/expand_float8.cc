// Numbers of 8 bits, which no kernel and no engine computes with: between a conversion to such a
// type and one from it they are float32, and constants of such types are float16, which has all of
// their numbers.
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/float8.h"
#include "base/half.h"
#include "base/try.h"
#include "ir/op_builder.h"
#include "ir/queries.h"
#include "passes/constant_region.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"
#include "schema/traits.h"

namespace slipway::passes {
namespace {

using ir::ConstantData;
using ir::Node;
using ir::OpBuilder;
using ir::Value;

bool is_float8(DType dtype) { return dtype == DType::kFloat8E8M0 || float8_of(dtype); }
bool is_float8(const Value* value) { return value->is_tensor() && is_float8(value->dtype()); }

// float8_e8m0fnu is a power of two, and float32 where others are float16.
DType wide_type(DType dtype) {
  return dtype == DType::kFloat8E8M0 ? DType::kFloat32 : DType::kFloat16;
}

float number_of(std::byte bits, DType dtype) {
  const auto byte = std::to_integer<uint8_t>(bits);
  if (const auto type = float8_of(dtype)) return from_float8(byte, *type);
  return byte == 0xff ? std::nanf("") : std::ldexp(1.0F, byte - 127);
}

ConstantData widened(const ConstantData& data) {
  ConstantData wide;
  wide.dtype = wide_type(data.dtype);
  wide.sizes = data.sizes;
  const std::vector<ir::SymInt> sizes(data.sizes.begin(), data.sizes.end());
  for (const ir::SymInt& stride : ir::contiguous_strides(sizes)) {
    wide.strides.push_back(*stride.constant());
  }
  const std::vector<std::byte> bytes = data.to_contiguous();
  const size_t size = dtype_size(wide.dtype);
  std::vector<std::byte> numbers(bytes.size() * size);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const float number = number_of(bytes[i], data.dtype);
    const uint16_t half = to_float16(number);
    std::memcpy(&numbers[i * size], size == sizeof half ? static_cast<const void*>(&half) : &number,
                size);
  }
  wide.storage = own_bytes(std::move(numbers));
  return wide;
}

bool converts(const Node& node) { return schema::trait_of(node.op()) == schema::Trait::kConverted; }

class Float8Expander {
 public:
  Float8Expander(ir::Program& program, ir::Graph& graph) : program_(program), graph_(graph) {
    if (&graph != program.graph.get()) return;
    for (const auto& [value, input] : constant_inputs(program)) constants_.insert(value);
  }

  Status run() {
    for (const auto& node : graph_.nodes()) {
      OpBuilder build(graph_, node.get(), node.get());
      SLIPWAY_RETURN_IF_ERROR(visit(build, *node));
      if (!build.status().ok()) return build.status();
    }
    for (const ir::Argument& output : graph_.outputs()) {
      Status status;
      ir::Graph::for_each_value(output, [&](const Value* value) {
        if (wide_.contains(value) && value->producer()) {
          status =
              unsupported("{}: {} is an output of {}, which nothing writes: convert it to float32",
                          program_.source, value->name(), dtype_name(value->dtype()));
        }
      });
      if (!status.ok()) return status;
    }
    replaced_.apply(graph_);
    return {};
  }

 private:
  Status visit(OpBuilder& build, const Node& node) {
    const auto* source = node.args().empty() ? nullptr : std::get_if<Value*>(&node.arg(0));
    const bool has_source = source && *source && (*source)->is_tensor();
    Value* wide = has_source && is_float8(*source) ? find(*source) : nullptr;
    if (converts(node) && has_source && node.outputs().size() == 1) {
      Value* result = node.output();
      if (is_float8(*source) && !wide) return refused(node, *source);
      if (!is_float8(*source) && !is_float8(result)) return {};
      Value* x = build.to_dtype(wide ? wide : *source, DType::kFloat32);
      if (is_float8(result)) {
        const bool keeps = is_float8(*source) && (*source)->dtype() == result->dtype();
        const auto type = float8_of(result->dtype());
        if (!type) return refused(node, result);
        wide_[result] = keeps ? x : rounded(build, x, *type);
      } else {
        replaced_.add(result, build.to_dtype(x, result->dtype()));
      }
      return {};
    }
    if (wide && view_step(node, 0) && !node.outputs().empty() && is_float8(node.output())) {
      std::vector<ir::Argument> arguments = node.args();
      arguments[0] = wide;
      Node* moved = build.node(node.op(), std::move(arguments));
      for (Value* output : node.outputs()) {
        wide_[output] = graph_.add_output(
            moved, ir::TensorType{wide->dtype(), output->sizes(), output->type().strides});
      }
      return {};
    }
    Status status;
    const auto look = [&](const Value* value) {
      if (status.ok() && is_float8(value)) status = refused(node, value);
    };
    for (const ir::Argument& argument : node.args()) ir::Graph::for_each_value(argument, look);
    for (const Value* output : node.outputs()) look(output);
    return status;
  }

  // The value in a wider type; null for what is given so.
  Value* find(const Value* value) {
    if (const auto found = wide_.find(value); found != wide_.end()) return found->second;
    if (!constants_.contains(value)) return nullptr;
    const ir::Input& input = *program_.input_of(value);
    return wide_[value] = program_.add_constant(input.name, widened(*input.data));
  }

  // To the nearest number of the type, ties to even; what is too large becomes what PyTorch makes
  // of it.
  static Value* rounded(OpBuilder& build, Value* x, const Float8& type) {
    Value* magnitude = build.abs(x);
    // The power of two at or below it: each step doubles the exponent's known bits.
    Value* power = build.full_like(x, static_cast<double>(type.smallest_normal));
    for (const double factor : {0x1p16, 0x1p8, 0x1p4, 0x1p2, 0x1p1}) {
      Value* higher = build.mul(power, factor);
      power = build.where(build.ge(magnitude, higher), higher, power);
    }
    Value* unit = build.mul(power, std::ldexp(1.0, -type.mantissa_bits));
    Value* y = build.mul(build.round(build.div(x, unit)), unit);
    const double largest = type.largest;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    const bool keeps_largest = !type.has_infinity && !type.is_unsigned_zero;
    const double beyond = keeps_largest ? largest : type.has_infinity ? kInfinity : kNan;
    y = build.where(build.gt(y, largest), build.full_like(y, beyond), y);
    y = build.where(build.lt(y, -largest), build.full_like(y, -beyond), y);
    return type.is_unsigned_zero ? build.where(build.eq(y, 0.0), build.full_like(y, 0.0), y) : y;
  }

  Status refused(const Node& node, const Value* value) const {
    return unsupported(
        "{}: {} has {}, which is {}: of such numbers only constants and what the program converts "
        "to them are read, by conversions to other types and by views; convert before the export",
        program_.source, describe(node), value->name(), dtype_name(value->dtype()));
  }

  ir::Program& program_;
  ir::Graph& graph_;
  std::unordered_set<const Value*> constants_;
  std::unordered_map<const Value*, Value*> wide_;
  Replacements replaced_;
};

bool has_float8(const ir::Graph& graph) {
  for (const auto& node : graph.nodes()) {
    bool found = false;
    const auto look = [&](const Value* value) { found = found || is_float8(value); };
    for (const ir::Argument& argument : node->args()) ir::Graph::for_each_value(argument, look);
    for (const Value* output : node->outputs()) look(output);
    if (found) return true;
  }
  return false;
}

}  // namespace

Status expand_float8(ir::Program& program) {
  Status status;
  bool is_any = false;
  for_each_graph(*program.graph, [&](ir::Graph& graph) {
    if (!status.ok() || !has_float8(graph)) return;
    is_any = true;
    if (&graph == program.graph.get()) {
      fold_views(program,
                 [](const Node&, const ConstantData& data) { return is_float8(data.dtype); });
    }
    status = Float8Expander(program, graph).run();
  });
  return status.ok() && is_any ? remove_dead_code(program) : status;
}

}  // namespace slipway::passes
