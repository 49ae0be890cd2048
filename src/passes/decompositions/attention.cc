// Scaled dot product attention.
#include <cmath>
#include <limits>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

struct Attention {
  Value* query;  // [..., heads, L, E]
  Value* key;    // [..., heads, S, E]
  Value* value;  // [..., heads, S, F]
  Value* mask = nullptr;
  bool causal = false;
  std::optional<double> scale;
};

Sizes batch_of(const Value* x) { return without_last(x->sizes(), 2); }

Sizes with(Sizes batch, const SymInt& rows, const SymInt& columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

// Groups of query heads that share a key head become rows of one matrix: no head is copied.
SymInt queries_per_key(const Value* query, const Value* key) {
  const Sizes q = batch_of(query);
  const Sizes k = batch_of(key);
  if (q.empty() || k.empty() || q.size() != k.size() || q.back() == k.back()) return 1;
  if (Sizes(q.begin(), q.end() - 1) != Sizes(k.begin(), k.end() - 1)) return 1;
  if (!q.back().constant() || !k.back().constant() || *k.back().constant() <= 0) return 1;
  return *q.back().constant() / *k.back().constant();
}

// Probabilities of [batch, L, S]. A row without any place left is all zeros, as in PyTorch.
Value* probabilities(Context& c, const Attention& a, Value* scores) {
  const double infinity = std::numeric_limits<double>::infinity();
  const SymInt rows = scores->sizes().at(scores->rank() - 2);
  const SymInt columns = last(scores->sizes());
  if (a.causal) {
    Value* allowed = c.build.tril(c.build.ones({rows, columns}, DType::kBool));
    Value* nothing = c.build.scalar_tensor(-infinity, scores->dtype());
    scores = c.build.where(allowed, scores, nothing);
  }
  if (!a.mask) return c.build.softmax(scores, -1);
  Value* allowed = nullptr;
  if (a.mask->dtype() == DType::kBool) {
    allowed = a.mask;
    scores = c.build.where(allowed, scores, c.build.scalar_tensor(-infinity, scores->dtype()));
  } else {
    allowed = c.build.ne(a.mask, -infinity);
    scores = c.build.add(scores, c.build.to_dtype(a.mask, scores->dtype()));
  }
  Value* empty = c.build.logical_not(c.build.any(allowed, -1, true));
  return c.build.masked_fill(c.build.softmax(scores, -1), empty, 0.0);
}

Value* attend(Context& c, const Attention& a) {
  const SymInt length = a.query->sizes().at(a.query->rank() - 2);
  const SymInt depth = last(a.query->sizes());
  const SymInt places = a.key->sizes().at(a.key->rank() - 2);
  const SymInt features = last(a.value->sizes());
  const auto scaled = [&](Value* x) {
    if (a.scale) return c.build.mul(x, *a.scale);
    if (const auto known = depth.constant()) {
      return c.build.mul(x, 1.0 / std::sqrt(static_cast<double>(*known)));
    }
    const DType type = x->dtype() == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
    // The kernel of rsqrt computes in float32.
    Value* scale = c.build.reciprocal(c.build.sqrt(c.build.scalar_tensor(depth, type)));
    return c.build.mul(x, c.build.to_dtype(scale, x->dtype()));
  };
  const SymInt group = queries_per_key(a.query, a.key);
  Sizes batch = batch_of(a.key);
  if (group == SymInt(1)) {
    auto all = ir::broadcast_sizes(batch_of(a.query), batch);
    if (all.ok()) all = ir::broadcast_sizes(*all, batch_of(a.value));
    if (!all.ok()) {
      c.unsupported(all.error().message());
      return a.query;
    }
    batch = *all;
  }
  const SymInt matrices = ir::numel(batch);
  const auto as_3d = [&](Value* x) {
    const SymInt rows = x->sizes().at(x->rank() - 2);
    const SymInt columns = last(x->sizes());
    return c.build.view(c.build.expand(x, with(batch, rows, columns)), {matrices, rows, columns});
  };
  Value* query = scaled(a.query);
  query =
      group == SymInt(1) ? as_3d(query) : c.build.view(query, {matrices, group * length, depth});
  Value* scores = c.build.bmm(query, as_3d(c.build.transpose(a.key, -2, -1)));

  Sizes outer = batch;
  if (group != SymInt(1)) outer.at(outer.size() - 1) = last(outer) * group;
  scores = c.build.view(scores, with(outer, length, places));
  Value* weights = probabilities(c, a, scores);
  weights = c.build.view(weights, {matrices, group * length, places});
  return c.build.view(c.build.bmm(weights, as_3d(a.value)), with(outer, length, features));
}

Values attention(Context& c, Attention a, size_t dropout, size_t scale) {
  if (c.has(dropout) && c.real(dropout) > 0) {
    return c.unsupported("it draws random numbers (dropout_p > 0): export in eval mode");
  }
  if (c.has(scale)) a.scale = c.real(scale);
  Values values(c.output_count(), nullptr);
  values.at(0) = attend(c, a);
  return values;
}

Attention attention_operands(Context& c) {
  return {c.tensor(0), c.tensor(1), c.tensor(2), nullptr, false, {}};
}

// (query, key, value, mask, dropout, causal, scale, enable_gqa)
Values plain(Context& c) {
  Attention a = attention_operands(c);
  a.mask = c.tensor_or_null(3);
  a.causal = c.flag(5);
  return attention(c, a, 4, 6);
}

// (query, key, value, mask, dropout, causal, dropout_mask, scale, enable_gqa)
Values math(Context& c) {
  if (c.has(6)) return c.unsupported("a dropout mask is not covered: export in eval mode");
  Attention a = attention_operands(c);
  a.mask = c.tensor_or_null(3);
  // PyTorch adds it to the scores, a mask of bools, too.
  if (a.mask) a.mask = c.build.to_dtype(a.mask, a.query->dtype());
  a.causal = c.flag(5);
  return attention(c, a, 4, 7);
}

// (query, key, value, dropout, causal, mask, scale)
Values flash_for_cpu(Context& c) {
  Attention a = attention_operands(c);
  a.causal = c.flag(4);
  a.mask = c.tensor_or_null(5);
  return attention(c, a, 3, 6);
}

// (query, key, value, bias, compute_log_sumexp, dropout, causal, scale)
Values efficient(Context& c) {
  Attention a = attention_operands(c);
  a.mask = c.tensor_or_null(3);
  a.causal = c.flag(6);
  return attention(c, a, 5, 7);
}

// (query, key, value, dropout, causal, return_debug_mask, scale)
Values flash(Context& c) {
  Attention a = attention_operands(c);
  a.causal = c.flag(4);
  return attention(c, a, 3, 6);
}

constexpr Entry kAttentionRules[] = {
    {"aten.scaled_dot_product_attention.default", plain},
    {"aten._scaled_dot_product_attention_math.default", math},
    {"aten._scaled_dot_product_flash_attention_for_cpu.default", flash_for_cpu},
    {"aten._scaled_dot_product_efficient_attention.default", efficient},
    {"aten._scaled_dot_product_flash_attention.default", flash},
};

}  // namespace

std::span<const Entry> attention_rules() { return kAttentionRules; }

}  // namespace slipway::passes::decompositions
