#include "inspect/html_page.h"

#include <string_view>

#include "base/error.h"
#include "engine/json.h"
#include "slipway/version.h"

namespace slipway::inspection {

extern const std::string_view kReport;  // report.html

namespace {

using Json = nlohmann::ordered_json;

// Where the data go.
constexpr std::string_view kPlace = "__DATA__";

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
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto found = json.is_object() ? json.find("profile") : json.end();
  if (!json.is_object() || found == json.end() || !found->is_object()) {
    return invalid_file(
        "the profile is none that `slipway run` writes to an x.json (option 'profile')");
  }
  return *found;
}

}  // namespace

Result<std::string> html_page(const std::string& path, const Json& file,
                              const std::string& profile) {
  Json data = {{"path", path}, {"slipway", version()}, {"file", file}};
  if (!profile.empty()) {
    auto read = read_profile(profile);
    if (!read.ok()) return read.error();
    data["profile"] = std::move(*read);
  }
  std::string page(kReport);
  page.replace(page.find(kPlace), kPlace.size(), escaped(engine::dump_json(data)));
  return page;
}

}  // namespace slipway::inspection
