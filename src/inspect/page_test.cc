// docs/inspect.md has the members of the JSON, all of them and no others.

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/piece_writer.h"
#include "base/test_folder.h"
#include "slipway/compile.h"
#include "slipway/inspect.h"
#include "slipway/program.h"

namespace slipway {
namespace {

using nlohmann::json;
using Members = std::map<std::string, std::set<std::string>>;  // by the kind of a file

// Whose members are names of the file, or said elsewhere on the page.
const std::set<std::string> kOpaque = {"input_tree", "output_tree",   "operators", "symbols",
                                       "options",    "compile_specs", "variants",  "tensorrt"};

// As the page calls them.
std::string documented_as(const std::string& path) {
  static const std::regex kOutputs(R"(^(methods\[\]\.|methods\[\]\.engines\[\]\.)outputs\[\]\.)");
  static const std::regex kPassedOver(R"(^methods\[\]\.engines\[\]\.passed_over\[\]\.)");
  return std::regex_replace(std::regex_replace(path, kOutputs, "$1inputs[]."), kPassedOver,
                            "methods[].outside[].");
}

void collect(const json& value, const std::string& path, std::set<std::string>& members) {
  if (value.is_array()) {
    for (const json& each : value) collect(each, path + "[]", members);
    return;
  }
  if (!value.is_object()) return;
  for (const auto& [name, member] : value.items()) {
    const std::string inner = path.empty() ? name : path + "." + name;
    if (name != "tensorrt") members.insert(documented_as(inner));
    if (!kOpaque.contains(name)) collect(member, inner, members);
  }
}

Members members_of(const std::vector<std::string>& paths) {
  Members members;
  for (const std::string& path : paths) {
    const auto file = inspect(path);
    EXPECT_TRUE(file.ok()) << file.error().message();
    if (!file.ok()) continue;
    const json object = json::parse(file->to_json());
    collect(object, "", members[object["kind"]]);
  }
  return members;
}

Members members_of_page() {
  std::ifstream page(std::string(SLIPWAY_TEST_DATA) + "/../../docs/inspect.md");
  static const std::regex kHeading("^### `(\\w+)`.*");
  static const std::regex kName("`([^`]+)`");
  Members members;
  std::string kind;
  for (std::string line; std::getline(page, line);) {
    std::smatch heading;
    if (std::regex_match(line, heading, kHeading)) kind = heading[1];
    if (kind.empty() || !line.starts_with("| `")) continue;
    const std::string cell = line.substr(0, line.find(" | ", 2));
    for (std::sregex_iterator name(cell.begin(), cell.end(), kName), end; name != end; ++name) {
      members[kind].insert((*name)[1]);
    }
  }
  return members;
}

TEST(InspectPage, HasTheMembersOfTheJson) {
  const std::string data = SLIPWAY_TEST_DATA;
  const TestFolder folder;
  const std::string plan = folder / "x.engine";
  ASSERT_TRUE(write_file(plan, std::string("ftrt and more")).ok());

  const auto program = Program::load(data + "/engines/partial.pt2");
  const auto external = compile(*program, {.engines = {}, .external_engines = "engines"});
  ASSERT_TRUE(external.ok()) << external.error().message();
  const std::string with_data = folder / "a.pte";
  ASSERT_TRUE(external->save(with_data).ok());
  std::filesystem::create_directory(folder / "alone");
  const std::string without_data = folder / "alone/a.pte";
  std::filesystem::copy_file(with_data, without_data);

  const auto mlp = Program::load(data + "/golden/mlp.pt2");
  const auto drawn = compile(*mlp, {.engines = *parse_engines("xnnpack")});
  ASSERT_TRUE(drawn.ok()) << drawn.error().message();
  const std::string with_graph = folder / "b.pte";
  ASSERT_TRUE(drawn->save(with_graph).ok());

  const auto counter = Program::load(data + "/golden/mutated_buffer.pt2");
  const auto sharing =
      compile({{"a", &*counter}, {"b", &*counter}}, {.engines = {}, .share_buffers = true});
  ASSERT_TRUE(sharing.ok()) << sharing.error().message();
  const std::string with_methods = folder / "c.pte";
  ASSERT_TRUE(sharing->save(with_methods).ok());

  const Members found =
      members_of({with_data, without_data, with_graph, with_methods, data + "/runtime/engine.pte",
                  data + "/runtime/tensorrt.pte", data + "/runtime/counter.pte",
                  data + "/runtime/literals.pte", data + "/golden/mlp.pt2",
                  data + "/golden/transformer_layer.pt2", data + "/engines/partial.pt2",
                  data + "/engines/records.pt2", plan});
  EXPECT_EQ(members_of_page(), found);
}

}  // namespace
}  // namespace slipway
