// The shared library that a program is put into: src/model_library/stub, as it was built.
#pragma once

#include <cstddef>
#include <span>

namespace slipway {

std::span<const std::byte> library_stub();

}  // namespace slipway
