// The files the tool takes: told apart by their content, not by their names.
#pragma once

#include <string>

#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::cli {

enum class FileKind { kArchive, kProgram };  // a zip file; a .pte

// Fails for anything else, and says what it looks like where that is known.
Result<FileKind> file_kind(const std::string& path);

// Loads a .pte; compiles an archive in memory first.
Result<Module> load_module(const std::string& path, const LoadOptions& options);

}  // namespace slipway::cli
