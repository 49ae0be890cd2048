// What an Artefact holds: the pieces of a file, or of two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/file_writer.h"
#include "base/piece_writer.h"
#include "engine/record.h"
#include "onnx/serializer.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// The file that an engine was built in, for the first one that saves the rest of it.
class StartedEngine {
 public:
  explicit StartedEngine(std::shared_ptr<StartedFile> file) : file_(std::move(file)) {}

  // The largest of the engines' files, or null: the others are copied, and closed.
  static std::shared_ptr<StartedEngine> take_largest(const std::vector<engine::Engine*>& engines);

  // May be called by several threads at once; one of them gets it.
  std::shared_ptr<StartedFile> take();
  // After that the engine's bytes lie in the file at `path`.
  void is_saved(const std::string& path);
  Status check_unchanged() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<StartedFile> file_;
  std::optional<FileIdentity> saved_;
  std::string saved_path_;
};

class Artefact::Impl {
 public:
  static Artefact make(Impl impl) {
    return Artefact(std::make_shared<const Impl>(std::move(impl)));
  }
  static const Impl& of(const Artefact& artefact) { return *artefact.impl_; }

  // Makes it that of an ONNX model, in two files past `most_inline` bytes of constants.
  Status set_model(onnx::Graph graph, uint64_t most_inline = onnx::kMaxInline);

  // Puts its .pte into what `output` is, where that is no .pte.
  // `on_gpu`: has engines of a GPU.
  void put_into(Output output, bool on_gpu);

  // Whether the archives still are what was compiled.
  Status check_sources() const;
  // Everything that a user of the written bytes would trip over is found here.
  Status check(const OwnedSpan& bytes, const std::string& name) const;

  // Writes its one file, or the program behind its data file.
  Status save(const std::string& path, const WriteProgress& progress) const;

  PieceList pieces;  // keeps the archives mapped
  bool is_pte = false;
  bool is_package = false;  // with such a file
  // Of an archive: the nodes of its program, and the engines that it calls.
  size_t nodes = 0;
  size_t engines = 0;
  uint64_t engine_bytes = 0;
  // The engines of a .pte in a file beside it, and that file's name; empty: they are in the .pte.
  PieceList data;
  std::string data_file;
  std::set<std::string> data_keys;
  // Of a model in two files, which is written anew for each name: the graph, and how large the file
  // beside it is.
  std::shared_ptr<const onnx::Graph> model;
  uint64_t max_inline = 0;
  uint64_t weights_size = 0;
  std::vector<FileIdentity> sources;
  std::shared_ptr<StartedEngine> started;  // may be null
};

}  // namespace slipway
