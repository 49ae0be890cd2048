// Writes a graph as ONNX's ModelProto.
#pragma once

#include <functional>
#include <string>

#include "base/file_writer.h"
#include "base/piece_writer.h"
#include "onnx/graph.h"
#include "slipway/result.h"

namespace slipway::onnx {

// Where the data of an initializer lies, as ONNX's external data has it.
struct ExternalData {
  std::string location;
  uint64_t offset = 0;
};

// A message whose larger initializers are references, for engines in this process. `locate` says
// where; initializers below 1 KiB are inline. Nodes don't say where they came from, so that equal
// models give equal messages. Such a message is never saved.
using Locate = std::function<ExternalData(const Initializer&)>;
Result<std::string> serialize_by_reference(const Graph& graph, const Locate& locate);

// Such a message with its references elsewhere: `locate` is given the name and the offset of each.
using Relocate = std::function<ExternalData(const std::string& name, uint64_t offset)>;
Result<std::string> relocate(const std::string& model, const Relocate& locate);

// A model in files.
struct ModelFiles {
  PieceList model;
  PieceList data;  // empty where the model holds everything
};

// Protobuf can't hold 2 GB: past `max_inline` bytes of constants, those of 1 KiB and more lie in
// the data file `data_name`, which is a plain file name, each at a multiple of 64 bytes. What state
// holds at the start is the default value of its input. Nothing is assembled in memory.
inline constexpr uint64_t kMaxInline = 1'900'000'000;
Result<ModelFiles> serialize(const Graph& graph, const std::string& data_name,
                             uint64_t max_inline = kMaxInline);

// The data file of a model that is saved to `path`.
inline std::string data_path(const std::string& path) { return path + ".data"; }
// serialize() to `path`, and to its data file where that is needed: the data first, so that there
// is never a model without it. `progress` counts the bytes of both, and `check` is given each.
Status save(const Graph& graph, const std::string& path, uint64_t max_inline = kMaxInline,
            const WriteProgress& progress = {}, const FileCheck& check = {});

}  // namespace slipway::onnx
