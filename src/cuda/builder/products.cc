// Products of matrices and einsum.
#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/attention.h"
#include "cuda/builder/matrices.h"
#include "cuda/builder/packed_product.h"
#include "cuda/builder/product.h"
#include "cuda/builder/rows.h"
#include "cuda/builder/rule.h"
#include "cuda/builder/thin_product.h"
#include "cuda/builder/tiled_product.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// Sizes without the last two, or what there is of them.
Sizes leading(const Sizes& sizes) {
  return sizes.size() <= 2 ? Sizes() : Sizes(sizes.begin(), sizes.end() - 2);
}

// Whether all of the batch is multiplied by one matrix, so that it is one product of all rows.
bool is_one_product(const Product& p, const Matrices& a, const Matrices& b) {
  return !p.batch.empty() && ir::numel(b.batch) == SymInt(1) && a.batch == p.batch &&
         a.row_dimension + 2 == a.value->sizes.size();
}

SymInt rows_of(const Product& p, const Matrices& a, const Matrices& b) {
  return is_one_product(p, a, b) ? ir::numel(p.batch) * p.m : p.m;
}

// What its elements are in tiles, where it is made by tiles.
std::optional<DType> tiled_type(const Product& p, const Matrices& a, const Matrices& b) {
  if (!is_tiled(rows_of(p, a, b), p.n, p.k)) return std::nullopt;
  return tiled_type(*a.value, *b.value, p.dtype);
}

// The product with operands that are loaded as these types, all rows of the batch as one where that
// is possible.
TiledProduct tiled_product(Generator& generator, const Product& p, const Matrices& a,
                           const Matrices& b, DType a_type, DType b_type) {
  if (!is_one_product(p, a, b)) {
    return {p.batch,
            p.m,
            p.n,
            p.k,
            a_type,
            tiled_operand(generator, a, p.batch, a_type),
            tiled_operand(generator, b, p.batch, b_type),
            p.store};
  }
  Sizes rows = p.batch;
  rows.push_back(p.m);
  TiledProduct tiled = {{}, ir::numel(rows), p.n, p.k, a_type, {}, {}, {}};
  tiled.a.element = [rows, value = a.value](Kernel& kernel, const Indices&, const std::string& row,
                                            const std::string& depth) {
    Indices at = kernel.unravel(row, rows);
    at.push_back(depth);
    return kernel.read(*value, at);
  };
  const auto view = view_of(*a.value);
  const auto joined = view ? reshaped(*view, a.value->sizes, {tiled.m, p.k}) : std::nullopt;
  if (joined) {
    load_by_vectors(generator, tiled.a,
                    {*joined, {}, {}, {}, tiled.m, joined->strides[0], joined->strides[1]}, a_type);
  }
  Matrices alone = b;
  alone.batch = {};
  tiled.b = tiled_operand(generator, alone, {}, b_type);
  tiled.store = [rows, store = p.store](Kernel& kernel, const Indices&, const std::string& m,
                                        const std::string& n, const std::string& sum) {
    const Indices at = kernel.unravel(m, rows);
    store(kernel, Indices(at.begin(), at.end() - 1), at.back(), n, sum);
  };
  return tiled;
}

// Whether products of few rows load elements of the type.
bool has_vectors(DType type) { return is_half(type) || type == DType::kFloat32; }

// Of few rows, or few columns.
bool emit_as_thin(Kernel& k, const Product& p, const Matrices& a, const Matrices& b,
                  const std::optional<PackedWeights>& packed) {
  if (p.dtype != DType::kFloat32) return false;
  ThinProduct thin = {{}, type_in_memory(a), type_in_memory(b), packed};
  if (!has_vectors(thin.a_type) || !has_vectors(thin.b_type)) return false;
  const bool has_few_rows = is_thin(rows_of(p, a, b), p.k);
  if (!has_few_rows && !is_thin(p.n, p.k)) return false;
  thin.product = tiled_product(k.generator(), p, a, b, thin.a_type, thin.b_type);
  if (!has_few_rows) {
    std::swap(thin.a_type, thin.b_type);
    std::swap(thin.product.a, thin.product.b);
    std::swap(thin.product.m, thin.product.n);
    thin.product.store = [store = thin.product.store](Kernel& kernel, const Indices& batch,
                                                      const std::string& m, const std::string& n,
                                                      const std::string& sum) {
      store(kernel, batch, n, m, sum);
    };
  }
  if (!packed && !thin.product.b.buffer) return false;
  if (is_packed_product(thin)) {
    emit_packed_product(k, thin);
  } else {
    emit_thin_product(k, thin);
  }
  return true;
}

// `sums`: the value that they are, where there is one.
void emit(Kernel& k, const Product& p, const Matrices& a, const Matrices& b,
          const std::optional<PackedWeights>& packed, const Value* sums) {
  if (emit_as_thin(k, p, a, b, packed)) return;
  const auto type = tiled_type(p, a, b);
  if (!type) return emit_product(k, p);
  TiledProduct tiled = tiled_product(k.generator(), p, a, b, *type, *type);
  tiled.sums = sums;
  emit_tiled_product(k, tiled);
}

// Those of b, which stay packed where the product has few rows.
std::optional<PackedWeights> packed_weights(Generator& generator, const Product& p,
                                            const Matrices& a, const Matrices& b) {
  const bool is_one = p.batch.empty() || is_one_product(p, a, b);
  if (p.dtype != DType::kFloat32 || !is_one || !is_thin(rows_of(p, a, b), p.k)) return std::nullopt;
  if (!has_vectors(type_in_memory(a))) return std::nullopt;
  return packed_weights(generator, a, b, p.n, p.k);
}

// Tiles are loaded from there.
void put_into_memory(Generator& generator, const Product& p, const Matrices& a, const Matrices& b) {
  if (!tiled_type(p, a, b)) return;
  for (Value* x : {a.value, b.value}) {
    if (!view_of(*x)) generator.materialize(*x);
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
  const MatrixProduct whole = {p, as, bs};
  if (attend(r, whole, sizes)) return;
  const bool is_of_scores = gives_scores(r, whole);
  const auto packed = is_of_scores ? std::nullopt : packed_weights(r.generator(), p, as, bs);
  const Value* const sums = &r.output(0);
  const auto emit_all = [=](Kernel& k, const Store& store) {
    Product product = p;
    product.store = [&](Kernel& kernel, const Indices& batch, const std::string& m,
                        const std::string& n, const std::string& sum) {
      Indices at = batch;
      if (a_rank > 1) at.push_back(m);
      if (b_rank > 1) at.push_back(n);
      store(kernel, at, fmt::format("{} + 0", sum));
    };
    emit(k, product, as, bs, packed, sums);
  };
  if (packed) return void(r.define_root(0, sizes, {a}, {a}, emit_all));
  if (!is_of_scores) {
    put_into_memory(r.generator(), p, as, bs);
    return void(r.define_root(0, sizes, {a, b}, {a, b}, emit_all));
  }
  // Its operands are computed once it is known that attention does not take it.
  Value& y = r.define_root(0, sizes, {}, {}, [=](Kernel& k, const Store& store) {
    put_into_memory(k.generator(), p, as, bs);
    settle(k.generator(), {a, b}, {a, b});
    emit_all(k, store);
  });
  y.root->product = std::make_shared<const MatrixProduct>(whole);
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
  const DType dtype = r.dtype();
  const Matrices as = {a, {}, trans_a ? 1U : 0U, trans_a ? 0U : 1U};
  const Matrices bs = {b, {}, trans_b ? 0U : 1U, trans_b ? 1U : 0U};
  const auto packed = packed_weights(r.generator(), p, as, bs);
  std::vector<Value*> again = {a};
  if (!packed) {
    put_into_memory(r.generator(), p, as, bs);
    again.push_back(b);
  }
  std::vector<Value*> operands = again;
  if (c) operands.push_back(c);
  r.define_root(0, {p.m, p.n}, operands, again, [=](Kernel& k, const Store& store) {
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
    emit(k, product, as, bs, packed, nullptr);
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
    Rows rows(k, kept, Rows::form_for(kept, numel(within)));
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
