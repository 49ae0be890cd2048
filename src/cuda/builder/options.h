// The options that a compile gives to the engine of generated kernels.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine_build/compiler.h"
#include "onnx/precision.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway::cuda {

// The target of machine code that Hopper alone has.
inline constexpr const char* kHopper = "sm_90a";

struct Options {
  // "sm_90": machine code; "compute_80": PTX.
  std::vector<std::string> targets;
  std::string nvrtc;  // NVRTC's library, or its folder; empty: it is looked for
  onnx::Precision precision = onnx::Precision::kModel;
  std::set<std::string> keep_fp32;
  bool with_cublaslt = false;  // products by cuBLASLt are among them
  bool with_cudnn = false;     // convolutions and attention by cuDNN, likewise
  uint32_t candidates = 1;     // ways to compute a product or attention that are written
  std::optional<bool> cuda_graphs;
  std::optional<uint64_t> weight_streaming_budget;
};

std::span<const EngineOption> option_table();
// Errors begin with "option '<name>'".
Result<Options> parse_options(const engine_build::OptionValues& values);
// Those that are wanted, as the option takes them and always in the same order; empty without any.
std::string libraries_text(const Options& options);

}  // namespace slipway::cuda
