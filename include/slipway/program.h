// A program saved by torch.export, as read from its archive.
#pragma once

#include <memory>
#include <string>

#include "slipway/result.h"

namespace slipway {

namespace ir {
struct Program;
}

// Immutable: may be read and compiled by several threads at once.
class Program {
 public:
  // Reads a `.pt2` archive (any extension) of torch 2.7 to 2.15. Weights stay in the mapped file,
  // which must not change while the program or an artefact made from it lives.
  static Result<Program> load(const std::string& path);

  // The graph as text, for people.
  std::string to_string() const;

  // For the rest of Slipway.
  const ir::Program& ir() const { return *ir_; }
  const std::string& source_sha256() const { return source_sha256_; }

 private:
  Program(std::shared_ptr<const ir::Program> ir, std::string source_sha256)
      : ir_(std::move(ir)), source_sha256_(std::move(source_sha256)) {}
  std::shared_ptr<const ir::Program> ir_;
  std::string source_sha256_;
};

}  // namespace slipway
