#include "engine_list/registry.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "engine_list/compilers/registry.h"

namespace slipway::engine_list {
namespace {

TEST(EngineList, NamesEachOnceAndSaysWhatIsMissing) {
  std::set<std::string> names;
  std::set<std::string> backends;
  for (const engine::Description* engine : descriptions()) {
    EXPECT_TRUE(names.insert(engine->name).second) << engine->name;
    EXPECT_TRUE(backends.insert(engine->backend).second) << engine->backend;
    EXPECT_EQ(find_engine(engine->name), engine);
    EXPECT_EQ(find_backend(engine->backend), engine);
    EXPECT_NE(std::string(engine->title), "");
    EXPECT_NE(std::string(engine->remedy), "") << engine->name;
    // A bare engine is told by its bytes, and has a name and tools.
    EXPECT_EQ(engine->is_bare_engine != nullptr, *engine->bare_engine != '\0');
    EXPECT_EQ(engine->is_bare_engine != nullptr, *engine->bare_engine_tools != '\0');
    // What writes a header finds the engine behind it.
    EXPECT_EQ(engine->header != nullptr, engine->engine_of != nullptr);
  }
  EXPECT_EQ(find_engine("warp"), nullptr);
  EXPECT_EQ(find_backend(""), nullptr);
}

TEST(EngineList, EachCompilerHasADescriptionAndOptionsWithHelp) {
  ASSERT_FALSE(compilers().empty());
  for (const auto* compiler : compilers()) {
    EXPECT_NE(find_engine(compiler->name), nullptr) << compiler->name;
    EXPECT_EQ(find_compiler(compiler->name), compiler);
    std::set<std::string> options;
    for (const EngineOption& option : compiler->options) {
      EXPECT_TRUE(options.insert(option.name).second) << option.name;
      EXPECT_NE(std::string(option.help), "") << option.name;
    }
    EXPECT_FALSE(compiler->state().empty());
    EXPECT_EQ(compiler->bare_extensions.empty(),
              find_engine(compiler->name)->is_bare_engine == nullptr);
  }
  EXPECT_EQ(find_compiler("warp"), nullptr);
}

}  // namespace
}  // namespace slipway::engine_list
