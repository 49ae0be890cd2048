#include "engine_build/engine_cache.h"

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

#include <gmock/gmock-matchers.h>

#include "base/hash.h"
#include "engine_build/cache_test.h"
#include "engine_build/engine_cache_entry.h"

namespace slipway::engine_build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EngineCacheTest : public CacheTest {
 protected:
  // Builds an engine and sets when it was used, in seconds since 1970; gives its key.
  std::string add(const std::string& constant, int64_t last_used, const EngineCache* cache) {
    const onnx::Graph graph = graph_of(constant);
    built(builder_, graph, cache, warn_);
    const std::string key = key_of(graph);
    set_time(entry_path(key), last_used);
    return key;
  }
  static void set_time(const std::string& path, int64_t seconds) {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
};

TEST(DefaultCacheFolderTest, FollowsTheEnvironment) {
  const char* home = std::getenv("HOME");
  const std::string home_before = home != nullptr ? home : "";
  ::setenv("HOME", "/home/a", 1);
  ::setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(default_cache_folder(), "/cache/slipway/engines");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(default_cache_folder(), "/home/a/.cache/slipway/engines");
  ::unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(default_cache_folder(), "/home/a/.cache/slipway/engines");
  ::unsetenv("HOME");
  EXPECT_EQ(default_cache_folder(), "");
  if (home != nullptr) ::setenv("HOME", home_before.c_str(), 1);
}

TEST_F(EngineCacheTest, ListsWhatWasNotUsedForLongestFirst) {
  const std::string a = add("a", 2000, &cache_);
  const std::string b = add("b", 1000, &cache_);
  const std::string c = add("c", 3000, &cache_);
  EXPECT_THAT(keys(), ElementsAre(b, a, c));
  const auto entries = cache_.entries();
  EXPECT_EQ((*entries)[0].last_used_ns, 1000'000'000'000);
  EXPECT_EQ((*entries)[0].size, std::filesystem::file_size(entry_path(b)));
  const auto record = cache_.record((*entries)[0]);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->library_version, "1");
  EXPECT_EQ(record->inputs[0].sizes[0], "s0");
  // To look at an entry is not to use it.
  EXPECT_THAT(keys(), ElementsAre(b, a, c));
}

TEST_F(EngineCacheTest, MakesRoomByWhatWasNotUsedForLongest) {
  const std::string a = add("a", 1000, &cache_);
  add("b", 2000, &cache_);
  const std::string c = add("c", 3000, &cache_);
  const uint64_t size = std::filesystem::file_size(entry_path(a));
  EXPECT_TRUE(cache_.find(a));  // used now, after the others
  const EngineCache bounded(folder_.path(), warn_, 3 * size);
  const std::string d = add("d", 4000, &bounded);
  EXPECT_THAT(keys(), ElementsAre(c, d, a));
  EXPECT_THAT(warnings_, ElementsAre());
}

TEST_F(EngineCacheTest, KeepsTheNewestEvenBeyondTheBound) {
  add("a", 1000, &cache_);
  const EngineCache bounded(folder_.path(), warn_, 10);
  const std::string b = add("b", 500, &bounded);
  EXPECT_THAT(keys(), ElementsAre(b));
  EXPECT_TRUE(bounded.find(b));
}

TEST_F(EngineCacheTest, AnEngineOutlivesItsEntry) {
  const std::string key = add("a", 1000, &cache_);
  const auto engine = cache_.find(key);
  ASSERT_TRUE(engine);
  const auto removed = cache_.prune(0);
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->entries, 1u);
  EXPECT_GT(removed->bytes, 100u);
  EXPECT_EQ(text_of(engine->bytes.bytes), std::string(100, 'a'));
  EXPECT_FALSE(cache_.find(key));
  EXPECT_THAT(warnings_, ElementsAre());
}

TEST_F(EngineCacheTest, LeavesOtherFilesAlone) {
  const std::string key = add("a", 1000, &cache_);
  const std::string digits(kSha256HexDigits, 'f');
  const std::vector<std::string> others = {
      "notes.txt",        digits,
      digits + ".engine", std::string(kSha256HexDigits, 'F') + ".slipway-engine",
      "x.slipway-engine", "x.slipway-tmp"};
  for (const std::string& name : others) write_text(folder_ / name, "mine");
  for (const std::string& name : others) set_time(folder_ / name, 1000);
  std::filesystem::create_directory(folder_ / (digits + ".slipway-engine"));
  EXPECT_THAT(keys(), ElementsAre(key));
  const auto removed = cache_.prune(0);
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->entries, 1u);
  for (const std::string& name : others) EXPECT_EQ(read_text(folder_ / name), "mine") << name;
  EXPECT_TRUE(std::filesystem::exists(folder_ / (digits + ".slipway-engine")));
}

TEST_F(EngineCacheTest, FollowsNoLink) {
  const std::string key = add("a", 1000, &cache_);
  std::filesystem::rename(entry_path(key), folder_ / "elsewhere");
  std::filesystem::create_symlink(folder_ / "elsewhere", entry_path(key));
  EXPECT_FALSE(cache_.find(key));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr(entry_path(key))));
  EXPECT_THAT(keys(), ElementsAre());
  EXPECT_TRUE(cache_.prune(0).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(entry_path(key)));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "elsewhere"));
}

TEST_F(EngineCacheTest, RefusesAnEntryUnderAnotherKey) {
  const std::string a = add("a", 1000, &cache_);
  const std::string b = key_of(graph_of("b"));
  std::filesystem::rename(entry_path(a), entry_path(b));
  EXPECT_FALSE(cache_.find(b));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("another key")));
  EXPECT_FALSE(std::filesystem::exists(entry_path(b)));
}

TEST_F(EngineCacheTest, RemovesWhatADeadProcessLeft) {
  for (const char* name : {"12-0.slipway-tmp", "13-1.slipway-tmp"}) write_text(folder_ / name, "x");
  set_time(folder_ / "12-0.slipway-tmp", 1000);
  EXPECT_TRUE(cache_.prune(EngineCache::kDefaultMaxBytes).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "12-0.slipway-tmp"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "13-1.slipway-tmp"));
}

TEST_F(EngineCacheTest, AFolderThatDoesNotExistIsEmpty) {
  const EngineCache cache(folder_ / "none", warn_);
  EXPECT_FALSE(cache.find(std::string(kSha256HexDigits, '0')));
  EXPECT_THAT(cache.entries().value(), ElementsAre());
  EXPECT_EQ(cache.prune(0)->entries, 0u);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none"));
  EXPECT_THAT(warnings_, ElementsAre());
}

TEST_F(EngineCacheTest, MakesTheFolderForTheUserAlone) {
  const EngineCache cache(folder_ / "a/b", warn_);
  ASSERT_TRUE(cache.make_folder().ok());
  ASSERT_TRUE(cache.make_folder().ok());
  struct stat status = {};
  ASSERT_EQ(::stat((folder_ / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

// As on file systems without files that have no name.
TEST_F(EngineCacheTest, PublishesNamedFilesToo) {
  {
    auto file = TemporaryFile::create_named(folder_.path());
    ASSERT_TRUE(file.ok());
    EXPECT_FALSE(std::filesystem::is_empty(folder_.path()));
    ASSERT_TRUE(file->append(bytes_of("engine")).ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  auto file = TemporaryFile::create_named(folder_.path());
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->append(bytes_of("engine")).ok());
  const std::string key(kSha256HexDigits, '5');
  engine::EngineRecord record;
  record.size = 6;
  cache_.add(key, record, xxh3_hex(bytes_of("engine")), *file);
  const auto engine = cache_.find(key);
  ASSERT_TRUE(engine);
  EXPECT_EQ(text_of(engine->bytes.bytes), "engine");
  EXPECT_THAT(warnings_, ElementsAre());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST(ReadEntryTest, ChecksSizesThatOverflow) {
  const std::string key(kSha256HexDigits, '5');
  engine::EngineRecord record;
  const std::string sound = entry_tail(key, record, xxh3_hex({}));
  ASSERT_TRUE(read_entry(own_bytes(sound), key).ok());
  // The two sizes, which lie before the digits: their sum wraps to what it was.
  std::string wrong = sound;
  const size_t trailer = sound.size() - 160;
  uint64_t sizes[2];
  std::memcpy(sizes, wrong.data() + trailer, sizeof sizes);
  sizes[0] -= 5;
  sizes[1] += 5;
  std::memcpy(wrong.data() + trailer, sizes, sizeof sizes);
  EXPECT_FALSE(read_entry(own_bytes(wrong), key).ok());
}

}  // namespace
}  // namespace slipway::engine_build
