#include "pte/emitter/emitter.h"

#include <set>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "engine/manifest.h"
#include "pte/emitter/describe_method.h"
#include "pte/emitter/file_layout.h"
#include "pte/emitter/method_emitter.h"

namespace slipway::pte {

Result<PieceList> emit(const std::vector<Method>& methods, const EmitOptions& options) {
  if (methods.empty()) return invalid_argument("a program needs a method");
  std::set<std::string> names;
  for (const Method& method : methods) {
    if (method.name.empty()) return invalid_argument("a method needs a name");
    if (!names.insert(method.name).second) {
      return invalid_argument("two methods are named {}; give each a name of its own", method.name);
    }
  }
  FileData data;
  std::vector<EmittedMethod> emitted;
  engine::Manifest manifest;
  manifest.tool_version = options.tool_version;
  manifest.data_file = options.data_file;
  manifest.tuning = options.tuning;
  for (const Method& method : methods) {
    auto result = MethodEmitter(method, options, data).emit();
    if (!result.ok()) return result.error().with_context(method.program->source);
    manifest.methods.push_back(describe_method(method, *result));
    emitted.push_back(std::move(*result));
  }
  return lay_out(emitted, data, std::move(manifest));
}

}  // namespace slipway::pte
