// What the segments of engines hold: headers, and engines for other targets.
#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "pte/emitter/emitted_program_test.h"
#include "runtime/sum_backend_test.h"
#include "tensorrt/format/blob.h"

namespace slipway::pte {
namespace {

using testing::HasSubstr;

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span<const char>(text));
  return {bytes.begin(), bytes.end()};
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A program that calls one engine, of runtime::SumBackend: it begins with "sum", header or not.
class EngineVariantTest : public testing::Test {
 protected:
  EngineVariantTest() {
    runtime::SumBackend::get();
    p.output(p.call_sum({p.input("x", p.type({3}))}, {p.type({3})})->output());
  }

  engine::Engine& engine() { return p.engines[0]; }

  static void set_bytes(engine::Engine& engine, const std::string& bytes) {
    engine.bytes = own_bytes(bytes);
    engine.record.size = bytes.size();
    engine.record.sha256 = sha256_hex(engine.bytes.bytes);
  }

  void add_variant(const std::string& target, const std::string& bytes,
                   const std::string& header = "") {
    engine::Engine variant;
    variant.record = engine().record;
    variant.record.target = target;
    variant.header = bytes_of(header);
    set_bytes(variant, bytes);
    engine().variants.push_back(variant);
  }

  File read() {
    auto bytes = p.emit_bytes();
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    auto file = File::read(own_bytes(std::move(*bytes)), "made by hand");
    EXPECT_TRUE(file.ok()) << file.error().message();
    return std::move(*file);
  }

  ProgramToEmit p;
};

TEST_F(EngineVariantTest, AHeaderIsBeforeTheEngine) {
  const std::string header = "sum" + std::string(45, 'h');
  set_bytes(engine(), "the engine");
  engine().header = bytes_of(header);
  const File file = read();
  const engine::ManifestEngine& described = file.manifest()->methods[0].engines[0];
  EXPECT_EQ(described.header_size, 48u);
  EXPECT_EQ(described.record.size, 10u);
  EXPECT_EQ(described.record.sha256, sha256_hex(bytes_of("the engine")));
  const auto segment = *file.segment(described.segment);
  EXPECT_EQ(text_of(segment), header + "the engine");
  EXPECT_EQ((segment.data() - file.bytes().data()) % 4096, 0);
  EXPECT_TRUE(file.verify_checksums().ok());
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {floats({3}, {1, 2, 3})})[0]), (Floats{1, 2, 3}));
}

TEST_F(EngineVariantTest, VariantsAreNamedData) {
  set_bytes(engine(), "sum for the first");
  engine().record.target = "sm_80,sm_86";
  add_variant("sm_120", "sum for another", std::string(16, 'h'));
  add_variant("sm_90", "sum for a third");
  const File file = read();
  const engine::ManifestEngine& described = file.manifest()->methods[0].engines[0];
  EXPECT_EQ(described.record.target, "sm_80,sm_86");
  ASSERT_EQ(described.variants.size(), 2u);
  EXPECT_EQ(described.variants[0].record.target, "sm_120");
  EXPECT_EQ(described.variants[0].header_size, 16u);
  const std::string prefix = "slipway.engine." + described.record.sha256.substr(0, 16);
  EXPECT_EQ(text_of(*file.named_data(prefix + ".sm_120")),
            std::string(16, 'h') + "sum for another");
  EXPECT_EQ(text_of(*file.named_data(prefix + ".sm_90")), "sum for a third");
  EXPECT_TRUE(file.verify_checksums().ok());
  // A delegate that knows of none takes the first.
  const slipway::Method method = p.load();
  run(method, {floats({3}, {1, 2, 3})});
  const auto* given = static_cast<const std::byte*>(runtime::SumBackend::get().bytes);
  EXPECT_EQ(text_of({given, engine().record.size}), "sum for the first");
}

// A delegate may choose any of them.
TEST_F(EngineVariantTest, ADamagedVariantIsFound) {
  add_variant("sm_120", "sum for another");
  auto bytes = *p.emit_bytes();
  const std::string text = text_of(bytes);
  bytes[text.find("sum for another")] ^= std::byte{1};
  const auto file = File::read(own_bytes(std::move(bytes)), "damaged.pte");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_THAT(file->verify_engines("forward").error().message(),
              HasSubstr("segment 1 (engine) does not have its checksum"));
}

TEST_F(EngineVariantTest, EqualEnginesWithEqualHeadersAreStoredOnce) {
  add_variant("sm_120", "sum for another");
  add_variant("sm_90", "sum for another");
  add_variant("sm_80", "sum for another", std::string(16, 'h'));
  p.make_trees();
  auto pieces = emit({p.method("forward"), p.method("again")}, {.tool_version = "test"});
  ASSERT_TRUE(pieces.ok()) << pieces.error().message();
  const auto file = File::read(own_bytes(*write_to_memory(*pieces)), "made by hand");
  ASSERT_TRUE(file.ok()) << file.error().message();
  // The engine, two variants, the manifest's own is not listed.
  EXPECT_EQ(file->manifest()->segments.size(), 3u);
  const auto& variants = file->manifest()->methods[1].engines[0].variants;
  EXPECT_EQ(variants[0].segment, variants[1].segment);
  EXPECT_NE(variants[0].segment, variants[2].segment);
}

TEST_F(EngineVariantTest, WhatCannotBeStoredIsAnInternalError) {
  engine().header = bytes_of("sum and no more");
  EXPECT_THAT(p.emit_error(), HasSubstr("engine 0 has a header of 15 bytes, not a multiple of 16"));
  engine().header.clear();
  add_variant("sm_90", "sum for another");
  add_variant("sm_90", "sum for a third");
  EXPECT_THAT(p.emit_error(), HasSubstr(".sm_90 is there twice"));
  engine().variants.pop_back();
  EXPECT_EQ(p.emit_error(), "");
  engine().variants[0].record.size = 1;
  EXPECT_THAT(p.emit_error(), HasSubstr("engine 0 for sm_90 has 15 bytes"));
}

// Whoever damages a file on purpose puts the checksums right.
TEST_F(EngineVariantTest, NoFlipWithRightChecksumsCrashes) {
  engine().header = bytes_of(std::string(16, 'h'));
  add_variant("sm_120", "sum for another", std::string(32, 'h'));
  const auto bytes = *p.emit_bytes();
  const auto good = File::read({bytes, nullptr}, "made by hand");
  ASSERT_TRUE(good.ok()) << good.error().message();
  engine::Manifest manifest = *good->manifest();
  const auto stored = *good->named_data(std::string(engine::kManifestKey));
  const auto manifest_at = stored.data() - bytes.data();
  size_t accepted = 0;
  for (size_t i = 40; i < good->program_size(); ++i) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      std::vector<std::byte> damaged = bytes;
      damaged[i] ^= static_cast<std::byte>(mask);
      manifest.program_xxh3 = xxh3_hex(std::span(damaged).first(good->program_size()));
      const auto text = bytes_of(engine::write_manifest(manifest));
      std::copy(text.begin(), text.end(), damaged.begin() + manifest_at);
      const auto file = File::read({damaged, nullptr}, "made by hand");
      if (!file.ok()) continue;
      ++accepted;
      // Whatever is accepted has its engines where the manifest says.
      for (const engine::ManifestEngine* engine :
           {&file->manifest()->methods[0].engines[0],
            &file->manifest()->methods[0].engines[0].variants[0]}) {
        const auto segment = file->segment(engine->segment);
        ASSERT_TRUE(segment.ok());
        EXPECT_EQ(segment->size(), engine->header_size + engine->record.size);
      }
    }
  }
  EXPECT_GT(accepted, 0u);
}

// A cache that an engine of TensorRT's delegate updates, for two targets. The file that other tests
// read; it is also a seed of the fuzz targets.
TEST(EngineFileTest, TheSameProgramGivesTheSameFile) {
  ProgramToEmit p;
  ir::Value* cache = p.buffer("cache", p.count({2, 3}, {3, 1}, 0));
  ir::Value* x = p.input("x", p.type({2, 3}));
  ir::Node* call = p.call_sum({cache, x}, {p.type({2, 3}), p.type({2, 3})}, "update");
  p.mutation("cache", call->output(0));
  p.output(call->output(1));
  tensorrt::Metadata metadata;
  metadata.io_bindings = {{"cache", "float32", {2, 3}, true},
                          {"x", "float32", {2, 3}, true},
                          {"update", "float32", {2, 3}, false},
                          {"update_1", "float32", {2, 3}, false}};
  metadata.aliased_io = {{"update", "cache", "kv_cache_update"}};
  metadata.serialized_metadata = R"({"library":"TensorRT-RTX 1.7.1"})";
  metadata.target_platform = "linux_x86_64";

  p.make_trees();
  Method method = p.method();
  method.engine_nodes = {{"index_put (aten.index_put.default)", "mul (aten.mul.Tensor)"}};
  engine::Engine& engine = method.engines[0];
  engine.record.engine = "tensorrt";
  engine.record.backend = tensorrt::kBackend;
  engine.record.library_version = "TensorRT-RTX 1.7.1";
  engine.record.device = "GPU";
  engine.record.compile_specs = {{"target_device", "cuda:0"}};
  engine.record.aliases = {{0, 0, "kv_cache_update"}};
  const auto set = [&](engine::Engine& out, const std::string& target, const std::string& plan) {
    out.record.target = target;
    out.bytes = own_bytes(plan);
    out.record.size = plan.size();
    out.record.sha256 = sha256_hex(out.bytes.bytes);
    auto header = tensorrt::write_header(metadata, plan.size());
    ASSERT_TRUE(header.ok()) << header.error().message();
    out.header = *header;
  };
  engine::Engine variant = engine;
  set(engine, "sm_80,sm_86", "a plan");
  set(variant, "sm_120", "a plan for newer machines");
  engine.variants = {variant};
  auto pieces = emit({method}, {.tool_version = "slipway"});
  ASSERT_TRUE(pieces.ok()) << pieces.error().message();
  auto bytes = write_to_memory(*pieces);
  ASSERT_TRUE(bytes.ok());
  auto stored = MappedFile::open(SLIPWAY_TEST_DATA "/runtime/tensorrt.pte");
  ASSERT_TRUE(stored.ok());
  EXPECT_TRUE(std::ranges::equal(*bytes, (*stored)->bytes()));
}

}  // namespace
}  // namespace slipway::pte
