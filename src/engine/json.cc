#include "engine/json.h"

namespace slipway::engine {

std::string dump_json(const OrderedJson& json, int indent) {
  return json.dump(indent, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace slipway::engine
