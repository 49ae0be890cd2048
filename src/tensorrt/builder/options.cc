#include "tensorrt/builder/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/ranges.h>

#include "base/byte_count.h"
#include "base/error.h"
#include "base/try.h"

namespace slipway::tensorrt {

namespace {

const EngineOption kOptions[] = {
    {.name = "tensorrt_lib",
     .value = "PATH",
     .help = "TensorRT's or TensorRT-RTX's library, or the folder that it is in (default: "
             "SLIPWAY_TENSORRT_LIB, the loader's path, what `make setup-tensorrt` brought)",
     .is_for_machines = true},
    {.name = "target",
     .value = "SM,SM,...",
     .help = "Compute capabilities of one engine, such as sm_80,sm_86; repeated, one engine for "
             "each (default: one for all GPUs that TensorRT-RTX supports)",
     .is_repeated = true},
    {.name = "profile",
     .value = "SYMBOL=MIN:OPT:MAX",
     .help = "The sizes that engines serve, and the one they are tuned for; may be repeated, for "
             "another symbol or, with the same one, for one more profile",
     .is_repeated = true},
    {.name = "weight_streaming", .help = "Weights may stay on the host and be streamed"},
    {.name = "weight_streaming_budget",
     .value = "BYTES",
     .help = "How many bytes of each engine's weights stay on the device, such as 2GB",
     .is_for_loading = true},
    {.name = "weight_streaming_total",
     .value = "BYTES",
     .help = "The same for all engines together, shared out by the size of their weights",
     .is_for_loading = true},
    {.name = "cuda_graphs",
     .help = "Run engines as CUDA graphs, which are recorded at the second call",
     .is_for_loading = true},
    {.name = "workspace",
     .value = "BYTES",
     .help = "The most memory that a layer may use, such as 1GiB"},
    {.name = "optimization_level", .value = "0..5", .help = "How long to look for fast code"},
    {.name = "precision",
     .value = "model|fp16|bf16",
     .help = "model: the model's own types; fp16 or bf16: float32 becomes that, but for softmax, "
             "norms, reductions, exp, log and pow",
     .is_for_models = true},
    {.name = "keep_fp32",
     .value = "OPERATOR",
     .help = "An operator that stays in float32, such as aten.linear; may be repeated",
     .is_repeated = true,
     .is_for_models = true},
    {.name = "torch_tensorrt_abi",
     .value = "7|8|9|10",
     .help = "In a .pt2: the ABI of the Torch-TensorRT that is to run it (default: the newest)",
     .is_for_programs = true},
    {.name = "cross_compile",
     .help = "In a .pt2: engines as buffers of any size, for another machine",
     .is_for_programs = true},
    {.name = "platform",
     .value = "PLATFORM",
     .help = "In a .pt2 for another machine: which, such as windows_x86_64",
     .is_for_programs = true},
};

// As Torch-TensorRT names them.
constexpr const char* kPlatforms[] = {"linux_x86_64", "linux_aarch64", "windows_x86_64",
                                      "windows_arm64"};

// Budgets are below 2^63: TensorRT counts them in an int64.
Status parse(const std::string& text, std::optional<uint64_t>& out) {
  SLIPWAY_ASSIGN_OR_RETURN(out, parse_byte_count(text));
  if (*out <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return {};
  return invalid_argument("{} is too large: it must be below 2^63 bytes", text);
}

Status parse(const std::string& text, std::optional<bool>& out) {
  out = text == "true";
  if (*out || text == "false") return {};
  return invalid_argument("expected true or false, not '{}'", text);
}

Status parse(const std::string& text, std::optional<int>& out) {
  if (text.size() == 1 && text[0] >= '0' && text[0] <= '5') {
    out = text[0] - '0';
    return {};
  }
  return invalid_argument("expected a number from 0 to 5, not '{}'", text);
}

Status parse(const std::string& text, Precision& out) {
  SLIPWAY_ASSIGN_OR_RETURN(out, onnx::parse_precision(text));
  return {};
}

Status parse(const std::string& text, std::map<std::string, std::vector<ProfileRange>>& out) {
  const auto wrong = [&] {
    return invalid_argument(
        "{}: expected SYMBOL=MIN:OPT:MAX with 0 <= MIN <= OPT <= MAX, such as s77=1:8:64", text);
  };
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) return wrong();
  const char* next = text.data() + equals + 1;
  const char* end = text.data() + text.size();
  std::array<int64_t, 3> numbers = {};
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (next == end || *next++ != ':')) return wrong();
    const auto [stop, error] = std::from_chars(next, end, numbers[i]);
    if (error != std::errc()) return wrong();
    next = stop;
  }
  const auto [min, opt, max] = numbers;
  if (next != end || min < 0 || min > opt || opt > max) return wrong();
  out[text.substr(0, equals)].push_back({min, opt, max});
  return {};
}

Status parse_abi(const std::string& text, std::string& out) {
  const std::vector<std::string_view> known = known_abis();
  if (std::find(known.begin(), known.end(), text) == known.end()) {
    return invalid_argument("expected one of {}, not '{}'", fmt::join(known, ", "), text);
  }
  out = text;
  return {};
}

Status parse_platform(const std::string& text, std::string& out) {
  if (std::find(std::begin(kPlatforms), std::end(kPlatforms), text) == std::end(kPlatforms)) {
    return invalid_argument("expected one of {}, not '{}'", fmt::join(kPlatforms, ", "), text);
  }
  out = text;
  return {};
}

Status parse_one(const std::string& name, const std::string& text, Options& options) {
  if (name == "tensorrt_lib") options.library = text;
  if (name == "target") options.targets.push_back(text);
  if (name == "keep_fp32") options.keep_fp32.insert(text);
  if (name == "profile") return parse(text, options.profiles);
  if (name == "weight_streaming") return parse(text, options.weight_streaming);
  if (name == "weight_streaming_budget") return parse(text, options.weight_streaming_budget);
  if (name == "weight_streaming_total") return parse(text, options.weight_streaming_total);
  if (name == "cuda_graphs") return parse(text, options.cuda_graphs);
  if (name == "workspace") return parse(text, options.workspace);
  if (name == "optimization_level") return parse(text, options.optimization_level);
  if (name == "torch_tensorrt_abi") return parse_abi(text, options.calls.abi);
  if (name == "platform") return parse_platform(text, options.calls.platform);
  if (name == "cross_compile") {
    std::optional<bool> given;
    SLIPWAY_RETURN_IF_ERROR(parse(text, given));
    options.calls.is_placeholder = *given;
  }
  if (name == "precision") return parse(text, options.precision);
  return {};
}

}  // namespace

std::span<const EngineOption> option_table() { return kOptions; }

Result<Options> parse_options(const engine_build::OptionValues& values) {
  Options options;
  for (const auto& [name, text] : values) {
    const Status parsed = parse_one(name, text, options);
    if (!parsed.ok()) return parsed.error().with_context(fmt::format("option '{}'", name));
  }
  if (!options.keep_fp32.empty() && options.precision == Precision::kModel) {
    return invalid_argument("option 'keep_fp32' goes with option 'precision' fp16 or bf16");
  }
  const bool has_budget = options.weight_streaming_budget.has_value();
  const bool has_total = options.weight_streaming_total.has_value();
  if (!options.calls.is_placeholder && options.calls.platform != kPlatform) {
    return invalid_argument("option 'platform' {} goes with option 'cross_compile'",
                            options.calls.platform);
  }
  if (has_budget && has_total) {
    return invalid_argument(
        "option 'weight_streaming_budget' (for each engine) and option 'weight_streaming_total' "
        "(for all) exclude each other");
  }
  if ((has_budget || has_total) && options.weight_streaming == false) {
    return invalid_argument(
        "a budget for streamed weights needs option 'weight_streaming', which is off");
  }
  return options;
}

}  // namespace slipway::tensorrt
