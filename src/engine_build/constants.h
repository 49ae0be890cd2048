// What builders of all engines need of a lowered graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/description.h"
#include "engine/record.h"
#include "onnx/graph.h"
#include "slipway/result.h"

namespace slipway::engine_build {

// Libraries read constants with the widest instructions there are.
inline constexpr uint64_t kConstantAlignment = 64;

// The bytes of a graph's constants at addresses that stay. Those that have to be laid out anew or
// converted lie in an unlinked temporary file, so that they take no anonymous memory. The graph
// must outlive it and stay as it is.
class Constants {
 public:
  static Result<Constants> of(const onnx::Graph& graph);

  std::span<const std::byte> bytes(const onnx::Initializer& initializer) const {
    return bytes_.at(&initializer);
  }
  // Of all together.
  uint64_t nbytes() const { return nbytes_; }

 private:
  std::unordered_map<const onnx::Initializer*, std::span<const std::byte>> bytes_;
  OwnedSpan laid_out_;
  uint64_t nbytes_ = 0;
};

// What the record of an engine of the graph has whichever library builds it: engine, backend,
// inputs, outputs and weight_bytes.
engine::EngineRecord record_of(const engine::Description& engine, const onnx::Graph& graph,
                               const Constants& constants);

}  // namespace slipway::engine_build
