#include "passes/view_step.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "ir/arguments.h"
#include "schema/schema.h"
#include "schema/traits.h"

namespace slipway::passes {
namespace {

using ir::Node;
using ir::SymInt;
using ir::TensorType;
using Kind = ViewStep::Kind;

// A dimension within [0, rank), where rank 0 counts as 1.
std::optional<int64_t> wrap(std::optional<int64_t> dim, int64_t rank) {
  return dim ? ir::wrap_dim(*dim, rank) : std::nullopt;
}

std::optional<ViewStep> permutation(std::vector<int64_t> dims) {
  ViewStep step;
  step.kind = Kind::kPermute;
  step.dims = std::move(dims);
  return step;
}

std::vector<int64_t> identity_dims(int64_t rank) {
  std::vector<int64_t> dims(static_cast<size_t>(rank));
  std::iota(dims.begin(), dims.end(), 0);
  return dims;
}

std::optional<ViewStep> swap(std::optional<int64_t> a, std::optional<int64_t> b, int64_t rank) {
  a = wrap(a, rank);
  b = wrap(b, rank);
  if (!a || !b) return std::nullopt;
  std::vector<int64_t> dims = identity_dims(rank);
  if (rank > 0) std::swap(dims[static_cast<size_t>(*a)], dims[static_cast<size_t>(*b)]);
  return permutation(std::move(dims));
}

std::optional<ViewStep> permute(const std::vector<SymInt>& order, int64_t rank) {
  std::vector<int64_t> dims;
  std::set<int64_t> seen;
  for (const SymInt& item : order) {
    auto dim = wrap(item.constant(), rank);
    if (!dim || !seen.insert(*dim).second) return std::nullopt;
    dims.push_back(*dim);
  }
  if (static_cast<int64_t>(dims.size()) != rank) return std::nullopt;
  return permutation(std::move(dims));
}

// Dimensions `from[k]` of the input become dimensions `to[k]`; the others keep their order.
std::optional<ViewStep> move_dims(const std::vector<SymInt>& from, const std::vector<SymInt>& to,
                                  int64_t rank) {
  if (from.size() != to.size()) return std::nullopt;
  std::vector<int64_t> dims(static_cast<size_t>(rank), -1);
  std::set<int64_t> moved;
  for (size_t k = 0; k < from.size(); ++k) {
    auto source = wrap(from[k].constant(), rank);
    auto target = wrap(to[k].constant(), rank);
    if (!source || !target || rank == 0 || dims[static_cast<size_t>(*target)] >= 0 ||
        !moved.insert(*source).second) {
      return std::nullopt;
    }
    dims[static_cast<size_t>(*target)] = *source;
  }
  int64_t next = 0;
  for (int64_t& dim : dims) {
    while (moved.contains(next)) ++next;
    if (dim < 0) dim = next++;
  }
  return permutation(std::move(dims));
}

std::optional<ViewStep> slice(std::optional<int64_t> dim, int64_t rank, SymInt start, SymInt end,
                              SymInt step = 1) {
  dim = wrap(dim, rank);
  if (!dim || rank == 0) return std::nullopt;
  ViewStep result;
  result.kind = Kind::kSlice;
  result.dim = *dim;
  result.start = std::move(start);
  result.end = std::move(end);
  result.step = std::move(step);
  return result;
}

std::optional<ViewStep> select(std::optional<int64_t> dim, int64_t rank,
                               std::optional<SymInt> index) {
  dim = wrap(dim, rank);
  if (!dim || !index || rank == 0) return std::nullopt;
  ViewStep result;
  result.kind = Kind::kSelect;
  result.dim = *dim;
  result.start = std::move(index);
  return result;
}

ViewStep simple(Kind kind) {
  ViewStep step;
  step.kind = kind;
  return step;
}

// Names between spaces.
bool is_among(std::string_view name, std::string_view names) {
  return names.find(" " + std::string(name) + " ") != std::string_view::npos;
}

constexpr std::string_view kReshapes = " reshape.default reshape_as.default flatten.using_ints ";
// Of tensors of the type that they give, whose elements these are; conj of real ones.
constexpr std::string_view kIdentities =
    " real.default conj.default conj_physical.default requires_grad.default ";
// Copies, besides those that are named so.
constexpr std::string_view kCopies = " clone.default _unsafe_view.default ";
// The place of `copy`, and after it of `memory_format`.
const std::map<std::string, size_t, std::less<>> kConversions = {
    {"to.dtype", 3}, {"to.device", 4}, {"to.dtype_layout", 6}, {"to.other", 3}};
constexpr std::string_view kInPlaceViews =
    " aten.as_strided_.default aten.detach_.default aten.squeeze_.default aten.squeeze_.dim "
    "aten.squeeze_.dims aten.t_.default aten.transpose_.int aten.unsqueeze_.default "
    "aten.swapaxes_.default aten.swapdims_.default aten.transpose_.default "
    "aten.requires_grad_.default ";
constexpr std::string_view kDropouts =
    " aten.dropout.default aten.dropout_.default aten.feature_dropout.default "
    "aten.feature_dropout_.default aten.alpha_dropout.default aten.alpha_dropout_.default "
    "aten.feature_alpha_dropout.default aten.feature_alpha_dropout_.default ";

// Whether the name, without "aten.", has `ending` before its overload.
bool ends_with(std::string_view name, std::string_view ending) {
  return name.substr(0, name.find('.')).ends_with(ending);
}

// The operator's name without "aten.", the "unsafe_" of views that are not to be written to, the
// "_copy" of functional views, and the "_" of views in place.
std::string plain_name(std::string_view op) {
  std::string name(op.substr(op.find('.') + 1));
  if (name.starts_with("unsafe_")) name.erase(0, std::string_view("unsafe_").size());
  const std::string_view ending =
      is_in_place_view(op) ? "_" : (ends_with(name, "_copy") ? "_copy" : "");
  name.erase(std::min(name.find('.'), name.size()) - ending.size(), ending.size());
  return name;
}

std::optional<ViewStep> transposing_step(const std::string& name, const ir::Arguments& arguments,
                                         int64_t rank) {
  if (name == "permute.default") {
    const auto dims = arguments.integers(1);
    return dims ? permute(*dims, rank) : std::nullopt;
  }
  if (name.starts_with("transpose.") || name == "swapaxes.default" || name == "swapdims.default") {
    return swap(arguments.constant(1), arguments.constant(2), rank);
  }
  const std::string base = name.substr(0, name.find('.'));
  if (base == "mT" || base == "mH" || base == "adjoint") return swap(-1, -2, rank);
  if (base == "t" || base == "numpy_T" || base == "matrix_H") {
    std::vector<int64_t> dims = identity_dims(rank);
    std::reverse(dims.begin(), dims.end());
    return permutation(std::move(dims));
  }
  if (name == "movedim.int" || name == "moveaxis.int") {
    auto from = arguments.integer(1);
    auto to = arguments.integer(2);
    return from && to ? move_dims({*from}, {*to}, rank) : std::nullopt;
  }
  if (name == "movedim.intlist" || name == "moveaxis.intlist") {
    const auto from = arguments.integers(1);
    const auto to = arguments.integers(2);
    return from && to ? move_dims(*from, *to, rank) : std::nullopt;
  }
  return std::nullopt;
}

// The dimension that vsplit, hsplit (of a vector: its only one) and dsplit cut.
int64_t split_dim(const std::string& name, int64_t rank) {
  if (name[0] == 'v') return 0;
  if (name[0] == 'd') return 2;
  return rank == 1 ? 0 : 1;
}

std::optional<ViewStep> slicing_step(const std::string& name, const Node& node, size_t i,
                                     int64_t rank) {
  const ir::Arguments arguments(node);
  if (name == "select.int") return select(arguments.constant(1), rank, arguments.integer(2));
  if (name == "unbind.int")
    return select(arguments.constant(1), rank, SymInt(static_cast<int64_t>(i)));
  if (name == "slice.Tensor") {
    return slice(arguments.constant(1), rank, arguments.integer(2).value_or(0),
                 arguments.integer(3).value_or(std::numeric_limits<int64_t>::max()),
                 arguments.integer(4).value_or(1));
  }
  if (name == "narrow.default") {
    auto dim = arguments.dim(1, rank);
    auto start = arguments.integer(2);
    auto length = arguments.integer(3);
    if (!dim || rank == 0 || !start || !length) return std::nullopt;
    auto constant = start->constant();
    if (constant && *constant < 0) {
      start = *start + node.value(0)->sizes()[static_cast<size_t>(*dim)];
    }
    return slice(dim, rank, *start, *start + *length);
  }
  const bool by_name =
      name.starts_with("vsplit.") || name.starts_with("hsplit.") || name.starts_with("dsplit.");
  if (by_name || name == "split.Tensor" || name == "split.sizes" || name == "split.default" ||
      name == "split_with_sizes.default" || name == "chunk.default" ||
      name == "tensor_split.sections" || name == "tensor_split.indices") {
    auto dim = wrap(by_name ? split_dim(name, rank) : arguments.constant(2), rank);
    if (!dim || rank == 0) return std::nullopt;
    SymInt start = 0;
    for (size_t k = 0; k < i; ++k) {
      start = start + node.output(k)->sizes().at(static_cast<size_t>(*dim));
    }
    if (name == "tensor_split.indices" && i > 0) {
      // They may fall: what is between them is then empty, and the next piece starts before it.
      const auto places = arguments.integers(1);
      if (!places) return std::nullopt;
      const auto place = places->at(i - 1).constant();
      const auto size = node.value(0)->sizes()[static_cast<size_t>(*dim)].constant();
      if (place && size)
        start = std::clamp(*place < 0 ? *place + *size : *place, int64_t{0}, *size);
    }
    return slice(dim, rank, start, start + node.output(i)->sizes().at(static_cast<size_t>(*dim)));
  }
  return std::nullopt;
}

std::optional<ViewStep> striding_step(const std::string& name, const ir::Arguments& arguments,
                                      int64_t rank) {
  ViewStep step;
  if (name == "diagonal.default" || name == "linalg_diagonal.default") {
    auto dim1 = arguments.dim(2, rank);
    auto dim2 = arguments.dim(3, rank);
    step.kind = Kind::kDiagonal;
    step.start = arguments.integer(1);
    if (!dim1 || !dim2 || dim1 == dim2 || !step.start) return std::nullopt;
    step.dim = *dim1;
    step.dim2 = *dim2;
    return step;
  }
  if (name == "unfold.default") {
    auto dim = arguments.dim(1, rank);
    auto length = arguments.integer(2);
    auto distance = arguments.integer(3);
    if (!dim || !length || !distance || rank == 0) return std::nullopt;
    step.kind = Kind::kUnfold;
    step.dim = *dim;
    step.end = *length;
    step.step = *distance;
    return step;
  }
  if (name == "as_strided.default") {
    const auto sizes = arguments.integers(1);
    const auto strides = arguments.integers(2);
    if (!sizes || !strides || sizes->size() != strides->size()) return std::nullopt;
    step.kind = Kind::kAsStrided;
    step.sizes = *sizes;
    step.strides = *strides;
    step.start = arguments.integer(3);
    return step;
  }
  return std::nullopt;
}

}  // namespace

bool is_in_place_view(std::string_view op) { return is_among(op, kInPlaceViews); }

bool is_dropout(std::string_view op) {
  return is_among(op, kDropouts) || op == "aten.native_dropout.default";
}

bool is_inactive_dropout(const Node& node) {
  if (!is_among(node.op(), kDropouts)) return false;
  const auto* probability = std::get_if<double>(&node.arg(1));
  return (probability && *probability == 0) || !ir::Arguments(node).flag(2).value_or(true);
}

std::optional<ViewStep> view_step(const Node& node, size_t i) {
  if (!node.op().starts_with("aten.") || node.args().empty() || i >= node.outputs().size() ||
      !node.output(i)->is_tensor() || !std::holds_alternative<ir::Value*>(node.arg(0)) ||
      !node.value(0)->is_tensor()) {
    return std::nullopt;
  }
  const TensorType& input = node.value(0)->type();
  const TensorType& output = node.output(i)->type();
  if (node.op() == "aten.view.dtype") return simple(Kind::kBitcast);
  if (is_dropout(node.op())) {
    if (!is_inactive_dropout(node)) return std::nullopt;
    return simple(Kind::kIdentity);
  }
  // Arguments are in the schema's order only where there is a schema.
  if (input.dtype != output.dtype || !schema::find_operator(node.op())) return std::nullopt;
  const int64_t rank = node.value(0)->rank();
  const std::string name = plain_name(node.op());
  if (name.starts_with("conj") && is_complex(input.dtype)) return std::nullopt;
  switch (schema::trait_of(node.op())) {
    case schema::Trait::kSame:
    case schema::Trait::kConverted:
      return simple(Kind::kIdentity);
    case schema::Trait::kReshaped:
      return simple(Kind::kView);
    case schema::Trait::kExpanded:
      return simple(Kind::kExpand);
    default:
      break;
  }
  const bool adds_nothing = name == "sum_to_size.default" && input.sizes == output.sizes;
  if (adds_nothing || is_among(name, kIdentities)) return simple(Kind::kIdentity);
  if (auto step = transposing_step(name, ir::Arguments(node), rank)) return step;
  if (auto step = slicing_step(name, node, i, rank)) return step;
  return striding_step(name, ir::Arguments(node), rank);
}

bool shares_memory(const Node& node, const TensorType& input) {
  const ir::Arguments arguments(node);
  const std::string name = node.op().substr(node.op().find('.') + 1);
  if (is_among(name, kCopies) || ends_with(name, "_copy")) return false;
  if (is_among(name, kReshapes)) {
    return view_strides(input.sizes, strides_of(input), node.output()->sizes()).has_value();
  }
  if (name == "ravel.default") return is_contiguous(input, {});
  if (name == "contiguous.default") {
    const auto* format = std::get_if<ir::MemoryFormat>(&arguments.at(1));
    return is_contiguous(input, format ? *format : ir::MemoryFormat{});
  }
  if (auto conversion = kConversions.find(name); conversion != kConversions.end()) {
    if (arguments.flag(conversion->second).value_or(false)) return false;
    const auto* format = std::get_if<ir::MemoryFormat>(&arguments.at(conversion->second + 1));
    return !format || is_contiguous(input, *format);
  }
  return true;
}

std::vector<SymInt> strides_of(const TensorType& type) {
  return type.strides.size() == type.sizes.size() ? type.strides
                                                  : ir::contiguous_strides(type.sizes);
}

bool is_contiguous(const TensorType& type, ir::MemoryFormat format) {
  const size_t rank = type.sizes.size();
  std::vector<size_t> order;  // from the fastest dimension to the slowest
  switch (format.kind) {
    case ir::MemoryFormat::kPreserve:
      return true;
    case ir::MemoryFormat::kChannelsLast:
      if (rank != 4) return false;
      order = {1, 3, 2, 0};
      break;
    case ir::MemoryFormat::kChannelsLast3d:
      if (rank != 5) return false;
      order = {1, 4, 3, 2, 0};
      break;
    case ir::MemoryFormat::kContiguous:
      for (size_t i = rank; i-- > 0;) order.push_back(i);
      break;
  }
  if (type.numel() == SymInt(0)) return true;
  const std::vector<SymInt> strides = strides_of(type);
  SymInt expected = 1;
  for (size_t i : order) {
    if (type.sizes[i] == SymInt(1)) continue;
    if (strides[i] != expected) return false;
    expected = expected * type.sizes[i];
  }
  return true;
}

std::optional<std::vector<SymInt>> view_strides(const std::vector<SymInt>& sizes,
                                                const std::vector<SymInt>& strides,
                                                const std::vector<SymInt>& new_sizes) {
  if (ir::numel(sizes) == SymInt(0)) return ir::contiguous_strides(new_sizes);
  std::vector<SymInt> result(new_sizes.size(), 1);
  // From the last dimension to the first: runs of old dimensions that lie in memory as one, each of
  // which must be made of whole new dimensions.
  size_t next = new_sizes.size();
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == SymInt(1)) continue;
    const SymInt& unit = strides[i];
    SymInt run = sizes[i];
    for (; i > 0 && (sizes[i - 1] == SymInt(1) || strides[i - 1] == run * unit); --i) {
      run = run * sizes[i - 1];
    }
    SymInt taken = 1;
    while (next > 0 && taken != run) {
      --next;
      result[next] = taken * unit;
      taken = taken * new_sizes[next];
    }
    if (taken != run) return std::nullopt;
  }
  for (; next > 0; --next) {
    if (new_sizes[next - 1] != SymInt(1)) return std::nullopt;
    if (next < new_sizes.size()) result[next - 1] = result[next] * new_sizes[next];
  }
  return result;
}

std::optional<ir::ConstantData> apply(const ViewStep& step, const ir::ConstantData& data,
                                      const TensorType& type) {
  std::vector<int64_t> sizes;
  for (const SymInt& size : type.sizes) {
    auto constant = size.constant();
    if (!constant || *constant < 0) return std::nullopt;
    sizes.push_back(*constant);
  }
  ir::ConstantData result = data;
  const size_t dim = static_cast<size_t>(step.dim);
  switch (step.kind) {
    case Kind::kIdentity:
      break;
    case Kind::kPermute:
      if (step.dims.size() != data.sizes.size()) return std::nullopt;
      for (size_t i = 0; i < step.dims.size(); ++i) {
        result.sizes[i] = data.sizes[static_cast<size_t>(step.dims[i])];
        result.strides[i] = data.strides[static_cast<size_t>(step.dims[i])];
      }
      break;
    case Kind::kView: {
      const std::vector<SymInt> old_sizes(data.sizes.begin(), data.sizes.end());
      const std::vector<SymInt> old_strides(data.strides.begin(), data.strides.end());
      auto strides = view_strides(old_sizes, old_strides, type.sizes);
      if (!strides || ir::numel(old_sizes) != ir::numel(type.sizes)) return std::nullopt;
      result.sizes = sizes;
      result.strides.clear();
      for (const SymInt& stride : *strides) result.strides.push_back(stride.constant().value_or(0));
      break;
    }
    case Kind::kExpand: {
      if (sizes.size() < data.sizes.size()) return std::nullopt;
      const size_t added = sizes.size() - data.sizes.size();
      result.sizes = sizes;
      result.strides.assign(sizes.size(), 0);
      for (size_t i = 0; i < data.sizes.size(); ++i) {
        if (data.sizes[i] == sizes[added + i]) {
          result.strides[added + i] = data.strides[i];
        } else if (data.sizes[i] != 1) {
          return std::nullopt;
        }
      }
      break;
    }
    case Kind::kSelect: {
      auto index = step.start->constant();
      if (!index || dim >= data.sizes.size()) return std::nullopt;
      if (*index < 0) *index += data.sizes[dim];
      if (*index < 0 || *index >= data.sizes[dim]) return std::nullopt;
      result.storage_offset += *index * data.strides[dim];
      result.sizes.erase(result.sizes.begin() + step.dim);
      result.strides.erase(result.strides.begin() + step.dim);
      break;
    }
    case Kind::kSlice: {
      auto start = step.start->constant();
      auto end = step.end.constant();
      auto distance = step.step.constant();
      if (!start || !end || !distance || *distance < 1 || dim >= data.sizes.size()) {
        return std::nullopt;
      }
      const int64_t size = data.sizes[dim];
      auto clamp = [size](int64_t at) {
        return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size);
      };
      const int64_t first = clamp(*start);
      const int64_t length = std::max<int64_t>(clamp(*end) - first, 0);
      result.sizes[dim] = length / *distance + (length % *distance != 0 ? 1 : 0);
      if (result.sizes[dim] > 0) {
        result.storage_offset += first * data.strides[dim];
        // The stride of a single element is never followed.
        if (result.sizes[dim] > 1) result.strides[dim] *= *distance;
      }
      break;
    }
    default:
      return std::nullopt;
  }
  if (result.sizes != sizes) return std::nullopt;
  return result;
}

}  // namespace slipway::passes
