// Checks a graph for XNNPACK: what the check reads lies within.
#include <cstdint>
#include <span>
#include <tuple>

#include "base/error.h"
#include "pte/format/limits.h"
#include "xnnpack/format/graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint64_t steps = 0;
  const slipway::engine::BlobSurroundings surroundings = {
      [](std::string_view name) { return std::optional<uint64_t>(name.size()); },
      [&](uint64_t more) -> slipway::Status {
        steps += more;
        if (steps > slipway::pte::kMaxSteps) return slipway::invalid_file("too many steps");
        return {};
      }};
  std::ignore = slipway::xnnpack::check_graph(std::as_bytes(std::span(data, size)), surroundings);
  return 0;
}
