// CUDA graphs: work of a stream that is recorded once and queued again as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "cuda/driver/device.h"

namespace slipway::cuda {

// For one thread at a time, whose current context is the device's.
class Graph {
 public:
  // Of what `queue` queues on `stream`, none of which is done meanwhile. What fails leaves the
  // stream as it was; the error of `queue` comes first. Other threads may go on, but with what
  // CUDA forbids to all of them while one records.
  static Result<Graph> record(DevicePointer device, const Stream& stream,
                              const std::function<Status()>& queue);
  Graph(Graph&& other) noexcept
      : device_(std::move(other.device_)), handle_(std::exchange(other.handle_, nullptr)) {}
  Graph& operator=(Graph&&) = delete;
  ~Graph();

  Status queue(const Stream& stream) const;

 private:
  Graph(DevicePointer device, void* handle) : device_(std::move(device)), handle_(handle) {}
  DevicePointer device_;
  void* handle_;
};

// The graphs of work that is queued again and again with the same or with other parameters. For one
// thread at a time, as above.
class Graphs {
 public:
  static constexpr size_t kMost = 8;  // parameters that are known at once, the latest ones
  static constexpr int kTries = 3;    // to record a graph, that failed

  explicit Graphs(DevicePointer device) : device_(std::move(device)) {}

  // Queues on `stream` what `queue` queues on the stream that it is given. The parameters are all
  // that the work depends on: the second time that they come, a graph of it is recorded on
  // `recorder`, which is queued then and from then on. Where that fails, the work is queued as the
  // first time, and `failed` is told.
  Status run(const std::vector<uint64_t>& parameters, const Stream& stream, const Stream& recorder,
             const std::function<Status(const Stream&)>& queue,
             const std::function<void(const Error&)>& failed);
  // What a graph would do may be no longer right. None may be at work.
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    std::vector<uint64_t> parameters;
    std::optional<Graph> graph;
    int failures = 0;
  };
  DevicePointer device_;
  std::list<Entry> entries_;  // the latest one first
};

}  // namespace slipway::cuda
