#include "runtime/empty_calls.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

namespace slipway::runtime {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;
using Arguments = et::Span<et::EValue*>;

// The result of these sizes, from which nothing is left to compute.
const char* resized(const aten::Tensor& out, aten::ArrayRef<aten::SizesType> sizes) {
  return et::resize_tensor(out, sizes) == et::Error::Ok ? kDone
                                                        : "its result has no room for its sizes";
}

using Sizes = std::vector<aten::SizesType>;

Sizes sizes_of(const aten::Tensor& tensor) {
  return {tensor.sizes().begin(), tensor.sizes().end()};
}

const char* resized(const aten::Tensor& out, const Sizes& sizes) {
  return resized(out, aten::ArrayRef<aten::SizesType>(sizes.data(), sizes.size()));
}

bool is_empty(const Sizes& sizes) {
  return std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
}

// Products over nothing are 0: the library that multiplies writes of errors to stderr.
const char* filled_with_zeros(const aten::Tensor& out, const Sizes& sizes) {
  const char* const result = resized(out, sizes);
  if (result == kDone && out.nbytes() > 0) std::memset(out.mutable_data_ptr(), 0, out.nbytes());
  return result;
}

}  // namespace

// (self, dim, index, sparse_grad, out): the kernel compares the sizes of an index without elements.
const char* gather_nothing(Arguments args) {
  const aten::Tensor& index = args[2]->toTensor();
  return index.numel() > 0 ? nullptr : resized(args[4]->toTensor(), index.sizes());
}

// (self, dim, index, src, out): the same, and nothing is written.
const char* scatter_nothing(Arguments args) {
  const aten::Tensor& self = args[0]->toTensor();
  const aten::Tensor& out = args[4]->toTensor();
  if (args[2]->toTensor().numel() > 0 || self.scalar_type() != out.scalar_type()) return nullptr;
  const char* const result = resized(out, self.sizes());
  if (result == kDone && self.nbytes() > 0) {
    std::memmove(out.mutable_data_ptr(), self.const_data_ptr(), self.nbytes());
  }
  return result;
}

// (self, dim, index, out): the kernel wants something to choose from, even for a result without
// elements.
const char* select_nothing(Arguments args) {
  const aten::Tensor& self = args[0]->toTensor();
  Sizes sizes = sizes_of(self);
  const auto rank = static_cast<int64_t>(sizes.size());
  const int64_t dim = args[1]->toInt() < 0 ? args[1]->toInt() + rank : args[1]->toInt();
  if (dim < 0 || dim >= rank) return nullptr;
  sizes[static_cast<size_t>(dim)] = static_cast<aten::SizesType>(args[2]->toTensor().numel());
  return is_empty(sizes) ? resized(args[3]->toTensor(), sizes) : nullptr;
}

// (self, pad, value, out): the kernel measures its room by lines, which may have no elements.
const char* pad_nothing(Arguments args) {
  Sizes sizes = sizes_of(args[0]->toTensor());
  const auto pad = args[1]->toIntList();
  if (pad.size() % 2 != 0 || pad.size() / 2 > sizes.size()) return nullptr;
  for (size_t i = 0; i < pad.size(); ++i) {
    if (pad[i] < 0 || pad[i] > std::numeric_limits<aten::SizesType>::max() / 4) return nullptr;
    sizes[sizes.size() - 1 - i / 2] += static_cast<aten::SizesType>(pad[i]);
  }
  return is_empty(sizes) ? resized(args[3]->toTensor(), sizes) : nullptr;
}

// (self, output_size, out): the kernel wants an image and channels.
const char* pool_nothing(Arguments args) {
  Sizes sizes = sizes_of(args[0]->toTensor());
  const auto output = args[1]->toIntList();
  if (sizes.size() < 2 || output.size() != 2) return nullptr;
  for (size_t i = 0; i < 2; ++i) {
    if (output[i] < 0 || output[i] > std::numeric_limits<aten::SizesType>::max()) return nullptr;
    sizes[sizes.size() - 2 + i] = static_cast<aten::SizesType>(output[i]);
  }
  return is_empty(sizes) ? resized(args[2]->toTensor(), sizes) : nullptr;
}

// (a, b, out): matrices, or batches of them.
const char* multiply_nothing(Arguments args) {
  const aten::Tensor& a = args[0]->toTensor();
  const aten::Tensor& b = args[1]->toTensor();
  const aten::Tensor& out = args[2]->toTensor();
  if (a.numel() > 0 && b.numel() > 0) return nullptr;
  const ssize_t rank = a.dim();
  const bool fits = rank >= 2 && b.dim() == rank && a.size(rank - 1) == b.size(rank - 2) &&
                    (rank == 2 || a.size(0) == b.size(0)) && a.scalar_type() == out.scalar_type() &&
                    b.scalar_type() == out.scalar_type();
  if (!fits) return nullptr;
  Sizes sizes = sizes_of(a);
  sizes.back() = static_cast<aten::SizesType>(b.size(rank - 1));
  return filled_with_zeros(out, sizes);
}

// (input, weight, bias, out)
const char* apply_linear_to_nothing(Arguments args) {
  const aten::Tensor& input = args[0]->toTensor();
  const aten::Tensor& weight = args[1]->toTensor();
  const aten::Tensor& out = args[3]->toTensor();
  if (input.numel() > 0 && weight.numel() > 0) return nullptr;
  if (input.dim() < 1 || weight.dim() != 2 || input.size(input.dim() - 1) != weight.size(1) ||
      input.scalar_type() != out.scalar_type() || weight.scalar_type() != out.scalar_type()) {
    return nullptr;
  }
  Sizes sizes = sizes_of(input);
  sizes.back() = static_cast<aten::SizesType>(weight.size(0));
  if (args[2]->isNone()) return filled_with_zeros(out, sizes);
  const aten::Tensor& bias = args[2]->toTensor();
  if (bias.scalar_type() != out.scalar_type() || bias.numel() != weight.size(0)) return nullptr;
  const char* const result = resized(out, sizes);
  auto* row = static_cast<std::byte*>(out.mutable_data_ptr());
  for (size_t done = 0; result == kDone && done < out.nbytes(); done += bias.nbytes()) {
    std::memcpy(row + done, bias.const_data_ptr(), bias.nbytes());
  }
  return result;
}

}  // namespace slipway::runtime
