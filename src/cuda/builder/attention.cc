#include "cuda/builder/attention.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/half.h"
#include "cuda/builder/device_code.h"
#include "cuda/builder/generator.h"
#include "cuda/builder/layout.h"
#include "cuda/builder/library_graph.h"
#include "cuda/builder/options.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

constexpr int kThreads = 128;
constexpr int64_t kKeys = 64;           // of a step
constexpr int64_t kMostWidth = 128;     // of queries, keys and values
constexpr int64_t kMostKeyParts = 32;   // of the keys
constexpr int64_t kEnoughBlocks = 132;  // for the processors of a GPU
constexpr int64_t kUnknownKeys = 1024;  // what a number is taken for that a call decides
// What swizzled tiles have besides, to begin at a multiple of as many bytes.
constexpr int64_t kSwizzleRoom = 1024;

struct Attention {
  DType type = DType::kFloat16;
  Sizes batch;
  SymInt queries;
  SymInt keys;
  int64_t width = 0;
  int64_t value_width = 0;
  TiledOperand query;
  TiledOperand key;
  TiledOperand value;  // at [column, key]
  std::string scale;   // of the products, as a literal
  float number = 1;    // the same; not a number where it is not known
  Value* scores = nullptr;
  std::shared_ptr<Root> root;  // which the scores are made of
  std::optional<LibraryAttention> by_cudnn;
  // Where a query sees no key that lies further on than it by more than this.
  std::optional<int64_t> reach;
};

struct AttentionPlan {
  int64_t row_warps = 1;
  int64_t splits = 1;  // of the keys
  // For Hopper alone: of four warps, which have 64 queries each; 0 for the plan above.
  int64_t groups = 0;
  int64_t keys = kKeys;  // of a step

  int64_t rows() const { return groups > 0 ? 64 * groups : 16 * row_warps; }
  int threads() const { return groups > 0 ? static_cast<int>(128 * groups) : kThreads; }
  // Of the tiles: whole vectors that a warp's threads divide among them, or lines of swizzled
  // tiles.
  int64_t padded_width(int64_t width) const {
    int64_t wide = groups > 0 ? 64 : 16;
    while (wide < width) wide *= 2;
    return wide;
  }
  bool operator==(const AttentionPlan&) const = default;
};

int64_t count_of(const SymInt& size) { return size.constant().value_or(kUnknownKeys); }

bool is_width(const SymInt& size) {
  const auto known = size.constant();
  return known && *known >= 1 && *known <= kMostWidth;
}

// The only node that reads this; null where there are more, or it is a result.
const onnx::Node* only_reader(Rule& r, const std::string& name) {
  const Value& value = r.generator().value(name);
  const auto readers = r.generator().readers(name);
  return readers.size() == 1 && !value.output ? readers.front() : nullptr;
}

bool is_weighing(Rule& r, const onnx::Node& softmax) {
  const onnx::Node* reader = only_reader(r, softmax.outputs.at(0));
  return reader && reader->op_type == "MatMul" && reader->inputs[0] == softmax.outputs[0] &&
         reader->inputs[1] != softmax.outputs[0];
}

// x, where the value is x times a number.
struct Scaled {
  Value* x = nullptr;
  std::string factor;
  float number = 0;  // the same; NaN where it is no float32
};
std::optional<Scaled> unscaled(Rule& r, const Value& value) {
  for (const onnx::Node& node : r.generator().graph().nodes) {
    if (node.op_type != "Mul" || node.outputs.front() != value.name) continue;
    for (const size_t i : {0, 1}) {
      Value& factor = r.generator().value(node.inputs.at(i));
      const auto literal = factor.initializer ? r.generator().literal(factor) : std::nullopt;
      Value& x = r.generator().value(node.inputs.at(1 - i));
      if (literal && x.sizes == value.sizes) {
        return Scaled{&x, *literal, r.generator().real(factor).value_or(std::nanf(""))};
      }
    }
  }
  return std::nullopt;
}

// What each step's tiles are loaded by.
void emit_step_load(Kernel& k, const TiledOperand& operand, const char* name,
                    const TileLoader& loader, int threads, const std::string& arguments,
                    const std::string& first, const std::string& start, const std::string& rows,
                    const std::string& depth) {
  k.open(fmt::format("const auto load_{} = [&](unsigned short* tile{})", name, arguments));
  k.line(fmt::format("{}<Tile_{}, {}, {}, Index>(tile, {}, {}, {}, {}, {});", loader.function, name,
                     operand.along_k, threads, first, start, rows, depth, loader.arguments));
  k.close();
  k.line(";");
}

// Takes one of the sums, or what belongs to a row.
using Put = std::function<void(Kernel&, const std::string& part, const Indices& at)>;

// The tiles' types; what shared memory they take, in bytes.
int64_t emit_tile_types(Kernel& k, const Attention& t, const AttentionPlan& plan) {
  const int64_t vector = vector_of(t.type);
  const int64_t width = plan.padded_width(t.width);
  const int64_t value_width = plan.padded_width(t.value_width);
  const auto tile = [&](const char* name, int64_t count, int64_t depth, bool along_k) {
    k.line(fmt::format("typedef {}<unsigned short, {}, {}, {}> Tile_{};",
                       plan.groups > 0 ? "s_swizzled_tile" : "s_tile", count, depth, along_k,
                       name));
    if (plan.groups > 0) return 2 * count * depth;
    return 2 * (along_k ? count * (depth + vector) : depth * (count + vector));
  };
  const int64_t staged = tile("q", plan.rows(), width, t.query.along_k) +
                         2 * (tile("k", plan.keys, width, t.key.along_k) +
                              tile("v", value_width, plan.keys, t.value.along_k));
  // Sums lie there as floats, in the end.
  const int64_t sums =
      plan.groups > 0 ? 4 * plan.rows() * (64 + 8) : 4 * kThreads / 2 * (value_width + 8 + 2);
  return std::max(staged, sums) + (plan.groups > 0 ? kSwizzleRoom : 0);
}

// `put` finds a sum of [row, column], put_row what is the highest score and the total of [row], as
// sum, most and total.
void emit_over_keys(Kernel& k, const Attention& t, const AttentionPlan& plan, const Put& put,
                    const Put& put_row) {
  k.generator().use(builder::kProductTiles);
  if (plan.groups > 0) k.generator().use(builder::kSwizzledTiles);
  k.generator().use(builder::kAttention);
  if (plan.groups > 0) k.generator().use(builder::kGroupAttention);
  const int64_t rows = plan.rows();
  const SymInt tiles = SymInt::floordiv(t.queries + (rows - 1), rows);
  k.set_block(plan.threads());
  k.use_short_indices();
  k.set_grid(ir::numel(t.batch) * tiles * plan.splits);
  k.line("extern __shared__ s_vector s_memory[];");
  k.set_shared_bytes(static_cast<uint32_t>(emit_tile_types(k, t, plan)));
  const std::string block = k.let("Index", "(Index)blockIdx.x + 0");
  const Indices at = k.unravel(block, {ir::numel(t.batch), plan.splits, tiles});
  const Indices batch = k.unravel(at[0], t.batch);
  const std::string first = k.let("Index", times(at[2], std::to_string(rows)));
  const std::string all = k.number(t.keys);
  const auto least = [&](const std::string& a, const std::string& b) {
    return k.let("Index", fmt::format("{0} < {1} ? {0} : {1}", a, b));
  };
  std::string begin = "0";
  std::string end = all;
  if (plan.splits > 1) {
    const int64_t step = plan.keys * plan.splits;
    const SymInt each = SymInt::floordiv(t.keys + (step - 1), step) * plan.keys;
    begin = k.let("Index", times(at[1], k.number(each)));
    end = least(k.let("Index", plus(begin, k.number(each))), all);
  }
  if (t.reach) {
    end = least(k.let("Index", plus(first, std::to_string(rows + *t.reach))), end);
  }
  const std::string queries = k.number(t.queries);
  const std::string depth = std::to_string(t.width);
  const auto load = [&](const TiledOperand& operand, const char* name, const std::string& arguments,
                        const std::string& from, const std::string& start, const std::string& lines,
                        const std::string& length) {
    emit_step_load(k, operand, name, emit_tile_loader(k, operand, t.type, name, batch),
                   plan.threads(), arguments, from, start, lines, length);
  };
  load(t.query, "q", "", first, "0", queries, depth);
  load(t.key, "k", ", Index key", "key", "0", all, depth);
  load(t.value, "v", ", Index key", "0", "key", std::to_string(t.value_width), all);
  k.open("const auto score = [&](int row, Index key, float sum) -> float");
  Indices place = batch;
  place.push_back(k.let("Index", plus(first, "row")));
  place.emplace_back("key");
  k.bind(*t.root->value, place, t.scale.empty() ? "sum" : fmt::format("sum * {}", t.scale));
  const std::string score = k.read(*t.scores, place);
  k.line(fmt::format("return {};", score));
  k.close();
  k.line(";");
  const std::string form = plan.groups > 0 ? ""
                                           : fmt::format("{}, {}, {}, ", t.query.along_k,
                                                         t.key.along_k, t.value.along_k);
  k.line(fmt::format("{}<{}, Tile_q, Tile_k, Tile_v, {}{}, {}, {}, {}, {}, {}, Index>(",
                     plan.groups > 0 ? "s_group_attention" : "s_attention", half_product(t.type),
                     form, is_multiple(t.queries, rows), is_multiple(t.keys, plan.keys),
                     plan.splits > 1, plan.groups > 0 ? plan.groups : plan.row_warps,
                     plan.padded_width(t.width), plan.padded_width(t.value_width)));
  k.line(fmt::format("  {}, {}, {}, {}, {} - {}, {}, load_q, load_k, load_v, score,",
                     plan.groups > 0 ? "s_first_tile(s_memory)" : "s_memory", begin, end, all,
                     queries, first, t.value_width));
  Indices of_row = batch;
  k.open("  [&](int row, int column, const float(&sums)[8], int count)");
  of_row.push_back(k.let("Index", plus(first, "row")));
  k.open_run();
  Indices of_sum = of_row;
  of_sum.push_back(k.let("Index", "(Index)column + e"));
  k.follow(of_sum.back());
  put(k, at[1], of_sum);
  k.close_run();
  k.close();
  k.line(",");
  k.open("  [&](int row, float most, float total)");
  of_row.back() = k.let("Index", plus(first, "row"));
  put_row(k, at[1], of_row);
  k.close();
  k.line(");");
}

// In parts of the keys, which a second kernel puts together.
void emit_parts(Kernel& kernel, const Attention& t, const AttentionPlan& plan, const Store& store) {
  Generator& generator = kernel.generator();
  Sizes rows = t.batch;
  rows.push_back(t.queries);
  Sizes sizes = rows;
  sizes.emplace_back(t.value_width);
  const SymInt count = ir::numel(sizes);
  const SymInt row_count = ir::numel(rows);
  const auto bytes = static_cast<int64_t>(sizeof(float));
  const uint32_t sums = generator.scratch(count * plan.splits * bytes);
  const uint32_t highest = generator.scratch(row_count * plan.splits * bytes);
  const uint32_t totals = generator.scratch(row_count * plan.splits * bytes);
  const auto place = [](Kernel& k, const std::string& part, const SymInt& each,
                        const std::string& own) { return plus(times(part, k.number(each)), own); };
  Kernel first(generator, kernel.alternative());
  emit_over_keys(
      first, t, plan,
      [&](Kernel& k, const std::string& part, const Indices& at) {
        k.store(sums, DType::kFloat32, place(k, part, count, k.ravel(at, sizes)), "sums[e]");
      },
      [&](Kernel& k, const std::string& part, const Indices& at) {
        const std::string own = place(k, part, row_count, k.ravel(at, rows));
        k.store(highest, DType::kFloat32, own, "most");
        k.store(totals, DType::kFloat32, own, "total");
      });
  generator.launch(first);
  const std::string thread = kernel.thread_of(count);
  const Indices at = kernel.unravel(thread, sizes);
  const std::string row = kernel.ravel(Indices(at.begin(), at.end() - 1), rows);
  const auto load = [&](uint32_t buffer, const SymInt& each, const std::string& own) {
    return kernel.load(buffer, DType::kFloat32, place(kernel, "(Index)i", each, own));
  };
  const auto loop = fmt::format("for (int i = 0; i < {}; ++i)", plan.splits);
  kernel.use_short_indices();
  kernel.line("float most = -s_inff(), sum = 0, total = 0;");
  kernel.line("#pragma unroll");
  kernel.open(loop);
  kernel.line(fmt::format("most = s_highest(most, {});", load(highest, row_count, row)));
  kernel.close();
  kernel.line("#pragma unroll");
  kernel.open(loop);
  kernel.line(fmt::format("const float factor = s_exp_for_half({} - s_base(most));",
                          load(highest, row_count, row)));
  kernel.line(fmt::format("sum += factor * {};", load(sums, count, thread)));
  kernel.line(fmt::format("total += factor * {};", load(totals, row_count, row)));
  kernel.close();
  // Where there are no keys, a sum of nothing.
  const std::string keys = kernel.number(t.keys);
  store(kernel, at,
        t.keys.is_constant() ? "(sum / total)" : fmt::format("({} > 0 ? sum / total : 0)", keys));
}

// Whether groups of warps read its tiles as they are in memory.
bool is_for_groups(const Attention& t) {
  return t.query.along_k && t.key.along_k && !t.value.along_k;
}

// First what fills a GPU with blocks, and then what has others. One at least is for all images.
std::vector<AttentionPlan> attention_plans(const Attention& t, const Generator::Ways& ways) {
  const int64_t batches = count_of(ir::numel(t.batch));
  const int64_t keys = count_of(t.keys);
  const auto blocks = [&](int64_t rows) {
    return (count_of(t.queries) + rows - 1) / rows * batches;
  };
  const auto with_rows = [&](int64_t row_warps) {
    const int64_t count = std::max<int64_t>(blocks(16 * row_warps), 1);
    int64_t splits = 1;
    while (count < kEnoughBlocks && splits < kMostKeyParts && count * splits < 2 * kEnoughBlocks &&
           splits * 4 * kKeys <= keys) {
      splits *= 2;
    }
    return AttentionPlan{row_warps, splits};
  };
  const bool are_enough = blocks(64) >= kEnoughBlocks;
  const AttentionPlan first = with_rows(are_enough ? 4 : 1);
  std::vector<AttentionPlan> known;
  if (ways.are_for_hopper && is_for_groups(t)) known = {{4, 1, 1}, {4, 1, 2}};
  if (!known.empty() && !are_enough) known.insert(known.begin(), first);
  for (const AttentionPlan& plan :
       {first, with_rows(1), with_rows(2), with_rows(4),
        AttentionPlan{first.row_warps, std::min(2 * first.splits, kMostKeyParts)},
        AttentionPlan{first.row_warps, std::max<int64_t>(first.splits / 2, 1)}}) {
    const bool has_keys = plan.splits == 1 || plan.splits * kKeys <= keys;
    if (std::find(known.begin(), known.end(), plan) == known.end() && has_keys) {
      known.push_back(plan);
    }
  }
  std::vector<AttentionPlan> plans(known.begin(),
                                   known.begin() + std::min<size_t>(ways.candidates, known.size()));
  const auto is_of_hopper = [](const AttentionPlan& plan) { return plan.groups > 0; };
  if (ways.are_for_others && std::all_of(plans.begin(), plans.end(), is_of_hopper)) {
    plans.push_back(first);
  }
  return plans;
}

void emit_attention(Kernel& kernel, const Attention& t, const Store& store) {
  Alternative& alternative = kernel.alternative();
  const Generator::Ways& ways = kernel.generator().ways();
  const auto plans = attention_plans(t, ways);
  const auto own = static_cast<uint32_t>(plans.size());
  const auto form = t.by_cudnn ? library_form(kernel, *t.by_cudnn) : std::optional<LibraryForm>();
  alternative.count = own + library_ways(kernel.generator(), form);
  if (alternative.index >= own) {
    return emit_library_graph(kernel, *form, static_cast<uint8_t>(alternative.index - own));
  }
  const AttentionPlan& plan = plans.at(alternative.index);
  alternative.plan = fmt::format("{} queries a block", plan.rows());
  if (plan.groups > 0) alternative.plan += ", by groups of warps";
  if (plan.splits > 1) alternative.plan += fmt::format(", keys in {} parts", plan.splits);
  if (plan.groups > 0 && ways.are_for_others) alternative.target = kHopper;
  if (plan.splits > 1) return emit_parts(kernel, t, plan, store);
  emit_over_keys(
      kernel, t, plan,
      [&](Kernel& k, const std::string&, const Indices& at) { store(k, at, "sums[e]"); },
      [](Kernel&, const std::string&, const Indices&) {});
}

// How much further than itself a query sees, where that is known: scores that are -inf unless a
// number of the query's is at least the key's.
std::optional<int64_t> reach_of(Rule& r, const Attention& t) {
  Generator& generator = r.generator();
  const Value* scores = t.scores;
  while (scores->maker && scores->maker->op_type == "Cast") {
    scores = &generator.value(scores->maker->inputs.at(0));
  }
  const onnx::Node* choice = scores->maker;
  if (!choice || choice->op_type != "Where") return std::nullopt;
  const Value& condition = generator.value(choice->inputs.at(0));
  const Value& other = generator.value(choice->inputs.at(2));
  const auto literal = other.initializer ? generator.literal(other) : std::nullopt;
  const onnx::Node* compares = condition.maker;
  if (literal != real_literal(-INFINITY, other.dtype) || !compares ||
      compares->op_type != "GreaterOrEqual") {
    return std::nullopt;
  }
  // Along the last dimension but `from_last` alone.
  const auto numbers = [&](size_t input, size_t from_last, const SymInt& count) {
    const Value& value = generator.value(compares->inputs.at(input));
    const Value* base = &value;
    while (base->moved && base->maker && base->maker->op_type == "Unsqueeze") base = base->moved;
    std::optional<Generator::Progression> none;
    if (!base->initializer || value.sizes.size() <= from_last) return none;
    const bool is_row = value.sizes.at(value.sizes.size() - 1 - from_last) == count &&
                        ir::numel(value.sizes) == count;
    const auto found = is_row ? generator.progression(*base) : none;
    return found && found->step == 1 ? found : none;
  };
  const auto of_queries = numbers(0, 1, t.queries);
  const auto of_keys = numbers(1, 0, t.keys);
  if (!of_queries || !of_keys) return std::nullopt;
  return of_queries->first - of_keys->first;
}

}  // namespace

bool gives_scores(Rule& r, const MatrixProduct& product) {
  static const std::set<std::string_view> kPointwise = {"Add", "Cast", "Clip", "Div",
                                                        "Mul", "Sub",  "Tanh", "Where"};
  const Value& keys = *product.b.value;
  const bool has_form = (keys.narrow || is_half(keys.dtype)) && is_width(product.product.k) &&
                        product.product.dtype == DType::kFloat32 &&
                        product.a.value->sizes.size() > 2 && keys.sizes.size() > 2;
  const onnx::Node* node = has_form ? only_reader(r, r.node().outputs.at(0)) : nullptr;
  while (node && kPointwise.contains(node->op_type)) node = only_reader(r, node->outputs.at(0));
  if (!node || node->op_type != "Softmax") return false;
  return is_weighing(r, *node);
}

bool weighs_scores(Rule& r, const Value& scores, size_t axis) {
  return scores.root && scores.root->product && !scores.buffer && scores.readers == 1 &&
         r.node().op_type == "Softmax" && axis + 1 == scores.sizes.size() &&
         is_weighing(r, r.node());
}

namespace {

// What the scores are times the products, where that is all.
std::optional<float> scale_of(Rule& r, const Attention& t) {
  float scale = t.number;
  for (const Value* value = t.root->value; value != t.scores;) {
    const onnx::Node* const node = only_reader(r, value->name);
    if (node == nullptr) return std::nullopt;
    const bool is_first = node->inputs.front() == value->name;
    if (node->op_type == "Mul" || (node->op_type == "Div" && is_first)) {
      const Value& factor = r.generator().value(node->inputs.at(is_first ? 1 : 0));
      const auto number = r.generator().real(factor);
      if (!number) return std::nullopt;
      scale = node->op_type == "Mul" ? scale * *number : scale / *number;
    } else if (node->op_type != "Cast") {
      return std::nullopt;
    }
    value = &r.generator().value(node->outputs.front());
  }
  if (!std::isfinite(scale)) return std::nullopt;
  return scale;
}

// Whether what reads the result exchanges heads and tokens, as layers do that put the heads
// together.
bool is_read_by_tokens(Rule& r) {
  const onnx::Node* node = only_reader(r, r.node().outputs.at(0));
  while (node && node->op_type == "Cast") node = only_reader(r, node->outputs.at(0));
  return node && node->op_type == "Transpose" &&
         onnx::attribute(*node, "perm", std::vector<int64_t>()) == std::vector<int64_t>{0, 2, 1, 3};
}

}  // namespace

bool attend(Rule& r, const MatrixProduct& second, const Sizes& sizes) {
  const Value& weights = *second.a.value;
  if (!weights.root || !weights.root->softmax_of || weights.root->value != &weights) return false;
  Attention t;
  t.scores = weights.root->softmax_of;
  t.root = t.scores->root;
  if (!t.root || !t.root->product) return false;
  const MatrixProduct& first = *t.root->product;
  const auto narrow = [](const Value& x) {
    return is_half(x.dtype) ? std::optional(x.dtype) : x.narrow;
  };
  const auto type = narrow(*first.b.value);
  const bool is_form = type && narrow(*second.b.value) == type && is_width(second.product.n) &&
                       first.product.batch == second.product.batch &&
                       first.product.m == second.product.m && first.product.n == second.product.k &&
                       second.b.value->sizes.size() > 2 && first.product.n != SymInt(0);
  if (!is_form) return false;
  Matrices queries = first.a;
  if (narrow(*queries.value) != type) {
    const auto scaled = unscaled(r, *queries.value);
    if (!scaled || narrow(*scaled->x) != type) return false;
    queries.value = scaled->x;
    t.scale = scaled->factor;
    t.number = scaled->number;
  }
  Generator& generator = r.generator();
  for (const Matrices& x : {queries, second.b, first.b}) {
    if (type_in_memory(x) != *type) generator.materialize(*x.value);
  }
  t.type = *type;
  t.batch = first.product.batch;
  t.queries = first.product.m;
  t.keys = first.product.n;
  t.width = *first.product.k.constant();
  t.value_width = *second.product.n.constant();
  t.query = tiled_operand(generator, queries, t.batch, t.type);
  t.key = tiled_operand(generator, first.b, t.batch, t.type);
  t.value = tiled_operand(generator, second.b, t.batch, t.type);
  t.reach = reach_of(r, t);
  if (is_read_by_tokens(r)) {
    r.output(0).order = Order::kTokensFirst;
  }
  if (const auto scale = scale_of(r, t)) {
    t.by_cudnn =
        LibraryAttention{queries, first.b, second.b, t.batch, *scale, &r.output(0), t.type};
  }
  r.define_root(0, sizes, {}, {},
                [t](Kernel& k, const Store& store) { emit_attention(k, t, store); });
  return true;
}

}  // namespace slipway::cuda
