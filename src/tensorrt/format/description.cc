#include "tensorrt/format/description.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/processor.h"
#include "base/try.h"
#include "engine/json.h"
#include "tensorrt/format/blob.h"

namespace slipway::tensorrt {

namespace {

constexpr size_t kShownMetadata = 60;

// -1 for what is not a number.
int64_t known_size(const std::string& text) {
  int64_t size = -1;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  return error == std::errc() && stop == text.data() + text.size() ? size : -1;
}

Result<std::vector<std::byte>> header(const engine::EngineRecord& record) {
  Metadata metadata = metadata_of(record);
  metadata.serialized_metadata = fmt::format("slipway: {}", record.library_version);
  metadata.target_platform = kPlatform;
  return write_header(metadata, record.size);
}

Result<std::span<const std::byte>> plan_of(std::span<const std::byte> bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const Blob blob, read_blob(bytes));
  return blob.plan;
}

Result<std::string> key_of(std::span<const std::byte> bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(Blob blob, read_blob(bytes));
  return std::move(blob.metadata.engine_key);
}

Result<engine::BlobSummary> summarize(std::span<const std::byte> bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const Blob blob, read_blob(bytes));
  const Metadata& metadata = blob.metadata;
  engine::BlobSummary summary;
  std::string device = fmt::format("TensorRT plan for GPU {}", metadata.device_id);
  if (!metadata.target_platform.empty()) device += " of " + metadata.target_platform;
  if (metadata.hardware_compatible) device += ", and GPUs of later kinds";
  summary.lines.push_back(std::move(device));
  if (const std::string& own = metadata.serialized_metadata; own.size() > kShownMetadata) {
    summary.lines.push_back(
        fmt::format("metadata: {}... ({} bytes)", own.substr(0, kShownMetadata), own.size()));
  } else if (!own.empty()) {
    summary.lines.push_back("metadata: " + own);
  }
  if (!metadata.engine_key.empty()) {
    summary.lines.push_back("the plan is named data: " + metadata.engine_key);
  }
  for (const Binding& binding : metadata.io_bindings) {
    summary.ends.push_back(fmt::format("{} '{}': {}[{}]", binding.is_input ? "input" : "output",
                                       binding.name, binding.dtype,
                                       fmt::join(binding.shape, ", ")));
  }
  for (const Alias& alias : metadata.aliased_io) {
    summary.ends.push_back(fmt::format("output '{}' is in the memory of input '{}' ({})",
                                       alias.output, alias.input, alias.kind));
  }
  summary.json = metadata_to_json(metadata);
  return summary;
}

// Budgets are texts, as an int of ExecuTorch's has 32 bits.
std::vector<engine::Description::Setting> load_settings(const LoadOptions& options) {
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  std::vector<engine::Description::Setting> settings;
  if (!options.device.empty()) settings.emplace_back(kDeviceOption, options.device);
  if (options.weight_streaming_budget) {
    settings.emplace_back(kBudgetOption,
                          std::to_string(std::min(*options.weight_streaming_budget, kMost)));
  }
  if (options.weight_streaming_total) {
    settings.emplace_back(kTotalOption,
                          std::to_string(std::min(*options.weight_streaming_total, kMost)));
  }
  if (options.share_engines) settings.emplace_back(kShareEnginesOption, *options.share_engines);
  if (options.share_scratch) settings.emplace_back(kShareScratchOption, true);
  if (options.cuda_graphs) settings.emplace_back(kGraphsOption, *options.cuda_graphs);
  return settings;
}

std::optional<int8_t> cuda_device(const engine::EngineRecord& record) {
  constexpr std::string_view kCuda = "cuda:";
  const auto spec = record.compile_specs.find(kDeviceOption);
  if (spec == record.compile_specs.end() || !spec->second.starts_with(kCuda)) return std::nullopt;
  const std::string_view text = std::string_view(spec->second).substr(kCuda.size());
  int8_t index = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), index);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || index < 0) {
    return std::nullopt;
  }
  return index;
}

// As TensorRT-RTX and TensorRT begin theirs.
bool is_plan(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.starts_with("vtrt") || text.starts_with("ftrt");
}

}  // namespace

Metadata metadata_of(const engine::EngineRecord& record) {
  Metadata metadata;
  for (const bool is_input : {true, false}) {
    for (const engine::EngineTensor& tensor : is_input ? record.inputs : record.outputs) {
      Binding binding = {tensor.name, tensor.dtype, {}, is_input};
      for (const std::string& size : tensor.sizes) binding.shape.push_back(known_size(size));
      metadata.io_bindings.push_back(std::move(binding));
    }
  }
  for (const engine::EngineAlias& alias : record.aliases) {
    metadata.aliased_io.push_back(
        {record.outputs.at(alias.output).name, record.inputs.at(alias.input).name, alias.kind});
  }
  metadata.engine_sha256 = record.sha256;
  metadata.engine_target = record.target;
  return metadata;
}

const engine::Description kDescription = {
    .name = "tensorrt",
    .title = "TensorRT",
    .backend = kBackend,
    .library = "libslipway_tensorrt.so",
    .remedy =
        "it comes with Slipway and lies beside ExecuTorch's libraries or the program: install it "
        "there",
    .load_settings = load_settings,
    .weight_budget = kBudgetOption,
    .takes_cuda_memory = true,
    .leaves_work = true,
    .cuda_device = cuda_device,
    .header = header,
    .engine_of = plan_of,
    .external_header = write_external_header,
    .external_key = key_of,
    .summarize = summarize,
    .is_bare_engine = is_plan,
    .bare_engine = "TensorRT plan",
    .bare_engine_tools = "TensorRT's own tools, such as trtexec or tensorrt_rtx",
};

}  // namespace slipway::tensorrt
