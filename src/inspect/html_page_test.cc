#include "inspect/html_page.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "slipway/inspect.h"

namespace slipway::inspection {
namespace {

using Json = nlohmann::ordered_json;

std::string between(const std::string& page, const std::string& begin, const std::string& end) {
  const size_t from = page.find(begin) + begin.size();
  return page.substr(from, page.find(end, from) - from);
}

Json data_of(const std::string& page) {
  return Json::parse(between(page, "id=\"data\">", "</script>"));
}

TEST(HtmlPage, HoldsTheJsonAndNothingFromElsewhere) {
  const auto file = inspect(std::string(SLIPWAY_TEST_DATA) + "/runtime/engine.pte");
  ASSERT_TRUE(file.ok()) << file.error().message();
  const auto page = file->to_html();
  ASSERT_TRUE(page.ok()) << page.error().message();
  EXPECT_EQ(data_of(*page)["file"], Json::parse(file->to_json()));
  EXPECT_FALSE(data_of(*page).contains("profile"));
  EXPECT_EQ(page->find("http://"), std::string::npos);
  EXPECT_EQ(page->find("https://"), std::string::npos);
  EXPECT_NE(page->find("default-src 'none'"), std::string::npos);
}

TEST(HtmlPage, NamesAreNoMarkup) {
  const std::string name = "</script><script>alert(1)</script><!-- \xff __DATA__";
  const auto page = html_page(name, {{"kind", name}}, "");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(data_of(*page)["file"]["kind"],
            "</script><script>alert(1)</script><!-- \xEF\xBF\xBD __DATA__");
  // All that the script makes of names is text.
  for (const char* way :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("}) {
    EXPECT_EQ(page->find(way), std::string::npos) << way;
  }
}

TEST(HtmlPage, TakesProfilesOnly) {
  const Json file = {{"methods", {{{"name", "forward"}, {"instructions", {"a", "b"}}}}}};
  const auto profile = [](const char* method, int instruction, const char* name) {
    const Json json = {
        {"method", method},
        {"run_ms", 2},
        {"instructions", {{{"instruction", instruction}, {"name", name}, {"ms", 1}}}}};
    return Json({{"profile", json}}).dump();
  };
  const auto page = html_page("x.pte", file, profile("forward", 1, "b"));
  ASSERT_TRUE(page.ok()) << page.error().message();
  // Of another program, method or compilation.
  for (const std::string& other :
       {profile("forward", 1, "a"), profile("forward", 2, "b"), profile("forward", -1, "b"),
        profile("encode", 1, "b"), std::string(R"({"profile": {"method": "forward"}})"),
        std::string(R"({"profile": {"method": "forward", "run_ms": 2, "instructions": [3]}})")}) {
    const auto wrong = html_page("x.pte", file, other);
    ASSERT_FALSE(wrong.ok()) << other;
    EXPECT_EQ(wrong.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(data_of(*page)["profile"]["run_ms"], 2);
  constexpr size_t kDepth = 100'000;
  const std::string deep =
      R"({"profile": {"x": )" + std::string(kDepth, '[') + std::string(kDepth, ']') + "}}";
  for (const std::string& text : {std::string("{"), std::string("[]"), std::string("3"),
                                  std::string(R"({"profile": 3})"), std::string("{}"), deep}) {
    const auto wrong = html_page("x.pte", Json::object(), text);
    ASSERT_FALSE(wrong.ok()) << text.substr(0, 20);
    EXPECT_EQ(wrong.error().code(), ErrorCode::kInvalidFile);
  }
}

}  // namespace
}  // namespace slipway::inspection
