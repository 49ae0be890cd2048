#include "slipway/program.h"

#include "base/guard.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "compile/program_impl.h"
#include "ir/program.h"
#include "pt2/program_reader.h"

namespace slipway {

Result<Program> Program::load(const std::string& path) {
  return guarded(path, [&]() -> Result<Program> {
    SLIPWAY_ASSIGN_OR_RETURN(const FileIdentity identity, FileIdentity::of(path));
    SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
    SLIPWAY_ASSIGN_OR_RETURN(ir::Program program,
                             pt2::read_program(OwnedSpan{file->bytes(), file}, path));
    std::string sha256 = sha256_hex(file->bytes());
    SLIPWAY_RETURN_IF_ERROR(identity.check_unchanged());
    return Impl::make({std::move(program), identity, std::move(sha256)});
  });
}

std::string Program::to_string() const { return impl_ ? ir::print(impl_->ir) : std::string(); }

}  // namespace slipway
