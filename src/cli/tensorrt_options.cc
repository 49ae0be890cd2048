#include "cli/tensorrt_options.h"

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "cli/byte_count.h"

namespace slipway::cli {

namespace {

// Budgets are below 2^63: TensorRT counts them in an int64.
Result<std::optional<uint64_t>> parse_budget(const char* option, const std::string& text) {
  if (text.empty()) return std::optional<uint64_t>();
  auto bytes = parse_byte_count(text);
  if (!bytes.ok()) return bytes.error().with_context(option);
  if (*bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return invalid_argument("{}: {} is too large: it must be below 2^63 bytes", option, text);
  }
  return std::optional<uint64_t>(*bytes);
}

}  // namespace

void TensorRtCommandOptions::add_to(CLI::App& command) {
  group_ = command.add_option_group("TensorRT (--engine tensorrt)");
  group_->add_option("--tensorrt-lib", library_,
                     "TensorRT's or TensorRT-RTX's library, or the folder that it is in");
  group_
      ->add_option("--target", targets_,
                   "Compute capabilities of one engine, such as sm_80,sm_86; repeated, one engine "
                   "for each")
      ->allow_extra_args(false);
  group_
      ->add_option("--profile", profiles_,
                   "SYMBOL=MIN:OPT:MAX, the sizes that engines serve, and the one they are tuned "
                   "for; may be repeated")
      ->allow_extra_args(false);
  auto* streaming = group_->add_flag("--weight-streaming", weight_streaming_,
                                     "Weights may stay on the host and be streamed");
  group_->add_flag("--no-weight-streaming", no_weight_streaming_, "All weights on the device")
      ->excludes(streaming);
  group_->add_option("--weight-streaming-budget", budget_,
                     "How many bytes of each engine's weights stay on the device, such as 2GB");
  group_->add_option("--weight-streaming-total", total_,
                     "The same for all engines together, shared out by the size of their weights");
  group_->add_option("--workspace", workspace_,
                     "The most memory that a layer may use, such as 1GiB");
  group_->add_option("--optimization-level", optimization_level_, "How long to look for fast code")
      ->check(CLI::Range(0, 5));
  group_
      ->add_option("--precision", precision_,
                   "model: the model's own types; fp16 or bf16: float32 becomes that, but for "
                   "softmax, norms, reductions, exp, log and pow")
      ->check(CLI::IsMember({"model", "fp16", "bf16"}))
      ->capture_default_str();
  group_
      ->add_option("--keep-fp32", keep_fp32_,
                   "An operator that stays in float32, such as aten.linear; may be repeated")
      ->allow_extra_args(false);
}

std::vector<std::string> given_options(const CLI::App* group) {
  std::vector<std::string> names;
  if (!group) return names;
  for (const CLI::Option* option : group->get_options()) {
    if (option->count() > 0) names.push_back(option->get_name());
  }
  return names;
}

Result<TensorRtOptions> TensorRtCommandOptions::parse() const {
  TensorRtOptions options;
  options.library = library_;
  options.targets = targets_;
  for (const std::string& text : profiles_) {
    SLIPWAY_ASSIGN_OR_RETURN(auto profile, parse_profile(text));
    if (!options.profiles.insert(profile).second) {
      return invalid_argument("--profile {}: {} has a profile already", text, profile.first);
    }
  }
  if (weight_streaming_) options.weight_streaming = true;
  if (no_weight_streaming_) options.weight_streaming = false;
  SLIPWAY_ASSIGN_OR_RETURN(options.weight_streaming_budget,
                           parse_budget("--weight-streaming-budget", budget_));
  SLIPWAY_ASSIGN_OR_RETURN(options.weight_streaming_total,
                           parse_budget("--weight-streaming-total", total_));
  SLIPWAY_ASSIGN_OR_RETURN(options.workspace, parse_budget("--workspace", workspace_));
  if (optimization_level_ >= 0) options.optimization_level = optimization_level_;
  if (precision_ == "fp16") options.precision = Precision::kFloat16;
  if (precision_ == "bf16") options.precision = Precision::kBFloat16;
  options.keep_fp32 = {keep_fp32_.begin(), keep_fp32_.end()};
  if (!options.keep_fp32.empty() && options.precision == Precision::kModel) {
    return invalid_argument("--keep-fp32 goes with --precision fp16 or bf16");
  }
  return options;
}

Result<std::pair<std::string, ProfileRange>> parse_profile(const std::string& text) {
  const auto wrong = [&] {
    return invalid_argument(
        "--profile {}: expected SYMBOL=MIN:OPT:MAX with 0 <= MIN <= OPT <= MAX, such as "
        "s77=1:8:64",
        text);
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
  return std::pair(text.substr(0, equals), ProfileRange{min, opt, max});
}

}  // namespace slipway::cli
