// Random numbers by arithmetic: of the number of the run, which the program keeps as state, of the
// place of the operator in the program, and of the element's place.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/try.h"
#include "ir/op_builder.h"
#include "ir/queries.h"
#include "passes/decompositions/context.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using decompositions::Context;
using ir::Node;
using ir::OpBuilder;
using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;
using Values = std::vector<Value*>;

// All numbers below are in [0, 2^32), in int64.
constexpr int64_t kMask = 0xffffffff;
constexpr int64_t kBits = 32;

uint64_t split_mix(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t x = state;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

Value* bitwise(OpBuilder& b, const char* name, Value* x, const ir::Operand& y) {
  const std::string op = std::string("aten.bitwise_") + name;
  if (Value* tensor = y.tensor()) {
    const Sizes& sizes = tensor->rank() > x->rank() ? tensor->sizes() : x->sizes();
    return b.call(op + ".Tensor", {x, tensor}, DType::kInt64, sizes);
  }
  const bool shifts = op.ends_with("_shift");
  return b.call(op + (shifts ? ".Tensor_Scalar" : ".Scalar"), {x, ir::to_argument(y.number())},
                DType::kInt64, x->sizes());
}

// A permutation of the numbers in which each bit of the result depends on all of x. The factors are
// less than 2^31 in size, so that no product leaves 64 bits.
Value* mixed(OpBuilder& b, Value* x) {
  const auto shifted = [&](int64_t bits) {
    return bitwise(b, "xor", x, bitwise(b, "right_shift", x, bits));
  };
  x = shifted(16);
  x = bitwise(b, "and", b.mul(x, int64_t{0x21f0aaad}), kMask);
  x = shifted(15);
  x = bitwise(b, "and", b.mul(x, int64_t{0xd35a2d97} - (int64_t{1} << kBits)), kMask);
  return shifted(15);
}

struct Keys {
  Value* first;
  Value* second;
};

// A branch that is drawn in, of a torch.cond.
struct Branch {
  Node* cond;
  ir::Graph* graph;

  // A value from outside as one within; whatever the other branches do with it.
  Value* give(Value* outside) const {
    if (auto* operands = std::get_if<Values>(&cond->args().back())) {
      operands->push_back(outside);
    } else {
      cond->args().emplace_back(Values{outside});
    }
    Value* inside = nullptr;
    std::set<ir::Graph*> seen;
    for (ir::Graph* each : sub_graphs(*cond)) {
      if (!seen.insert(each).second) continue;
      Value* input = each->add_input("random_numbers", outside->type());
      if (each == graph) inside = input;
    }
    return inside;
  }
  // Whether the symbol is none outside.
  bool makes(const std::string& symbol) const {
    const auto made = ir::symbols_made(*graph);
    return std::any_of(made.begin(), made.end(),
                       [&](const auto& each) { return each.second.contains(symbol); });
  }
};

// Where one program's numbers come from.
class Source {
 public:
  Source(ir::Program& program, uint64_t seed) : program_(program), seed_(seed) {}

  bool is_used() const { return state_ != nullptr; }

  void enter(const Branch& branch) { path_.push_back(branch); }
  void leave() { path_.pop_back(); }

  // `count` numbers that no other call gives. Those of a branch are made outside, whichever is
  // taken: the state is there.
  Value* numbers(OpBuilder& b, const SymInt& count) {
    if (path_.empty()) return made(b, count);
    for (const Branch& branch : path_) {
      for (const std::string& symbol : count.symbols()) {
        if (!branch.makes(symbol)) continue;
        b.fail(
            Error(ErrorCode::kUnsupported,
                  fmt::format("how many numbers it draws ({}) is known in a branch of torch.cond "
                              "alone: draw as many as there can be, and take some of them",
                              count.to_string())));
      }
    }
    OpBuilder outside(*program_.graph, path_.front().cond, path_.front().cond);
    Value* x = made(outside, count);
    for (const Branch& branch : path_) x = branch.give(x);
    return x;
  }

  // The next run is another one.
  void finish() {
    OpBuilder b(*program_.graph, nullptr, nullptr);
    Value* next = bitwise(b, "and", b.add(b.narrow(state_, 0, 2, 1), 1), kMask);
    program_.outputs.insert(program_.outputs.begin(),
                            {ir::OutputKind::kBufferMutation, program_.input_of(state_)->target});
    auto& outputs = program_.graph->outputs();
    outputs.insert(outputs.begin(), ir::Argument(b.cat({b.narrow(state_, 0, 0, 2), next}, 0)));
  }

 private:
  Value* made(OpBuilder& b, const SymInt& count) {
    begin(b);
    ++calls_;
    uint64_t call = calls_;
    const auto key = [&](Value* of_run) {
      const auto of_call = static_cast<int64_t>(split_mix(call) >> kBits);
      return mixed(b, bitwise(b, "xor", of_run, of_call));
    };
    Value* first = key(of_run_.first);
    Value* second = key(of_run_.second);
    Value* x = mixed(b, bitwise(b, "xor", b.arange(count), first));
    return mixed(b, bitwise(b, "xor", x, second));
  }

  // The state, two numbers made of the seed and that of the run, and what every call begins with.
  void begin(OpBuilder& b) {
    if (state_) return;
    uint64_t seed = seed_;
    const std::array<int64_t, 3> start = {static_cast<int64_t>(split_mix(seed) >> kBits),
                                          static_cast<int64_t>(split_mix(seed) >> kBits), 0};
    std::vector<std::byte> bytes(sizeof(start));
    std::memcpy(bytes.data(), start.data(), bytes.size());
    state_ =
        program_.add_constant("slipway_random_state",
                              {DType::kInt64, {start.size()}, {1}, 0, own_bytes(std::move(bytes))});
    program_.inputs.back().kind = ir::InputKind::kBuffer;
    const auto at = [&](int64_t i) { return b.select(state_, 0, i); };
    of_run_ = {mixed(b, bitwise(b, "xor", at(2), at(0))),
               mixed(b, bitwise(b, "xor", at(2), at(1)))};
  }

  ir::Program& program_;
  uint64_t seed_;
  uint64_t calls_ = 0;
  std::vector<Branch> path_;  // to what is drawn in now, from outside
  Value* state_ = nullptr;
  Keys of_run_ = {};
};

// One node, and what it draws.
struct Draw {
  Context& c;
  Source& source;
  OpBuilder& b = c.build;

  Value* numbers(const Sizes& sizes) const {
    return b.view(source.numbers(b, ir::numel(sizes)), sizes);
  }
  // [0, 2^53)
  Value* large_numbers(const Sizes& sizes) const {
    Value* high = bitwise(b, "right_shift", numbers(sizes), int64_t{5});
    Value* low = bitwise(b, "right_shift", numbers(sizes), int64_t{6});
    return b.add(b.mul(high, int64_t{1} << 26), low);
  }
  // [0, 1), each number as likely as PyTorch's: multiples of the last place below 1.
  Value* uniform(const Sizes& sizes, DType dtype) const {
    if (dtype == DType::kFloat64) {
      return b.mul(b.to_dtype(large_numbers(sizes), dtype), std::ldexp(1.0, -53));
    }
    const int64_t digits = dtype == DType::kFloat16 ? 11 : dtype == DType::kBFloat16 ? 8 : 24;
    Value* x = bitwise(b, "right_shift", numbers(sizes), kBits - digits);
    x = b.mul(b.to_dtype(x, DType::kFloat32), std::ldexp(1.0, static_cast<int>(-digits)));
    return b.to_dtype(x, dtype);
  }
  // Of mean 1, in float64; never 0.
  Value* exponential(const Sizes& sizes) const {
    Value* x = b.add(b.to_dtype(numbers(sizes), DType::kFloat64), 0.5);
    return b.neg(b.log(b.mul(x, std::ldexp(1.0, -kBits))));
  }
  // Of mean 0 and deviation 1, by the radius and the angle of pairs.
  Value* normal(const Sizes& sizes, DType dtype) const {
    const DType computed = dtype == DType::kFloat64 ? dtype : DType::kFloat32;
    const SymInt count = ir::numel(sizes);
    const SymInt half = SymInt::floordiv(count + 1, 2);
    Value* radius = b.log1p(b.neg(uniform({half}, computed)));
    radius = b.sqrt(b.mul(radius, -2.0));
    Value* angle = b.mul(uniform({half}, computed), 2 * std::numbers::pi);
    Value* pairs = b.cat({b.mul(radius, b.cos(angle)), b.mul(radius, b.sin(angle))}, 0);
    return b.to_dtype(b.view(b.narrow(pairs, 0, 0, count), sizes), dtype);
  }
  // Whether something of this probability happens.
  Value* event(const Sizes& sizes, const ir::Operand& probability) const {
    const Value* tensor = probability.tensor();
    const bool is_double = tensor && tensor->dtype() == DType::kFloat64;
    return b.lt(uniform(sizes, is_double ? DType::kFloat64 : DType::kFloat32), probability);
  }
};

Values result(const Draw& d, Value* x) {
  return {d.b.to_dtype(d.b.expand(x, d.c.sizes()), d.c.dtype())};
}

Values rand(const Draw& d) { return {d.uniform(d.c.sizes(), d.c.dtype())}; }

Values randn(const Draw& d) { return {d.normal(d.c.sizes(), d.c.dtype())}; }

// Remainders of 2^53 numbers are as likely as each other, but for one in some thousand.
constexpr double kMostDrawn = 0x1p42;

// (high, ...) or (low, high, ...), after self for those of a tensor's sizes
Values randint(const Draw& d) {
  const bool is_like = d.c.op().starts_with("aten.randint_like.");
  const bool has_low = d.c.op().find(".low") != std::string::npos;
  const size_t first = is_like ? 1 : 0;
  const SymInt low = has_low ? d.c.integer(first) : SymInt(0);
  const SymInt high = d.c.integer(has_low ? first + 1 : first);
  if (low.constant() && high.constant() &&
      static_cast<double>(*high.constant()) - static_cast<double>(*low.constant()) > kMostDrawn) {
    return d.c.unsupported("integers are drawn from at most 2^42: draw from fewer");
  }
  const SymInt range = high - low;
  // Of fewer numbers than are drawn, by far, the remainders are as likely.
  const auto most = d.c.bounds(range).max;
  const bool is_small = most && *most <= (int64_t{1} << 20);
  Value* x = is_small ? d.numbers(d.c.sizes()) : d.large_numbers(d.c.sizes());
  return result(d, d.b.add(d.b.remainder(x, range), low));
}

// (self, p) or (self), whose elements are the probabilities
Values bernoulli(const Draw& d) {
  Value* self = d.c.tensor(0);
  if (d.c.op() == "aten.bernoulli.p") return result(d, d.event(self->sizes(), d.c.real(1)));
  return result(d,
                d.event(self->sizes(), d.c.op() == "aten.bernoulli.Tensor" ? d.c.tensor(1) : self));
}

// (mean, std, ...), each a number or a tensor
Values normal(const Draw& d) {
  Value* x = d.normal(d.c.sizes(), d.c.dtype());
  return result(d, d.b.add(d.b.mul(x, d.c.tensor(1)), d.c.tensor(0)));
}

// (self, a, b)
Values normal_like(const Draw& d) {
  Value* x = d.normal(d.c.sizes(), d.c.dtype());
  x = d.b.add(d.b.mul(x, d.c.real(2)), d.c.real(1));
  return result(d, d.c.op() == "aten.log_normal.default" ? d.b.exp(x) : x);
}

// Of the type.
double largest_below(double high, double low, DType dtype) {
  const double size = high == 0 ? high - low : std::fabs(high);
  for (int digits = 53; digits > 1; --digits) {
    const double below = decompositions::rounded_to(high - std::ldexp(size, -digits), dtype);
    if (below < high) return std::max(below, low);
  }
  return low;
}

Values uniform(const Draw& d) {
  const double low = d.c.real(1);
  const double high = decompositions::rounded_to(d.c.real(2), d.c.dtype());
  Value* x = d.uniform(d.c.sizes(), d.c.dtype());
  x = d.b.add(d.b.mul(x, d.c.real(2) - low), low);
  if (!(low < high)) return result(d, x);
  // The sum may be rounded up to what is excluded.
  Value* is_end = d.b.ge(x, high);
  return result(d, d.b.masked_fill(x, is_end, largest_below(high, low, d.c.dtype())));
}

Values exponential(const Draw& d) {
  return result(d, d.b.div(d.exponential(d.c.sizes()), d.c.real(1)));
}

Values randperm(const Draw& d) {
  Value* keys = d.large_numbers(d.c.sizes());
  return result(d, d.b.topk(keys, d.c.sizes().at(0), 0, false).second);
}

// (self, num_samples, replacement)
Values multinomial(const Draw& d) {
  Value* weights = d.b.to_dtype(d.c.tensor(0), DType::kFloat64);
  const SymInt count = decompositions::last(d.c.sizes());
  if (!d.c.flag(2) || count == SymInt(1)) {
    // The first ones to come, where each comes as often as its weight has it.
    Value* rate = d.b.div(weights, d.exponential(weights->sizes()));
    return {d.b.topk(rate, count, -1).second};
  }
  Value* sums = d.b.cumsum(weights, -1);
  Value* total = d.b.narrow(sums, -1, decompositions::last(sums->sizes()) - 1, 1);
  Value* place = d.b.mul(d.uniform(d.c.sizes(), DType::kFloat64), total);
  return {
      d.b.call("aten.searchsorted.Tensor", {sums, place, false, true}, DType::kInt64, d.c.sizes())};
}

// (input, p, train): what stays is enlarged, so that the mean does.
Values dropout(const Draw& d) {
  Value* x = d.c.tensor(0);
  const double p = d.c.real(1);
  const bool is_feature = d.c.op().find("feature_") != std::string::npos;
  Sizes sizes = x->sizes();
  for (size_t i = 2; is_feature && i < sizes.size(); ++i) sizes.at(i) = 1;
  Value* stays = d.event(sizes, 1.0 - p);
  Value* factor = d.b.to_dtype(stays, x->dtype());
  if (d.c.op().find("alpha_dropout") != std::string::npos) {
    if (p == 1.0) return result(d, d.b.full_like(x, 0.0));
    constexpr double kAlpha = 1.7580993408473766;  // of SELU
    const double scale = 1.0 / std::sqrt((kAlpha * kAlpha * p + 1.0) * (1.0 - p));
    Value* shift = d.b.add(d.b.mul(d.b.sub(factor, 1.0), kAlpha * scale), kAlpha * scale * p);
    return result(d, d.b.add(d.b.mul(x, d.b.mul(factor, scale)), shift));
  }
  x = d.b.mul(x, factor);
  if (p < 1.0) x = d.b.mul(x, 1.0 / (1.0 - p));
  Values values = result(d, x);
  if (d.c.output_count() == 2) values.push_back(stays);
  return values;
}

using Rule = Values (*)(const Draw&);

Rule find(std::string_view op) {
  static const auto* const kRules = new std::unordered_map<std::string_view, Rule>{
      {"aten.rand.default", rand},
      {"aten.rand.generator", rand},
      {"aten.rand_like.default", rand},
      {"aten.rand_like.generator", rand},
      {"aten.randn.default", randn},
      {"aten.randn.generator", randn},
      {"aten.randn_like.default", randn},
      {"aten.randn_like.generator", randn},
      {"aten.randint.default", randint},
      {"aten.randint.generator", randint},
      {"aten.randint.low", randint},
      {"aten.randint.low_generator", randint},
      {"aten.randint_like.default", randint},
      {"aten.randint_like.generator", randint},
      {"aten.randint_like.low_dtype", randint},
      {"aten.randint_like.low_generator_dtype", randint},
      {"aten.randperm.default", randperm},
      {"aten.randperm.generator", randperm},
      {"aten.bernoulli.default", bernoulli},
      {"aten.bernoulli.p", bernoulli},
      {"aten.bernoulli.Tensor", bernoulli},
      {"aten.normal.Tensor_Tensor", normal},
      {"aten.normal.Tensor_float", normal},
      {"aten.normal.float_Tensor", normal},
      {"aten.normal.float_float", normal},
      {"aten.normal_functional.default", normal_like},
      {"aten.log_normal.default", normal_like},
      {"aten.uniform.default", uniform},
      {"aten.exponential.default", exponential},
      {"aten.multinomial.default", multinomial},
      {"aten.dropout.default", dropout},
      {"aten.feature_dropout.default", dropout},
      {"aten.alpha_dropout.default", dropout},
      {"aten.feature_alpha_dropout.default", dropout},
      {"aten.native_dropout.default", dropout},
  };
  const auto rule = kRules->find(op);
  return rule == kRules->end() ? nullptr : rule->second;
}

// What the node draws.
Result<Values> drawn(Context& context, Source& source, Rule rule) {
  Values values;
  if (is_complex(context.output()->dtype())) {
    context.unsupported(
        "complex random numbers are not drawn: draw the real and the imaginary part, and make "
        "them one (torch.complex)");
  }
  try {
    if (!context.reason()) values = rule({context, source});
  } catch (const std::logic_error&) {
    context.unsupported("its arguments are inconsistent");
  }
  const Node& node = context.node();
  if (context.reason()) return unsupported("{}: {}", describe(node), *context.reason());
  if (!context.build.status().ok()) {
    return context.build.status().error().with_context(describe(node));
  }
  if (values.size() != node.outputs().size()) {
    return internal_error("{}: it has other results than drawn", describe(node));
  }
  return values;
}

Status draw_in(ir::Graph& graph, const ir::SymbolRanges& ranges, Source& source) {
  Replacements replacements;
  std::vector<Node*> replaced;
  for (const auto& owned : graph.nodes()) {
    Node* node = owned.get();
    if (node->op() == "higher_order.cond") {
      for (ir::Graph* branch : sub_graphs(*node)) {
        source.enter({node, branch});
        SLIPWAY_RETURN_IF_ERROR(draw_in(*branch, ranges, source));
        source.leave();
      }
    }
    const Rule rule = draws_random_numbers(*node) ? find(node->op()) : nullptr;
    if (!rule) continue;
    for (ir::Argument& argument : node->args()) replacements.resolve(argument);
    Context context(graph, node, ranges);
    SLIPWAY_ASSIGN_OR_RETURN(const Values values, drawn(context, source, rule));
    for (size_t i = 0; i < values.size(); ++i) replacements.add(node->output(i), values[i]);
    replaced.push_back(node);
  }
  replacements.apply(graph);
  for (auto it = replaced.rbegin(); it != replaced.rend(); ++it) graph.erase(*it);
  return {};
}

}  // namespace

bool is_drawn(std::string_view op) { return find(op) != nullptr; }

Status draw_random_numbers(ir::Program& program, uint64_t seed) {
  Source source(program, seed);
  SLIPWAY_RETURN_IF_ERROR(draw_in(*program.graph, program.ranges, source));
  if (source.is_used()) source.finish();
  return {};
}

}  // namespace slipway::passes
