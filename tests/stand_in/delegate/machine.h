// What the stand-in says of its library and of this machine.
#pragma once

#include <string>

namespace slipway::stand_in {

// Tests change it, as if another one were here. Not thread-safe.
struct Machine {
  std::string library_version = "1";
  std::string capabilities = "float32";
};

inline Machine& machine() {
  static Machine machine;
  return machine;
}

}  // namespace slipway::stand_in
