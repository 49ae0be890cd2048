// A program saved by torch.export, as read from its archive.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "slipway/export.h"
#include "slipway/result.h"

namespace slipway {

// Immutable: may be read and compiled by several threads at once. Copies share what was read.
class Program {
 public:
  // Reads a `.pt2` archive (any extension) of torch 2.7 to 2.15. Weights stay in the mapped file,
  // which must not change while the program or an artefact made from it lives: a file that is cut
  // meanwhile ends the process when its weights are read (SIGBUS). compile() and Artefact::save()
  // give an error for one that was changed before. To replace the file as a whole, as a rename
  // does, is safe.
  SLIPWAY_API static Result<Program> load(const std::string& path);

  // The graph as text, for people. Empty after the program was moved from.
  SLIPWAY_API std::string to_string() const;

  // Not after it was moved from.
  bool is_loaded() const { return impl_ != nullptr; }

  class Impl;

 private:
  explicit Program(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace slipway
