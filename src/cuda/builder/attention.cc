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

namespace slipway::cuda {

using ir::SymInt;

namespace {

constexpr int kThreads = 128;
constexpr int64_t kKeys = 64;           // of a step
constexpr int64_t kMostWidth = 128;     // of queries, keys and values
constexpr int64_t kMostKeyParts = 32;   // of the keys
constexpr int64_t kEnoughBlocks = 132;  // for the processors of a GPU
constexpr int64_t kUnknownKeys = 1024;  // what a number is taken for that a call decides

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
};

int64_t count_of(const SymInt& size) { return size.constant().value_or(kUnknownKeys); }

// Of the tiles: whole vectors that a warp's threads divide among them.
int64_t padded_width(int64_t width) {
  int64_t wide = 16;
  while (wide < width) wide *= 2;
  return wide;
}

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
                    const TileLoader& loader, const std::string& arguments,
                    const std::string& first, const std::string& start, const std::string& rows,
                    const std::string& depth) {
  k.open(fmt::format("const auto load_{} = [&](unsigned short* tile{})", name, arguments));
  k.line(fmt::format("{}<Tile_{}, {}, {}, Index>(tile, {}, {}, {}, {}, {});", loader.function, name,
                     operand.along_k, kThreads, first, start, rows, depth, loader.arguments));
  k.close();
  k.line(";");
}

using PutRow = std::function<void(Kernel&, const std::string& part, const Indices& batch,
                                  const std::string& row, const std::string& column)>;

// `put` finds the results of a row and column as sum, most and total.
void emit_over_keys(Kernel& k, const Attention& t, int64_t row_warps, int64_t splits,
                    const PutRow& put) {
  k.generator().use(builder::kProductTiles);
  k.generator().use(builder::kAttention);
  const int64_t rows = 16 * row_warps;
  const int64_t width = padded_width(t.width);
  const int64_t value_width = padded_width(t.value_width);
  const SymInt tiles = SymInt::floordiv(t.queries + (rows - 1), rows);
  const SymInt batches = ir::numel(t.batch);
  k.set_block(kThreads);
  k.use_short_indices();
  k.set_grid(batches * tiles * splits);
  const int64_t vector = vector_of(t.type);
  const auto tile_size = [&](int64_t count, int64_t depth, bool along_k) {
    return along_k ? count * (depth + vector) : depth * (count + vector);
  };
  const int64_t staged =
      tile_size(rows, width, t.query.along_k) +
      2 * (tile_size(kKeys, width, t.key.along_k) + tile_size(value_width, kKeys, t.value.along_k));
  const int64_t sums = kThreads / 2 * (value_width + 8 + 2);
  k.set_shared_bytes(static_cast<uint32_t>(std::max(2 * staged, 4 * sums)));
  k.line("extern __shared__ s_vector s_memory[];");
  const auto tile = [&](const char* name, int64_t count, int64_t depth, bool along_k) {
    k.line(fmt::format("typedef s_tile<unsigned short, {}, {}, {}> Tile_{};", count, depth, along_k,
                       name));
  };
  tile("q", rows, width, t.query.along_k);
  tile("k", kKeys, width, t.key.along_k);
  tile("v", value_width, kKeys, t.value.along_k);
  const std::string block = k.let("Index", "(Index)blockIdx.x + 0");
  const Indices at = k.unravel(block, {batches, splits, tiles});
  const Indices batch = k.unravel(at[0], t.batch);
  const std::string first = k.let("Index", times(at[2], std::to_string(rows)));
  const std::string all = k.number(t.keys);
  std::string begin = "0";
  std::string end = all;
  if (splits > 1) {
    const SymInt steps = SymInt::floordiv(t.keys + (kKeys * splits - 1), kKeys * splits);
    const std::string each = k.number(steps * kKeys);
    begin = k.let("Index", times(at[1], each));
    end = k.let("Index", fmt::format("{0} + {1} < {2} ? {0} + {1} : {2}", begin, each, all));
  }
  const std::string queries = k.number(t.queries);
  const std::string depth = std::to_string(t.width);
  emit_step_load(k, t.query, "q", emit_tile_loader(k, t.query, t.type, "q", batch), "", first, "0",
                 queries, depth);
  emit_step_load(k, t.key, "k", emit_tile_loader(k, t.key, t.type, "k", batch), ", Index key",
                 "key", "0", end, depth);
  emit_step_load(k, t.value, "v", emit_tile_loader(k, t.value, t.type, "v", batch), ", Index key",
                 "0", "key", std::to_string(t.value_width), end);
  k.open("const auto score = [&](int row, Index key, float sum) -> float");
  Indices place = batch;
  place.push_back(k.let("Index", plus(first, "row")));
  place.emplace_back("key");
  k.bind(*t.root->value, place, t.scale.empty() ? "sum" : fmt::format("sum * {}", t.scale));
  const std::string score = k.read(*t.scores, place);
  k.line(fmt::format("return {};", score));
  k.close();
  k.line(";");
  const char* half = half_product(t.type);
  k.line(fmt::format(
      "s_attention<{}, Tile_q, Tile_k, Tile_v, {}, {}, {}, {}, {}, {}, {}, {}, Index>(", half,
      t.query.along_k, t.key.along_k, t.value.along_k, is_multiple(t.queries, rows),
      is_multiple(t.keys, kKeys), row_warps, width, value_width));
  k.line(fmt::format("  s_memory, {}, {}, {} - {}, load_q, load_k, load_v, score,", begin, end,
                     queries, first));
  k.open("  [&](int row, int column, float sum, float most, float total)");
  k.open(fmt::format("if (column < {})", t.value_width));
  put(k, at[1], batch, k.let("Index", plus(first, "row")), "column");
  k.close();
  k.close();
  k.line(");");
}

// Where there are no keys, a sum of nothing.
std::string quotient(Kernel& k, const Attention& t) {
  const std::string keys = k.number(t.keys);
  return t.keys.is_constant() ? "(sum / total)" : fmt::format("({} > 0 ? sum / total : 0)", keys);
}

// In parts of the keys, which a second kernel puts together.
void emit_parts(Kernel& kernel, const Attention& t, int64_t row_warps, int64_t splits,
                const Store& store) {
  Generator& generator = kernel.generator();
  Sizes rows = t.batch;
  rows.push_back(t.queries);
  Sizes sizes = rows;
  sizes.emplace_back(t.value_width);
  const SymInt count = ir::numel(sizes);
  const SymInt row_count = ir::numel(rows);
  const auto bytes = static_cast<int64_t>(sizeof(float));
  const uint32_t sums = generator.scratch(count * splits * bytes);
  const uint32_t highest = generator.scratch(row_count * splits * bytes);
  const uint32_t totals = generator.scratch(row_count * splits * bytes);
  const auto place = [](Kernel& k, const std::string& part, const SymInt& each,
                        const std::string& own) { return plus(times(part, k.number(each)), own); };
  Kernel first(generator, kernel.alternative());
  emit_over_keys(first, t, row_warps, splits,
                 [&](Kernel& k, const std::string& part, const Indices& batch,
                     const std::string& row, const std::string& column) {
                   Indices at = batch;
                   at.push_back(row);
                   const std::string own_row = k.ravel(at, rows);
                   at.push_back(column);
                   k.store(sums, DType::kFloat32, place(k, part, count, k.ravel(at, sizes)), "sum");
                   k.open(fmt::format("if ({} == 0)", column));
                   k.store(highest, DType::kFloat32, place(k, part, row_count, own_row), "most");
                   k.store(totals, DType::kFloat32, place(k, part, row_count, own_row), "total");
                   k.close();
                 });
  generator.launch(first);
  const std::string thread = kernel.thread_of(count);
  const Indices at = kernel.unravel(thread, sizes);
  const std::string row = kernel.ravel(Indices(at.begin(), at.end() - 1), rows);
  const auto load = [&](uint32_t buffer, const SymInt& each, const std::string& own) {
    return kernel.load(buffer, DType::kFloat32, place(kernel, "(Index)i", each, own));
  };
  const auto loop = fmt::format("for (int i = 0; i < {}; ++i)", splits);
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
  store(kernel, at, quotient(kernel, t));
}

struct AttentionPlan {
  int64_t row_warps = 1;
  int64_t splits = 1;  // of the keys
  bool operator==(const AttentionPlan&) const = default;
};

// First what fills a GPU with blocks, and then what has others.
std::vector<AttentionPlan> attention_plans(const Attention& t, uint32_t most_plans) {
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
  const AttentionPlan first = with_rows(blocks(64) >= kEnoughBlocks ? 4 : 1);
  std::vector<AttentionPlan> plans;
  for (const AttentionPlan& plan :
       {first, with_rows(1), with_rows(2), with_rows(4),
        AttentionPlan{first.row_warps, std::min(2 * first.splits, kMostKeyParts)},
        AttentionPlan{first.row_warps, std::max<int64_t>(first.splits / 2, 1)}}) {
    const bool is_known = std::find(plans.begin(), plans.end(), plan) != plans.end();
    const bool has_keys = plan.splits == 1 || plan.splits * kKeys <= keys;
    if (plans.size() < most_plans && !is_known && has_keys) plans.push_back(plan);
  }
  return plans;
}

void emit_attention(Kernel& kernel, const Attention& t, const Store& store) {
  Alternative& alternative = kernel.alternative();
  const auto plans = attention_plans(t, kernel.generator().ways().candidates);
  const auto own = static_cast<uint32_t>(plans.size());
  const auto form = t.by_cudnn ? library_form(kernel, *t.by_cudnn) : std::optional<LibraryForm>();
  alternative.count = own + library_ways(kernel.generator(), form);
  if (alternative.index >= own) {
    return emit_library_graph(kernel, *form, static_cast<uint8_t>(alternative.index - own));
  }
  const auto [row_warps, splits] = plans.at(alternative.index);
  alternative.plan = fmt::format("{} queries a block", 16 * row_warps);
  if (splits > 1) alternative.plan += fmt::format(", keys in {} parts", splits);
  if (splits > 1) return emit_parts(kernel, t, row_warps, splits, store);
  emit_over_keys(kernel, t, row_warps, 1,
                 [&](Kernel& k, const std::string&, const Indices& batch, const std::string& row,
                     const std::string& column) {
                   Indices at = batch;
                   at.push_back(row);
                   at.push_back(column);
                   store(k, at, quotient(k, t));
                 });
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
  for (const Matrices& x : {queries, first.b, second.b}) {
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
