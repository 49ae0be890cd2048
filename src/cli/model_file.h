// The files that the tool runs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/engine_options.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::cli {

// The values of --bound: "s77=64" each.
Result<std::map<std::string, int64_t>> parse_sizes(const char* option,
                                                   const std::vector<std::string>& texts);

// Loads a .pte; compiles an archive in memory first, under these bounds.
Result<Module> load_module(const std::string& path, const LoadOptions& options,
                           const std::vector<std::string>& bounds = {},
                           const EngineOptions& engine = {});

// Adds --data-file, which LoadOptions has.
void add_data_file(const Command& command, std::string& path);
// --size, for parse_sizes().
void add_sizes(const Command& command, std::vector<std::string>& sizes);

}  // namespace slipway::cli
