// A program saved by torch.export, as read from its archive.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "slipway/result.h"

namespace slipway {

class FileIdentity;
namespace ir {
struct Program;
}

// Immutable: may be read and compiled by several threads at once.
class Program {
 public:
  // Reads a `.pt2` archive (any extension) of torch 2.7 to 2.15. Weights stay in the mapped file,
  // which must not change while the program or an artefact made from it lives: a file that is cut
  // meanwhile ends the process when its weights are read (SIGBUS). compile() and Artefact::save()
  // give an error for one that was changed before. To replace the file as a whole, as a rename
  // does, is safe.
  static Result<Program> load(const std::string& path);

  // The graph as text, for people.
  std::string to_string() const;

  // Not after it was moved from.
  bool is_loaded() const { return ir_ != nullptr; }

  // For the rest of Slipway; they require is_loaded().
  const ir::Program& ir() const { return *ir_; }
  const std::string& source_sha256() const { return source_sha256_; }
  const FileIdentity& file() const { return *file_; }

 private:
  Program(std::shared_ptr<const ir::Program> ir, std::shared_ptr<const FileIdentity> file,
          std::string source_sha256)
      : ir_(std::move(ir)), file_(std::move(file)), source_sha256_(std::move(source_sha256)) {}
  std::shared_ptr<const ir::Program> ir_;
  std::shared_ptr<const FileIdentity> file_;
  std::string source_sha256_;
};

}  // namespace slipway
