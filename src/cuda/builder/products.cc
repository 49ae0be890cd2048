// Products of matrices and einsum.
#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/product.h"
#include "cuda/builder/rows.h"
#include "cuda/builder/rule.h"
#include "cuda/builder/tiled_product.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// Sizes without the last two, or what there is of them.
Sizes leading(const Sizes& sizes) {
  return sizes.size() <= 2 ? Sizes() : Sizes(sizes.begin(), sizes.end() - 2);
}

Indices batch_of(const Indices& batch, const Sizes& own) {
  Indices at;
  for (size_t i = 0; i < own.size(); ++i) {
    at.push_back(own[i] == SymInt(1) ? "0" : batch.at(batch.size() - own.size() + i));
  }
  return at;
}

// A matrix, or several: of the batch's dimensions it has the last ones, or 1 for them.
struct Matrices {
  Value* value = nullptr;
  Sizes batch;
  size_t row_dimension = 0;  // the rank, where it has none
  size_t k_dimension = 0;

  Indices at(const Indices& place, const std::string& row, const std::string& k) const {
    Indices at = batch_of(place, batch);
    at.resize(value->sizes.size(), "0");
    if (row_dimension < at.size()) at[row_dimension] = row;
    at[k_dimension] = k;
    return at;
  }
};

TiledOperand tiled_operand(Generator& generator, const Matrices& x, const Sizes& batch,
                           DType type) {
  TiledOperand operand;
  operand.element = [x](Kernel& k, const Indices& place, const std::string& row,
                        const std::string& depth) {
    return k.read(*x.value, x.at(place, row, depth));
  };
  const auto view = view_of(*x.value);
  if (!view) return operand;
  TiledView from = {*view, batch, Sizes(batch.size(), 0), 1, 0, view->strides[x.k_dimension]};
  const size_t shift = batch.size() - x.batch.size();
  for (size_t i = 0; i < x.batch.size(); ++i) {
    if (x.batch[i] != SymInt(1)) from.batch_strides[i + shift] = view->strides[i];
  }
  if (x.row_dimension < view->strides.size()) from.row_stride = view->strides[x.row_dimension];
  load_by_vectors(generator, operand, from, type);
  return operand;
}

// The same where the product is made by tiles.
std::optional<DType> tiled_type(const Product& p, const Value& a, const Value& b) {
  return is_tiled(p.m, p.n, p.k) ? tiled_type(a, b, p.dtype) : std::nullopt;
}

// One product of all rows of the batch, where all of it is multiplied by one matrix.
bool emit_as_one(Kernel& k, const Product& p, const Matrices& a, const Matrices& b, DType type) {
  const auto view = view_of(*a.value);
  if (p.batch.empty() || !view || ir::numel(b.batch) != SymInt(1) || a.batch != p.batch ||
      a.row_dimension + 2 != view->strides.size()) {
    return false;
  }
  Sizes rows = p.batch;
  rows.push_back(p.m);
  const auto joined = reshaped(*view, a.value->sizes, {ir::numel(rows), p.k});
  if (!joined) return false;
  TiledProduct tiled = {{}, ir::numel(rows), p.n, p.k, type, {}, {}, {}};
  tiled.a.element = [&](Kernel& kernel, const Indices&, const std::string& row,
                        const std::string& depth) {
    Indices at = kernel.unravel(row, rows);
    at.push_back(depth);
    return kernel.read(*a.value, at);
  };
  load_by_vectors(k.generator(), tiled.a,
                  {*joined, {}, {}, tiled.m, joined->strides[0], joined->strides[1]}, type);
  Matrices alone = b;
  alone.batch = {};
  tiled.b = tiled_operand(k.generator(), alone, {}, type);
  tiled.store = [&](Kernel& kernel, const Indices&, const std::string& m, const std::string& n,
                    const std::string& sum) {
    const Indices at = kernel.unravel(m, rows);
    p.store(kernel, Indices(at.begin(), at.end() - 1), at.back(), n, sum);
  };
  emit_tiled_product(k, tiled);
  return true;
}

void emit(Kernel& k, const Product& p, const Matrices& a, const Matrices& b) {
  const auto type = tiled_type(p, *a.value, *b.value);
  if (!type) return emit_product(k, p);
  if (emit_as_one(k, p, a, b, *type)) return;
  TiledProduct tiled = {p.batch, p.m, p.n, p.k, *type, {}, {}, p.store};
  tiled.a = tiled_operand(k.generator(), a, p.batch, *type);
  tiled.b = tiled_operand(k.generator(), b, p.batch, *type);
  emit_tiled_product(k, tiled);
}

// Tiles are loaded from there.
void put_into_memory(Rule& r, const Product& p, Value* a, Value* b) {
  if (!tiled_type(p, *a, *b)) return;
  for (Value* x : {a, b}) {
    if (!view_of(*x)) r.generator().materialize(*x);
  }
}

void matmul(Rule& r) {
  Value* a = &r.input(0);
  Value* b = &r.input(1);
  const size_t a_rank = a->sizes.size();
  const size_t b_rank = b->sizes.size();
  if (a_rank == 0 || b_rank == 0) return r.fail("its MatMul has an operand without dimensions");
  Product p;
  const Sizes a_batch = leading(a->sizes);
  const Sizes b_batch = leading(b->sizes);
  p.batch = broadcast(a_batch, b_batch);
  p.m = a_rank == 1 ? SymInt(1) : a->sizes[a_rank - 2];
  p.k = a->sizes.back();
  p.n = b_rank == 1 ? SymInt(1) : b->sizes.back();
  p.dtype = r.dtype();
  p.a = [=](Kernel& k, const Indices& batch, const std::string& m, const std::string& i) {
    Indices at = batch_of(batch, a_batch);
    if (a_rank > 1) at.push_back(m);
    at.push_back(i);
    return k.read(*a, at);
  };
  p.b = [=](Kernel& k, const Indices& batch, const std::string& i, const std::string& n) {
    Indices at = batch_of(batch, b_batch);
    at.push_back(i);
    if (b_rank > 1) at.push_back(n);
    return k.read(*b, at);
  };
  const Matrices as = {a, a_batch, a_rank > 1 ? a_rank - 2 : a_rank, a_rank - 1};
  const Matrices bs = {b, b_batch, b_rank > 1 ? b_rank - 1 : b_rank, b_rank > 1 ? b_rank - 2 : 0};
  Sizes sizes = p.batch;
  if (a_rank > 1) sizes.push_back(p.m);
  if (b_rank > 1) sizes.push_back(p.n);
  put_into_memory(r, p, a, b);
  r.define_root(0, sizes, {a, b}, {a, b}, [=](Kernel& k, const Store& store) {
    Product product = p;
    product.store = [&](Kernel& kernel, const Indices& batch, const std::string& m,
                        const std::string& n, const std::string& sum) {
      Indices at = batch;
      if (a_rank > 1) at.push_back(m);
      if (b_rank > 1) at.push_back(n);
      store(kernel, at, fmt::format("{} + 0", sum));
    };
    emit(k, product, as, bs);
  });
}

void gemm(Rule& r) {
  Value* a = &r.input(0);
  Value* b = &r.input(1);
  Value* c = r.has(2) ? &r.input(2) : nullptr;
  const bool trans_a = r.attribute("transA", int64_t{0}) != 0;
  const bool trans_b = r.attribute("transB", int64_t{0}) != 0;
  const float alpha = r.attribute("alpha", 1.0F);
  const float beta = r.attribute("beta", 1.0F);
  Product p;
  p.m = a->sizes.at(trans_a ? 1 : 0);
  p.k = a->sizes.at(trans_a ? 0 : 1);
  p.n = b->sizes.at(trans_b ? 0 : 1);
  p.dtype = r.dtype();
  p.b_is_along_k = trans_b;
  p.a = [=](Kernel& k, const Indices&, const std::string& m, const std::string& i) {
    return k.read(*a, trans_a ? Indices{i, m} : Indices{m, i});
  };
  p.b = [=](Kernel& k, const Indices&, const std::string& i, const std::string& n) {
    return k.read(*b, trans_b ? Indices{n, i} : Indices{i, n});
  };
  std::vector<Value*> operands = {a, b};
  if (c) operands.push_back(c);
  const DType dtype = r.dtype();
  const Matrices as = {a, {}, trans_a ? 1U : 0U, trans_a ? 0U : 1U};
  const Matrices bs = {b, {}, trans_b ? 0U : 1U, trans_b ? 1U : 0U};
  put_into_memory(r, p, a, b);
  r.define_root(0, {p.m, p.n}, operands, {a, b}, [=](Kernel& k, const Store& store) {
    Product product = p;
    product.store = [&](Kernel& kernel, const Indices&, const std::string& m, const std::string& n,
                        const std::string& sum) {
      const Indices at = {m, n};
      std::string y = sum;
      if (alpha != 1) y = fmt::format("{} * {}", y, real_literal(alpha, dtype));
      if (c) {
        const std::string bias = kernel.read(*c, aligned(at, *c));
        y = fmt::format("{} + {}", y,
                        beta == 1 ? bias : fmt::format("{} * {}", real_literal(beta, dtype), bias));
      }
      store(kernel, at, fmt::format("({})", y));
    };
    emit(k, product, as, bs);
  });
}

// "...ij,jk" as labels, in which an ellipsis is the digits of its dimensions.
struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

std::string expand(const std::string& labels, size_t rank, size_t& most) {
  const size_t dots = labels.find("...");
  if (dots == std::string::npos) return labels;
  const size_t count = rank + 3 - labels.size();
  most = std::max(most, count);
  std::string digits;
  // The last dimensions of ellipses belong together.
  for (size_t i = 0; i < count; ++i) digits += static_cast<char>('0' + count - 1 - i);
  return labels.substr(0, dots) + digits + labels.substr(dots + 3);
}

Equation parse(std::string text, const std::vector<Value*>& operands) {
  std::erase(text, ' ');
  Equation equation;
  const size_t arrow = text.find("->");
  std::istringstream inputs(text.substr(0, arrow));
  size_t dots = 0;
  for (const Value* operand : operands) {
    std::string labels;
    std::getline(inputs, labels, ',');
    equation.operands.push_back(expand(labels, operand->sizes.size(), dots));
  }
  std::string ellipsis;
  for (size_t i = 0; i < dots; ++i) ellipsis += static_cast<char>('0' + dots - 1 - i);
  if (arrow != std::string::npos) {
    equation.result = text.substr(arrow + 2);
    const size_t place = equation.result.find("...");
    if (place != std::string::npos) equation.result.replace(place, 3, ellipsis);
    return equation;
  }
  std::map<char, int> counts;
  for (const std::string& labels : equation.operands) {
    for (const char label : labels) ++counts[label];
  }
  equation.result = ellipsis;
  for (const auto& [label, count] : counts) {
    if (count == 1 && (label < '0' || label > '9')) equation.result += label;
  }
  return equation;
}

void einsum(Rule& r) {
  std::vector<Value*> operands;
  for (size_t i = 0; i < r.input_count(); ++i) operands.push_back(&r.input(i));
  const Equation equation = parse(r.attribute("equation", ""), operands);
  std::map<char, SymInt> sizes;
  for (size_t i = 0; i < operands.size(); ++i) {
    for (size_t d = 0; d < operands[i]->sizes.size(); ++d) {
      SymInt& size = sizes.try_emplace(equation.operands[i].at(d), 1).first->second;
      if (size == SymInt(1)) size = operands[i]->sizes[d];
    }
  }
  Sizes kept;
  for (const char label : equation.result) kept.push_back(sizes.at(label));
  std::string summed;
  Sizes within;
  for (const auto& [label, size] : sizes) {
    if (equation.result.find(label) != std::string::npos) continue;
    summed += label;
    within.push_back(size);
  }
  const DType dtype = r.dtype();
  r.define_root(0, kept, operands, operands, [=](Kernel& k, const Store& store) {
    Rows rows(k, kept, Rows::form_for(numel(within)));
    const std::string sum =
        rows.reduce(c_type(dtype), "0", "s_sum", numel(within), [&](const std::string& i) {
          const Indices inner = k.unravel(i, within);
          std::string product;
          for (size_t o = 0; o < operands.size(); ++o) {
            Indices at;
            for (size_t d = 0; d < operands[o]->sizes.size(); ++d) {
              const char label = equation.operands[o].at(d);
              const size_t place = equation.result.find(label);
              at.push_back(place != std::string::npos ? rows.at().at(place)
                                                      : inner.at(summed.find(label)));
            }
            const std::string element = k.read(*operands[o], at);
            product = product.empty() ? element : fmt::format("s_mul({}, {})", product, element);
          }
          return product;
        });
    rows.once([&] { store(k, rows.at(), sum); });
  });
}

constexpr Entry kProductRules[] = {{"MatMul", matmul}, {"Gemm", gemm}, {"Einsum", einsum}};

}  // namespace

std::span<const Entry> product_rules() { return kProductRules; }

}  // namespace slipway::cuda
