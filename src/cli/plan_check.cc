#include "cli/plan_check.h"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "cli/text.h"
#include "tensorrt/library/gpu.h"
#include "tensorrt/library/library.h"
#include "tensorrt/library/runtime.h"

namespace slipway::cli {

namespace {

std::string gpus_here() {
  const auto gpus = tensorrt::find_gpus();
  if (!gpus.ok()) return gpus.error().message();
  std::vector<std::string> texts;
  for (const tensorrt::Gpu& gpu : *gpus) {
    texts.push_back(fmt::format("{} of compute capability {}", printable(gpu.name),
                                tensorrt::capability_text(gpu.capability)));
  }
  return fmt::format("here is {}", fmt::join(texts, " and "));
}

// TensorRT's own message, or what its diagnostics mean.
std::string why_invalid(const tensorrt::Validity& validity) {
  if (!validity.message.empty()) return validity.message;
  if ((validity.diagnostics & tensorrt::Validity::kComputeCapability) != 0) {
    return fmt::format("it is not for this GPU's compute capability; {}", gpus_here());
  }
  return fmt::format("diagnostics {:#x}", validity.diagnostics);
}

}  // namespace

Result<std::string> check_plan(std::span<const std::byte> plan, const std::string& built_with,
                               const std::string& library) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto opened, tensorrt::Library::open({.path = library}));
  const std::string here = opened->version().name();
  if (!built_with.empty() && built_with != here) {
    return unavailable(
        "built with {}, but here is {}: a plan runs with the version that built it; bring that "
        "one, "
        "or build it anew",
        built_with, here);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const tensorrt::Runtime runtime, tensorrt::Runtime::create(opened));
  const auto header_size = runtime.header_size();
  if (!header_size) return fmt::format("{}, which judges plans only when it loads them", here);
  if (plan.size() < *header_size) {
    return invalid_file("the plan is cut short: it has {} bytes", plan.size());
  }
  SLIPWAY_ASSIGN_OR_RETURN(const tensorrt::Validity validity,
                           runtime.validity(plan.first(*header_size)));
  if ((validity.diagnostics & tensorrt::Validity::kMalformed) != 0) {
    return invalid_file(
        "{} does not recognise the plan's header: it is damaged, or from another "
        "product",
        here);
  }
  switch (validity.state) {
    case tensorrt::Validity::State::kValid:
      return here + " runs it here";
    case tensorrt::Validity::State::kSuboptimal:
      return here + " runs it here, but slower than one that is built for this GPU";
    case tensorrt::Validity::State::kInvalid:
      break;
  }
  return unavailable("{} does not run it on this machine: {}", here, why_invalid(validity));
}

}  // namespace slipway::cli
