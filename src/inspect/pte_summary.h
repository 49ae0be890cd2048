// What a `.pte` file holds, in numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/description.h"
#include "engine/manifest.h"
#include "pte/reader/reader.h"
#include "slipway/inspect.h"

namespace slipway::inspection {

// What the header of an engine says, where there is one; or why it cannot be read.
using EngineHeader = std::optional<Result<engine::BlobSummary>>;

// A method, and what is known of it besides.
struct MethodDetails {
  const MethodInfo& info;
  const engine::ManifestMethod* described;  // null in files of other tools
  std::span<const EngineHeader> headers;    // of each engine

  // Null likewise.
  const engine::ManifestEngine* described_engine(size_t index) const {
    return described == nullptr ? nullptr : &described->engines[index];
  }
};

struct PteSummary {
  struct Segment {
    uint64_t size = 0;
    std::string content;  // as the manifest calls it, or what the program uses it for
  };

  static Result<PteSummary> read(const std::string& path, const InspectOptions& options);
  static Result<PteSummary> of(const pte::File& file);

  // As long as the summary is there.
  MethodDetails method(size_t index) const;
  size_t instruction_count() const;
  uint64_t planned_bytes() const;
  size_t engine_count() const;

  // The file with the engines that are outside of the program.
  struct DataFile {
    std::string path;
    std::string error;  // why it can't be used, in place of the rest
    std::vector<std::pair<std::string, uint64_t>> entries;  // key and bytes
  };

  uint64_t file_size = 0;
  uint64_t program_size = 0;
  uint64_t constant_bytes = 0;
  uint64_t engine_bytes = 0;  // methods may share one
  std::vector<MethodInfo> methods;
  std::vector<std::vector<EngineHeader>> headers;  // of the engines of each method
  std::vector<Segment> segments;
  std::vector<std::pair<std::string, uint64_t>> named_data;  // key and bytes
  std::optional<engine::Manifest> manifest;
  std::vector<nlohmann::ordered_json> graphs;  // of each method; read() alone has them
  std::optional<DataFile> data_file;           // nothing where no engine is outside
};

}  // namespace slipway::inspection
