#include "exceptions.h"

#include <array>

namespace slipway::conformance {
namespace {

constexpr std::array kNoKernel = {
    Exception{"core_grid_sampler_3d", "no kernel computes it and no rule expresses it by others"},
    Exception{"embedding_bag_2", "mode 'max' is not covered"},
    Exception{"empty_extrema", "Input tensor must be nonempty"},
    Exception{"scatter_operation", "its index is smaller than the tensor outside of dim"},
};

constexpr std::array kNanLostByKernels = {
    Exception{"edges_max_pool", "ExecuTorch's kernel of max_pool2d goes on after NaN"},
};

// As kNoKernel, without what the engine takes.
constexpr std::array kNotOnOpenVino = {
    Exception{"core_grid_sampler_3d", "no kernel computes it and no rule expresses it by others"},
    Exception{"embedding_bag_2", "mode 'max' is not covered"},
    Exception{"empty_extrema", "Input tensor must be nonempty"},
};

// docs/openvino.md
constexpr std::array kNanLostByOpenVino = {
    Exception{"edges_exp", "exp of NaN is infinite"},
    Exception{"edges_extrema", "maximum, minimum and clamp give the other operand"},
    Exception{"edges_hardsigmoid", "it is limited as clamp does it"},
    Exception{"edges_hardtanh", "it is limited as clamp does it"},
    Exception{"edges_logsumexp", "exp of NaN is infinite"},
    Exception{"edges_max_pool", "the maximum is that of the other numbers"},
    Exception{"edges_relu", "relu of NaN is 0"},
    Exception{"edges_relu6", "it is limited as clamp does it"},
    Exception{"edges_softmax", "the largest of a row is that of the other numbers"},
};

constexpr std::array kOtherOnOpenVino = {
    Exception{"edges_max_pool_infinite", "of nothing but -inf the maximum is the least number"},
};

}  // namespace

Engine none() { return {EngineKind::kNone, kNoKernel, kNanLostByKernels, {}}; }

Engine openvino() {
  return {EngineKind::kOpenVino, kNotOnOpenVino, kNanLostByOpenVino, kOtherOnOpenVino};
}

std::optional<std::string> find(std::span<const Exception> exceptions, std::string_view test) {
  for (const Exception& exception : exceptions) {
    if (exception.test == test) return std::string(exception.reason);
  }
  return std::nullopt;
}

}  // namespace slipway::conformance
