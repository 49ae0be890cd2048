#include "engine_build/parse_json.h"

#include <gtest/gtest.h>

namespace slipway::engine_build {
namespace {

TEST(ParseJson, GivesWhatWasWritten) {
  const engine::OrderedJson json = {{"b", {1, 2}}, {"a", nullptr}};
  const auto parsed = parse_json(engine::dump_json(json));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(*parsed, json);
}

TEST(ParseJson, RefusesWhatIsCutShort) {
  const auto parsed = parse_json(R"({"a": )");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code(), ErrorCode::kInternal);
}

}  // namespace
}  // namespace slipway::engine_build
