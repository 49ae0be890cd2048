#include "cuda/delegate/images.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <tuple>

#include "base/error.h"

namespace slipway::cuda {
namespace {

// "sm_90": the capability, and whether it is PTX ("compute_90").
std::tuple<int, bool> read_target(std::string_view target) {
  const bool is_ptx = target.starts_with("compute_");
  target.remove_prefix(target.find('_') + 1);
  int capability = 0;
  std::from_chars(target.data(), target.data() + target.size(), capability);
  return {capability, is_ptx};
}

}  // namespace

std::vector<size_t> images_for(const table::EngineT& engine, int capability) {
  std::vector<size_t> fitting;
  const auto target_of = [&](size_t i) { return read_target(engine.images[i]->target); };
  for (size_t i = 0; i < engine.images.size(); ++i) {
    const auto [needed, is_ptx] = target_of(i);
    if (needed > capability || (!is_ptx && needed / 10 != capability / 10)) continue;
    fitting.push_back(i);
  }
  std::stable_sort(fitting.begin(), fitting.end(), [&](size_t a, size_t b) {
    const auto [a_needs, a_is_ptx] = target_of(a);
    const auto [b_needs, b_is_ptx] = target_of(b);
    return std::tuple(a_is_ptx, -a_needs) < std::tuple(b_is_ptx, -b_needs);
  });
  return fitting;
}

Result<Module> load_image(const DevicePointer& device, const Blob& blob) {
  std::string has;
  for (const auto& image : blob.engine.images) has += (has.empty() ? "" : ", ") + image->target;
  const int capability = device->info().capability;
  std::string why;
  for (const size_t i : images_for(blob.engine, capability)) {
    const table::ImageT& image = *blob.engine.images[i];
    auto module = Module::load(device, blob.images.subspan(image.offset, image.size));
    if (module.ok() || module.error().code() != ErrorCode::kUnsupported) return module;
    why += fmt::format("; {}: {}", image.target, module.error().message());
  }
  return unsupported(
      "the engine has kernels for {}, and here is {}: compile the model for sm_{}, too (option "
      "'target'){}",
      has, describe(device->info()), capability, why);
}

}  // namespace slipway::cuda
