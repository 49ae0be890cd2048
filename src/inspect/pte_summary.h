// What a `.pte` file holds, in numbers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/description.h"
#include "engine/manifest.h"
#include "pte/reader/reader.h"
#include "slipway/module.h"

namespace executorch_flatbuffer {
struct BackendDelegate;
}  // namespace executorch_flatbuffer

namespace slipway::inspection {

// What the delegate is given: an engine with its header.
std::span<const std::byte> delegate_data(const pte::File& file,
                                         const executorch_flatbuffer::BackendDelegate& delegate);

struct PteSummary {
  struct Engine {
    std::string backend;
    uint64_t bytes = 0;                               // with its header
    std::optional<engine::ManifestEngine> described;  // by the manifest
    // What the header says, where there is one; or why it cannot be read.
    std::optional<Result<engine::BlobSummary>> header = std::nullopt;
  };
  struct Method {
    std::string name;
    std::vector<ValueInfo> inputs;
    std::vector<ValueInfo> outputs;
    Tree input_tree;
    Tree output_tree;
    uint64_t planned_bytes = 0;
    size_t value_count = 0;
    std::vector<std::string> instructions;    // "aten::add.out", "move", "jump if false", ...
    std::map<std::string, size_t> operators;  // calls of each
    std::vector<Engine> engines;              // in the order of ExecutionPlan.delegates
    std::vector<engine::ManifestOutside> outside;
    std::vector<std::pair<std::string, std::string>> state;  // name and type of mutable buffers
  };
  struct Segment {
    uint64_t size = 0;
    std::string content;  // as the manifest calls it, or what the program uses it for
  };

  static Result<PteSummary> read(const std::string& path, bool trust);
  static Result<PteSummary> of(const pte::File& file);

  size_t instruction_count() const;
  uint64_t planned_bytes() const;
  size_t engine_count() const;

  uint64_t file_size = 0;
  uint64_t program_size = 0;
  uint64_t constant_bytes = 0;
  uint64_t engine_bytes = 0;  // of segments: methods may share one
  std::vector<Method> methods;
  std::vector<Segment> segments;
  std::vector<std::pair<std::string, uint64_t>> named_data;  // key and bytes
  std::optional<engine::Manifest> manifest;
};

}  // namespace slipway::inspection
