#include "passes/strided_view.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/checked.h"
#include "base/error.h"

namespace slipway::passes {

using ir::SymInt;
using ir::TensorType;
using Kind = ViewStep::Kind;

namespace {

// The longest list of positions that is written down.
constexpr int64_t kMaxPositions = 1 << 20;

// A strided view of a contiguous tensor.
struct Strided {
  std::vector<SymInt> sizes;
  std::vector<SymInt> strides;
  SymInt offset = 0;
};

std::optional<Strided> strided(const ViewStep& step, const TensorType& parent,
                               const TensorType& type) {
  Strided result;
  result.sizes = type.sizes;
  const std::vector<SymInt> strides = ir::contiguous_strides(parent.sizes);
  const size_t dim = static_cast<size_t>(step.dim);
  if (step.kind == Kind::kAsStrided) {
    if (!step.start) return std::nullopt;
    result.strides = step.strides;
    result.offset = *step.start;
  } else if (step.kind == Kind::kUnfold) {
    result.strides = strides;
    result.strides[dim] = strides[dim] * step.step;
    result.strides.push_back(strides[dim]);
  } else if (step.kind == Kind::kDiagonal && step.start->is_constant()) {
    const size_t dim2 = static_cast<size_t>(step.dim2);
    for (size_t i = 0; i < strides.size(); ++i) {
      if (i != dim && i != dim2) result.strides.push_back(strides[i]);
    }
    result.strides.push_back(strides[dim] + strides[dim2]);
    result.offset =
        *step.start->constant() >= 0 ? *step.start * strides[dim2] : -(*step.start * strides[dim]);
  } else {
    return std::nullopt;
  }
  if (result.strides.size() != result.sizes.size()) return std::nullopt;
  return result;
}

}  // namespace

std::optional<std::vector<int64_t>> memory_order(const TensorType& type) {
  std::vector<int64_t> order(type.sizes.size());
  std::iota(order.begin(), order.end(), 0);
  if (is_contiguous(type, {})) return order;
  const std::vector<SymInt> strides = strides_of(type);
  const bool constant = std::all_of(strides.begin(), strides.end(),
                                    [](const SymInt& stride) { return stride.is_constant(); });
  if (constant) {
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return *strides[static_cast<size_t>(a)].constant() >
             *strides[static_cast<size_t>(b)].constant();
    });
  } else if (type.sizes.size() == 4) {
    order = {0, 2, 3, 1};
  } else if (type.sizes.size() == 5) {
    order = {0, 2, 3, 4, 1};
  }
  TensorType ordered;
  for (int64_t dim : order) {
    ordered.sizes.push_back(type.sizes[static_cast<size_t>(dim)]);
    ordered.strides.push_back(strides[static_cast<size_t>(dim)]);
  }
  if (!is_contiguous(ordered, {})) return std::nullopt;
  return order;
}

std::optional<SymInt> offset_of(const ViewStep& step, const TensorType& parent,
                                const std::optional<SymInt>& parent_offset) {
  if (step.kind == Kind::kBitcast) return std::nullopt;
  if (step.kind == Kind::kAsStrided && step.start) return step.start;
  if (!parent_offset) return std::nullopt;
  const std::vector<SymInt> strides = strides_of(parent);
  const size_t dim = static_cast<size_t>(step.dim);
  switch (step.kind) {
    case Kind::kSelect:
    case Kind::kSlice: {
      SymInt start = *step.start;
      if (auto constant = start.constant()) {
        if (*constant < 0) start = start + parent.sizes[dim];
        if (start.constant() && *start.constant() < 0) start = 0;
        auto size = parent.sizes[dim].constant();
        if (size && *constant > *size) start = *size;
      }
      return *parent_offset + start * strides[dim];
    }
    case Kind::kDiagonal: {
      auto diagonal = step.start->constant();
      if (!diagonal) return std::nullopt;
      return *diagonal >= 0 ? *parent_offset + *step.start * strides[static_cast<size_t>(step.dim2)]
                            : *parent_offset - *step.start * strides[dim];
    }
    default:
      return parent_offset;
  }
}

Result<std::vector<int64_t>> positions(const ViewStep& step, const TensorType& parent,
                                       const TensorType& type) {
  const auto limit = parent.numel().constant();
  const auto view = strided(step, parent, type);
  const auto count = view ? ir::numel(view->sizes).constant() : std::nullopt;
  const auto offset = view ? view->offset.constant() : std::nullopt;
  bool is_static = limit && count && offset;
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;
  for (size_t i = 0; is_static && i < view->sizes.size(); ++i) {
    is_static = view->sizes[i].is_constant() && view->strides[i].is_constant();
    sizes.push_back(view->sizes[i].constant().value_or(0));
    strides.push_back(view->strides[i].constant().value_or(0));
  }
  if (!is_static) return unsupported("the view's sizes are not fixed");
  if (*count < 0 || *count > kMaxPositions) {
    return unsupported("the view has more than {} elements", kMaxPositions);
  }
  std::vector<int64_t> result;
  result.reserve(static_cast<size_t>(*count));
  std::vector<int64_t> at(sizes.size(), 0);
  std::set<int64_t> seen;
  for (int64_t k = 0; k < *count; ++k) {
    std::optional<int64_t> position = offset;
    for (size_t i = 0; i < at.size() && position; ++i) {
      const auto distance = checked_mul_signed(at[i], strides[i]);
      position = distance ? checked_add_signed(*position, *distance) : std::nullopt;
    }
    if (!position || *position < 0 || *position >= *limit) {
      return invalid_file("the view leaves its tensor");
    }
    if (!seen.insert(*position).second) return unsupported("elements of the view share memory");
    result.push_back(*position);
    for (size_t i = at.size(); i-- > 0 && ++at[i] == sizes[i];) at[i] = 0;
  }
  return result;
}

}  // namespace slipway::passes
