// What a Program holds, for the rest of Slipway.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/file_writer.h"
#include "ir/program.h"
#include "slipway/program.h"

namespace slipway {

// SHA-256 of an archive, which is computed beside all that is done with it.
class Digest;

class Program::Impl {
 public:
  // Requires program.is_loaded().
  static const Impl& of(const Program& program) { return *program.impl_; }
  static Program make(Impl impl) { return Program(std::make_shared<const Impl>(std::move(impl))); }

  ir::Program ir;
  FileIdentity file;
  std::shared_ptr<Digest> digest;

  // Of the archive; waits for it. May be called by several threads at once.
  std::string source_sha256() const;
};

}  // namespace slipway
