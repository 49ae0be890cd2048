#include "engine/tuning_json.h"

#include <cmath>

namespace slipway::engine {

namespace {

OrderedJson cut_to_json(const Cut& cut) {
  OrderedJson json;
  json["engines"] = cut.engines;
  if (!cut.exclude_nodes.empty()) json["exclude_nodes"] = cut.exclude_nodes;
  if (cut.failure.empty()) {
    json["milliseconds"] = cut.milliseconds;
  } else {
    json["failure"] = cut.failure;
  }
  return json;
}

Cut read_cut(JsonValue json) {
  Cut cut;
  cut.engines = json["engines"].to_strings();
  cut.exclude_nodes = json.find("exclude_nodes").to_strings();
  cut.failure = json.find("failure").to_string();
  if (cut.failure.empty()) cut.milliseconds = json["milliseconds"].to_double();
  if (!std::isfinite(cut.milliseconds) || cut.milliseconds < 0) json.fail("has no such time");
  return cut;
}

}  // namespace

OrderedJson tuning_to_json(const Tuning& tuning) {
  OrderedJson json;
  json["processor"] = tuning.processor;
  json["sizes"] = OrderedJson::object();
  for (const auto& [symbol, size] : tuning.sizes) json["sizes"][symbol] = size;
  json["cuts"] = array_to_json(tuning.cuts, cut_to_json);
  return json;
}

Tuning read_tuning(JsonValue json) {
  Tuning tuning;
  tuning.processor = json["processor"].to_string();
  for (const auto [symbol, size] : json["sizes"].members()) {
    tuning.sizes.emplace(symbol, size.to_int());
  }
  for (const JsonValue cut : json["cuts"].items()) tuning.cuts.push_back(read_cut(cut));
  if (tuning.cuts.empty()) json.fail("has no cuts");
  return tuning;
}

}  // namespace slipway::engine
