// The sizes of an engine's outputs, computed from those of its inputs: where all of them have no
// elements there is nothing to run, and OpenVINO refuses many operators over nothing. Where some
// have, it may give other sizes to one that has none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace slipway::openvino {

// The compile spec kOutputSizes (openvino/shim/size_inputs.h). Immutable.
class OutputSizes {
 public:
  // Size `axis` of an input, or the integer that the input is (no axis); nothing where there is no
  // such.
  using Lookup = std::function<std::optional<int64_t>(size_t input, std::optional<size_t> axis)>;

  // Nothing where the text is no such list.
  static std::optional<OutputSizes> parse(std::string_view text);

  bool empty() const { return outputs_.empty(); }
  // Of each output, its sizes if it has no elements. Nothing is known of a size that can't be
  // computed.
  using Sizes = std::optional<std::vector<int64_t>>;
  std::vector<Sizes> without_elements(const Lookup& lookup) const;

 private:
  struct Step {
    char op;  // 'n': number, 'i': size `axis` of an input, 'v': the integer that an input is
    int64_t number = 0;
    size_t axis = 0;
  };
  using Expression = std::vector<Step>;

  static std::optional<Expression> parse_expression(std::string_view text);
  static std::optional<int64_t> evaluate(const Expression& expression, const Lookup& lookup);

  std::vector<std::vector<Expression>> outputs_;
};

}  // namespace slipway::openvino
