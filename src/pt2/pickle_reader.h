// The pickles of torch.save, as far as archives of torch 2.7 and 2.8 need them: a dict of tensors.
//
// This is no interpreter of Python: the opcodes and globals that such a dict consists of are known
// here, nothing is imported or called, and everything else is an error that names it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway::pt2 {

// A tensor of a pickle: how it lies in a storage that is stored beside the pickle.
struct PickledTensor {
  DType dtype = DType::kFloat32;
  std::string storage_key;  // the entry "data/<key>"
  int64_t storage_offset = 0;
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;
};

// The tensors of a pickled dict by key, in its order; of several with one key the last. Other
// values of the dict are left out: a program that needs one finds it missing. `name` is for
// messages.
Result<std::vector<std::pair<std::string, PickledTensor>>> read_tensor_dict(
    std::span<const std::byte> pickle, const std::string& name);

}  // namespace slipway::pt2
