// What a delegate is told of an engine's sizes. Inputs may be sizes, as a program computes them
// from data: OpenVINO does not check them, and writes outside of memory for a negative one.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

namespace slipway::openvino {

// The compile spec of this key lists them: "2:0:16,3:1:" is input 2, from 0 to 16, and input 3,
// from 1 on.
inline constexpr const char* kSizeInputs = "size_inputs";

// The compile spec of this key has the sizes of the outputs, where all of them may have no
// elements: outputs end with ';', sizes with ',', and each is in postfix order, of numbers, "i0.1"
// (size 1 of input 0), "v2" (the integer that input 2 is) and + * / % < > ^: the quotient rounded
// down, the remainder with the sign of the divisor, the smaller, the larger, the power.
inline constexpr const char* kOutputSizes = "output_sizes";

// An int64 tensor of one element.
struct SizeInput {
  size_t index = 0;
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
};

// Nothing where the text is no such list.
inline std::optional<std::vector<SizeInput>> parse_size_inputs(std::string_view text) {
  std::vector<SizeInput> inputs;
  const auto next = [&](char end, auto& number) {
    if (end == ':' && text.find(end) == std::string_view::npos) return false;
    const size_t length = std::min(text.find(end), text.size());
    const auto read = std::from_chars(text.data(), text.data() + length, number);
    const bool is_read =
        length == 0 || (read.ec == std::errc() && read.ptr == text.data() + length);
    text.remove_prefix(std::min(length + 1, text.size()));
    return is_read;
  };
  while (!text.empty()) {
    SizeInput& input = inputs.emplace_back();
    if (!next(':', input.index) || !next(':', input.min) || !next(',', input.max)) return {};
  }
  return inputs;
}

}  // namespace slipway::openvino
