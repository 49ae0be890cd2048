#include "cuda/format/steps.h"

namespace slipway::cuda {

size_t result_of(const table::LibraryGraphT& graph) {
  return graph.kind == table::LibraryGraphKind::Attention ? 3 : 2;
}

StepInfo info_of(const table::StepUnion& step) {
  if (const table::LaunchT* const launch = step.AsLaunch()) {
    return {launch->origin,      launch->plan,   launch->choice,
            launch->alternative, launch->target, Library::kNone};
  }
  if (const table::ProductT* const product = step.AsProduct()) {
    return {product->origin,   product->plan, product->choice, product->alternative, {},
            Library::kCublasLt};
  }
  if (const table::LibraryGraphT* const graph = step.AsLibraryGraph()) {
    return {graph->origin, graph->plan, graph->choice, graph->alternative, {}, Library::kCudnn};
  }
  return {};
}

std::vector<uint32_t> reads_of(const table::StepUnion& step) {
  if (const table::LaunchT* const launch = step.AsLaunch()) return launch->reads;
  if (const table::CopyT* const copy = step.AsCopy()) return {copy->from};
  std::vector<uint32_t> read;
  if (const table::ProductT* const product = step.AsProduct()) {
    read = {product->a, product->b};
    for (const uint32_t added : {product->bias, product->c}) {
      if (added != 0) read.push_back(added - 1);
    }
  }
  if (const table::LibraryGraphT* const graph = step.AsLibraryGraph()) {
    for (size_t i = 0; i < graph->tensors.size(); ++i) {
      if (i != result_of(*graph)) read.push_back(graph->tensors[i]->buffer);
    }
  }
  return read;
}

std::vector<uint32_t> writes_of(const table::StepUnion& step) {
  if (const table::LaunchT* const launch = step.AsLaunch()) return launch->writes;
  if (const table::CopyT* const copy = step.AsCopy()) return {copy->to};
  if (const table::LibraryGraphT* const graph = step.AsLibraryGraph()) {
    return {graph->tensors.at(result_of(*graph))->buffer, graph->workspace};
  }
  const table::ProductT* const product = step.AsProduct();
  return product == nullptr ? std::vector<uint32_t>()
                            : std::vector<uint32_t>{product->d, product->workspace};
}

}  // namespace slipway::cuda
