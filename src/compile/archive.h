// A program as an archive of torch.export.
#pragma once

#include "base/byte_source.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// What Output::kArchive holds.
Result<ByteSource> write_archive(const Program& program, const CompileOptions& options);

}  // namespace slipway
