// Programs that are compiled already, as files of another kind.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/guard.h"
#include "base/try.h"
#include "compile/artefact.h"
#include "compile/output.h"
#include "pte/reader/reader.h"
#include "runtime/plan.h"
#include "runtime/requirements.h"
#include "slipway/compile.h"

namespace slipway {

Result<Artefact> repack(const std::string& path, Output output) {
  if (!is_program(output)) {
    return invalid_argument("{} is compiled already: what else is to be made needs the archive",
                            path);
  }
  return guarded(path, [&]() -> Result<Artefact> {
    Artefact::Impl artefact;
    SLIPWAY_ASSIGN_OR_RETURN(FileIdentity source, FileIdentity::of(path));
    artefact.sources.push_back(std::move(source));
    SLIPWAY_ASSIGN_OR_RETURN(const auto mapped, MappedFile::open(path));
    SLIPWAY_ASSIGN_OR_RETURN(const pte::File file,
                             pte::File::read({mapped->bytes(), mapped}, path));
    const Status checksums = file.verify_checksums();
    if (!checksums.ok() && checksums.error().code() != ErrorCode::kNotFound) {
      return checksums.error();
    }
    artefact.pieces.add(OwnedSpan{file.bytes(), mapped});
    artefact.is_pte = true;
    const std::vector<std::string> methods = runtime::method_names(file);
    if (output == Output::kAotiPackage && methods.size() != 1) {
      return invalid_argument("a package of AOTInductor holds one program, but {} has {}: {}", path,
                              methods.size(), fmt::join(methods, ", "));
    }
    artefact.put_into(output, std::any_of(methods.begin(), methods.end(), [&](const auto& method) {
                        return runtime::has_cuda_engine(file, method);
                      }));
    return Artefact::Impl::make(std::move(artefact));
  });
}

}  // namespace slipway
