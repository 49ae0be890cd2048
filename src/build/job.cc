#include "build/job.h"

#include <algorithm>
#include <iterator>

#include "base/try.h"
#include "build/constants.h"
#include "onnx/serializer.h"

namespace slipway::build {

bool lacks_memory(std::string_view message) {
  // The last two: no thread can be made, and no library can be mapped.
  constexpr std::string_view kTexts[] = {"bad_alloc",
                                         "not enough memory",
                                         "annot allocate memory",
                                         "ut of memory",
                                         "utOfMemory",
                                         "out_of_memory",
                                         "Resource temporarily unavailable",
                                         "failed to map segment"};
  return std::any_of(std::begin(kTexts), std::end(kTexts), [&](std::string_view text) {
    return message.find(text) != std::string_view::npos;
  });
}

Status add_model(const onnx::Graph& graph, const Constants& constants, Job& job) {
  const auto locate = [&](const onnx::Initializer& initializer) {
    job.constants.push_back(constants.bytes(initializer));
    return onnx::ExternalData{"constants", job.constants.size() - 1};
  };
  SLIPWAY_ASSIGN_OR_RETURN(job.model, onnx::serialize_by_reference(graph, locate));
  return {};
}

}  // namespace slipway::build
