#include "openvino/builder/exactness.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "ir/arguments.h"
#include "ir/queries.h"
#include "schema/operator_name.h"
#include "schema/target_index.h"

namespace slipway::openvino {

namespace {

// The largest magnitude of integers that is exact.
int64_t largest_exact(Integers integers) {
  switch (integers) {
    case Integers::kMoved:
    case Integers::kIn32Bits:
      return INT32_MAX;
    case Integers::kInFloat:
      return int64_t{1} << 24;
    case Integers::kInFloatTwice:
      return int64_t{1} << 23;
  }
  return 0;
}

// For the documentation.
const char* describe(Integers integers) {
  switch (integers) {
    case Integers::kMoved:
    case Integers::kIn32Bits:
      return "32 bits";
    case Integers::kInFloat:
      return "2^24";
    case Integers::kInFloatTwice:
      return "2^23";
  }
  return "";
}

const char* why_integers(Integers integers) {
  return integers == Integers::kMoved || integers == Integers::kIn32Bits
             ? "its {} values are kept in 32 bits, and nothing shows that they fit"
             : "its {} values are computed in float32, and nothing shows that they are small "
               "enough";
}

Types type_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kBFloat16:
      return kFloat;
    case DType::kInt32:
    case DType::kInt64:
      return kInt;
    case DType::kInt8:
    case DType::kUInt8:
      return kByte;
    case DType::kBool:
      return kBool;
    default:
      return 0;
  }
}

// Why no operator is exact for a type; for those of no set.
std::string why_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return "float64 values are computed in float32";
    case DType::kInt16:
    case DType::kUInt16:
      return fmt::format("{} values do not wrap around at 16 bits", dtype_name(dtype));
    default:
      return fmt::format("{} is not among its types", dtype_name(dtype));
  }
}

bool is_zero(const ir::SymInt& size) { return size == ir::SymInt(0); }

using Division = std::function<bool(const ir::SymInt& numerator, const ir::SymInt& divisor)>;

// Whether `holds` of some quotient or remainder in the expression.
bool any_division(const ir::SymInt& value, const Division& holds) {
  for (const ir::SymInt::Term& term : value.terms()) {
    for (const ir::SymInt::Factor& factor : term.factors) {
      if (factor.is_symbol()) continue;
      const bool divides = factor.function == ir::SymInt::Function::kFloorDiv ||
                           factor.function == ir::SymInt::Function::kMod;
      if (divides && holds(factor.arguments.at(0), factor.arguments.at(1))) return true;
      for (const ir::SymInt& argument : factor.arguments) {
        if (any_division(argument, holds)) return true;
      }
    }
  }
  return false;
}

// The sizes of inputs are taken to be small beside what a run computes.
ir::SymbolRanges ranges_of_numbers(const ir::Program& program) {
  ir::SymbolRanges ranges = program.ranges;
  for (const ir::Value* input : program.graph->inputs()) {
    for (const ir::SymInt& size : input->sizes()) {
      for (const std::string& symbol : size.symbols()) ranges[symbol] = {0, 1};
    }
  }
  return ranges;
}

// One node's examination. Each step gives a reason, or nothing.
class Examination {
 public:
  using Reason = std::optional<std::string>;

  Examination(const ir::Program& program, const ir::Node& node,
              const partition::IntegerRanges& ranges, bool reduced)
      : program_(program), node_(node), arguments_(node), ranges_(ranges), reduced_(reduced) {}

  Reason run() {
    entry_ = find_exactness(node_.op());
    if (!entry_) return "nothing shows that the engine computes it exactly";
    if (entry_->types == 0) return entry_->why_not;
    if (Reason reason = special()) return reason;
    for (size_t i = 0; i < node_.args().size(); ++i) {
      if (Reason reason = argument(i)) return reason;
    }
    for (const ir::Value* output : results()) {
      if (Reason reason = tensor(output, false)) return reason;
    }
    return std::nullopt;
  }

 private:
  // Those that something takes where they differ: without training, the statistics of a batch have
  // no elements; which bag an index is in, and where a maximum was, is a table of integers.
  std::span<ir::Value* const> results() const {
    const std::span<ir::Value* const> all(node_.outputs());
    const bool differ = is("aten._native_batch_norm_legit_no_training.") ||
                        is("aten.embedding_bag.") || is("aten._embedding_bag") ||
                        is("aten.adaptive_max_pool");
    if (!differ) return all;
    const bool takes_others = std::any_of(all.begin() + 1, all.end(), [&](const ir::Value* value) {
      return ir::is_used(*program_.graph, value);
    });
    return takes_others ? all : all.first(1);
  }

  bool is(std::string_view prefix) const { return node_.op().starts_with(prefix); }
  bool flag(size_t i) const { return arguments_.flag(i).value_or(false); }

  // Whether argument 1 is one index, of one dimension, and no mask.
  bool is_one_vector_of_places() const {
    std::vector<const ir::Value*> indices;
    ir::Graph::for_each_value(node_.arg(1),
                              [&](const ir::Value* value) { indices.push_back(value); });
    return indices.size() == 1 && indices[0]->rank() == 1 && type_of(indices[0]->dtype()) == kInt;
  }

  // Sums of half types that PyTorch rounds at each step, in an order that nothing here knows.
  const char* rounded_sum() const {
    if (reduced_ || node_.outputs().empty() || !node_.output()->is_tensor()) return nullptr;
    const DType dtype = node_.output()->dtype();
    if (dtype != DType::kFloat16 && dtype != DType::kBFloat16) return nullptr;
    bool adds = is("aten.index_add.") || is("aten.scatter_add.") || is("aten.scatter.reduce") ||
                is("aten.scatter.value_reduce");
    if (is("aten.scatter_reduce.")) {
      const auto* mode = arguments_.text(4);
      adds = !mode || (*mode != "amax" && *mode != "amin");
    }
    return adds ? "half types are rounded after each step of the sum" : nullptr;
  }

  // Quotients that are rounded down.
  const char* mean_of_integers() const {
    const auto* mode = is("aten.scatter_reduce.") ? arguments_.text(4) : nullptr;
    const bool is_mean = mode && *mode == "mean" && !is_floating_point(node_.output()->dtype());
    return is_mean ? "it divides integers in float32" : nullptr;
  }

  // OpenVINO runs a recurrent layer whose weights are not constants in a loop of its own, and ends
  // the process when the batch or the sequence is empty then.
  bool is_loop_over_nothing() const {
    const bool is_recurrent = is("aten.lstm.") || is("aten.gru.") || is("aten.rnn_");
    if (!is_recurrent) return false;
    const auto& sizes = node_.value(0)->sizes();
    const bool may_be_empty = std::any_of(sizes.begin(), sizes.end(), [&](const ir::SymInt& size) {
      return size.bounds(program_.ranges).min.value_or(0) <= 0;
    });
    bool is_data = false;
    for (const ir::Argument& argument : std::span(node_.args()).subspan(2)) {
      ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
        const ir::Input* input = program_.input_of(value);
        is_data = is_data || input == nullptr || !input->data;
      });
    }
    return may_be_empty && is_data;
  }

  // What the types don't say.
  Reason special() const {
    if (ir::makes_scaled_size(node_)) {
      return "it scales a size by a factor, which PyTorch does in float64";
    }
    if (is_loop_over_nothing()) {
      return "its weights are not constants, and the batch or the sequence may be empty";
    }
    if (is("aten.index_put.") || is("aten._unsafe_index_put.")) {
      if (flag(3) && !is_one_vector_of_places()) return "it has no ScatterND that adds";
      if (flag(3) && node_.value(0)->dtype() != DType::kFloat32) {
        return "it adds float32 only";
      }
    } else if (is("aten.sort.stable") || is("aten.argsort.stable")) {
      if (flag(1)) return "equal elements do not keep their order";
    } else if (is("aten.pad.")) {
      const auto* mode = arguments_.text(2);
      if (mode && *mode == "circular") return "it has no circular padding";
    } else if (const char* reason = mean_of_integers()) {
      return reason;
    } else if (const char* reason = rounded_sum()) {
      return reason;
    } else if (is("aten.pow.") && is_integral(node_.output()->dtype()) && !reduced_) {
      const auto known = arguments_.constant(1);
      if (!known || *known < 1 || *known > 3) return "integer powers are computed in float32";
    }
    return std::nullopt;
  }

  Reason argument(size_t i) const {
    const ir::Argument& argument = node_.arg(i);
    const bool is_index = static_cast<int>(i) == entry_->index_argument;
    Reason reason;
    ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
      if (!reason) reason = tensor(value, is_index);
    });
    ir::Graph::for_each_graph(argument, [&](const std::shared_ptr<ir::Graph>& graph) {
      for (const auto& inner : graph->nodes()) {
        if (reason) return;
        reason = Examination(program_, *inner, ranges_, reduced_).run();
        if (reason) reason = fmt::format("of its node {}: {}", inner->name(), *reason);
      }
    });
    if (const char* divided = division(argument)) return divided;
    // The plugin cuts these to 32 bits.
    const auto is_long = [](const ir::SymInt& each) {
      const auto known = each.constant();
      return known && !std::in_range<int32_t>(*known);
    };
    const auto* sizes = std::get_if<std::vector<ir::SymInt>>(&argument);
    if (sizes && std::any_of(sizes->begin(), sizes->end(), is_long)) {
      return "a number in a list that it takes has more than 32 bits";
    }
    if (const char* chosen = chosen_number(argument)) return chosen;
    if (!reason) reason = number(argument);
    return reason;
  }

  // Numbers that the caller chooses, or that tensors hold: the plugin has 32 bits for them. Sizes
  // of inputs have less.
  const char* chosen_number(const ir::Argument& argument) const {
    for (const ir::SymInt& each : numbers_of(argument)) {
      for (const std::string& symbol : each.symbols()) {
        const auto known = program_.ranges.find(symbol);
        const ir::Range range = known == program_.ranges.end() ? ir::Range() : known->second;
        const bool is_short = range.min && std::in_range<int32_t>(*range.min) && range.max &&
                              std::in_range<int32_t>(*range.max);
        if (!is_short && !is_size_of_input(symbol)) {
          return "a number that it takes may have more than 32 bits";
        }
      }
    }
    return nullptr;
  }

  bool is_size_of_input(const std::string& symbol) const {
    const auto& inputs = program_.graph->inputs();
    return std::any_of(inputs.begin(), inputs.end(), [&](const ir::Value* input) {
      return std::any_of(input->sizes().begin(), input->sizes().end(), [&](const ir::SymInt& size) {
        const std::vector<std::string> symbols = size.symbols();
        return std::find(symbols.begin(), symbols.end(), symbol) != symbols.end();
      });
    });
  }

  static std::span<const ir::SymInt> numbers_of(const ir::Argument& argument) {
    if (const auto* one = std::get_if<ir::SymInt>(&argument)) return std::span(one, 1);
    const auto* several = std::get_if<std::vector<ir::SymInt>>(&argument);
    return several ? std::span(*several) : std::span<const ir::SymInt>();
  }

  // Quotients and remainders in the numbers that it takes; a roll makes one of its shifts.
  const char* division(const ir::Argument& argument) const {
    const std::span<const ir::SymInt> all = numbers_of(argument);
    const auto may_be_by_zero = [&](const ir::SymInt&, const ir::SymInt& divisor) {
      const ir::Range range = divisor.bounds(program_.ranges);
      return range.min.value_or(0) <= 0 && range.max.value_or(0) >= 0;
    };
    const auto is_of_large = [&](const ir::SymInt& numerator, const ir::SymInt&) {
      const ir::Range range = numerator.bounds(ranges_of_numbers(program_));
      const int64_t limit = largest_exact(Integers::kInFloat);
      return !range.min || *range.min < -limit || !range.max || *range.max > limit;
    };
    for (const ir::SymInt& each : all) {
      // An error in PyTorch.
      if (any_division(each, may_be_by_zero)) {
        return "a number that it takes is divided by one that may be 0";
      }
    }
    for (const ir::SymInt& each : all) {
      const bool rolls = is("aten.roll.") && !each.is_constant();
      if (any_division(each, is_of_large) || (rolls && is_of_large(each, 1))) {
        return "a number that it takes is divided, in float32, and may be past 2^24";
      }
    }
    return nullptr;
  }

  // A number given beside integer tensors.
  Reason number(const ir::Argument& argument) const {
    const bool is_padding = is("aten.constant_pad_nd.") || is("aten.pad.");
    if (reduced_ || !(entry_->types & kInt)) return std::nullopt;
    if (entry_->integers == Integers::kMoved && !is_padding) return std::nullopt;
    const int64_t limit = largest_exact(is_padding ? Integers::kInFloat : entry_->integers);
    if (const auto* real = std::get_if<double>(&argument)) {
      const bool is_exact = !is_padding || type_of(node_.output()->dtype()) != kInt ||
                            std::abs(*real) <= static_cast<double>(limit);
      if (!is_exact) return fmt::format("the number {} is too large for it", *real);
    }
    const auto* value = std::get_if<ir::SymInt>(&argument);
    const auto known = value ? value->constant() : std::nullopt;
    if (!known || (*known >= -limit && *known <= limit)) return std::nullopt;
    return fmt::format("the number {} is too large for it", *known);
  }

  Reason tensor(const ir::Value* value, bool is_index) const {
    if (!value->is_tensor()) return std::nullopt;
    const DType dtype = value->dtype();
    const Types type = type_of(dtype);
    if (type == 0 && !(reduced_ && dtype == DType::kFloat64)) return why_type(dtype);
    if (type != 0 && !(entry_->types & type) && !is_index && !(type == kByte && is_widened())) {
      return fmt::format("it is not exact for {}", dtype_name(dtype));
    }
    const auto& sizes = value->sizes();
    if (std::any_of(sizes.begin(), sizes.end(), is_zero)) {
      return "it does not take tensors that never have elements";
    }
    if (type != kInt || is_index || reduced_ || becomes_float(value)) return std::nullopt;
    if (ranges_.is_index(value)) return std::nullopt;
    const int64_t limit = largest_exact(entry_->integers);
    const ir::Range range = ranges_.of(value);
    const int64_t lowest = limit == INT32_MAX ? INT32_MIN : -limit;
    if (range.min && *range.min >= lowest && range.max && *range.max <= limit) {
      return std::nullopt;
    }
    return fmt::format(fmt::runtime(why_integers(entry_->integers)), dtype_name(dtype));
  }

  // Whether the node computes in floating point, to which the lowering converts all operands.
  bool is_widened() const {
    return (is("aten.add.") || is("aten.sub.") || is("aten.mul.")) &&
           is_floating_point(node_.output()->dtype());
  }

  // Where there is quantization, the plugin makes 32 bits of int64 inputs first.
  bool narrows_inputs() const {
    const auto& nodes = program_.graph->nodes();
    return std::any_of(nodes.begin(), nodes.end(), [](const auto& node) {
      return node->op().starts_with("quantized_decomposed.quantize_") ||
             node->op().starts_with("aten.fake_quantize_");
    });
  }

  // Whether the node makes float32 of an int64 tensor from outside of the engine: the plugin
  // converts its inputs as they are given. (What nodes of the engine give is known to fit.)
  bool becomes_float(const ir::Value* value) const {
    const bool converts =
        is("aten._to_copy.") || is("aten.to.") || is("aten.type_as.") || is("aten.float.");
    const ir::Input* input = program_.input_of(value);
    return converts && node_.arg(0) == ir::Argument(const_cast<ir::Value*>(value)) &&
           !(input && input->data) && is_floating_point(node_.output()->dtype()) &&
           !narrows_inputs();
  }

  const ir::Program& program_;
  const ir::Node& node_;
  const ir::Arguments arguments_;
  const partition::IntegerRanges& ranges_;
  const bool reduced_;
  const Exactness* entry_ = nullptr;
};

}  // namespace

std::vector<std::string> targets(const Exactness& entry) {
  return schema::split_targets(entry.targets);
}

const Exactness* find_exactness(std::string_view target) {
  static const auto* const kEntries = [] {
    auto* entries = new schema::TargetIndex<Exactness>;
    entries->add(exactness_table());
    return entries;
  }();
  return kEntries->find(target);
}

std::string document_exactness() {
  std::string text =
      "| operators | float32, float16, bfloat16 | int32, int64 | int8, uint8 | bool | what stays "
      "outside |\n"
      "| --- | --- | --- | --- | --- | --- |\n";
  std::string refused = "| operators | why |\n| --- | --- |\n";
  for (const Exactness& entry : exactness_table()) {
    const std::string names = schema::quote_targets(entry.targets);
    if (entry.types == 0) {
      refused += fmt::format("| {} | {} |\n", names, entry.why_not);
      continue;
    }
    const auto mark = [&](Types type) { return (entry.types & type) != 0 ? "yes" : ""; };
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", names, mark(kFloat),
                        (entry.types & kInt) != 0 ? describe(entry.integers) : "", mark(kByte),
                        mark(kBool), entry.note);
  }
  return text + "\nOperators that are not taken at all:\n\n" + refused;
}

std::optional<std::string> why_inexact(const ir::Program& program, const ir::Node& node,
                                       const partition::IntegerRanges& ranges,
                                       bool allow_reduced_precision) {
  return Examination(program, node, ranges, allow_reduced_precision).run();
}

}  // namespace slipway::openvino
