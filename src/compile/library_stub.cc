#include "compile/library_stub.h"

// The file that SLIPWAY_LIBRARY_STUB names, as it is.
__asm__(
    ".section .rodata\n"
    ".balign 16\n"
    "slipway_library_stub_begin:\n"
    ".incbin \"" SLIPWAY_LIBRARY_STUB
    "\"\n"
    "slipway_library_stub_end:\n"
    ".previous\n");

extern "C" const std::byte slipway_library_stub_begin[];
extern "C" const std::byte slipway_library_stub_end[];

namespace slipway {

std::span<const std::byte> library_stub() {
  return {slipway_library_stub_begin, slipway_library_stub_end};
}

}  // namespace slipway
