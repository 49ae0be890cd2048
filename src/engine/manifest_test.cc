#include "engine/manifest.h"

#include <limits>

#include <gtest/gtest.h>

#include "base/hash.h"

namespace slipway::engine {
namespace {

Manifest example() {
  ManifestMethod method;
  method.name = "forward";
  method.source_sha256 = std::string(64, 'a');
  method.source_torch_version = "2.14.0";
  Tree leaf;
  Tree dict{Tree::Kind::kDict, {"a", "b"}, "", {leaf, {Tree::Kind::kNone, {}, "", {}}}};
  Tree named{Tree::Kind::kNamedTuple, {"x"}, "Point", {leaf}, R"("[[\"x\"], []]")"};
  method.input_tree = {Tree::Kind::kTuple, {}, "", {dict, named}};
  method.output_tree = leaf;
  method.inputs = {{"x", "float32", {"s77", "3"}, {64, 3}, {0, 3}, true}, {"n", "int", {}, {}, {}}};
  method.outputs = {{"y", "float32", {"2*s77"}, {128}, {0}}};
  method.mutable_buffers = {"cache.k"};
  method.instruction_origins = {"linear: File \"m.py\", line 3"};
  EngineRecord record;
  record.engine = "openvino";
  record.backend = "OpenvinoBackend";
  record.library_version = "2025.4.1";
  record.device = "CPU";
  record.capabilities = "avx2 fma";
  record.options = {{"INFERENCE_PRECISION_HINT", "f32"}};
  record.compile_specs = {{"device", "CPU"}};
  record.inputs = {{"x", "float32", {"s77", "3"}}};
  record.outputs = {{"y", "float32", {"2*s77"}}, {"z", "bool", {}}};
  record.weight_bytes = 12;
  record.size = uint64_t{1} << 40;
  record.sha256 = std::string(64, 'd');
  method.engines = {{record, 3, {"conv2d (aten.conv2d.default)", "relu (aten.relu.default)"}}};
  method.engines[0].graph = {
      {"float32[2]", "float32[3]"}, {"File \"m.py\", line 3"}, {{1, 0, {-1}}, {0, -1, {0, -1}}}};
  record.target = "sm_80,sm_86";
  record.aliases = {{1, 0, "kv_cache_update"}};
  method.engines.push_back({record, 4, {}, 48});
  record.target = "sm_120";
  record.aliases.clear();
  method.engines[1].variants = {{record, 5, {}, 32}};
  method.engines[0].passed_over = {{"conv", "aten.conv2d.default", "other: no convolutions"},
                                   {"conv_1", "aten.conv2d.default", "other: no convolutions"}};
  method.outside = {{"nonzero", "aten.nonzero.default", "its sizes depend on data"},
                    {"nonzero_1", "aten.nonzero.default", "its sizes depend on data"},
                    {"cos", "aten.cos.default", "excluded"}};
  Manifest manifest;
  manifest.tool_version = "0.1.0";
  manifest.program_xxh3 = std::string(kXxh3HexDigits, 'b');
  manifest.methods = {method};
  manifest.segments = {
      {0, "constants", std::numeric_limits<int64_t>::max(), std::string(kXxh3HexDigits, 'c')}};
  return manifest;
}

std::string with_checksum(std::string text) {
  text.pop_back();
  const std::string sum = xxh3_hex(std::as_bytes(std::span<const char>(text)));
  return text + ",\"xxh3\":\"" + sum + "\"}";
}

std::string error_of(const std::string& text) {
  auto manifest = read_manifest(text);
  return manifest.ok() ? "" : manifest.error().message();
}

TEST(ManifestTest, EverythingIsReadBack) {
  const Manifest manifest = example();
  auto again = read_manifest(write_manifest(manifest));
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->tool_version, "0.1.0");
  EXPECT_EQ(again->program_xxh3, manifest.program_xxh3);
  ASSERT_EQ(again->methods.size(), 1u);
  const ManifestMethod& method = again->methods[0];
  EXPECT_EQ(method.input_tree, manifest.methods[0].input_tree);
  EXPECT_EQ(method.output_tree, manifest.methods[0].output_tree);
  EXPECT_EQ(method.inputs[0].sizes, (std::vector<std::string>{"s77", "3"}));
  EXPECT_EQ(method.inputs[0].max_sizes, (std::vector<int64_t>{64, 3}));
  EXPECT_EQ(method.inputs[0].min_sizes, (std::vector<int64_t>{0, 3}));
  EXPECT_TRUE(method.inputs[0].mutated);
  EXPECT_EQ(method.inputs[1].type, "int");
  EXPECT_EQ(method.mutable_buffers, manifest.methods[0].mutable_buffers);
  EXPECT_EQ(method.instruction_origins, manifest.methods[0].instruction_origins);
  ASSERT_EQ(method.engines.size(), 2u);
  const EngineRecord& record = method.engines[0].record;
  EXPECT_EQ(record.engine, "openvino");
  EXPECT_EQ(record.backend, "OpenvinoBackend");
  EXPECT_EQ(record.library_version, "2025.4.1");
  EXPECT_EQ(record.device, "CPU");
  EXPECT_EQ(record.capabilities, "avx2 fma");
  EXPECT_EQ(record.options.at("INFERENCE_PRECISION_HINT"), "f32");
  EXPECT_EQ(record.compile_specs.at("device"), "CPU");
  ASSERT_EQ(record.inputs.size(), 1u);
  EXPECT_EQ(record.inputs[0].sizes, (std::vector<std::string>{"s77", "3"}));
  ASSERT_EQ(record.outputs.size(), 2u);
  EXPECT_EQ(record.outputs[1].name, "z");
  EXPECT_EQ(record.outputs[1].dtype, "bool");
  EXPECT_EQ(record.weight_bytes, 12u);
  EXPECT_EQ(record.size, uint64_t{1} << 40);
  EXPECT_EQ(record.sha256, std::string(64, 'd'));
  EXPECT_EQ(method.engines[0].segment, 3u);
  EXPECT_EQ(method.engines[0].nodes, manifest.methods[0].engines[0].nodes);
  EXPECT_EQ(method.engines[0].header_size, 0u);
  const EngineGraph& graph = method.engines[0].graph;
  EXPECT_EQ(graph.types, (std::vector<std::string>{"float32[2]", "float32[3]"}));
  EXPECT_EQ(graph.places, (std::vector<std::string>{"File \"m.py\", line 3"}));
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[0].type, 1);
  EXPECT_EQ(graph.nodes[0].place, 0);
  EXPECT_EQ(graph.nodes[1].place, -1);
  EXPECT_EQ(graph.nodes[1].reads, (std::vector<int32_t>{0, -1}));
  EXPECT_EQ(record.target, "");
  const ManifestEngine& engine = method.engines[1];
  EXPECT_EQ(engine.record.target, "sm_80,sm_86");
  ASSERT_EQ(engine.record.aliases.size(), 1u);
  EXPECT_EQ(engine.record.aliases[0].output, 1u);
  EXPECT_EQ(engine.record.aliases[0].input, 0u);
  EXPECT_EQ(engine.record.aliases[0].kind, "kv_cache_update");
  EXPECT_EQ(engine.header_size, 48u);
  ASSERT_EQ(engine.variants.size(), 1u);
  EXPECT_EQ(engine.variants[0].record.target, "sm_120");
  EXPECT_EQ(engine.variants[0].segment, 5u);
  EXPECT_EQ(engine.variants[0].header_size, 32u);
  EXPECT_EQ(variant_key(engine.record, "sm_120"), "slipway.engine.dddddddddddddddd.sm_120");
  ASSERT_EQ(method.engines[0].passed_over.size(), 2u);
  EXPECT_EQ(method.engines[0].passed_over[1].name, "conv_1");
  EXPECT_EQ(method.engines[0].passed_over[1].op, "aten.conv2d.default");
  EXPECT_EQ(method.engines[0].passed_over[1].reason, "other: no convolutions");
  ASSERT_EQ(method.outside.size(), 3u);
  EXPECT_EQ(method.outside[1].name, "nonzero_1");
  EXPECT_EQ(method.outside[1].op, "aten.nonzero.default");
  EXPECT_EQ(method.outside[1].reason, "its sizes depend on data");
  EXPECT_EQ(method.outside[2].name, "cos");
  ASSERT_EQ(again->segments.size(), 1u);
  EXPECT_EQ(again->segments[0].size, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(write_manifest(*again), write_manifest(manifest));
}

TEST(ManifestTest, EnginesMayBeOutside) {
  Manifest manifest = example();
  EXPECT_EQ(write_manifest(manifest).find("external_key"), std::string::npos);
  EXPECT_EQ(write_manifest(manifest).find("data_file"), std::string::npos);
  manifest.data_file = "engines.ptd";
  ManifestEngine& engine = manifest.methods[0].engines[1];
  engine.external_key = external_key(engine.record);
  engine.variants[0].external_key = "another";
  const std::string text = write_manifest(manifest);
  const auto again = read_manifest(text);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->data_file, "engines.ptd");
  const ManifestEngine& read = again->methods[0].engines[1];
  EXPECT_EQ(read.external_key, "slipway.engine." + std::string(64, 'd'));
  EXPECT_EQ(read.variants[0].external_key, "another");
  EXPECT_EQ(again->methods[0].engines[0].external_key, "");
  const auto error_with = [&](const std::string& from, const std::string& to) {
    std::string changed = text.substr(0, text.rfind(",\"xxh3\"")) + "}";
    return error_of(with_checksum(changed.replace(changed.find(from), from.size(), to)));
  };
  for (const char* name : {"", ".", "..", "a/b", "/etc/x", "a\\\\b"}) {
    EXPECT_NE(error_with("engines.ptd", name).find("data_file is no name of a file"),
              std::string::npos)
        << name;
  }
  EXPECT_NE(error_with("\"engines.ptd\"", "3"), "");
  EXPECT_NE(error_with("\"another\"", "[]"), "");
}

TEST(ManifestTest, MayHaveTimes) {
  Manifest manifest = example();
  EXPECT_EQ(write_manifest(manifest).find("tuning"), std::string::npos);
  manifest.tuning = {.processor = "A processor, 2 threads",
                     .sizes = {{"s77", 3}},
                     .cuts = {{{"b", "a"}, {"b:conv2d"}, 1.25, ""}, {{"a"}, {}, 0, "no device"}}};
  const std::string text = write_manifest(manifest);
  const auto again = read_manifest(text);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->tuning->processor, "A processor, 2 threads");
  EXPECT_EQ(again->tuning->sizes, manifest.tuning->sizes);
  ASSERT_EQ(again->tuning->cuts.size(), 2u);
  EXPECT_EQ(again->tuning->cuts[0].engines, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(again->tuning->cuts[0].exclude_nodes, std::vector<std::string>{"b:conv2d"});
  EXPECT_EQ(again->tuning->cuts[0].milliseconds, 1.25);
  EXPECT_EQ(again->tuning->cuts[1].failure, "no device");
  const auto error_with = [&](const std::string& from, const std::string& to) {
    std::string changed = text.substr(0, text.rfind(",\"xxh3\"")) + "}";
    return error_of(with_checksum(changed.replace(changed.find(from), from.size(), to)));
  };
  EXPECT_NE(error_with("1.25", "-1.25").find("has no such time"), std::string::npos);
  EXPECT_NE(error_with("1.25", "\"1\"").find("tuning.cuts[0].milliseconds"), std::string::npos);
  EXPECT_NE(error_with("\"s77\":3", "\"s77\":[]").find("tuning.sizes"), std::string::npos);
  manifest.tuning->cuts.clear();
  EXPECT_NE(error_of(write_manifest(manifest)).find("tuning has no cuts"), std::string::npos);
}

TEST(ManifestTest, LengthIsKnownBeforeTheChecksums) {
  Manifest unknown = example();
  unknown.program_xxh3.clear();
  unknown.segments[0].xxh3.clear();
  EXPECT_EQ(write_manifest(unknown).size(), write_manifest(example()).size());
}

TEST(ManifestTest, EveryFlipAndTruncationIsFound) {
  const std::string text = write_manifest(example());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    EXPECT_FALSE(read_manifest(flipped).ok()) << i;
    EXPECT_FALSE(read_manifest(text.substr(0, i)).ok()) << i;
  }
}

TEST(ManifestTest, ItsEndIsKnown) {
  const std::string text = write_manifest(example());
  EXPECT_TRUE(ends_like_manifest(text));
  EXPECT_TRUE(ends_like_manifest("anything" + text));
  EXPECT_FALSE(ends_like_manifest(text + "\n"));
  EXPECT_FALSE(ends_like_manifest("\"}"));
}

TEST(ManifestTest, UnknownFieldsAreIgnored) {
  const std::string text = with_checksum(
      R"({"format":1,"tool_version":"9","program_xxh3":"00000000000000000000000000000000",)"
      R"("methods":[],"segments":[],"later":{"a":[1]}})");
  EXPECT_EQ(error_of(text), "");
}

// As files without engines are, and as they were before there were engines.
TEST(ManifestTest, PartitionsMayBeMissing) {
  Manifest manifest = example();
  manifest.methods[0].engines.clear();
  manifest.methods[0].outside.clear();
  const std::string text = write_manifest(manifest);
  EXPECT_EQ(text.find("engines"), std::string::npos);
  EXPECT_EQ(text.find("outside"), std::string::npos);
  auto again = read_manifest(text);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_TRUE(again->methods[0].engines.empty());
  EXPECT_TRUE(again->methods[0].outside.empty());
}

// Thousands of nodes share a few reasons.
TEST(ManifestTest, AReasonIsWrittenOnce) {
  Manifest manifest = example();
  const std::string reason(1000, 'r');
  for (int i = 0; i < 1000; ++i) {
    manifest.methods[0].outside.push_back({std::to_string(i), "aten.add.Tensor", reason});
  }
  const std::string text = write_manifest(manifest);
  EXPECT_LT(text.size(), 20'000u);
  auto again = read_manifest(text);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->methods[0].outside.size(), 1003u);
  EXPECT_EQ(again->methods[0].outside.back().name, "999");
  EXPECT_EQ(again->methods[0].outside.back().reason, reason);
}

TEST(ManifestTest, AnotherFormatIsUnsupported) {
  Manifest manifest = example();
  manifest.format = 2;
  auto read = read_manifest(write_manifest(manifest));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code(), ErrorCode::kUnsupported);
}

TEST(ManifestTest, WrongShapesAreNamed) {
  EXPECT_NE(error_of(with_checksum("[]")).find("is not JSON"), std::string::npos);
  EXPECT_NE(error_of(with_checksum("{\"format\":1}")).find("the top level has no \"tool_version\""),
            std::string::npos);
  EXPECT_NE(error_of(with_checksum("{\"format\":\"1\"}")).find("format is not an integer"),
            std::string::npos);
  EXPECT_NE(error_of(with_checksum("{\"format\":18446744073709551615}")).find("not an integer"),
            std::string::npos);

  Manifest manifest = example();
  manifest.methods[0].inputs[0].max_sizes = {1};
  EXPECT_NE(error_of(write_manifest(manifest)).find("bounds that do not fit"), std::string::npos);
  manifest = example();
  manifest.methods[0].input_tree.children[0].keys.pop_back();
  EXPECT_NE(error_of(write_manifest(manifest)).find("children that do not fit"), std::string::npos);

  const std::string text = write_manifest(example());
  const auto error_with = [&](const std::string& from, const std::string& to) {
    std::string changed = text.substr(0, text.rfind(",\"xxh3\""));
    EXPECT_NE(changed.find(from), std::string::npos) << from;
    return error_of(with_checksum(changed.replace(changed.find(from), from.size(), to) + "}"));
  };
  EXPECT_NE(error_with("\"segment\":3", "\"segment\":4294967296")
                .find("engines[0].segment has more than 32 bits"),
            std::string::npos);
  EXPECT_NE(error_with("\"segment\":3,", "").find("has no \"segment\""), std::string::npos);
  EXPECT_NE(error_with("{\"device\":\"CPU\"}", "[\"CPU\"]").find("compile_specs is not an object"),
            std::string::npos);
  EXPECT_NE(error_with("{\"device\":\"CPU\"}", "{\"device\":1}")
                .find("compile_specs.device is not a string"),
            std::string::npos);
  EXPECT_NE(error_with("\"output\":1", "\"output\":2").find("output is 2, of 2"),
            std::string::npos);
  EXPECT_NE(error_with("\"input\":0", "\"input\":1").find("input is 1, of 1"), std::string::npos);
  EXPECT_NE(
      error_with("\"target\":\"sm_80,sm_86\"", "\"target\":80").find("target is not a string"),
      std::string::npos);
  EXPECT_NE(error_with("\"header_size\":48", "\"header_size\":-1").find("header_size is negative"),
            std::string::npos);
  EXPECT_NE(error_with("\"variants\":[", "\"variants\":[1,").find("variants[0] is not an object"),
            std::string::npos);
  // A type, a place, an input and a node that are not there, one that is later, and too few
  // numbers.
  for (const char* node : {"[2,0,-1]", "[1,1,-1]", "[1,0,-2]", "[1,0,1]", "[1,0,0]", "[1]",
                           "[-2,0]", "[1,4294967296]"}) {
    EXPECT_NE(error_with("[1,0,-1]", node).find("graph.nodes[0] is no node of a graph"),
              std::string::npos)
        << node;
  }
  EXPECT_NE(error_with("[1,0,-1],", "").find("graph.nodes[0] is no node"), std::string::npos);
  EXPECT_NE(error_with(",[0,-1,0,-1]", "").find("graph has other nodes than the engine"),
            std::string::npos);
  EXPECT_NE(error_with("\"outside\":[", "\"outside\":[1,").find("outside[0] is not an object"),
            std::string::npos);
}

TEST(ManifestTest, DepthAndCountAreBounded) {
  Manifest manifest = example();
  Tree deep;
  for (int i = 0; i < 100; ++i) deep = Tree{Tree::Kind::kList, {}, "", {deep}};
  manifest.methods[0].input_tree = deep;
  EXPECT_NE(error_of(write_manifest(manifest)).find("nests too deeply"), std::string::npos);

  std::string many = "{\"format\":[";
  for (int i = 0; i < (1 << 20); ++i) many += "0,";
  many += "0]}";
  EXPECT_NE(error_of(with_checksum(many)).find("values in"), std::string::npos);

  manifest = example();
  const std::string reason(1 << 16, 'r');
  for (int i = 0; i < 2000; ++i) manifest.methods[0].outside.push_back({"n", "op", reason});
  EXPECT_NE(error_of(write_manifest(manifest)).find("outside is too long"), std::string::npos);
}

// An object of many members takes no longer than its length makes it.
TEST(ManifestTest, ManyUnknownMembersAreRead) {
  std::string text = write_manifest(example());
  text.resize(text.rfind(",\"xxh3\""));
  for (int i = 0; i < 500'000; ++i) text += ",\"" + std::to_string(i) + "\":0";
  EXPECT_EQ(error_of(with_checksum(text + "}")), "");
}

// As takes an array of many objects.
TEST(ManifestTest, ManyObjectsAreRead) {
  std::string text = write_manifest(example());
  text.resize(text.rfind(",\"xxh3\""));
  text += ",\"later\":[{}";
  for (int i = 0; i < 500'000; ++i) text += ",{}";
  EXPECT_EQ(error_of(with_checksum(text + "]}")), "");
}

TEST(ManifestTest, NamesThatAreNotUtf8AreWritten) {
  Manifest manifest = example();
  manifest.methods[0].name = "\xff\xfe";
  EXPECT_EQ(error_of(write_manifest(manifest)), "");
}

}  // namespace
}  // namespace slipway::engine
