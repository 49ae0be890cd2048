#include "tensorrt/delegate/variants.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/printable.h"
#include "engine/manifest.h"

namespace slipway::tensorrt {

namespace et = executorch::runtime;

Result<et::FreeableBuffer> named_data(const et::NamedDataMap* map, const std::string& key) {
  if (map != nullptr) {
    auto data = map->get_data(key);
    if (data.ok()) return std::move(*data);
    if (data.error() != et::Error::NotFound) {
      return internal_error("the data under the key '{}' can't be had: {}", printable(key),
                            et::to_string(data.error()));
    }
  }
  return not_found("there is no data under the key '{}'", printable(key));
}

std::vector<Variant> find_variants(const et::NamedDataMap* map, const std::string& sha256) {
  std::vector<Variant> variants;
  if (map == nullptr || sha256.empty()) return variants;
  engine::EngineRecord record;
  record.sha256 = sha256;
  const std::string prefix = engine::variant_key(record, "");
  const auto count = map->get_num_keys();
  for (uint32_t i = 0; count.ok() && i < *count; ++i) {
    const auto key = map->get_key(i);
    if (!key.ok()) continue;
    const std::string name = *key;
    if (name.starts_with(prefix)) variants.push_back({name, name.substr(prefix.size())});
  }
  return variants;
}

bool is_for(const std::string& targets, int capability) {
  return ("," + targets + ",").find(fmt::format(",sm_{},", capability)) != std::string::npos;
}

}  // namespace slipway::tensorrt
