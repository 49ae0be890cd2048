#include "compile/archive.h"

#include <vector>

#include "base/try.h"
#include "compile/program_impl.h"
#include "compile/symbol_bounds.h"
#include "pt2/program_writer.h"

namespace slipway {

Result<ByteSource> write_archive(const Program& program, const CompileOptions& options) {
  std::vector<ir::Program> programs = {Program::Impl::of(program).ir.clone()};
  SLIPWAY_RETURN_IF_ERROR(apply_bounds(programs, options.bounds, options.on_warning));
  if (options.on_step) options.on_step("describe the program");
  return pt2::write_program(programs[0]);
}

}  // namespace slipway
