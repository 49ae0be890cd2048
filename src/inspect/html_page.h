// What a file holds as a page for browsers.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "slipway/result.h"

namespace slipway::inspection {

// `file` is what FileInfo::to_json() gives, and `profile` the text of an x.json of
// `slipway run`, or empty. Nothing of either is markup in the page, whatever it holds.
Result<std::string> html_page(const std::string& path, const nlohmann::ordered_json& file,
                              const std::string& profile);

}  // namespace slipway::inspection
