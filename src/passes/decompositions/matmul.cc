// Products of matrices and what is made of them.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Scalar;
using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

// What the value is the transposition of: a linear kernel takes a weight as it lies.
Value* untransposed(const Value* x) {
  const ir::Node* producer = x->producer();
  if (x->rank() != 2 || !producer || producer->op() != "aten.permute_copy.default") return nullptr;
  return producer->value(0);
}

// [..., k] x [k, n]
Value* by_matrix(Context& c, Value* a, Value* b) {
  if (Value* weight = untransposed(b)) return c.build.linear(a, weight, nullptr);
  if (a->rank() == 2) return c.build.mm(a, b);
  const Sizes& s = a->sizes();
  const Sizes batch = without_last(s, 1);
  Value* rows = c.build.view(a, {ir::numel(batch), last(s)});
  Sizes sizes = batch;
  sizes.push_back(b->sizes().at(1));
  return c.build.view(c.build.mm(rows, b), sizes);
}

// [..., m, k] x [..., k, n], with broadcasting of what comes before.
Value* batched(Context& c, Value* a, Value* b) {
  const auto batch_of = [](const Value* x) { return without_last(x->sizes(), 2); };
  const auto broadcast = ir::broadcast_sizes(batch_of(a), batch_of(b));
  if (!broadcast.ok()) {
    c.unsupported(broadcast.error().message());
    return a;
  }
  const auto as_3d = [&](Value* x) {
    const SymInt rows = x->sizes().at(x->rank() - 2);
    const SymInt columns = last(x->sizes());
    Sizes sizes = *broadcast;
    sizes.push_back(rows);
    sizes.push_back(columns);
    return c.build.view(c.build.expand(x, sizes), {ir::numel(*broadcast), rows, columns});
  };
  Value* product = c.build.bmm(as_3d(a), as_3d(b));
  Sizes sizes = *broadcast;
  sizes.push_back(a->sizes().at(a->rank() - 2));
  sizes.push_back(last(b->sizes()));
  return c.build.view(product, sizes);
}

Value* matmul_of(Context& c, Value* a, Value* b) {
  if (a->rank() == 0 || b->rank() == 0) {
    c.unsupported("it multiplies a tensor without dimensions");
    return a;
  }
  if (b->rank() == 1) {
    Value* row = c.build.view(b, {1, b->sizes().at(0)});
    Value* rows = a->rank() == 1 ? c.build.view(a, {1, a->sizes().at(0)}) : a;
    return c.build.view(c.build.linear(rows, row, nullptr), without_last(a->sizes(), 1));
  }
  if (a->rank() == 1) {
    Value* product = matmul_of(c, c.build.view(a, {1, a->sizes().at(0)}), b);
    return c.build.squeeze(product, -2);
  }
  const bool single = std::all_of(b->sizes().begin(), b->sizes().end() - 2,
                                  [](const SymInt& size) { return size == SymInt(1); });
  if (b->rank() == 2) return by_matrix(c, a, b);
  if (single && a->rank() >= b->rank()) {
    return by_matrix(c, a, c.build.view(b, {b->sizes().at(b->rank() - 2), last(b->sizes())}));
  }
  return batched(c, a, b);
}

Values matmul(Context& c) { return {matmul_of(c, c.tensor(0), c.tensor(1))}; }

Values mm(Context& c) {
  if (Value* weight = untransposed(c.tensor(1))) {
    return {c.build.linear(c.tensor(0), weight, nullptr)};
  }
  return {};
}

bool is_one(Context& c, size_t i) {
  const auto number = ir::to_scalar(c.arg(i));
  if (!number) return !c.has(i);
  if (const auto* integer = std::get_if<SymInt>(&*number)) return *integer == SymInt(1);
  return ir::to_double(*number) == 1.0;
}

bool is_zero(Context& c, size_t i) {
  const auto number = ir::to_scalar(c.arg(i));
  if (!number) return false;
  if (const auto* integer = std::get_if<SymInt>(&*number)) return *integer == SymInt(0);
  return ir::to_double(*number) == 0.0;
}

// beta * self + alpha * product, where a beta of 0 drops self whatever it holds.
Values add_to_self(Context& c, Value* product) {
  if (is_zero(c, 3)) {
    product = is_one(c, 4) ? product : c.build.mul(product, c.scalar(4));
    return {c.build.expand(product, c.sizes())};
  }
  Value* self = is_one(c, 3) ? c.tensor(0) : c.build.mul(c.tensor(0), c.scalar(3));
  return {c.build.add(self, product, is_one(c, 4) ? Scalar(SymInt(1)) : c.scalar(4))};
}

Values addmm(Context& c) {
  if (is_zero(c, 3) || is_complex(c.dtype())) {
    return add_to_self(c, c.build.mm(c.tensor(1), c.tensor(2)));
  }
  Value* bias = c.tensor(0);
  Value* weight = untransposed(c.tensor(2));
  if (weight && bias->rank() == 1 && bias->sizes().at(0) == weight->sizes().at(0) && is_one(c, 3) &&
      is_one(c, 4)) {
    return {c.build.linear(c.tensor(1), weight, bias)};
  }
  return {};
}

Value* outer_of(Context& c, Value* a, Value* b) {
  return c.build.mul(c.build.view(a, {a->type().numel(), 1}),
                     c.build.view(b, {1, b->type().numel()}));
}

// The kernel takes rows, so a vector becomes one.
Values linear(Context& c) {
  Value* x = c.tensor(0);
  Value* weight = c.tensor(1);
  if (x->rank() >= 2 && weight->rank() == 2) return {};
  if (weight->rank() == 1) {
    Value* product = matmul_of(c, x, weight);
    return {c.has(2) ? c.build.add(product, c.tensor(2)) : product};
  }
  Value* row = c.build.view(x, {1, x->sizes().at(0)});
  return {c.build.view(c.build.linear(row, weight, c.tensor_or_null(2)), c.sizes())};
}

// Every entry of w[o] weighs a product of one entry of each input.
Values bilinear(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  Value* weight = c.tensor(2);
  const SymInt pairs = weight->sizes().at(1) * weight->sizes().at(2);
  Value* products =
      c.build.mul(c.build.unsqueeze(a, a->rank()), c.build.unsqueeze(b, b->rank() - 1));
  Sizes sizes = without_last(a->sizes(), 1);
  sizes.push_back(pairs);
  return {c.build.linear(c.build.view(products, sizes),
                         c.build.view(weight, {weight->sizes().at(0), pairs}),
                         c.tensor_or_null(3))};
}

// The sum over some dimensions of a product of three tensors, each given dimensions to broadcast
// in.
Values trilinear(Context& c) {
  const auto spread = [&](size_t i) {
    Value* x = c.tensor(i);
    for (const int64_t dim : c.constants(3 + i)) x = c.build.unsqueeze(x, dim);
    return x;
  };
  Value* product = c.build.mul(c.build.mul(spread(0), spread(1)), spread(2));
  const auto dims = c.constants(6);
  return {dims.empty() ? product : c.build.sum(product, dims)};
}

// Rows by rows, over the last dimension of both.
Values inner(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  if (a->rank() == 0 || b->rank() == 0) return {c.build.mul(a, b)};
  const auto rows = [&](Value* x) {
    const Sizes lead = without_last(x->sizes(), 1);
    return c.build.view(x, {ir::numel(lead), last(x->sizes())});
  };
  return {c.build.view(c.build.linear(rows(a), rows(b), nullptr), c.sizes())};
}

Values kron(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  const auto rank = std::max(a->rank(), b->rank());
  Sizes of_a;
  Sizes of_b;
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t da = d - (rank - a->rank());
    const int64_t db = d - (rank - b->rank());
    of_a.push_back(da >= 0 ? a->sizes().at(da) : SymInt(1));
    of_a.emplace_back(1);
    of_b.emplace_back(1);
    of_b.push_back(db >= 0 ? b->sizes().at(db) : SymInt(1));
  }
  return {c.build.view(c.build.mul(c.build.view(a, of_a), c.build.view(b, of_b)), c.sizes())};
}

Values chain(Context& c) {
  const auto matrices = c.tensors(0);
  if (matrices.empty()) return c.unsupported("it multiplies nothing");
  Value* product = matrices.at(0);
  for (size_t i = 1; i < matrices.size(); ++i) product = matmul_of(c, product, matrices.at(i));
  return {product};
}

// (a1 b2 - a2 b1, ...), by turning the dimension of three.
Values cross(Context& c) {
  const auto sizes = c.sizes();
  Value* a = c.build.expand(c.tensor(0), sizes);
  Value* b = c.build.expand(c.tensor(1), sizes);
  int64_t dim = -1;
  if (c.has(2)) {
    dim = c.constant(2);
  } else if (c.op() == "aten.cross.default") {
    const auto three = std::find(sizes.begin(), sizes.end(), SymInt(3));
    dim = three - sizes.begin();
  }
  dim = c.dim(dim, static_cast<int64_t>(sizes.size()));
  const auto turn = [&](Value* x, int64_t by) { return c.build.roll(x, {SymInt(by)}, {dim}); };
  return {
      c.build.sub(c.build.mul(turn(a, -1), turn(b, -2)), c.build.mul(turn(a, -2), turn(b, -1)))};
}

// ---- Einstein summation. A label is a letter, or for the dimensions of an ellipsis a number
// counted from its right end.
using Labels = std::vector<int>;
constexpr int kEllipsis = 1000;

bool contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

struct Term {
  Value* tensor;
  Labels labels;
};

// The labels of one operand, or nothing where they do not fit it.
std::optional<Labels> parse_labels(const std::string& text, int64_t rank) {
  int64_t letters = 0;
  for (const char ch : text) letters += ch == '.' ? 0 : 1;
  Labels labels;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.at(i) == '.') {
      if (text.compare(i, 3, "...") != 0 || rank < letters) return std::nullopt;
      for (int64_t d = rank - letters; d-- > 0;) labels.push_back(kEllipsis + static_cast<int>(d));
      i += 2;
    } else {
      labels.push_back(static_cast<unsigned char>(text.at(i)));
    }
  }
  if (static_cast<int64_t>(labels.size()) != rank) return std::nullopt;
  return labels;
}

// A label that occurs twice in an operand takes its diagonal.
Term without_repeats(Context& c, Term term) {
  for (size_t i = 0; i < term.labels.size(); ++i) {
    for (size_t j = i + 1; j < term.labels.size(); ++j) {
      if (term.labels.at(i) != term.labels.at(j)) continue;
      const int label = term.labels.at(i);
      term.tensor =
          c.build.diagonal(term.tensor, 0, static_cast<int64_t>(i), static_cast<int64_t>(j));
      term.labels.erase(term.labels.begin() + static_cast<std::ptrdiff_t>(j));
      term.labels.erase(term.labels.begin() + static_cast<std::ptrdiff_t>(i));
      term.labels.push_back(label);
      return without_repeats(c, term);
    }
  }
  return term;
}

Term summed_except(Context& c, Term term, const std::set<int>& keep) {
  std::vector<int64_t> dims;
  Labels left;
  for (size_t i = 0; i < term.labels.size(); ++i) {
    if (keep.contains(term.labels.at(i))) {
      left.push_back(term.labels.at(i));
    } else {
      dims.push_back(static_cast<int64_t>(i));
    }
  }
  if (!dims.empty()) term.tensor = c.build.sum(term.tensor, dims, false, term.tensor->dtype());
  return {term.tensor, left};
}

Value* arranged(Context& c, const Term& term, const Labels& order) {
  std::vector<int64_t> dims;
  for (const int label : order) {
    dims.push_back(std::find(term.labels.begin(), term.labels.end(), label) - term.labels.begin());
  }
  return c.build.permute(term.tensor, dims);
}

SymInt size_of(const Term& term, int label) {
  const auto at = std::find(term.labels.begin(), term.labels.end(), label);
  return term.tensor->sizes().at(at - term.labels.begin());
}

// Sums the product of two terms over the labels that `keep` has not.
Term contracted(Context& c, Term a, Term b, const std::set<int>& keep) {
  std::set<int> of_a = keep;
  of_a.insert(b.labels.begin(), b.labels.end());
  std::set<int> of_b = keep;
  of_b.insert(a.labels.begin(), a.labels.end());
  a = summed_except(c, a, of_a);
  b = summed_except(c, b, of_b);
  Labels batch;
  Labels only_a;
  Labels only_b;
  Labels inner;
  std::map<int, SymInt> sizes;
  for (const int label : a.labels) {
    sizes[label] = size_of(a, label);
    if (!contains(b.labels, label)) {
      only_a.push_back(label);
      continue;
    }
    if (sizes[label] == SymInt(1)) sizes[label] = size_of(b, label);
    (keep.contains(label) ? batch : inner).push_back(label);
  }
  for (const int label : b.labels) {
    if (contains(a.labels, label)) continue;
    sizes[label] = size_of(b, label);
    only_b.push_back(label);
  }
  const auto list = [&](std::initializer_list<const Labels*> parts) {
    Sizes result;
    for (const Labels* part : parts) {
      for (const int label : *part) result.push_back(sizes[label]);
    }
    return result;
  };
  const auto join = [](Labels x, const Labels& y, const Labels& z) {
    x.insert(x.end(), y.begin(), y.end());
    x.insert(x.end(), z.begin(), z.end());
    return x;
  };
  const SymInt nb = ir::numel(list({&batch}));
  const SymInt na = ir::numel(list({&only_a}));
  const SymInt ni = ir::numel(list({&inner}));
  const SymInt nc = ir::numel(list({&only_b}));
  Value* left =
      c.build.expand(arranged(c, a, join(batch, only_a, inner)), list({&batch, &only_a, &inner}));
  Value* product = nullptr;
  if (batch.empty()) {
    // A linear kernel: a weight that lies [out, in] needs no transposition.
    Value* right = c.build.expand(arranged(c, b, join(only_b, inner, {})), list({&only_b, &inner}));
    product = c.build.linear(c.build.view(left, {na, ni}), c.build.view(right, {nc, ni}), nullptr);
  } else {
    Value* right =
        c.build.expand(arranged(c, b, join(batch, inner, only_b)), list({&batch, &inner, &only_b}));
    product = c.build.bmm(c.build.view(left, {nb, na, ni}), c.build.view(right, {nb, ni, nc}));
  }
  return {c.build.view(product, list({&batch, &only_a, &only_b})), join(batch, only_a, only_b)};
}

Values einsum(Context& c) {
  std::string equation = c.text(0);
  std::erase(equation, ' ');
  const auto tensors = c.tensors(1);
  const size_t arrow = equation.find("->");
  const std::string inputs = equation.substr(0, arrow);
  std::vector<Term> terms;
  std::map<int, int> counts;
  size_t begin = 0;
  for (Value* tensor : tensors) {
    const size_t end = std::min(inputs.find(',', begin), inputs.size());
    const auto labels = begin > inputs.size()
                            ? std::nullopt
                            : parse_labels(inputs.substr(begin, end - begin), tensor->rank());
    if (!labels) return c.unsupported("its equation does not fit its operands");
    for (const int label : *labels) ++counts[label];
    terms.push_back(without_repeats(c, {tensor, *labels}));
    begin = end + 1;
  }
  if (terms.empty()) return c.unsupported("it has no operands");

  Labels output;
  int ellipsis = 0;
  for (const auto& [label, count] : counts) {
    if (label >= kEllipsis) ellipsis = std::max(ellipsis, label - kEllipsis + 1);
  }
  if (arrow == std::string::npos) {
    for (int d = ellipsis; d-- > 0;) output.push_back(kEllipsis + d);
    for (const auto& [label, count] : counts) {
      if (count == 1 && label < kEllipsis) output.push_back(label);
    }
  } else {
    const std::string text = equation.substr(arrow + 2);
    const auto letters = static_cast<int64_t>(
        std::count_if(text.begin(), text.end(), [](char ch) { return ch != '.'; }));
    const bool dots = letters != static_cast<int64_t>(text.size());
    const auto labels = parse_labels(text, letters + (dots ? ellipsis : 0));
    if (!labels) return c.unsupported("its equation's result is not covered");
    output = *labels;
  }

  Term result = terms.at(0);
  for (size_t i = 1; i < terms.size(); ++i) {
    std::set<int> keep(output.begin(), output.end());
    for (size_t j = i + 1; j < terms.size(); ++j) {
      keep.insert(terms.at(j).labels.begin(), terms.at(j).labels.end());
    }
    result = contracted(c, result, terms.at(i), keep);
  }
  result = summed_except(c, result, {output.begin(), output.end()});
  if (result.labels.size() != output.size()) return c.unsupported("its equation is not covered");
  return {arranged(c, result, output)};
}

Values tensordot(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  const auto of_a = c.dims(c.constants(2), a->rank());
  const auto of_b = c.dims(c.constants(3), b->rank());
  if (of_a.size() != of_b.size()) return c.unsupported("its lists of dimensions differ in length");
  Term left{a, {}};
  Term right{b, {}};
  std::set<int> keep;
  int next = 0;
  for (int64_t d = 0; d < a->rank(); ++d) left.labels.push_back(next++);
  for (int64_t d = 0; d < b->rank(); ++d) right.labels.push_back(next++);
  for (size_t i = 0; i < of_a.size(); ++i) right.labels.at(of_b.at(i)) = left.labels.at(of_a.at(i));
  for (const Labels* labels : {&left.labels, &right.labels}) {
    for (const int label : *labels) {
      if (!contains(left.labels, label) || !contains(right.labels, label)) keep.insert(label);
    }
  }
  return {c.build.view(contracted(c, left, right, keep).tensor, c.sizes())};
}

// Products of 8-bit integers. So many of them add up to at most 2^24 (255 * 128 each), and are
// exact in float32, in any order.
constexpr int64_t kExactProducts = 512;

Values integer_product(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  const auto product = [&](Value* left, Value* right, DType dtype) {
    Value* sum = c.build.mm(c.build.to_dtype(left, dtype), c.build.to_dtype(right, dtype));
    return c.build.to_dtype(sum, c.dtype());
  };
  const auto count = last(a->sizes()).constant();
  if (!count) return {product(a, b, DType::kFloat64)};
  if (*count <= kExactProducts) return {product(a, b, DType::kFloat32)};
  Value* total = nullptr;
  for (int64_t start = 0; start < *count; start += kExactProducts) {
    const int64_t length = std::min(kExactProducts, *count - start);
    Value* part = product(c.build.narrow(a, 1, start, length), c.build.narrow(b, 0, start, length),
                          DType::kFloat32);
    total = total ? c.build.add(total, part) : part;
  }
  return {total};
}

constexpr Entry kMatmulRules[] = {
    {"aten._int_mm.default", integer_product},
    {"aten.matmul.default aten.linalg_matmul.default aten.mv.default aten.dot.default "
     "aten.vdot.default",
     matmul},
    {"aten.mm.default", mm},
    {"aten.addmm.default", addmm},
    {"aten.linear.default", linear},
    {"aten.baddbmm.default",
     [](Context& c) { return add_to_self(c, c.build.bmm(c.tensor(1), c.tensor(2))); }},
    {"aten.addbmm.default",
     [](Context& c) {
       return add_to_self(c, c.build.sum(c.build.bmm(c.tensor(1), c.tensor(2)), {0}));
     }},
    {"aten.addmv.default",
     [](Context& c) { return add_to_self(c, matmul_of(c, c.tensor(1), c.tensor(2))); }},
    {"aten.addr.default",
     [](Context& c) { return add_to_self(c, outer_of(c, c.tensor(1), c.tensor(2))); }},
    {"aten.outer.default aten.ger.default",
     [](Context& c) -> Values { return {outer_of(c, c.tensor(0), c.tensor(1))}; }},
    {"aten.linalg_vecdot.default",
     [](Context& c) -> Values {
       Value* product = c.build.mul(c.tensor(0), c.tensor(1));
       return {c.build.sum(product, {c.has(2) ? c.constant(2) : -1}, false, c.dtype())};
     }},
    {"aten.bilinear.default", bilinear},
    {"aten._trilinear.default", trilinear},
    {"aten.inner.default", inner},
    {"aten.kron.default", kron},
    {"aten.chain_matmul.default aten.linalg_multi_dot.default", chain},
    {"aten.cross.default aten.linalg_cross.default", cross},
    {"aten.einsum.default", einsum},
    {"aten.tensordot.default", tensordot},
};

}  // namespace

std::span<const Entry> matmul_rules() { return kMatmulRules; }

}  // namespace slipway::passes::decompositions
