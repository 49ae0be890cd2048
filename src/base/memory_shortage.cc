#include "base/memory_shortage.h"

#include <algorithm>
#include <iterator>

namespace slipway {

bool lacks_memory(std::string_view message) {
  // The last two: no thread can be made, and no library can be mapped.
  constexpr std::string_view kTexts[] = {"bad_alloc",
                                         "not enough memory",
                                         "annot allocate memory",
                                         "ailed to allocate",
                                         "ut of memory",
                                         "utOfMemory",
                                         "out_of_memory",
                                         "Resource temporarily unavailable",
                                         "failed to map segment"};
  return std::any_of(std::begin(kTexts), std::end(kTexts), [&](std::string_view text) {
    return message.find(text) != std::string_view::npos;
  });
}

}  // namespace slipway
