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
    Exception{"edges_pool", "ExecuTorch's kernel of max_pool2d goes on after NaN"},
};

}  // namespace

Engine none() { return {EngineKind::kNone, kNoKernel, kNanLostByKernels}; }

std::optional<std::string> find(std::span<const Exception> exceptions, std::string_view test) {
  for (const Exception& exception : exceptions) {
    if (exception.test == test) return std::string(exception.reason);
  }
  return std::nullopt;
}

}  // namespace slipway::conformance
