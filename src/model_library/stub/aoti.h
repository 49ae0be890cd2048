// What AOTInductor's functions have in common here.
#ifndef SLIPWAY_MODEL_LIBRARY_STUB_AOTI_H
#define SLIPWAY_MODEL_LIBRARY_STUB_AOTI_H

#include <stdint.h>

#define AOTI_API __attribute__((visibility("default")))

typedef int32_t status;  // 0, or 1 with a text for AOTInductorGetLastError()

// The text is copied.
status fail(const char* text);

struct container;

#endif  // SLIPWAY_MODEL_LIBRARY_STUB_AOTI_H
