#include "tensorrt/builder/machine.h"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "tensorrt/library/gpu.h"
#include "tensorrt/library/library.h"
#include "tensorrt/library/runtime.h"

namespace slipway::tensorrt {

namespace {

std::string gpus_here() {
  const auto gpus = find_gpus();
  if (!gpus.ok()) return gpus.error().message();
  std::vector<std::string> texts;
  for (const Gpu& gpu : *gpus) {
    texts.push_back(fmt::format("{} of compute capability {}", printable(gpu.name),
                                capability_text(gpu.capability)));
  }
  return fmt::format("here is {}", fmt::join(texts, " and "));
}

// TensorRT's own message, or what its diagnostics mean.
std::string why_invalid(const Validity& validity) {
  if (!validity.message.empty()) return validity.message;
  if ((validity.diagnostics & Validity::kComputeCapability) != 0) {
    return fmt::format("it is not for this GPU's compute capability; {}", gpus_here());
  }
  return fmt::format("diagnostics {:#x}", validity.diagnostics);
}

std::string library_state(const Result<LibraryPointer>& library) {
  if (!library.ok()) return library.error().message();
  const Status parser = (*library)->require_parser();
  if (!parser.ok()) return parser.error().message();
  return fmt::format("ready to build: {}, {}", (*library)->version().name(), (*library)->path());
}

std::string gpu_state(const Gpu& gpu, const Result<LibraryPointer>& library) {
  std::string text = fmt::format("{}, compute capability {}", printable(gpu.name),
                                 capability_text(gpu.capability));
  if (!library.ok()) return text + "; runs no engines: TensorRT is not here";
  const Version version = (*library)->version();
  if (version.family != Family::kRtx) {
    return text + fmt::format("; runs engines that {} built for it", version.name());
  }
  if (runs_on(version.family, gpu.capability)) {
    return text + fmt::format("; runs engines of {} for sm_{}", version.name(), gpu.capability);
  }
  return text + fmt::format("; runs no engines of {}, whose targets are {}", version.name(),
                            rtx_targets());
}

}  // namespace

Result<std::string> check_plan(std::span<const std::byte> plan, const std::string& built_with,
                               const std::string& library) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto opened, Library::open({.path = library}));
  const std::string here = opened->version().name();
  if (!built_with.empty() && built_with != here) {
    return unavailable(
        "built with {}, but here is {}: a plan runs with the version that built it; bring that "
        "one, "
        "or build it anew",
        built_with, here);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Runtime runtime, Runtime::create(opened));
  const auto header_size = runtime.header_size();
  if (!header_size) return fmt::format("{}, which judges plans only when it loads them", here);
  if (plan.size() < *header_size) {
    return invalid_file("the plan is cut short: it has {} bytes", plan.size());
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Validity validity, runtime.validity(plan.first(*header_size)));
  if ((validity.diagnostics & Validity::kMalformed) != 0) {
    return invalid_file(
        "{} does not recognise the plan's header: it is damaged, or from another "
        "product",
        here);
  }
  switch (validity.state) {
    case Validity::State::kValid:
      return here + " runs it here";
    case Validity::State::kSuboptimal:
      return here + " runs it here, but slower than one that is built for this GPU";
    case Validity::State::kInvalid:
      break;
  }
  return unavailable("{} does not run it on this machine: {}", here, why_invalid(validity));
}

std::vector<std::pair<std::string, std::string>> machine_state() {
  const auto library = Library::open();
  const auto driver = driver_version();
  std::vector<std::pair<std::string, std::string>> rows = {
      {"gpu driver", driver.ok() ? *driver : driver.error().message()}};
  const auto gpus = find_gpus();
  for (const Gpu& gpu : gpus.ok() ? *gpus : std::vector<Gpu>()) {
    rows.emplace_back("gpu " + gpu.device, gpu_state(gpu, library));
  }
  rows.emplace_back("engine tensorrt", library_state(library));
  return rows;
}

}  // namespace slipway::tensorrt
