// Operators whose result is their first argument's elements in another arrangement: what
// functionalize replays and inverts, fold_constants applies to constants, and remove_no_ops drops
// when nothing changes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "ir/program.h"

namespace slipway::passes {

struct ViewStep {
  enum class Kind : uint8_t {
    kIdentity,
    kPermute,    // dims
    kView,       // the same elements in the same order, other sizes
    kExpand,     //
    kSelect,     // dim, start
    kSlice,      // dim, start, end, step, as Python takes them
    kDiagonal,   // dim, dim2, start: the offset
    kUnfold,     // dim, end: the length, step
    kAsStrided,  // sizes, strides; start: the offset, missing for the input's own
    kBitcast,    // the same bytes as another dtype
  };
  Kind kind = Kind::kIdentity;
  int64_t dim = 0;  // within [0, rank)
  int64_t dim2 = 0;
  std::vector<int64_t> dims;
  std::optional<ir::SymInt> start;
  ir::SymInt end;
  ir::SymInt step = 1;
  std::vector<ir::SymInt> sizes;
  std::vector<ir::SymInt> strides;
};

// How output `i` of the node reads the node's first argument; nothing for an operator that computes
// something else. Besides views this covers copies that keep the type (clone, to, contiguous) and
// dropout in inference.
std::optional<ViewStep> view_step(const ir::Node& node, size_t i);

// Whether the results of a node with a view_step share memory with its first argument, of the given
// type, or are a copy. Where PyTorch decides by strides, so does this.
bool shares_memory(const ir::Node& node, const ir::TensorType& input);

// detach_, unsqueeze_ and the like: they change how a tensor is seen, not what it holds.
bool is_in_place_view(std::string_view op);

// Whether every argument with which dropout is called makes it do nothing.
bool is_dropout(std::string_view op);
bool is_inactive_dropout(const ir::Node& node);

// The type's strides, or those of a contiguous tensor where it has none.
std::vector<ir::SymInt> strides_of(const ir::TensorType& type);
bool is_contiguous(const ir::TensorType& type, ir::MemoryFormat format);
// The strides with which a view of other sizes sees the same memory; nothing when there are none
// and PyTorch's reshape copies.
std::optional<std::vector<ir::SymInt>> view_strides(const std::vector<ir::SymInt>& sizes,
                                                    const std::vector<ir::SymInt>& strides,
                                                    const std::vector<ir::SymInt>& new_sizes);

// The constant as the step sees it, over the same storage; nothing when that takes a copy, or when
// the result would not have the sizes of `type`.
std::optional<ir::ConstantData> apply(const ViewStep& step, const ir::ConstantData& data,
                                      const ir::TensorType& type);

}  // namespace slipway::passes
