#include "schema/operator_name.h"

#include <sstream>

namespace slipway::schema {

std::string_view without_overload(std::string_view op) {
  const size_t first = op.find('.');
  return first == std::string_view::npos ? op : op.substr(0, op.find('.', first + 1));
}

std::string_view base_name(std::string_view op) {
  const std::string_view name = without_overload(op);
  return name.substr(name.find('.') + 1);
}

std::string_view aten_name(std::string_view op) {
  return op.starts_with("aten.") ? base_name(op) : std::string_view();
}

std::string_view overload_name(std::string_view op) {
  const size_t length = without_overload(op).size();
  return length == op.size() ? std::string_view() : op.substr(length + 1);
}

bool matches(std::string_view op, std::string_view name) {
  return op == name || without_overload(op) == name;
}

std::string target_of(std::string_view name) {
  const bool has_overloads = name.starts_with("aten.") || name.starts_with("quantized_decomposed.");
  const bool lacks_one = has_overloads && without_overload(name) == name;
  return std::string(name) + (lacks_one ? ".default" : "");
}

std::vector<std::string> split_targets(std::string_view names) {
  std::vector<std::string> result;
  std::istringstream stream{std::string(names)};
  for (std::string name; stream >> name;) result.push_back(target_of(name));
  return result;
}

std::string quote_targets(std::string_view names) {
  std::string text;
  for (const std::string& target : split_targets(names)) {
    text += (text.empty() ? "`" : ", `") + target + "`";
  }
  return text;
}

}  // namespace slipway::schema
