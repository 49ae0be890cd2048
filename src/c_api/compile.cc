#include "slipway/compile.h"

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "c_api/error.h"
#include "c_api/options.h"
#include "slipway/inspect.h"
#include "slipway/version.h"

using namespace slipway;  // NOLINT(google-build-using-namespace)

uint32_t slipway_abi_version() { return SLIPWAY_ABI_VERSION; }

const char* slipway_version() { return slipway::version(); }

slipway_error* slipway_compile(const char* archive, const char* output,
                               const slipway_option* options, size_t option_count,
                               slipway_warning warning, void* context) {
  return c_api::guard([&]() -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(archive, "archive"));
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(output, "output"));
    if (option_count > 0) SLIPWAY_RETURN_IF_ERROR(c_api::check_given(options, "options"));
    SLIPWAY_ASSIGN_OR_RETURN(auto compile_options,
                             c_api::to_compile_options({options, option_count}));
    if (warning != nullptr) {
      compile_options.on_warning = [=](const std::string& text) { warning(context, text.c_str()); };
    }
    const bool is_large_in_place =
        compile_options.output == Output::kPte || compile_options.output == Output::kEngine;
    if (is_large_in_place) compile_options.destination = output;
    SLIPWAY_ASSIGN_OR_RETURN(const Program program, Program::load(archive));
    SLIPWAY_ASSIGN_OR_RETURN(const Artefact artefact, compile(program, compile_options));
    return artefact.save(output);
  });
}

slipway_error* slipway_inspect_json(const char* path, char** json) {
  return c_api::guard([&]() -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(path, "path"));
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(json, "json"));
    SLIPWAY_ASSIGN_OR_RETURN(const FileInfo file, inspect(path));
    *json = c_api::copy_text(file.to_json());
    return {};
  });
}

slipway_error* slipway_inspect_text(const char* path, char** text) {
  return c_api::guard([&]() -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(path, "path"));
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(text, "text"));
    SLIPWAY_ASSIGN_OR_RETURN(const FileInfo file, inspect(path));
    *text = c_api::copy_text(file.to_text());
    return {};
  });
}
