#include "engine_build/build_engine.h"

#include <csignal>
#include <cstdio>
#include <map>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock-matchers.h>

#include "base/file_writer.h"
#include "base/hash.h"
#include "base/memory_limit_test.h"
#include "engine/record_json.h"
#include "engine_build/cache_test.h"

namespace slipway::engine_build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using BuildEngineTest = CacheTest;

bool is_page_aligned(const engine::Engine& engine) {
  return reinterpret_cast<uintptr_t>(engine.bytes.bytes.data()) %
             static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE)) ==
         0;
}

TEST_F(BuildEngineTest, BuildsOnceAndFindsTheSameAfterwards) {
  const engine::Engine first = built(builder_, graph_of("a"), &cache_, warn_);
  const engine::Engine second = built(builder_, graph_of("a"), &cache_, warn_);
  EXPECT_EQ(builder_.builds, 1);
  EXPECT_EQ(text_of(first.bytes.bytes), std::string(100, 'a'));
  EXPECT_EQ(text_of(second.bytes.bytes), std::string(100, 'a'));
  EXPECT_EQ(first.record.size, 100u);
  EXPECT_EQ(first.record.sha256, sha256_hex(first.bytes.bytes));
  EXPECT_EQ(first.record.outputs[0].sizes[0], "2*s0");
  EXPECT_EQ(engine::record_to_json(second.record), engine::record_to_json(first.record));
  EXPECT_EQ(second.record.options, first.record.options);
  EXPECT_TRUE(is_page_aligned(first));
  EXPECT_TRUE(is_page_aligned(second));
  EXPECT_THAT(warnings_, ElementsAre());
}

TEST_F(BuildEngineTest, BuildsWithoutACache) {
  const engine::Engine engine = built(builder_, graph_of("a"), nullptr);
  EXPECT_EQ(text_of(engine.bytes.bytes), std::string(100, 'a'));
  EXPECT_TRUE(is_page_aligned(engine));
  built(builder_, graph_of("a"), nullptr);
  EXPECT_EQ(builder_.builds, 2);
}

TEST_F(BuildEngineTest, StartsALargeEngineAtItsDestination) {
  const auto build_at = [&](const EngineCache* cache, const std::string& path) {
    auto outcome = build_engine(builder_, graph_of("a"), cache, warn_, {path, 8192});
    EXPECT_TRUE(outcome.ok());
    auto engine = std::get<engine::Engine>(std::move(*outcome));
    EXPECT_EQ(engine.bytes.bytes.size(), builder_.size);
    EXPECT_EQ(engine.bytes.bytes.front(), std::byte{'a'});
    EXPECT_EQ(engine.bytes.bytes.back(), std::byte{'a'});
    EXPECT_TRUE(is_page_aligned(engine));
    return engine;
  };
  const std::string path = folder_ / "model.pte";
  EXPECT_EQ(build_at(nullptr, path).started, nullptr);
  builder_.size = engine::kLargeEngine;
  const engine::Engine engine = build_at(nullptr, path);
  ASSERT_NE(engine.started, nullptr);
  EXPECT_EQ(engine.started->offset, 8192u);
  EXPECT_EQ(engine.started->bytes.bytes.data(), engine.bytes.bytes.data());
  EXPECT_TRUE(engine.started->file.is_beside(path));
  EXPECT_EQ(build_at(nullptr, "").started, nullptr);
  EXPECT_EQ(build_at(nullptr, folder_ / "none/model.pte").started, nullptr);
  EXPECT_EQ(build_at(&cache_, path).started, nullptr);
  EXPECT_EQ(keys().size(), 1u);
}

TEST_F(BuildEngineTest, PassesRefusalsOnAndKeepsNothing) {
  builder_.refusals = {{"add", "no"}};
  auto outcome = build_engine(builder_, graph_of("a"), &cache_, warn_);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(std::get<std::vector<Refusal>>(*outcome).at(0).reason, "no");
  EXPECT_THAT(keys(), ElementsAre());
}

TEST_F(BuildEngineTest, WhateverDecidesAboutAnEngineIsPartOfItsKey) {
  const std::string large(5000, 'c');
  std::map<std::string, std::string> keys;  // with what they are of
  const auto add = [&](const std::string& what, const Builder& builder, const onnx::Graph& graph) {
    const auto key = engine_key(builder, graph);
    ASSERT_TRUE(key.ok()) << what;
    EXPECT_EQ(key->size(), kSha256HexDigits);
    const auto [known, is_new] = keys.try_emplace(*key, what);
    EXPECT_TRUE(is_new) << what << " has the key of " << known->second;
  };
  add("the graph", builder_, graph_of(large));
  StandInBuilder newer;
  newer.version = "2";
  add("another version", newer, graph_of(large));
  std::string other = large;
  other.back() = 'd';
  add("another large constant", builder_, graph_of(other));
  add("a small constant", builder_, graph_of("c"));
  add("another small constant", builder_, graph_of("d"));
  onnx::Graph graph = graph_of(large);
  graph.nodes[0].op_type = "Sub";
  add("another operator", builder_, graph);
  graph = graph_of(large);
  graph.nodes[0].attributes = {{"axis", int64_t{1}}};
  add("an attribute", builder_, graph);
  graph = graph_of(large);
  graph.ranges = {{"s0", {1, 64}}};
  add("a symbol's range", builder_, graph);
  graph.ranges = {{"s0", {1, 65}}};
  add("another range", builder_, graph);
  graph = graph_of(large);
  graph.inputs[0].sizes[0] = 4;
  add("another size", builder_, graph);
  graph = graph_of(large);
  graph.outputs[0].name = "z";
  add("another name", builder_, graph);
  graph = graph_of(large);
  graph.symbol_inputs = {"x"};
  add("a symbol", builder_, graph);
  graph = graph_of(large);
  graph.states = {{"x", "y", "buffer", {"x", DType::kUInt8, {1}, own_bytes(std::string("1"))}}};
  add("state", builder_, graph);
  graph.states[0].initial.data = own_bytes(std::string("2"));
  add("state that starts otherwise", builder_, graph);
}

TEST_F(BuildEngineTest, EqualModelsHaveOneKey) {
  const onnx::Graph graph = graph_of(std::string(5000, 'c'));
  onnx::Graph same = graph_of(std::string(5000, 'c'));
  same.nodes[0].stack_trace = "line 4";
  same.nodes[0].origin = "add_1";
  EXPECT_EQ(key_of(same), key_of(graph));
  same.initializers[0].data = ByteSource(5000, [](const ByteSink& sink) -> Status {
    for (int i = 0; i < 50; ++i) {
      SLIPWAY_RETURN_IF_ERROR(sink(bytes_of(std::string(100, 'c'))));
    }
    return {};
  });
  EXPECT_EQ(key_of(same), key_of(graph));
}

TEST_F(BuildEngineTest, DropsAnEntryThatIsDamagedAnywhere) {
  builder_.size = 10;
  const onnx::Graph graph = graph_of("a");
  const engine::Engine engine = built(builder_, graph, &cache_, warn_);
  const std::string path = entry_path(key_of(graph));
  const std::string sound = read_text(path);
  ASSERT_GT(sound.size(), 10u);
  const auto expect_rebuilt = [&](const std::string& damaged, const std::string& what) {
    builder_.builds = 0;
    warnings_.clear();
    std::filesystem::remove(path);
    write_text(path, damaged);
    const engine::Engine again = built(builder_, graph, &cache_, warn_);
    EXPECT_EQ(builder_.builds, 1) << what;
    EXPECT_THAT(warnings_, ElementsAre(HasSubstr(path))) << what;
    EXPECT_EQ(text_of(again.bytes.bytes), std::string(10, 'a')) << what;
    EXPECT_EQ(read_text(path), sound) << what;
  };
  for (size_t i = 0; i < sound.size(); ++i) {
    std::string damaged = sound;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    expect_rebuilt(damaged, "byte " + std::to_string(i) + " flipped");
    expect_rebuilt(sound.substr(0, i), "cut to " + std::to_string(i));
  }
  expect_rebuilt(sound + "x", "a byte more");
}

TEST_F(BuildEngineTest, GoesOnWhereTheFolderCannotBeMadeOrWritten) {
  write_text(folder_ / "file", "");
  for (const std::string& folder : {folder_ / "file/below", folder_ / "file",
                                    // Not even the superuser can create files here.
                                    std::string("/proc/self")}) {
    warnings_.clear();
    const EngineCache cache(folder, warn_);
    const engine::Engine engine = built(builder_, graph_of("a"), &cache, warn_);
    EXPECT_EQ(text_of(engine.bytes.bytes), std::string(100, 'a'));
    ASSERT_FALSE(warnings_.empty()) << folder;
    for (const std::string& warning : warnings_) EXPECT_THAT(warning, HasSubstr(folder));
    EXPECT_THAT(warnings_.back(), HasSubstr("not kept"));
  }
}

TEST_F(BuildEngineTest, GoesOnInMemoryWhereNoDiskHasRoom) {
  builder_.size = 1'000'000;
  in_child([&]() -> std::string {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {300'000, 300'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit failed";
    const engine::Engine engine = built(builder_, graph_of("a"), &cache_, warn_);
    if (text_of(engine.bytes.bytes) != std::string(1'000'000, 'a')) return "other bytes";
    if (!is_page_aligned(engine)) return "not page aligned";
    if (warnings_.size() != 1) return std::to_string(warnings_.size()) + " warnings";
    if (warnings_[0].find(folder_.path()) == std::string::npos) return warnings_[0];
    return keys().empty() ? "" : "an entry is left";
  });
}

// There is room for the engine, and none for what follows it.
TEST_F(BuildEngineTest, GoesOnWhereAnEntryCannotBeCompleted) {
  builder_.size = 300'000;
  in_child([&]() -> std::string {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {300'100, 300'100};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit failed";
    const engine::Engine engine = built(builder_, graph_of("a"), &cache_, warn_);
    if (text_of(engine.bytes.bytes) != std::string(300'000, 'a')) return "other bytes";
    if (warnings_.size() != 1) return std::to_string(warnings_.size()) + " warnings";
    return keys().empty() ? "" : "an entry is left";
  });
}

TEST_F(BuildEngineTest, MovesFromAFullDiskToAnother) {
  builder_.size = 1'000'000;
  if (::geteuid() != 0) GTEST_SKIP() << "only the superuser can mount a small disk";
  const std::string disk = folder_ / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("slipway", disk.c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "a small disk can't be mounted here";
  }
  const EngineCache cache(disk, warn_);
  const engine::Engine engine = built(builder_, graph_of("a"), &cache, warn_);
  EXPECT_EQ(text_of(engine.bytes.bytes), std::string(1'000'000, 'a'));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("No space left")));
  builder_.size = 1000;
  warnings_.clear();
  built(builder_, graph_of("b"), &cache, warn_);
  EXPECT_THAT(warnings_, ElementsAre());
  EXPECT_EQ(cache.entries()->size(), 1u);
  ::umount2(disk.c_str(), MNT_DETACH);
}

TEST_F(BuildEngineTest, HoldsNoEngineInMemory) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  constexpr uint64_t kAllowance = uint64_t{64} << 20;
  builder_.size = 4 * kAllowance;
  in_child([&]() -> std::string {
    if (!limit_data(kAllowance)) return "setrlimit failed";
    for (const EngineCache* cache :
         {static_cast<const EngineCache*>(nullptr), static_cast<const EngineCache*>(&cache_),
          &std::as_const(cache_)}) {
      const engine::Engine engine = built(builder_, graph_of("a"), cache, warn_);
      if (engine.bytes.bytes.size() != builder_.size) return "another size";
      if (engine.bytes.bytes.back() != std::byte{'a'}) return "other bytes";
    }
    if (builder_.builds != 2) return "the cache was not used";
    return warnings_.empty() ? "" : warnings_[0];
  });
}

TEST_F(BuildEngineTest, ManyProcessesShareACache) {
  constexpr int kProcesses = 6;
  constexpr int kRounds = 60;
  builder_.size = 20'000;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      // Room for three of the five engines.
      const EngineCache cache(folder_ / "shared/cache", warn_, 70'000);
      for (int round = 0; round < kRounds; ++round) {
        const char letter = static_cast<char>('a' + (round * (process + 1)) % 5);
        const engine::Engine engine =
            built(builder_, graph_of(std::string(1, letter)), &cache, warn_);
        if (text_of(engine.bytes.bytes) != std::string(20'000, letter)) ::_exit(1);
        if (process == 0 && round % 7 == 0 && !cache.prune(0).ok()) ::_exit(2);
        if (!cache.entries().ok()) ::_exit(3);
      }
      for (const std::string& warning : warnings_) std::fputs(warning.c_str(), stderr);
      ::_exit(warnings_.empty() ? 0 : 4);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  }
  const EngineCache cache(folder_ / "shared/cache");
  EXPECT_LE(cache.entries()->size(), 3u);
}

}  // namespace
}  // namespace slipway::engine_build
