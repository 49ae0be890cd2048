#include "compile/check.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/half.h"
#include "base/try.h"
#include "compile/part_program.h"
#include "ir/fake_quantize_rows.h"
#include "ir/queries.h"
#include "schema/operator_name.h"
#include "slipway/module.h"

namespace slipway {

namespace {

using Tensors = engine_build::Builder::Tensors;
using SymbolValues = std::map<std::string, int64_t>;

// What inputs hold.
enum class Fill : uint8_t { kRandom, kPositive, kZeros, kLarge };
struct NamedFill {
  Fill fill;
  const char* name;
};
constexpr NamedFill kFills[] = {{Fill::kRandom, "random numbers"},
                                {Fill::kPositive, "random numbers above 0"},
                                {Fill::kZeros, "zeros"},
                                {Fill::kLarge, "large random numbers"}};

// The share of the largest magnitude of an output by which its elements may differ: sums are added
// up in other orders. The narrower types are rounded at other places, too, and a sum of quantized
// numbers to the next step of 255 or the one after it.
double tolerance(DType dtype, bool is_quantized) {
  if (is_quantized) return 2e-2;
  switch (dtype) {
    case DType::kFloat16:
      return 1e-2;
    case DType::kBFloat16:
      return 5e-2;
    default:
      return 1e-3;
  }
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  // From 0 on, below 1.
  double next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 40) / static_cast<double>(uint64_t{1} << 24);
  }

 private:
  uint64_t state_;
};

void set_element(Tensor& tensor, int64_t i, double value) {
  switch (tensor.dtype()) {
    case DType::kFloat64:
      tensor.data_as<double>()[i] = value;
      break;
    case DType::kFloat32:
      tensor.data_as<float>()[i] = static_cast<float>(value);
      break;
    case DType::kFloat16:
      tensor.data_as<uint16_t>()[i] = to_float16(static_cast<float>(value));
      break;
    case DType::kBFloat16:
      tensor.data_as<uint16_t>()[i] = to_bfloat16(static_cast<float>(value));
      break;
    case DType::kInt64:
      tensor.data_as<int64_t>()[i] = static_cast<int64_t>(value);
      break;
    case DType::kInt32:
      tensor.data_as<int32_t>()[i] = static_cast<int32_t>(value);
      break;
    case DType::kInt16:
      tensor.data_as<int16_t>()[i] = static_cast<int16_t>(value);
      break;
    case DType::kInt8:
      tensor.data_as<int8_t>()[i] = static_cast<int8_t>(value);
      break;
    default:
      tensor.data_as<uint8_t>()[i] = static_cast<uint8_t>(value);
  }
}

std::optional<double> element(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype()) {
    case DType::kFloat64:
      return tensor.data_as<double>()[i];
    case DType::kFloat32:
      return tensor.data_as<float>()[i];
    case DType::kFloat16:
      return from_float16(tensor.data_as<uint16_t>()[i]);
    case DType::kBFloat16:
      return from_bfloat16(tensor.data_as<uint16_t>()[i]);
    case DType::kInt64:
      return static_cast<double>(tensor.data_as<int64_t>()[i]);
    case DType::kInt32:
      return tensor.data_as<int32_t>()[i];
    case DType::kInt16:
      return tensor.data_as<int16_t>()[i];
    case DType::kInt8:
      return tensor.data_as<int8_t>()[i];
    case DType::kUInt8:
    case DType::kBool:
      return tensor.data_as<uint8_t>()[i];
    default:
      return std::nullopt;
  }
}

bool can_fill(DType dtype) { return element(*Tensor::zeros(dtype, {1}), 0).has_value(); }

// Integers may be indices, whatever else they are: 0 and 1 fit most dimensions. Quantized ones have
// more values.
double number(DType dtype, bool is_quantized, Fill fill, Random& random, const ir::Range& range) {
  const double unit = random.next();
  double value = 0;
  if (is_floating_point(dtype)) {
    switch (fill) {
      case Fill::kRandom:
        return unit * 4 - 2;
      case Fill::kPositive:
        return unit + 0.1;
      case Fill::kZeros:
        return 0;
      case Fill::kLarge:
        // Half types overflow early, and sums of them at other places.
        return (unit * 2 - 1) * (dtype_size(dtype) == 2 ? 8 : 1000);
    }
  }
  if (fill == Fill::kLarge && range.min && range.max) {
    // All that it can be, both ends included.
    const auto least = static_cast<double>(*range.min);
    const auto most = static_cast<double>(*range.max);
    return unit < 0.2 ? least : unit < 0.4 ? most : std::floor(least + unit * (most - least));
  }
  if (fill != Fill::kZeros) {
    if (is_quantized) {
      value = std::floor(unit * 100) - (dtype == DType::kInt8 ? 50 : 0);
    } else {
      value = unit < 0.5 ? 0 : 1;
    }
  }
  if (range.min) value = std::max(value, static_cast<double>(*range.min));
  if (range.max) value = std::min(value, static_cast<double>(*range.max));
  return value;
}

// The places of the table that a part looks up by an index, if their number is static.
std::optional<int64_t> places_of(const partition::Partition& part, const ir::Value* index) {
  std::optional<int64_t> least;
  for (const ir::Node* node : part.nodes) {
    const std::string_view op = schema::without_overload(node->op());
    const bool is_embedding = op == "aten.embedding";
    if (!is_embedding && op != "aten.index_select" && op != "aten.gather") continue;
    const auto& args = node->args();
    if (args.size() < (is_embedding ? 2 : 3)) continue;
    const auto* const* looked_up = std::get_if<ir::Value*>(&args.at(is_embedding ? 1 : 2));
    const auto* const* table = std::get_if<ir::Value*>(&args.at(0));
    if (!looked_up || *looked_up != index || !table || (*table)->rank() == 0) continue;
    const auto* given = is_embedding ? nullptr : std::get_if<ir::SymInt>(&args.at(1));
    int64_t dim = given ? given->constant().value_or(0) : 0;
    if (dim < 0) dim += (*table)->rank();
    const auto size = (*table)->sizes().at(static_cast<size_t>(dim)).constant();
    if (size && *size > 0) least = std::min(least.value_or(*size), *size);
  }
  return least;
}

// Whether all that a part makes of its input of 8 bits is floating point.
bool is_quantized(const partition::Partition& part, const ir::Value* input) {
  if (input->dtype() != DType::kInt8 && input->dtype() != DType::kUInt8) return false;
  return std::all_of(part.nodes.begin(), part.nodes.end(), [&](const ir::Node* node) {
    bool takes = false;
    for (const ir::Argument& argument : node->args()) {
      ir::Graph::for_each_value(argument,
                                [&](const ir::Value* value) { takes = takes || value == input; });
    }
    return !takes || is_floating_point(node->output()->dtype());
  });
}

// What is computed from the indices of sorted elements: which of equal ones comes first is open.
std::set<const ir::Value*> follow_order(const partition::Partition& part) {
  constexpr std::string_view kSorting[] = {"aten.sort.",     "aten.argsort.", "aten.topk.",
                                           "aten.kthvalue.", "aten.median.",  "aten.mode."};
  std::set<const ir::Value*> open;
  for (const ir::Node* node : part.nodes) {
    bool follows = false;
    for (const ir::Argument& argument : node->args()) {
      ir::Graph::for_each_value(
          argument, [&](const ir::Value* value) { follows = follows || open.contains(value); });
    }
    const bool sorts =
        std::any_of(std::begin(kSorting), std::end(kSorting),
                    [&](std::string_view name) { return node->op().starts_with(name); });
    for (const ir::Value* output : node->outputs()) {
      if (follows || (sorts && output == node->outputs().back())) open.insert(output);
    }
  }
  return open;
}

// The step of what is quantized last on the way to an output: a quotient next to a half may fall on
// its other side.
double step_of(const ir::Value* output) {
  while (output != nullptr && output->producer() != nullptr) {
    const ir::Node& node = *output->producer();
    if (node.op().starts_with("quantized_decomposed.dequantize_per_tensor")) {
      const auto* scale = std::get_if<double>(&node.arg(1));
      return scale != nullptr ? *scale * 1.001 : 0;
    }
    const ir::Value* operand = nullptr;
    for (const ir::Argument& argument : node.args()) {
      ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
        if (operand == nullptr) operand = value;
      });
    }
    output = operand;
  }
  return 0;
}

// Of the floating-point types of a part's values the one that allows most.
DType coarsest_type(const partition::Partition& part) {
  DType coarsest = DType::kFloat32;
  for (const ir::Node* node : part.nodes) {
    for (const ir::Value* output : node->outputs()) {
      if (output->is_tensor() && tolerance(output->dtype(), false) > tolerance(coarsest, false)) {
        coarsest = output->dtype();
      }
    }
  }
  return coarsest;
}

// How the engine's output differs from the kernels', if it does. `coarsest`: the type that it may
// have been computed in. `step`: of quantized numbers.
std::optional<std::string> difference(const Tensor& expected, const Tensor& actual, Fill fill,
                                      bool is_quantized, DType coarsest, double step) {
  if (expected.dtype() != actual.dtype() || expected.sizes() != actual.sizes()) {
    return fmt::format("it is {} instead of {}", format_type(actual.dtype(), actual.sizes()),
                       format_type(expected.dtype(), expected.sizes()));
  }
  const DType dtype = expected.dtype();
  const bool is_float = is_floating_point(dtype);
  // Which of equal numbers is the largest, or comes first, is open.
  if (!is_float && fill != Fill::kRandom) return std::nullopt;
  double allowed = dtype == DType::kInt8 || dtype == DType::kUInt8 ? 2 : 0;
  if (is_float) {
    double largest = 1;
    for (int64_t i = 0; i < expected.numel(); ++i) {
      const double magnitude = std::fabs(*element(expected, i));
      if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
    }
    const DType computed = is_half(dtype) ? dtype : coarsest;
    allowed = std::max(largest * tolerance(computed, is_quantized), step);
    // Norms divide by how much values vary: of zeros, by how they were rounded before.
    if (fill == Fill::kZeros) allowed *= 10;
  }
  int64_t count = 0;
  int64_t worst = -1;
  double most = -1;
  for (int64_t i = 0; i < expected.numel(); ++i) {
    const double a = *element(expected, i);
    const double b = *element(actual, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double error = std::fabs(a - b);
    if (error <= allowed) continue;
    ++count;
    const double size = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
    if (size > most) {
      most = size;
      worst = i;
    }
  }
  if (count == 0) return std::nullopt;
  return fmt::format("{} of {} elements differ, element {} most: it is {:.6g} instead of {:.6g}",
                     count, expected.numel(), worst, *element(actual, worst),
                     *element(expected, worst));
}

std::set<std::string> symbols_of(const EngineOfPart& engine) {
  std::set<std::string> symbols(engine.symbols.begin(), engine.symbols.end());
  for (const ir::Value* value : engine.part.inputs) ir::collect_symbols(*value, symbols);
  return symbols;
}

// The smallest, the middle and the largest value of each symbol; nothing where one has no largest.
std::optional<std::vector<SymbolValues>> choose_sizes(const ir::Program& program,
                                                      const EngineOfPart& engine) {
  const std::set<std::string> symbols = symbols_of(engine);
  if (symbols.empty()) return std::vector<SymbolValues>(1);
  std::vector<SymbolValues> choices(3);
  for (const std::string& symbol : symbols) {
    const auto range = program.ranges.find(symbol);
    if (range == program.ranges.end() || !range->second.max) return std::nullopt;
    const int64_t min = std::max<int64_t>(range->second.min.value_or(0), 0);
    const int64_t max = std::max(min, *range->second.max);
    choices[0][symbol] = min;
    choices[1][symbol] = min + (max - min) / 2;
    choices[2][symbol] = max;
  }
  return choices;
}

// What both are run on.
struct Run {
  std::string name;
  Fill fill = Fill::kRandom;
  std::vector<Value> of_kernels;
  Tensors of_engine;
  Tensors expected = {};
};

Result<Run> make_run(const EngineOfPart& engine, const partition::IntegerRanges& ranges,
                     const NamedFill& fill, const SymbolValues& symbols) {
  Run run = {fill.name, fill.fill, {}, {}};
  Random random(static_cast<uint64_t>(fill.fill) + 1);
  for (const ir::Value* value : engine.part.inputs) {
    std::vector<int64_t> sizes;
    for (const ir::SymInt& size : value->sizes()) {
      SLIPWAY_ASSIGN_OR_RETURN(sizes.emplace_back(), size.evaluate(symbols));
    }
    SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor, Tensor::zeros(value->dtype(), sizes));
    ir::Range range = ranges.of(value);
    if (const auto places = places_of(engine.part, value)) range = {0, *places - 1};
    const bool quantized = is_quantized(engine.part, value);
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      set_element(tensor, i, number(tensor.dtype(), quantized, fill.fill, random, range));
    }
    run.of_kernels.emplace_back(tensor);
    if (std::find(engine.inputs.begin(), engine.inputs.end(), value) != engine.inputs.end()) {
      run.of_engine.push_back(tensor);
    }
  }
  for (const std::string& symbol : engine.symbols) {
    const int64_t size = symbols.at(symbol);
    SLIPWAY_ASSIGN_OR_RETURN(Tensor of_size, Tensor::zeros(DType::kUInt8, {size}));
    run.of_kernels.emplace_back(of_size);
    SLIPWAY_ASSIGN_OR_RETURN(Tensor number, Tensor::zeros(DType::kInt64, {1}));
    *number.data_as<int64_t>() = size;
    run.of_engine.push_back(number);
  }
  std::string sizes;
  for (const auto& [symbol, size] : symbols) {
    sizes += fmt::format("{}{} = {}", sizes.empty() ? " with " : ", ", symbol, size);
  }
  run.name += sizes;
  return run;
}

Verdict not_made(const std::string& why) { return {Verdict::Kind::kNotMade, why}; }

bool is_memory(const Error& error) { return error.code() == ErrorCode::kResourceExhausted; }

std::optional<uint64_t> largest(const ir::SymInt& size, const ir::SymbolRanges& ranges) {
  const auto max = size.bounds(ranges).max;
  return max ? std::optional(static_cast<uint64_t>(std::max<int64_t>(*max, 0))) : std::nullopt;
}

std::optional<uint64_t> largest_numel(const ir::Value* value, const ir::SymbolRanges& ranges) {
  std::optional<uint64_t> count = 1;
  for (const ir::SymInt& size : value->sizes()) {
    const auto known = largest(size, ranges);
    if (!count || !known) return std::nullopt;
    count = checked_mul(*count, *known);
  }
  return count;
}

bool has_nothing(const Run& run) {
  return std::any_of(run.of_engine.begin(), run.of_engine.end(),
                     [](const Tensor& tensor) { return tensor.numel() == 0; });
}

// What the engine gives on what the kernels were run on, all of it in one go. kUnsupported where it
// does not run.
Result<std::vector<Tensors>> run_engine(const ir::Program& program,
                                        const engine_build::Builder& builder,
                                        const EngineOfPart& engine, const std::vector<Run>& runs) {
  if (builder.is_run_by_runtime()) {
    std::vector<std::vector<Value>> inputs;
    inputs.reserve(runs.size());
    for (const Run& run : runs) inputs.push_back(run.of_kernels);
    return run_by_runtime(program, engine, inputs);
  }
  std::vector<Tensors> inputs;
  inputs.reserve(runs.size());
  for (const Run& run : runs) inputs.push_back(run.of_engine);
  return builder.run(engine.engine, inputs);
}

Result<Verdict> compare(const ir::Program& program, const engine_build::Builder& builder,
                        const EngineOfPart& engine, const std::vector<Run>& runs) {
  const auto outputs = run_engine(program, builder, engine, runs);
  if (!outputs.ok()) {
    const Error& error = outputs.error();
    if (builder.is_run_by_runtime() && error.code() == ErrorCode::kUnavailable) {
      return not_made(error.message());
    }
    if (error.code() != ErrorCode::kUnsupported) return error;
    const std::string text = "its engine does not run where the kernels do: " + error.message();
    if (has_nothing(runs.front())) return not_made(text);
    return Verdict{Verdict::Kind::kDifferent, text};
  }
  const std::set<const ir::Value*> open = follow_order(engine.part);
  const DType coarsest = coarsest_type(engine.part);
  const auto& nodes = engine.part.nodes;
  const bool quantizes = std::any_of(nodes.begin(), nodes.end(), [](const ir::Node* node) {
    return node->op().starts_with("quantized_decomposed.quantize") ||
           node->op().starts_with("aten.fake_quantize") || node->op() == ir::kFakeQuantizeRows;
  });
  for (size_t i = 0; i < runs.size(); ++i) {
    for (size_t o = 0; o < engine.part.outputs.size(); ++o) {
      if (open.contains(engine.part.outputs[o])) continue;
      const double step = quantizes ? step_of(engine.part.outputs[o]) : 0;
      const auto differs = difference(runs[i].expected.at(o), outputs->at(i).at(o), runs[i].fill,
                                      quantizes, coarsest, step);
      if (!differs) continue;
      return Verdict{Verdict::Kind::kDifferent,
                     fmt::format("its engine gives other numbers than ExecuTorch's kernels: of {}, "
                                 "on {}, {}",
                                 engine.part.outputs[o]->name(), runs[i].name, *differs)};
    }
  }
  return Verdict();
}

}  // namespace

Result<Verdict> check_engine(const ir::Program& program, const partition::IntegerRanges& ranges,
                             const engine_build::Builder& builder, const EngineOfPart& engine,
                             uint64_t most_multiply_adds) {
  if (!builder.runs_engines() && !builder.is_run_by_runtime()) {
    return not_made("this engine is not run here");
  }
  for (const auto* values : {&engine.part.inputs, &engine.part.outputs}) {
    for (const ir::Value* value : *values) {
      if (!can_fill(value->dtype())) {
        return not_made(fmt::format("it has no values of {}", dtype_name(value->dtype())));
      }
    }
  }
  auto sizes = choose_sizes(program, engine);
  if (!sizes) return not_made("a size has no largest value");
  std::erase_if(*sizes, [&](const SymbolValues& symbols) {
    ir::SymbolRanges chosen = program.ranges;
    for (const auto& [symbol, size] : symbols) chosen[symbol] = {size, size};
    return count_multiply_adds(engine.part, chosen) > most_multiply_adds;
  });
  if (sizes->empty()) return not_made("it takes too many multiply-adds");
  auto kernels = load_kernels(program, engine);
  if (!kernels.ok()) {
    if (is_memory(kernels.error())) return kernels.error();
    return not_made("the kernels don't take all of it: " + kernels.error().message());
  }
  // An engine may refuse sizes of 0: whoever runs it is told then.
  std::vector<Run> runs;
  std::vector<Run> runs_of_nothing;
  for (const SymbolValues& symbols : *sizes) {
    for (const NamedFill& fill : kFills) {
      auto run = make_run(engine, ranges, fill, symbols);
      if (!run.ok()) {
        if (is_memory(run.error())) return run.error();
        continue;
      }
      auto expected = run_part(*kernels, run->of_kernels);
      // They refuse these.
      if (!expected.ok()) continue;
      run->expected = std::move(*expected);
      (has_nothing(*run) ? runs_of_nothing : runs).push_back(std::move(*run));
    }
  }
  if (runs.empty() && runs_of_nothing.empty()) {
    return not_made("the kernels refuse all inputs that were generated");
  }
  if (!runs.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(Verdict verdict, compare(program, builder, engine, runs));
    if (verdict.kind != Verdict::Kind::kEqual) return verdict;
  }
  if (!runs_of_nothing.empty()) return compare(program, builder, engine, runs_of_nothing);
  return Verdict();
}

uint64_t count_multiply_adds(const partition::Partition& part, const ir::SymbolRanges& ranges) {
  constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();
  uint64_t total = 0;
  for (const ir::Node* node : part.nodes) {
    uint64_t count = 0;
    for (const ir::Value* output : node->outputs()) {
      if (!output->is_tensor()) continue;
      const auto numel = largest_numel(output, ranges);
      if (!numel) return kUnknown;
      count = std::max(count, *numel);
    }
    // The operands: what is summed up is in one of them.
    uint64_t operands = 0;
    std::optional<uint64_t> length = 1;
    for (const ir::Argument& argument : node->args()) {
      bool known = true;
      ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
        if (!value->is_tensor()) return;
        const auto numel = largest_numel(value, ranges);
        known = known && numel.has_value();
        operands = std::max(operands, numel.value_or(0));
      });
      if (!known) return kUnknown;
    }
    const std::string& op = node->op();
    const auto is_any = [&](std::initializer_list<const char*> names) {
      return std::any_of(names.begin(), names.end(),
                         [&](const char* name) { return op.find(name) != std::string::npos; });
    };
    if (is_any({"conv"}) && node->args().size() > 1) {
      // The weight without its output channels.
      const auto* weight = std::get_if<ir::Value*>(&node->arg(1));
      if (weight != nullptr && *weight != nullptr && (*weight)->rank() > 0) {
        const auto channels = largest((*weight)->sizes()[0], ranges);
        const auto numel = largest_numel(*weight, ranges);
        length = channels && numel ? *numel / std::max<uint64_t>(*channels, 1) : length;
      }
    } else if (is_any({"mm", "linear", "matmul", "attention", "lstm", "gru", "rnn", "einsum",
                       "dot"})) {
      for (const ir::Argument& argument : node->args()) {
        ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
          for (const ir::SymInt& size : value->sizes()) {
            const auto known = largest(size, ranges);
            if (length && known) length = std::max(*length, *known);
          }
        });
      }
    }
    const auto products = checked_mul(count, *length);
    const auto sum = products ? checked_add(total, std::max(*products, operands)) : std::nullopt;
    if (!sum) return kUnknown;
    total = *sum;
  }
  return total;
}

}  // namespace slipway
