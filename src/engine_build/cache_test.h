// For the tests of this folder: a cache in a folder of its own, a builder that stands in for a
// library, and a graph for it.
#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "base/try.h"
#include "engine_build/build_engine.h"
#include "engine_build/builder.h"
#include "engine_build/engine_cache.h"

namespace slipway::engine_build {

inline std::string read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span<const char>(text));
  return {bytes.begin(), bytes.end()};
}

// Its engines are runs of one character, which the first constant of the graph begins with.
class StandInBuilder : public Builder {
 public:
  std::string version = "1";
  uint64_t size = 100;
  std::vector<Refusal> refusals;
  mutable std::atomic<int> builds = 0;

  Result<std::string> fingerprint() const override { return "stand-in " + version; }
  onnx::LoweringOptions lowering() const override { return {}; }
  std::optional<std::string> why_unsupported(const ir::Program&, const ir::Node&,
                                             const partition::IntegerRanges&) const override {
    return std::nullopt;
  }
  Result<Outcome> build(const onnx::Graph& graph, const ByteSink& sink) const override {
    ++builds;
    if (!refusals.empty()) return Outcome(refusals);
    const OwnedSpan& constant = *graph.initializers.front().data.span();
    const std::vector<std::byte> chunk(size_t{1} << 16, constant.bytes.front());
    for (uint64_t left = size; left > 0;) {
      const auto count = static_cast<size_t>(std::min<uint64_t>(left, chunk.size()));
      SLIPWAY_RETURN_IF_ERROR(sink(std::span(chunk).first(count)));
      left -= count;
    }
    engine::EngineRecord record;
    record.engine = "stand-in";
    record.backend = "StandInBackend";
    record.library_version = version;
    record.device = "CPU";
    record.target = "x86-64";
    record.options = {{"precision", "f32"}, {"quotes", "\"\\\n"}};
    record.compile_specs = {{"device", "CPU"}};
    record.inputs = {{"x", "float32", {"s0", "3"}}};
    record.outputs = {{"y", "float32", {"2*s0", "3"}}, {"z", "int64", {}}};
    record.aliases = {{0, 0, "user"}};
    record.weight_bytes = constant.bytes.size();
    return Outcome(std::move(record));
  }
};

// y = x + c
inline onnx::Graph graph_of(const std::string& constant) {
  onnx::Graph graph;
  graph.name = "g";
  graph.inputs = {{"x", DType::kUInt8, {ir::SymInt::symbol("s0")}}};
  graph.outputs = {{"y", DType::kUInt8, {ir::SymInt::symbol("s0")}}};
  graph.initializers.push_back(
      {"c", DType::kUInt8, {static_cast<int64_t>(constant.size())}, own_bytes(constant)});
  graph.nodes = {{"Add", "add", {"x", "c"}, {"y"}, {}, "add", "aten.add.Tensor", "line 3"}};
  return graph;
}

// The engine of a build that does not fail.
inline engine::Engine built(const Builder& builder, const onnx::Graph& graph,
                            const EngineCache* cache, const Warn& warn = {}) {
  auto outcome = build_engine(builder, graph, cache, warn);
  EXPECT_TRUE(outcome.ok()) << outcome.error().message();
  return std::get<engine::Engine>(std::move(*outcome));
}

// A cache in a folder of its own, and what it warned of.
class CacheTest : public testing::Test {
 protected:
  std::string entry_path(const std::string& key) const {
    return folder_ / (key + ".slipway-engine");
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    const auto entries = cache_.entries();
    EXPECT_TRUE(entries.ok());
    for (const EngineCache::Entry& entry : *entries) keys.push_back(entry.key);
    return keys;
  }
  std::string key_of(const onnx::Graph& graph) const {
    const auto key = engine_key(builder_, graph);
    EXPECT_TRUE(key.ok());
    return *key;
  }

  TestFolder folder_;
  std::vector<std::string> warnings_;
  Warn warn_ = [this](const std::string& message) { warnings_.push_back(message); };
  EngineCache cache_{folder_.path(), warn_};
  StandInBuilder builder_;
};

}  // namespace slipway::engine_build
