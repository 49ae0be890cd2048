// The files the tool takes: told apart by their content, not by their names.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/engine_options.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::cli {

enum class FileKind { kArchive, kProgram, kPlan };  // a zip file; a .pte; of TensorRT

// Fails for anything else, and says what it looks like where that is known.
Result<FileKind> file_kind(const std::string& path);

// The values of --bound: "s77=64" each.
Result<std::map<std::string, int64_t>> parse_bounds(const std::vector<std::string>& texts);

// Loads a .pte; compiles an archive in memory first, under these bounds.
Result<Module> load_module(const std::string& path, const LoadOptions& options,
                           const std::vector<std::string>& bounds = {},
                           const EngineOptions& engine = {});

}  // namespace slipway::cli
