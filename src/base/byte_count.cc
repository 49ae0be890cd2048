#include "base/byte_count.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string_view>
#include <system_error>

#include "base/error.h"

namespace slipway {
namespace {

struct Unit {
  std::string_view name;  // in lower case
  uint64_t bytes;
};
constexpr Unit kUnits[] = {
    {"", 1},
    {"b", 1},
    {"kb", 1'000},
    {"mb", 1'000'000},
    {"gb", 1'000'000'000},
    {"tb", 1'000'000'000'000},
    {"kib", uint64_t{1} << 10},
    {"mib", uint64_t{1} << 20},
    {"gib", uint64_t{1} << 30},
    {"tib", uint64_t{1} << 40},
};

char lower_case(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

Result<uint64_t> parse_byte_count(const std::string& text) {
  const char* const end = text.data() + text.size();
  uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  std::string unit_name(rest, static_cast<size_t>(end - rest));
  std::transform(unit_name.begin(), unit_name.end(), unit_name.begin(), lower_case);
  const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                  [&](const Unit& known) { return known.name == unit_name; });
  const bool is_number = error == std::errc() || error == std::errc::result_out_of_range;
  if (!is_number || unit == std::end(kUnits)) {
    return invalid_argument(
        "'{}' is not a size: write a whole number of bytes, or one with a unit "
        "as in 512MiB or 2GB",
        text);
  }
  uint64_t bytes = 0;
  if (error != std::errc() || __builtin_mul_overflow(number, unit->bytes, &bytes)) {
    return invalid_argument("'{}' is more bytes than 64 bits can count", text);
  }
  return bytes;
}

}  // namespace slipway
