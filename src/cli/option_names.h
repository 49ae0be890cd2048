// What the tool calls the options of the API.
#pragma once

#include <string>

namespace slipway::cli {

// "--require-full" of "require_full".
std::string flag_of(const std::string& option);
// A message of a library, which calls options by their names in the API ("option 'require_full'"),
// with the flags in their place.
std::string with_flags(const std::string& message);
// The same to stderr.
void print_warning(const std::string& message);

}  // namespace slipway::cli
