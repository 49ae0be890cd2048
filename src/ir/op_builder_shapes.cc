// What moves elements without computing: shapes, pieces, reading and writing by index.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "base/error.h"
#include "ir/op_builder.h"
#include "ir/promotion.h"

namespace slipway::ir {

namespace {

std::vector<SymInt> to_symbolic(const std::vector<int64_t>& values) {
  return {values.begin(), values.end()};
}

SymInt at(const std::vector<SymInt>& sizes, int64_t i) { return sizes[static_cast<size_t>(i)]; }

SymInt ceil_div(const SymInt& a, const SymInt& b) { return -SymInt::floordiv(-a, b); }

// Where a slice's start or end falls in a dimension of `size` elements. An index that is compared
// with a size it can't be compared with counts as within it.
SymInt slice_position(const SymInt& index, const SymInt& size) {
  auto constant = index.constant();
  if (constant && *constant == INT64_MAX) return size;
  SymInt position = constant && *constant < 0 ? index + size : index;
  auto room = (size - position).constant();
  if (room && *room < 0) return size;
  auto value = position.constant();
  return value && *value < 0 ? SymInt(0) : position;
}

}  // namespace

Value* OpBuilder::view(Value* x, std::vector<SymInt> sizes) {
  SymInt numel = x->type().numel();
  auto unknown = std::find(sizes.begin(), sizes.end(), SymInt(-1));
  if (unknown != sizes.end()) {
    *unknown = 1;
    SymInt known = ir::numel(sizes);
    if (known == SymInt(0)) return failed(invalid_file("view: -1 is ambiguous beside a size of 0"));
    *unknown = SymInt::floordiv(numel, known);
  }
  if (!may_equal(ir::numel(sizes), numel)) {
    return failed(
        invalid_file("view: {} does not fit {}", format_sizes(sizes), format_sizes(x->sizes())));
  }
  return call("aten.view_copy.default", {x, sizes}, x->dtype(), sizes);
}

Value* OpBuilder::permute(Value* x, std::vector<int64_t> dims) {
  dims = checked_dims(x, dims, "permute");
  std::vector<int64_t> sorted = dims;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int64_t> expected(static_cast<size_t>(x->rank()));
  std::iota(expected.begin(), expected.end(), 0);
  if (sorted != expected) {
    return failed(invalid_file("permute: [{}] is no order of the dimensions of {}",
                               fmt::join(dims, ", "), format_sizes(x->sizes())));
  }
  std::vector<SymInt> sizes(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) sizes[i] = at(x->sizes(), dims[i]);
  return call("aten.permute_copy.default", {x, to_symbolic(dims)}, x->dtype(), std::move(sizes));
}

Value* OpBuilder::transpose(Value* x, int64_t a, int64_t b) {
  a = checked_dim(x, a, "transpose");
  b = checked_dim(x, b, "transpose");
  if (a == b) return x;
  std::vector<int64_t> dims(static_cast<size_t>(x->rank()));
  std::iota(dims.begin(), dims.end(), 0);
  std::swap(dims[static_cast<size_t>(a)], dims[static_cast<size_t>(b)]);
  return permute(x, std::move(dims));
}

Value* OpBuilder::unsqueeze(Value* x, int64_t dim) {
  int64_t rank = x->rank() + 1;
  if (dim < -rank || dim >= rank) {
    return failed(invalid_file("unsqueeze: dimension {} is out of range for {}", dim,
                               format_sizes(x->sizes())));
  }
  std::vector<SymInt> sizes = x->sizes();
  sizes.insert(sizes.begin() + (dim < 0 ? dim + rank : dim), 1);
  return view(x, std::move(sizes));
}

Value* OpBuilder::squeeze(Value* x, int64_t dim) { return squeeze(x, std::vector<int64_t>{dim}); }

Value* OpBuilder::squeeze(Value* x, std::vector<int64_t> dims) {
  dims = checked_dims(x, dims, "squeeze");
  std::vector<SymInt> sizes;
  for (int64_t i = 0; i < x->rank(); ++i) {
    bool named = std::find(dims.begin(), dims.end(), i) != dims.end();
    if (!named || at(x->sizes(), i) != SymInt(1)) sizes.push_back(at(x->sizes(), i));
  }
  return sizes == x->sizes() ? x : view(x, std::move(sizes));
}

Value* OpBuilder::expand(Value* x, std::vector<SymInt> sizes) {
  if (static_cast<int64_t>(sizes.size()) < x->rank()) {
    return failed(invalid_file("expand: {} has fewer dimensions than {}", format_sizes(sizes),
                               format_sizes(x->sizes())));
  }
  size_t offset = sizes.size() - x->sizes().size();
  for (size_t i = 0; i < x->sizes().size(); ++i) {
    const SymInt& from = x->sizes()[i];
    SymInt& to = sizes[offset + i];
    if (to == SymInt(-1)) to = from;
    if (from != SymInt(1) && !may_equal(from, to)) {
      return failed(invalid_file("expand: {} does not broadcast to {}", format_sizes(x->sizes()),
                                 format_sizes(sizes)));
    }
  }
  if (sizes == x->sizes()) return x;
  return call("aten.expand_copy.default", {x, sizes}, x->dtype(), sizes);
}

Value* OpBuilder::slice(Value* x, int64_t dim, const SymInt& start, const SymInt& end,
                        const SymInt& step) {
  dim = checked_dim(x, dim, "slice");
  auto constant_step = step.constant();
  if (x->rank() == 0 || !constant_step || *constant_step <= 0) {
    return failed(invalid_file("slice: it needs a dimension and a step above 0"));
  }
  std::vector<SymInt> sizes = x->sizes();
  SymInt& size = sizes[static_cast<size_t>(dim)];
  SymInt first = slice_position(start, size);
  SymInt last = slice_position(end, size);
  size = ceil_div(last - first, step);
  if (size.is_constant()) size = SymInt::max(size, 0);
  return call("aten.slice_copy.Tensor", {x, SymInt(dim), start, end, step}, x->dtype(),
              std::move(sizes));
}

Value* OpBuilder::narrow(Value* x, int64_t dim, const SymInt& start, const SymInt& length) {
  Value* result = slice(x, dim, start, start + length);
  if (!status_.ok()) return result;
  TensorType type = result->type();
  type.sizes[static_cast<size_t>(checked_dim(x, dim, "narrow"))] = length;
  result->set_type(std::move(type));
  return result;
}

Value* OpBuilder::select(Value* x, int64_t dim, const SymInt& index) {
  dim = checked_dim(x, dim, "select");
  if (x->rank() == 0) return failed(invalid_file("select: a 0-dim tensor has nothing to select"));
  std::vector<SymInt> sizes = x->sizes();
  sizes.erase(sizes.begin() + dim);
  return call("aten.select_copy.int", {x, SymInt(dim), index}, x->dtype(), std::move(sizes));
}

Value* OpBuilder::cat(const std::vector<Value*>& tensors, int64_t dim) {
  // PyTorch ignores empty tensors of one dimension beside others.
  auto is_ignored = [](const Value* x) { return x->sizes() == std::vector<SymInt>{0}; };
  auto first = std::find_if_not(tensors.begin(), tensors.end(), is_ignored);
  if (tensors.empty()) return failed(invalid_file("cat: there are no tensors"));
  const Value* model = first == tensors.end() ? tensors.front() : *first;
  dim = checked_dim(model, dim, "cat");
  std::vector<SymInt> sizes = model->sizes();
  if (sizes.empty()) return failed(invalid_file("cat: a 0-dim tensor can't be joined"));
  SymInt total = 0;
  ResultType type;
  for (const Value* x : tensors) {
    type.add(x->type());
    if (is_ignored(x)) continue;
    if (x->rank() != model->rank()) {
      return failed(invalid_file("cat: {} and {} differ in rank", format_sizes(sizes),
                                 format_sizes(x->sizes())));
    }
    total = total + at(x->sizes(), dim);
    for (int64_t i = 0; i < x->rank(); ++i) {
      SymInt& size = sizes[static_cast<size_t>(i)];
      if (i == dim || size == at(x->sizes(), i)) continue;
      if (!may_equal(size, at(x->sizes(), i))) {
        return failed(
            invalid_file("cat: {} and {} differ", format_sizes(sizes), format_sizes(x->sizes())));
      }
      if (!size.is_constant()) size = at(x->sizes(), i);
    }
  }
  sizes[static_cast<size_t>(dim)] = total;
  return call("aten.cat.default", {tensors, SymInt(dim)}, type.get(), std::move(sizes));
}

Value* OpBuilder::stack(const std::vector<Value*>& tensors, int64_t dim) {
  if (tensors.empty()) return failed(invalid_file("stack: there are no tensors"));
  std::vector<Value*> expanded = tensors;
  for (Value*& x : expanded) x = unsqueeze(x, dim);
  return cat(expanded, dim);
}

std::vector<Value*> OpBuilder::split_with_sizes(Value* x, const std::vector<SymInt>& sizes,
                                                int64_t dim) {
  std::vector<Value*> pieces;
  SymInt start = 0;
  for (const SymInt& size : sizes) {
    pieces.push_back(narrow(x, dim, start, size));
    start = start + size;
  }
  return pieces;
}

std::vector<Value*> OpBuilder::split(Value* x, const SymInt& size, int64_t dim) {
  constexpr int64_t kMaxPieces = 1 << 16;
  dim = checked_dim(x, dim, "split");
  if (x->rank() == 0 || size == SymInt(0)) {
    return {failed(invalid_file("split: it needs a dimension and pieces that are not empty"))};
  }
  SymInt total = at(x->sizes(), dim);
  auto count = ceil_div(total, size).constant();
  if (!count || *count > kMaxPieces) {
    return {
        failed(unsupported("split: {} elements in pieces of {} give an unknown number of pieces",
                           total.to_string(), size.to_string()))};
  }
  std::vector<SymInt> sizes(static_cast<size_t>(std::max<int64_t>(*count, 1)), size);
  sizes.back() = total - size * (static_cast<int64_t>(sizes.size()) - 1);
  return split_with_sizes(x, sizes, dim);
}

std::vector<Value*> OpBuilder::unbind(Value* x, int64_t dim) {
  constexpr int64_t kMaxPieces = 1 << 16;
  dim = checked_dim(x, dim, "unbind");
  auto count = x->rank() == 0 ? std::nullopt : at(x->sizes(), dim).constant();
  if (!count || *count > kMaxPieces) {
    return {failed(unsupported("unbind: the size of dimension {} of {} must be known", dim,
                               format_sizes(x->sizes())))};
  }
  std::vector<Value*> pieces;
  for (int64_t i = 0; i < *count; ++i) pieces.push_back(select(x, dim, i));
  return pieces;
}

Value* OpBuilder::repeat(Value* x, std::vector<SymInt> repeats) {
  if (static_cast<int64_t>(repeats.size()) < x->rank()) {
    return failed(invalid_file("repeat: {} has more dimensions than {}", format_sizes(x->sizes()),
                               format_sizes(repeats)));
  }
  std::vector<SymInt> sizes = repeats;
  size_t offset = sizes.size() - x->sizes().size();
  for (size_t i = 0; i < x->sizes().size(); ++i) {
    sizes[offset + i] = sizes[offset + i] * x->sizes()[i];
  }
  return call("aten.repeat.default", {x, repeats}, x->dtype(), std::move(sizes));
}

Value* OpBuilder::flip(Value* x, std::vector<int64_t> dims) {
  dims = checked_dims(x, dims, "flip");
  return call("aten.flip.default", {x, to_symbolic(dims)}, x->dtype(), x->sizes());
}

Value* OpBuilder::roll(Value* x, std::vector<SymInt> shifts, std::vector<int64_t> dims) {
  dims = checked_dims(x, dims, "roll");
  return call("aten.roll.default", {x, shifts, to_symbolic(dims)}, x->dtype(), x->sizes());
}

Value* OpBuilder::diagonal(Value* x, int64_t offset, int64_t dim1, int64_t dim2) {
  dim1 = checked_dim(x, dim1, "diagonal");
  dim2 = checked_dim(x, dim2, "diagonal");
  if (dim1 == dim2) return failed(invalid_file("diagonal: it needs two dimensions"));
  SymInt rows = at(x->sizes(), dim1) + std::min<int64_t>(offset, 0);
  SymInt columns = at(x->sizes(), dim2) - std::max<int64_t>(offset, 0);
  std::vector<SymInt> sizes;
  for (int64_t i = 0; i < x->rank(); ++i) {
    if (i != dim1 && i != dim2) sizes.push_back(at(x->sizes(), i));
  }
  SymInt length = SymInt::min(rows, columns);
  sizes.push_back(length.is_constant() ? SymInt::max(length, 0) : length);
  return call("aten.diagonal_copy.default", {x, SymInt(offset), SymInt(dim1), SymInt(dim2)},
              x->dtype(), std::move(sizes));
}

Value* OpBuilder::constant_pad_nd(Value* x, std::vector<SymInt> pad, const Scalar& value) {
  std::vector<SymInt> sizes = x->sizes();
  if (pad.size() % 2 != 0 || pad.size() / 2 > sizes.size()) {
    return failed(
        invalid_file("constant_pad_nd: {} numbers do not fit {}", pad.size(), format_sizes(sizes)));
  }
  for (size_t i = 0; i < pad.size() / 2; ++i) {
    SymInt& size = sizes[sizes.size() - 1 - i];
    size = size + pad[2 * i] + pad[2 * i + 1];
    if (size.is_constant() && *size.constant() < 0) {
      return failed(invalid_file("constant_pad_nd: {} leaves nothing of {}", format_sizes(pad),
                                 format_sizes(x->sizes())));
    }
  }
  return call("aten.constant_pad_nd.default", {x, pad, to_argument(value)}, x->dtype(),
              std::move(sizes));
}

// ---- By index.

Value* OpBuilder::gather(Value* x, int64_t dim, Value* index) {
  dim = checked_dim(x, dim, "gather");
  return call("aten.gather.default", {x, SymInt(dim), index}, x->dtype(), index->sizes());
}

Value* OpBuilder::index_select(Value* x, int64_t dim, Value* index) {
  dim = checked_dim(x, dim, "index_select");
  std::vector<SymInt> sizes = x->sizes();
  if (!sizes.empty()) sizes[static_cast<size_t>(dim)] = index->type().numel();
  return call("aten.index_select.default", {x, SymInt(dim), index}, x->dtype(), std::move(sizes));
}

Value* OpBuilder::index(Value* x, const std::vector<Value*>& indices) {
  if (static_cast<int64_t>(indices.size()) > x->rank()) {
    return failed(
        invalid_file("index: {} indices for {}", indices.size(), format_sizes(x->sizes())));
  }
  std::vector<SymInt> indexed;
  std::optional<size_t> first;
  size_t last = 0;
  size_t count = 0;
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] == nullptr) continue;
    if (indices[i]->dtype() == DType::kBool) {
      return failed(unsupported("index: a mask gives a result whose size is data"));
    }
    indexed = broadcast(indexed, indices[i]->sizes(), "index");
    if (!first) first = i;
    last = i;
    ++count;
  }
  // The indexed dimensions stand where they were if they are neighbours, and else in front.
  bool neighbours = first && last - *first + 1 == count;
  std::vector<SymInt> sizes;
  for (size_t i = 0; i < x->sizes().size(); ++i) {
    bool is_indexed = i < indices.size() && indices[i] != nullptr;
    if (neighbours && i == *first) sizes.insert(sizes.end(), indexed.begin(), indexed.end());
    if (!is_indexed) sizes.push_back(x->sizes()[i]);
  }
  if (!neighbours) sizes.insert(sizes.begin(), indexed.begin(), indexed.end());
  return call("aten.index.Tensor", {x, indices}, x->dtype(), std::move(sizes));
}

Value* OpBuilder::index_put(Value* x, const std::vector<Value*>& indices, Value* values,
                            bool accumulate) {
  return call("aten.index_put.default", {x, indices, values, accumulate}, x->dtype(), x->sizes());
}

Value* OpBuilder::embedding(Value* weight, Value* indices) {
  if (weight->rank() != 2) {
    return failed(invalid_file("embedding: a weight {} has not two dimensions",
                               format_sizes(weight->sizes())));
  }
  std::vector<SymInt> sizes = indices->sizes();
  sizes.push_back(weight->sizes()[1]);
  return call("aten.embedding.default", {weight, indices}, weight->dtype(), std::move(sizes));
}

Value* OpBuilder::scatter(Value* x, int64_t dim, Value* index, Value* src) {
  dim = checked_dim(x, dim, "scatter");
  return call("aten.scatter.src", {x, SymInt(dim), index, src}, x->dtype(), x->sizes());
}

Value* OpBuilder::scatter_value(Value* x, int64_t dim, Value* index, const Scalar& value) {
  dim = checked_dim(x, dim, "scatter");
  return call("aten.scatter.value", {x, SymInt(dim), index, to_argument(value)}, x->dtype(),
              x->sizes());
}

Value* OpBuilder::scatter_add(Value* x, int64_t dim, Value* index, Value* src) {
  dim = checked_dim(x, dim, "scatter_add");
  return call("aten.scatter_add.default", {x, SymInt(dim), index, src}, x->dtype(), x->sizes());
}

Value* OpBuilder::slice_scatter(Value* x, Value* src, int64_t dim, const SymInt& start,
                                const SymInt& end, const SymInt& step) {
  dim = checked_dim(x, dim, "slice_scatter");
  return call("aten.slice_scatter.default", {x, src, SymInt(dim), start, end, step}, x->dtype(),
              x->sizes());
}

Value* OpBuilder::tril(Value* x, int64_t diagonal) {
  return call("aten.tril.default", {x, SymInt(diagonal)}, x->dtype(), x->sizes());
}

}  // namespace slipway::ir
