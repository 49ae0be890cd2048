#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <sys/stat.h>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/temporary_file.h"
#include "base/test_folder.h"
#include "cli/commands.h"
#include "engine_build/engine_cache.h"

namespace slipway::cli {
namespace {

using testing::HasSubstr;

class CacheCommandTest : public testing::Test {
 protected:
  // An engine of `size` bytes that was last used so many seconds after 1970.
  void add(char digit, size_t size, int64_t last_used) {
    const std::vector<std::byte> bytes(size);
    auto file = TemporaryFile::create(folder_.path());
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->append(bytes).ok());
    engine::EngineRecord record;
    record.engine = "openvino";
    record.library_version = "2025.4.1";
    record.device = "CPU";
    record.inputs = {{"x", "float32", {"s0", "3"}}};
    record.size = size;
    const std::string key(kSha256HexDigits, digit);
    engine_build::EngineCache(folder_.path()).add(key, record, xxh3_hex(bytes), *file);
    const timespec times[2] = {{last_used, 0}, {last_used, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path_of(digit).c_str(), times, 0), 0);
  }

  std::string path_of(char digit) const {
    return folder_ / (std::string(kSha256HexDigits, digit) + ".slipway-engine");
  }

  // Runs `slipway cache ...` with the folder, and gives the exit code.
  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"slipway", "cache"});
    arguments.insert(arguments.end(), {"--cache", folder_.path()});
    return run_as_it_is(arguments);
  }
  int run_as_it_is(const std::vector<std::string>& arguments) {
    std::vector<const char*> texts;
    for (const std::string& argument : arguments) texts.push_back(argument.c_str());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_tool(static_cast<int>(texts.size()), texts.data());
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return code;
  }

  TestFolder folder_;
  std::string out_;
  std::string err_;
};

TEST_F(CacheCommandTest, ListsEngines) {
  add('b', 3000, 2'000'000'000);
  add('a', 1000, 1'000'000'000);
  ASSERT_EQ(run({"list"}), 0) << err_;
  EXPECT_LT(out_.find("aaaaaaaaaaaa"), out_.find("bbbbbbbbbbbb"));
  EXPECT_THAT(out_, HasSubstr("openvino"));
  EXPECT_THAT(out_, HasSubstr("2025.4.1"));
  EXPECT_THAT(out_, HasSubstr("3.3 KiB"));
  EXPECT_THAT(out_, HasSubstr("2001-09-"));
  EXPECT_THAT(out_, HasSubstr("x float32[s0, 3]"));
  EXPECT_THAT(out_, HasSubstr(folder_.path() + ": 2 engines, "));
}

TEST_F(CacheCommandTest, ListsEnginesAsJson) {
  add('a', 1000, 1'000'000'000);
  add('b', 1000, 2'000'000'000);
  std::filesystem::resize_file(path_of('b'), 500);
  ASSERT_EQ(run({"list", "--json"}), 0) << err_;
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["folder"], folder_.path());
  ASSERT_EQ(json["engines"].size(), 2u);
  const auto& engine = json["engines"][0];
  EXPECT_EQ(engine["key"], std::string(kSha256HexDigits, 'a'));
  EXPECT_EQ(engine["size"], std::filesystem::file_size(path_of('a')));
  EXPECT_EQ(engine["last_used"], "2001-09-09T01:46:40Z");
  EXPECT_EQ(engine["engine"], "openvino");
  EXPECT_EQ(engine["library_version"], "2025.4.1");
  EXPECT_EQ(engine["inputs"][0]["sizes"][0], "s0");
  EXPECT_THAT(json["engines"][1]["error"], HasSubstr(path_of('b')));
  ASSERT_EQ(run({"list"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("damaged"));
}

TEST_F(CacheCommandTest, PrunesWhatWasNotUsedForLongest) {
  add('a', 1000, 2'000'000'000);
  add('b', 1000, 1'000'000'000);
  ASSERT_EQ(run({"prune", "--max-size", "2KB"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("removed 1 engine, 1."));
  EXPECT_TRUE(std::filesystem::exists(path_of('a')));
  EXPECT_FALSE(std::filesystem::exists(path_of('b')));
  EXPECT_EQ(run({"prune", "--max-size", "much"}), 2);
  EXPECT_THAT(err_, HasSubstr("'much' is not a size"));
  EXPECT_EQ(run({"prune"}), 2);
  EXPECT_TRUE(std::filesystem::exists(path_of('a')));
}

TEST_F(CacheCommandTest, ClearsEngines) {
  add('a', 1000, 1);
  add('b', 1000, 2);
  ASSERT_EQ(run({"clear"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("removed 2 engines, 2."));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  ASSERT_EQ(run({"list"}), 0) << err_;
  EXPECT_EQ(out_, folder_.path() + ": 0 engines, 0 bytes\n");
}

// What `slipway compile` leaves in the cache, and takes from it.
class CompileCacheTest : public CacheCommandTest {
 protected:
  // Compiles a program to `output`; what it writes to stderr is in err_.
  void compile(const std::string& output, const std::string& environment,
               const std::string& options) {
    const std::string command = fmt::format(
        "env {} '{}' compile '{}/golden/mlp.pt2' -o '{}' --engine openvino {} > /dev/null 2> "
        "'{}/stderr'",
        environment, SLIPWAY_TOOL, SLIPWAY_TEST_DATA, path(output), options, folder_.path());
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    err_ = read_file(path("stderr"));
  }
  std::string path(const std::string& name) const { return folder_ / name; }
  static std::string read_file(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  static std::vector<engine_build::EngineCache::Entry> entries(const std::string& folder) {
    return engine_build::EngineCache(folder).entries().value();
  }
};

TEST_F(CompileCacheTest, FillsTheCacheAndUsesIt) {
  const std::string cache = path("cache");
  const std::string option = "--cache '" + cache + "'";
  compile("a.pte", "", option);
  EXPECT_EQ(err_, "");
  auto entry = entries(cache).at(0);
  const std::string file = cache + "/" + entry.key + ".slipway-engine";
  const timespec times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  compile("b.pte", "", option);
  EXPECT_EQ(err_, "");
  ASSERT_EQ(entries(cache).size(), 1u);
  EXPECT_GT(entries(cache)[0].last_used_ns, 1'000'000'000);
  EXPECT_EQ(read_file(path("b.pte")), read_file(path("a.pte")));

  std::filesystem::resize_file(file, entry.size - 1);
  compile("c.pte", "", option);
  EXPECT_THAT(err_, HasSubstr("warning: " + file));
  EXPECT_EQ(entries(cache).at(0).size, entry.size);
  EXPECT_EQ(read_file(path("c.pte")), read_file(path("a.pte")));
}

TEST_F(CompileCacheTest, FindsTheFolderByItself) {
  const std::string environment = "XDG_CACHE_HOME='" + path("xdg") + "'";
  compile("a.pte", environment, "--no-cache");
  EXPECT_FALSE(std::filesystem::exists(path("xdg")));
  compile("a.pte", environment, "");
  EXPECT_EQ(entries(path("xdg/slipway/engines")).size(), 1u);
  compile("a.pte", "-u XDG_CACHE_HOME -u HOME", "");
  EXPECT_THAT(err_, HasSubstr("HOME is not set"));
}

TEST_F(CacheCommandTest, NeedsAFolder) {
  ::unsetenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::string before = home != nullptr ? home : "";
  ::unsetenv("HOME");
  EXPECT_EQ(run_as_it_is({"slipway", "cache", "clear"}), 2);
  EXPECT_THAT(err_, HasSubstr("--cache"));
  if (home != nullptr) ::setenv("HOME", before.c_str(), 1);
  EXPECT_EQ(run_as_it_is({"slipway", "cache"}), 2);
}

}  // namespace
}  // namespace slipway::cli
