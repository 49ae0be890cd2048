#include "cuda/driver/graphs.h"

#include <algorithm>

#include "base/error.h"
#include "base/try.h"

namespace slipway::cuda {
namespace {

// CUDA's number: what other threads do is their own business.
constexpr int kCaptureThreadLocal = 1;

}  // namespace

Result<Graph> Graph::record(DevicePointer device, const Stream& stream,
                            const std::function<Status()>& queue) {
  const Driver& driver = device->driver();
  const Functions& call = driver.call();
  const auto text = [&] {
    return fmt::format("a CUDA graph can't be recorded on {}", describe(device->info()));
  };
  SLIPWAY_RETURN_IF_ERROR(
      driver.check(call.begin_capture(stream.handle(), kCaptureThreadLocal), text));
  void* graph = nullptr;
  Status queued;
  try {
    queued = queue();
  } catch (...) {
    call.end_capture(stream.handle(), &graph);
    if (graph != nullptr) call.destroy_graph(graph);
    throw;
  }
  const int ended = call.end_capture(stream.handle(), &graph);
  void* handle = nullptr;
  const int made = queued.ok() && ended == 0 ? call.instantiate_graph(&handle, graph, 0) : ended;
  if (graph != nullptr) call.destroy_graph(graph);
  if (!queued.ok()) return queued.error();
  SLIPWAY_RETURN_IF_ERROR(driver.check(made, text));
  return Graph(std::move(device), handle);
}

Graph::~Graph() {
  if (handle_ == nullptr) return;
  if (const auto current = device_->make_current(); current.ok()) {
    device_->driver().call().destroy_executable_graph(handle_);
  }
}

Status Graph::queue(const Stream& stream) const {
  const Driver& driver = device_->driver();
  return driver.check(driver.call().launch_graph(handle_, stream.handle()), [&] {
    return fmt::format("a CUDA graph does not run on {}", describe(device_->info()));
  });
}

Status Graphs::run(const std::vector<uint64_t>& parameters, const Stream& stream,
                   const Stream& recorder, const std::function<Status(const Stream&)>& queue,
                   const std::function<void(const Error&)>& failed) {
  const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.parameters == parameters;
  });
  if (known == entries_.end()) {
    SLIPWAY_RETURN_IF_ERROR(queue(stream));
    if (entries_.size() == kMost) entries_.pop_back();
    entries_.push_front({parameters, std::nullopt, 0});
    return {};
  }
  entries_.splice(entries_.begin(), entries_, known);
  Entry& entry = entries_.front();
  if (!entry.graph && entry.failures < kTries) {
    auto graph = Graph::record(device_, recorder, [&] { return queue(recorder); });
    if (graph.ok()) {
      entry.graph.emplace(*std::move(graph));
    } else {
      ++entry.failures;
      failed(graph.error());
    }
  }
  return entry.graph ? entry.graph->queue(stream) : queue(stream);
}

}  // namespace slipway::cuda
