#include "inspect/html_page.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "engine/json.h"
#include "slipway/version.h"

namespace slipway::inspection {

extern const std::string_view kReport;  // report.html

namespace {

using Json = nlohmann::ordered_json;

// Where the data go.
constexpr std::string_view kPlace = "__DATA__";

// How deep a profile nests at most. It is written by recursion.
constexpr int kMostDepth = 32;

// As the text of a script: no tag can end it there.
std::string escaped(const std::string& json) {
  std::string text;
  text.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

Result<Json> read_profile(const std::string& text) {
  bool is_deep = false;
  const auto look = [&](int depth, Json::parse_event_t, Json&) {
    is_deep = is_deep || depth > kMostDepth;
    return !is_deep;
  };
  const Json json = Json::parse(text, look, /*allow_exceptions=*/false);
  const auto found = json.is_object() ? json.find("profile") : json.end();
  if (is_deep || !json.is_object() || found == json.end() || !found->is_object()) {
    return invalid_file(
        "the profile is none that `slipway run` writes to an x.json (option 'profile')");
  }
  return *found;
}

// Whether the profile is one of a method of this file, compiled as it is.
bool is_of(const Json& profile, const Json& file) {
  const auto text = [](const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto is_number = [](const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_number();
  };
  const auto methods = file.find("methods");
  const auto instructions = profile.find("instructions");
  if (methods == file.end() || instructions == profile.end() || !instructions->is_array() ||
      !is_number(profile, "run_ms")) {
    return false;
  }
  for (const Json& method : *methods) {
    if (text(method, "name") != text(profile, "method")) continue;
    const Json& known = method.at("instructions");
    return std::all_of(instructions->begin(), instructions->end(), [&](const Json& each) {
      if (!each.is_object() || !is_number(each, "ms")) return false;
      const auto index = each.find("instruction");
      return index != each.end() && index->is_number_unsigned() &&
             index->get<size_t>() < known.size() &&
             known[index->get<size_t>()] == text(each, "name");
    });
  }
  return false;
}

}  // namespace

Result<std::string> html_page(const std::string& path, const Json& file,
                              const std::string& profile) {
  Json data = {{"path", path}, {"slipway", version()}, {"file", file}};
  if (!profile.empty()) {
    auto read = read_profile(profile);
    if (!read.ok()) return read.error();
    if (!is_of(*read, file)) {
      return invalid_argument(
          "the profile is of another program, or of this one compiled otherwise: profile {} itself",
          path);
    }
    data["profile"] = std::move(*read);
  }
  std::string page(kReport);
  page.replace(page.find(kPlace), kPlace.size(), escaped(engine::dump_json(data)));
  return page;
}

}  // namespace slipway::inspection
