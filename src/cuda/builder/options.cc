#include "cuda/builder/options.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

#include "base/byte_count.h"
#include "base/error.h"
#include "base/try.h"

namespace slipway::cuda {

namespace {

constexpr const char* kDefaultTargets = "sm_80,sm_90a,sm_120,compute_80";

const EngineOption kOptions[] = {
    {.name = "target",
     .value = "SM,SM,...",
     .help = "The GPUs that an engine has machine code for, and PTX that newer ones can take "
             "(default: sm_80,sm_90a,sm_120,compute_80)"},
    {.name = "nvrtc_lib",
     .value = "PATH",
     .help = "NVRTC's library, or the folder that it is in (default: SLIPWAY_NVRTC, what `make "
             "setup-cuda` brought, the loader's path)",
     .is_for_machines = true},
    {.name = "cuda_graphs",
     .help = "Run engines as CUDA graphs, which are recorded at the second call",
     .is_for_loading = true},
    {.name = "weight_streaming_budget",
     .value = "BYTES",
     .help = "How many bytes of each engine's weights stay on the device, such as 2GB",
     .is_for_loading = true},
    {.name = "precision",
     .value = "model|fp16|bf16",
     .help = "model: the model's own types; fp16 or bf16: float32 becomes that, with sums in "
             "float32, but for softmax, norms, reductions, exp, log and pow"},
    {.name = "keep_fp32",
     .value = "OPERATOR",
     .help = "An operator that stays in float32, such as aten.linear; may be repeated",
     .is_repeated = true},
    {.name = "cuda_libraries",
     .value = "none|LIBRARY,LIBRARY",
     .help =
         "NVIDIA's libraries that half types may be computed by, where they are when the engine "
         "is loaded: cublaslt, products; cudnn, convolutions, attention and products (default: "
         "none, "
         "kernels of Slipway's own alone)"},
    {.name = "cuda_candidates",
     .value = "NUMBER",
     .help = "How many ways to compute a product of matrices, a convolution or attention an engine "
             "has, for `slipway tune` to choose from (default: 1, the one that is reckoned to be "
             "fastest)"},
};

constexpr uint32_t kMostCandidates = 16;

// What commas separate.
std::vector<std::string> list_items(const std::string& text) {
  std::vector<std::string> items;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    items.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return items;
}

Status parse_libraries(const std::string& text, Options& options) {
  options.with_cublaslt = false;
  options.with_cudnn = false;
  if (text == "none") return {};
  for (const std::string& name : list_items(text)) {
    bool* const is_wanted = name == "cublaslt" ? &options.with_cublaslt
                            : name == "cudnn"  ? &options.with_cudnn
                                               : nullptr;
    if (is_wanted == nullptr) {
      return invalid_argument(
          "option 'cuda_libraries' {}: expected none, cublaslt, cudnn or cublaslt,cudnn", text);
    }
    if (*is_wanted) {
      return invalid_argument("option 'cuda_libraries' {}: {} is given twice", text, name);
    }
    *is_wanted = true;
  }
  return {};
}

Result<uint32_t> parse_candidates(const std::string& text) {
  uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec == std::errc() && parsed.ptr == end && number >= 1 && number <= kMostCandidates) {
    return number;
  }
  return invalid_argument("option 'cuda_candidates' {}: expected a number from 1 to {}", text,
                          kMostCandidates);
}

bool is_target(std::string_view name) {
  for (const std::string_view prefix : {"sm_", "compute_"}) {
    if (!name.starts_with(prefix)) continue;
    name.remove_prefix(prefix.size());
    if (prefix == "sm_" && name.ends_with('a')) name.remove_suffix(1);
    const bool is_number =
        std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    return is_number && (name.size() == 2 || name.size() == 3);
  }
  return false;
}

bool is_too_old(std::string_view target) {
  target.remove_prefix(target.find('_') + 1);
  return target.size() == 2 && target < "80";
}

Status parse_targets(const std::string& text, std::vector<std::string>& targets) {
  targets.clear();
  for (std::string& name : list_items(text)) {
    if (!is_target(name)) {
      return invalid_argument(
          "option 'target' {}: expected compute capabilities of GPUs, such as sm_80,sm_90, or "
          "compute_80 for PTX",
          text);
    }
    if (is_too_old(name)) {
      return invalid_argument("option 'target' {}: kernels need compute capability 8.0 or later",
                              text);
    }
    if (std::find(targets.begin(), targets.end(), name) != targets.end()) {
      return invalid_argument("option 'target' {}: {} is given twice", text, name);
    }
    targets.push_back(std::move(name));
  }
  return {};
}

}  // namespace

std::span<const EngineOption> option_table() { return kOptions; }

Result<Options> parse_options(const engine_build::OptionValues& values) {
  Options options;
  SLIPWAY_RETURN_IF_ERROR(parse_targets(kDefaultTargets, options.targets));
  for (const auto& [name, text] : values) {
    if (name == "target") SLIPWAY_RETURN_IF_ERROR(parse_targets(text, options.targets));
    if (name == "nvrtc_lib") options.nvrtc = text;
    if (name == "keep_fp32") options.keep_fp32.insert(text);
    if (name == "cuda_candidates") {
      SLIPWAY_ASSIGN_OR_RETURN(options.candidates, parse_candidates(text));
    }
    if (name == "cuda_libraries") {
      SLIPWAY_RETURN_IF_ERROR(parse_libraries(text, options));
    }
    if (name == "cuda_graphs") options.cuda_graphs = text == "true";
    if (name == "weight_streaming_budget") {
      const auto bytes = parse_byte_count(text);
      if (!bytes.ok()) return bytes.error().with_context("option 'weight_streaming_budget'");
      options.weight_streaming_budget = *bytes;
    }
    if (name != "precision") continue;
    const auto precision = onnx::parse_precision(text);
    if (!precision.ok()) return precision.error().with_context("option 'precision'");
    options.precision = *precision;
  }
  if (!options.keep_fp32.empty() && options.precision == onnx::Precision::kModel) {
    return invalid_argument("option 'keep_fp32' goes with option 'precision' fp16 or bf16");
  }
  return options;
}

std::string libraries_text(const Options& options) {
  const bool both = options.with_cublaslt && options.with_cudnn;
  return std::string(options.with_cublaslt ? "cublaslt" : "") + (both ? "," : "") +
         (options.with_cudnn ? "cudnn" : "");
}

}  // namespace slipway::cuda
