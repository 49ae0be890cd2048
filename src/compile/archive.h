// A program as an archive of torch.export.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/byte_source.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// What Output::kArchive holds.
struct ProgramArchive {
  ByteSource bytes;
  size_t nodes = 0;  // of its program, those within others included
  // Those that it calls, each once.
  size_t engines = 0;
  uint64_t engine_bytes = 0;
};

Result<ProgramArchive> write_archive(const Program& program, const CompileOptions& options);

}  // namespace slipway
