#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

using ir::SymInt;

struct Attention {
  Ref query;
  Ref key;
  Ref value;
  Sizes query_sizes;
  Sizes key_sizes;
  Sizes value_sizes;
  Ref mask;  // absent, bool (true: attend) or added to the scores
  bool is_causal = false;
  std::optional<double> scale;
};

// Each head of keys or values serves several of the queries'.
Ref repeat_heads(Context& c, const Ref& x, const Sizes& sizes, const SymInt& heads) {
  const size_t n = sizes.size();
  if (sizes.at(n - 3) == heads) return x;
  const auto axis = static_cast<int64_t>(n) - 2;
  Sizes wide(n + 1, 1);
  wide.at(n - 2) = SymInt::floordiv(heads, sizes.at(n - 3));
  Sizes to = sizes;
  to.at(n - 3) = heads;
  return c.reshape(c.op("Expand", {c.unsqueeze(x, {axis}), c.shape(wide)}), {}, to);
}

// True where a query may see a key: up to its own position, counted from the first.
Ref causal_mask(Context& c, const SymInt& queries, const SymInt& keys) {
  return c.compare("GreaterOrEqual", c.unsqueeze(c.range(queries), {1}),
                   c.unsqueeze(c.range(keys), {0}));
}

// A query that may see nothing gives 0.
Ref attend(Context& c, Attention a) {
  const size_t n = a.query_sizes.size();
  const auto rank = static_cast<int64_t>(n);
  const SymInt width = a.query_sizes.at(n - 1);
  const bool is_known = a.scale || width.is_constant();
  const double scale =
      a.scale.value_or(1 / std::sqrt(static_cast<double>(width.constant().value_or(1))));
  const auto scaled = [&](const Ref& x) {
    if (is_known) return c.mul(x, scale);
    const Ref root = c.op("Sqrt", {c.cast(c.scalar_length(width), x.dtype)});
    return c.mul(x, c.op("Reciprocal", {root}));
  };
  if (c.fused("Attention") && n == 4 && is_known) {
    Refs inputs = {a.query, a.key, a.value};
    if (a.mask.present()) inputs.push_back(a.mask);
    return c.op("Attention", inputs,
                {{"scale", static_cast<float>(scale)}, {"is_causal", a.is_causal ? 1 : 0}});
  }
  if (n >= 3 && n == a.key_sizes.size()) {
    const SymInt heads = a.query_sizes.at(n - 3);
    if (a.key_sizes.at(n - 3) != SymInt(1)) a.key = repeat_heads(c, a.key, a.key_sizes, heads);
    if (a.value_sizes.at(n - 3) != SymInt(1)) {
      a.value = repeat_heads(c, a.value, a.value_sizes, heads);
    }
  }
  // An engine may refuse the choice of the product beside that of the rows that see nothing.
  if ((!is_known || a.mask.present()) && stands_apart(c, width)) {
    c.fail("its queries may have no width");
  }
  std::vector<int64_t> order = iota(static_cast<int64_t>(a.key_sizes.size()));
  std::swap(order.at(order.size() - 1), order.at(order.size() - 2));
  // Scaled after the product, as PyTorch does, so that the same scores overflow; but what is
  // computed in a half type would overflow earlier than PyTorch, which has them in float32.
  const bool is_half_product = is_half(a.query.dtype);
  const Ref query = is_half_product ? scaled(a.query) : a.query;
  Ref scores = product(c, c.op("MatMul", {query, c.transpose(a.key, order)}), width);
  if (!is_half_product) scores = scaled(scores);
  const Ref never = c.number_like(-std::numeric_limits<double>::infinity(), scores);
  if (a.is_causal) {
    // Every query sees at least the first key.
    const Ref allowed =
        causal_mask(c, a.query_sizes.at(n - 2), a.key_sizes.at(a.key_sizes.size() - 2));
    scores = c.where(allowed, scores, never);
  }
  Ref sees_any;
  if (a.mask.present()) {
    const std::vector<int64_t> keys = {-1};
    if (a.mask.dtype == DType::kBool) {
      scores = c.where(a.mask, scores, never);
      sees_any =
          c.cast(c.reduce("ReduceMax", c.cast(a.mask, DType::kInt32), keys, true), DType::kBool);
    } else {
      const Ref mask = c.cast(a.mask, scores.dtype);
      scores = c.add(scores, mask);
      const Ref seen = c.compare("Less", never, mask);
      sees_any =
          c.cast(c.reduce("ReduceMax", c.cast(seen, DType::kInt32), keys, true), DType::kBool);
    }
  }
  const Ref weights = softmax(c, scores, rank - 1, rank);
  const Ref y = c.op("MatMul", {weights, a.value});
  return sees_any.present() ? c.where(sees_any, y, c.number_like(0, y)) : y;
}

Attention read(Context& c, size_t mask, size_t causal, size_t scale) {
  Attention a;
  a.query = c.tensor(0);
  a.key = c.tensor(1);
  a.value = c.tensor(2);
  a.query_sizes = c.type(0).sizes;
  a.key_sizes = c.type(1).sizes;
  a.value_sizes = c.type(2).sizes;
  a.mask = c.tensor_or_none(mask);
  a.is_causal = c.flag(causal);
  if (c.has(scale)) a.scale = c.real(scale);
  return a;
}

// scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale, gqa)
void scaled_dot_product_attention(Context& c) {
  if (c.number(4) != 0.0) return c.fail("dropout has random results");
  c.result(attend(c, read(c, 3, 5, 6)));
}

// _scaled_dot_product_flash_attention_for_cpu(q, k, v, dropout, causal, mask, scale)
void flash_attention(Context& c) {
  if (c.number(3) != 0.0) return c.fail("dropout has random results");
  c.result(attend(c, read(c, 5, 4, 6)));
}

constexpr Entry kAttentionRules[] = {
    {"aten.scaled_dot_product_attention", scaled_dot_product_attention, "dropout"},
    {"aten._scaled_dot_product_flash_attention_for_cpu", flash_attention,
     "dropout; results besides the first"},
};

}  // namespace

std::span<const Entry> attention_rules() { return kAttentionRules; }

}  // namespace slipway::onnx
