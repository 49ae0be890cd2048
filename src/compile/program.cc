#include "slipway/program.h"

#include <future>

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
    // Each takes about as long as the other: the reader checks every weight's checksum.
    std::future<std::string> sha256 = std::async([&] { return sha256_hex(file->bytes()); });
    SLIPWAY_ASSIGN_OR_RETURN(ir::Program program,
                             pt2::read_program(OwnedSpan{file->bytes(), file}, path));
    std::string digest = sha256.get();
    SLIPWAY_RETURN_IF_ERROR(identity.check_unchanged());
    return Impl::make({std::move(program), identity, std::move(digest)});
  });
}

std::string Program::to_string() const { return impl_ ? ir::print(impl_->ir) : std::string(); }

}  // namespace slipway
