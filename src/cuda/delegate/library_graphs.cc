// Convolutions and attention that cuDNN computes.
#include <chrono>
#include <set>
#include <utility>

#include <executorch/runtime/platform/log.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "cuda/delegate/engine.h"
#include "cuda/delegate/library_calls.h"
#include "cuda/delegate/refuse.h"
#include "cuda/format/plans.h"

namespace slipway::cuda {
namespace {

std::vector<int64_t> signed_of(const std::vector<uint64_t>& numbers) {
  return {numbers.begin(), numbers.end()};
}

DnnGraph::Kind kind_of(table::LibraryGraphKind kind) {
  switch (kind) {
    case table::LibraryGraphKind::Attention:
      return DnnGraph::Kind::kAttention;
    case table::LibraryGraphKind::Product:
      return DnnGraph::Kind::kProduct;
    case table::LibraryGraphKind::Convolution:
      break;
  }
  return DnnGraph::Kind::kConvolution;
}

// As read_blob() has checked it.
DnnGraph dnn_graph_of(const table::EngineT& engine, const table::LibraryGraphT& graph) {
  DnnGraph made;
  made.kind = kind_of(graph.kind);
  made.is_bfloat16 = graph.type == static_cast<int8_t>(executorch::aten::ScalarType::BFloat16);
  made.has_bias = graph.has_bias;
  made.has_c = graph.has_c;
  made.activation = graph.activation == table::LibraryActivation::Relu ? DnnGraph::Activation::kRelu
                    : graph.activation == table::LibraryActivation::Gelu
                        ? DnnGraph::Activation::kGelu
                        : DnnGraph::Activation::kNone;
  for (const auto& tensor : graph.tensors) {
    made.tensors.push_back({signed_of(tensor->sizes), signed_of(tensor->strides)});
  }
  made.strides = signed_of(graph.strides);
  made.pads = signed_of(graph.pads);
  made.dilations = signed_of(graph.dilations);
  made.scale = graph.scale;
  made.workspace_bytes =
      static_cast<uint64_t>(engine.numbers[engine.buffers[graph.workspace]->bytes]->value);
  return made;
}

}  // namespace

Surroundings LoadedEngine::here() {
  Surroundings here = {image_ ? std::string_view(image_->target) : std::string_view(),
                       products_.has_value()};
  if (graphs_by_cudnn_) {
    here.computes = [this](const table::LibraryGraphT& graph) {
      return graphs_by_cudnn_->prepare(dnn_graph_of(engine_, graph), graph.rank).ok();
    };
  }
  return here;
}

void LoadedEngine::open_cudnn(const char* without) {
  if (graphs_by_cudnn_) return;
  auto calls = open_calls<Cudnn, DnnGraphs>(without);
  if (!calls) return;
  graphs_by_cudnn_.emplace(*std::move(calls));
  restore_plans();
}

// Those of another version are made again, out of their graphs.
void LoadedEngine::restore_plans() {
  const auto plans = read_plans(engine_);
  if (!plans.ok()) return;
  std::string reason;
  size_t made = 0;
  const auto start = std::chrono::steady_clock::now();
  for (const auto& [step, text] : *plans) {
    const table::LibraryGraphT& graph = *engine_.steps[step].AsLibraryGraph();
    const DnnGraph own = dnn_graph_of(engine_, graph);
    const Status restored = graphs_by_cudnn_->restore(own, graph.rank, text);
    if (restored.ok()) continue;
    reason = restored.error().message();
    if (graphs_by_cudnn_->prepare(own, graph.rank).ok()) ++made;
  }
  if (reason.empty()) return;
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  ET_LOG(Error,
         "%s: %zu plan(s) of cuDNN were made again, in %.0f ms; `slipway tune` keeps them: %s",
         kTitle, made, took.count(), reason.c_str());
}

void LoadedEngine::tell_refused_graphs(const Choices& wanted) {
  std::set<uint32_t> refused;
  std::string reason;
  for (const auto& step : engine_.steps) {
    const table::LibraryGraphT* const graph = step.AsLibraryGraph();
    if (graph == nullptr || graph->alternative != wanted[graph->choice - 1] ||
        is_chosen(engine_, step)) {
      continue;
    }
    const Status status = graphs_by_cudnn_->prepare(dnn_graph_of(engine_, *graph), graph->rank);
    if (refused.insert(graph->choice).second && !status.ok()) reason = status.error().message();
  }
  if (refused.empty()) return;
  ET_LOG(Error, "%s: %zu choice(s) of cuDNN run by kernels: %s", kTitle, refused.size(),
         reason.c_str());
}

std::map<uint32_t, std::string> LoadedEngine::store_plans() {
  std::map<uint32_t, std::string> plans;
  if (!graphs_by_cudnn_) return plans;
  std::set<std::pair<DnnGraph, uint8_t>> known;
  for (uint32_t i = 0; i < engine_.steps.size(); ++i) {
    const table::LibraryGraphT* const graph = engine_.steps[i].AsLibraryGraph();
    if (graph == nullptr || !is_chosen(engine_, engine_.steps[i])) continue;
    const DnnGraph own = dnn_graph_of(engine_, *graph);
    if (!known.emplace(own, graph->rank).second) continue;
    auto text = graphs_by_cudnn_->store(own, graph->rank);
    if (text.ok()) plans.emplace(i, *std::move(text));
  }
  return plans;
}

Status LoadedEngine::queue(const table::LibraryGraphT& graph, const Stream& stream) {
  std::vector<Address> addresses;
  for (const auto& tensor : graph.tensors) {
    addresses.push_back(address_of(tensor->buffer) + 2 * tensor->offset);
  }
  const Status queued = graphs_by_cudnn_->run(dnn_graph_of(engine_, graph), graph.rank, addresses,
                                              address_of(graph.workspace), stream);
  if (queued.ok()) return {};
  return queued.error().with_context(
      fmt::format("{} on {}", printable(graph.origin), describe(device_->info())));
}

}  // namespace slipway::cuda
