// Where kernels lie between processes that TensorRT-RTX has compiled for a GPU.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::tensorrt {

// The environment variable that names another folder than $XDG_CACHE_HOME/slipway/runtime_cache, or
// ~/.cache/slipway/runtime_cache; empty: nothing is kept.
inline constexpr const char* kRuntimeCacheVariable = "SLIPWAY_TENSORRT_RUNTIME_CACHE";

// The file of the kernels of an engine, or empty: there is no folder for it. `key` is all that they
// depend on.
std::string kernel_file_for(std::string_view key);

// Nothing where there is none, or it is damaged: kernels are compiled then. Whoever can write to
// the folder decides what an engine computes.
std::optional<std::vector<std::byte>> read_kernel_file(const std::string& path);
// In the place of one that is there. Nothing where that can't be: it is a loss of time alone.
void write_kernel_file(const std::string& path, std::span<const std::byte> kernels);

}  // namespace slipway::tensorrt
