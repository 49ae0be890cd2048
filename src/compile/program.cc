#include "slipway/program.h"

#include "base/guard.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "ir/program.h"
#include "pt2/program_reader.h"

namespace slipway {

Result<Program> Program::load(const std::string& path) {
  return guarded(path, [&]() -> Result<Program> {
    SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
    SLIPWAY_ASSIGN_OR_RETURN(ir::Program program,
                             pt2::read_program(OwnedSpan{file->bytes(), file}, path));
    return Program(std::make_shared<const ir::Program>(std::move(program)),
                   sha256_hex(file->bytes()));
  });
}

std::string Program::to_string() const { return ir::print(*ir_); }

}  // namespace slipway
