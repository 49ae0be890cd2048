#include "slipway/value_info.h"

#include <fmt/ranges.h>

namespace slipway {

std::string ValueInfo::type_text() const {
  if (const auto* integer = std::get_if<IntegerInfo>(&type)) return "int " + integer->range.text;
  if (const auto* literal = std::get_if<LiteralInfo>(&type))
    return format_value_type(literal->value);
  std::vector<std::string> sizes;
  for (const SizeInfo& size : tensor()->sizes) sizes.push_back(size.text);
  return fmt::format("{}[{}]", dtype_name(tensor()->dtype), fmt::join(sizes, ", "));
}

}  // namespace slipway
