// What a shared library that Slipway is linked into shows of it: everything else is hidden.
#pragma once

// On every public function that a library defines, and on classes whose type information crosses
// the boundary: those with virtual functions, and those that are thrown or cast to.
#define SLIPWAY_API __attribute__((visibility("default")))
