#include "cuda/format/description.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "base/try.h"
#include "cuda/format/blob.h"
#include "cuda/format/choices.h"
#include "cuda/format/steps.h"

namespace slipway::cuda {

namespace {

std::vector<engine::Description::Setting> load_settings(const LoadOptions& options) {
  std::vector<engine::Description::Setting> settings;
  if (!options.device.empty()) settings.emplace_back(kDeviceOption, options.device);
  if (options.weight_streaming_budget) {
    constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
    settings.emplace_back(kBudgetOption,
                          std::to_string(std::min(*options.weight_streaming_budget, kMost)));
  }
  if (options.cuda_graphs) settings.emplace_back(kGraphsOption, *options.cuda_graphs);
  return settings;
}

// Of those that run, as the choices are.
struct Counts {
  size_t launches = 0;
  size_t products = 0;  // by cuBLASLt
  size_t graphs = 0;    // by cuDNN
};

std::string as_json(const Blob& blob, const Counts& counts) {
  nlohmann::ordered_json json;
  json["kernels"] = blob.engine.kernels.size();
  json["launches"] = counts.launches;
  if (uses(blob.engine, Library::kCublasLt)) json["cublaslt_calls"] = counts.products;
  if (uses(blob.engine, Library::kCudnn)) json["cudnn_calls"] = counts.graphs;
  json["constant_bytes"] = blob.constants.size();
  json["images"] = nlohmann::ordered_json::array();
  for (const auto& image : blob.engine.images) {
    json["images"].push_back({{"target", printable(image->target)}, {"bytes", image->size}});
  }
  if (!blob.engine.choices.empty()) {
    json["choices"] = blob.engine.choices;
    json["alternatives"] = count_alternatives(blob.engine);
    json["tuned_on"] = printable(chosen_device(blob.engine));
  }
  return json.dump();
}

Result<engine::BlobSummary> summarize(std::span<const std::byte> bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const Blob blob, read_blob(bytes));
  engine::BlobSummary summary;
  Counts counts;
  for (const auto& step : blob.engine.steps) {
    if (!is_chosen(blob.engine, step)) continue;
    if (step.AsLaunch() != nullptr) ++counts.launches;
    if (step.AsProduct() != nullptr) ++counts.products;
    if (step.AsLibraryGraph() != nullptr) ++counts.graphs;
  }
  summary.lines.push_back(fmt::format("{} kernels, {} launches a call, {} bytes of constants",
                                      blob.engine.kernels.size(), counts.launches,
                                      blob.constants.size()));
  if (uses(blob.engine, Library::kCublasLt)) {
    summary.lines.push_back(fmt::format(
        "{} product(s) a call by cuBLASLt where that is, by kernels elsewhere", counts.products));
  }
  if (uses(blob.engine, Library::kCudnn)) {
    summary.lines.push_back(fmt::format(
        "{} convolution(s) and attention(s) a call by cuDNN where that is, by kernels elsewhere",
        counts.graphs));
  }
  for (const auto& image : blob.engine.images) {
    summary.lines.push_back(fmt::format("{}: {} bytes", printable(image->target), image->size));
  }
  if (!blob.engine.choices.empty()) {
    const std::string device = chosen_device(blob.engine);
    summary.lines.push_back(
        fmt::format("{} choice(s) among ways to compute, {}", blob.engine.choices.size(),
                    device.empty() ? "not tuned on a GPU" : "tuned on " + printable(device)));
  }
  summary.json = as_json(blob, counts);
  return summary;
}

}  // namespace

const engine::Description kDescription = {
    .name = "cuda",
    .title = "CUDA",
    .backend = kBackend,
    .library = "libslipway_cuda.so",
    .remedy =
        "it comes with Slipway and lies beside ExecuTorch's libraries or the program: install it "
        "there",
    .load_settings = load_settings,
    .takes_cuda_memory = true,
    .summarize = summarize,
    .count_choices = count_choices,
    .choose = choose,
    .choices_remedy =
        "compile the model with engine 'cuda' and option 'cuda_candidates' of 2 or more; products "
        "of few rows, and what is no product, convolution or attention, have one way",
};

}  // namespace slipway::cuda
