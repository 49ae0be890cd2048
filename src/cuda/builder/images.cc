#include "cuda/builder/images.h"

#include <atomic>
#include <future>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/try.h"
#include "cuda/compiler/nvrtc.h"

namespace slipway::cuda {

namespace {

constexpr const char* kEveryDevice = "compute_10";

std::atomic<bool>& source_is_image() {
  static std::atomic<bool> value = false;
  return value;
}

void name_image(table::EngineT& table, const std::string& target) {
  table.images.push_back(std::make_unique<table::ImageT>());
  table.images.back()->target = target;
}

}  // namespace

Result<std::string> compiler_version(const Options& options) {
  if (source_is_image()) return std::string("kernels as source");
  SLIPWAY_ASSIGN_OR_RETURN(const Nvrtc* nvrtc, Nvrtc::open(options.nvrtc));
  return fmt::format("NVRTC {}", nvrtc->version());
}

Result<std::vector<std::string>> make_images(const Options& options, const std::string& source,
                                             table::EngineT& table) {
  std::vector<std::string> images;
  if (table.kernels.empty()) return images;
  if (source_is_image()) {
    name_image(table, kEveryDevice);
    images.push_back(source);
    return images;
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Nvrtc* nvrtc, Nvrtc::open(options.nvrtc));
  std::vector<std::future<Result<std::string>>> compiled;
  compiled.reserve(options.targets.size());
  for (const std::string& target : options.targets) {
    compiled.push_back(std::async(
        std::launch::async, [nvrtc, &source, &target] { return nvrtc->compile(source, target); }));
  }
  for (size_t i = 0; i < compiled.size(); ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(images.emplace_back(), compiled[i].get());
    name_image(table, options.targets[i]);
  }
  return images;
}

void set_source_as_image(bool value) { source_is_image() = value; }

}  // namespace slipway::cuda
