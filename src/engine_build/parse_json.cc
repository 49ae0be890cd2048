#include "engine_build/parse_json.h"

#include "base/error.h"

namespace slipway::engine_build {

Result<engine::OrderedJson> parse_json(std::string_view text) {
  auto json = engine::OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return internal_error("a text that Slipway wrote is no JSON");
  return json;
}

}  // namespace slipway::engine_build
