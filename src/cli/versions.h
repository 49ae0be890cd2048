// What `slipway --version` prints.
#pragma once

#include <string>

namespace slipway::cli {

// Of Slipway, of ExecuTorch, of the libraries of engines that are here, and of what is written into
// files. Opens those libraries.
std::string versions();

}  // namespace slipway::cli
