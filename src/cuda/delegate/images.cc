#include "cuda/delegate/images.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <tuple>

#include "base/error.h"

namespace slipway::cuda {
namespace {

// Of the code that waits for earlier kernels (prelude.txt).
constexpr int kOverlapping = 90;

// "sm_90"; "compute_90" is PTX; "sm_90a" for this capability alone.
struct Target {
  int capability = 0;
  bool is_ptx = false;
  bool is_alone = false;
};

Target read_target(std::string_view text) {
  Target target = {0, text.starts_with("compute_"), text.ends_with('a')};
  text.remove_prefix(text.find('_') + 1);
  std::from_chars(text.data(), text.data() + text.size(), target.capability);
  return target;
}

}  // namespace

std::vector<size_t> images_for(const table::EngineT& engine, int capability) {
  std::vector<size_t> fitting;
  const auto target_of = [&](size_t i) { return read_target(engine.images[i]->target); };
  for (size_t i = 0; i < engine.images.size(); ++i) {
    const Target target = target_of(i);
    const int needed = target.capability;
    const bool fits =
        target.is_alone ? needed == capability
                        : needed <= capability && (target.is_ptx || needed / 10 == capability / 10);
    if (fits) fitting.push_back(i);
  }
  std::stable_sort(fitting.begin(), fitting.end(), [&](size_t a, size_t b) {
    const auto order = [&](size_t i) {
      const Target target = target_of(i);
      return std::tuple(target.is_ptx, -target.capability, !target.is_alone);
    };
    return order(a) < order(b);
  });
  return fitting;
}

Result<LoadedImage> load_image(const DevicePointer& device, const Blob& blob) {
  std::string has;
  for (const auto& image : blob.engine.images) has += (has.empty() ? "" : ", ") + image->target;
  const int capability = device->info().capability;
  std::string why;
  for (const size_t i : images_for(blob.engine, capability)) {
    const table::ImageT& image = *blob.engine.images[i];
    auto module = Module::load(device, blob.images.subspan(image.offset, image.size));
    if (module.ok()) {
      const int needed = read_target(image.target).capability;
      return LoadedImage{*std::move(module), image.target,
                         blob.engine.overlaps && needed >= kOverlapping};
    }
    if (module.error().code() != ErrorCode::kUnsupported) return module.error();
    why += fmt::format("; {}: {}", image.target, module.error().message());
  }
  return unsupported(
      "the engine has kernels for {}, and here is {}: compile the model for sm_{}, too (option "
      "'target'){}",
      has, describe(device->info()), capability, why);
}

}  // namespace slipway::cuda
