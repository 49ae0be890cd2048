#include "engine/json.h"

namespace slipway::engine {

std::string dump_json(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace slipway::engine
