// What an Artefact holds: the pieces of a file, or of two.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file_writer.h"
#include "base/piece_writer.h"
#include "onnx/serializer.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

class Artefact::Impl {
 public:
  static Artefact make(Impl impl) {
    return Artefact(std::make_shared<const Impl>(std::move(impl)));
  }

  // Makes it that of an ONNX model, in two files past `most_inline` bytes of constants.
  Status set_model(onnx::Graph graph, uint64_t most_inline = onnx::kMaxInline);

  // Whether the archives still are what was compiled.
  Status check_sources() const;
  // Everything that a user of the written bytes would trip over is found here.
  Status check(const OwnedSpan& bytes, const std::string& name) const;

  PieceList pieces;  // keeps the archives mapped
  bool is_pte = false;
  // Of a model in two files, which is written anew for each name: the graph, and how large the file
  // beside it is.
  std::shared_ptr<const onnx::Graph> model;
  uint64_t max_inline = 0;
  uint64_t data_size = 0;
  std::vector<FileIdentity> sources;
};

}  // namespace slipway
