#include <cstring>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "pte/reader/program_test.h"

namespace slipway::pte {
namespace {

using testing::HasSubstr;

// A file with an engine of one input and one output, and a manifest that speaks of it.
class EngineFile : public TestProgram {
 public:
  EngineFile() {
    x = tensor({});
    y = tensor({});
    TestTensor stored;
    stored.data = 1;
    weights = std::string(24, '\x01');
    constants(segment(weights), {0, 0});
    constant = tensor(stored);
    blob = segment("engine");
    inputs = {x};
    outputs = {y};

    manifest.tool_version = "1";
    manifest.segments = {{0, "constants", weights.size(), hash(weights)},
                         {1, "engine", 6, hash("engine")}};
    manifest.methods.resize(1);
    method().name = "forward";
    method().inputs = {{"x", "float32", {"2", "3"}, {2, 3}, {2, 3}}};
    method().outputs = method().inputs;
    engine::ManifestEngine& engine = method().engines.emplace_back();
    engine.record.backend = "OpenvinoBackend";
    engine.record.inputs = {{"x", "float32", {"2", "3"}}};
    engine.record.outputs = {{"y", "float32", {"2", "3"}}};
    engine.record.size = 6;
    engine.segment = blob;
  }

  engine::ManifestMethod& method() { return manifest.methods[0]; }
  engine::EngineRecord& record() { return method().engines[0].record; }
  static std::string hash(const std::string& text) {
    return xxh3_hex(std::as_bytes(std::span<const char>(text)));
  }

  std::vector<std::byte> finish() {
    delegate(backend, fb::DataLocation::SEGMENT, blob);
    call_delegate(0, args.empty() ? std::vector<int32_t>{x, y} : args);
    const std::string placeholder = engine::write_manifest(manifest);
    named("slipway.manifest", segment(placeholder));
    auto bytes = build();
    uint64_t program_size = 0;
    std::memcpy(&program_size, bytes.data() + 16, sizeof program_size);
    manifest.program_xxh3 = xxh3_hex(std::span(bytes).first(program_size));
    const std::string text = engine::write_manifest(manifest);
    std::memcpy(bytes.data() + bytes.size() - text.size(), text.data(), text.size());
    return bytes;
  }

  int32_t x = 0;
  int32_t y = 0;
  int32_t constant = 0;
  std::string weights;
  uint32_t blob = 0;
  const char* backend = "OpenvinoBackend";
  std::vector<int32_t> args;
  engine::Manifest manifest;
};

std::string error_with(const std::function<void(EngineFile&)>& change) {
  EngineFile file;
  change(file);
  return read_error(file.finish());
}

TEST(EngineCheckTest, WhatTheManifestDescribesPasses) {
  EXPECT_EQ(error_with([](EngineFile&) {}), "");
  // A constant may be read.
  EXPECT_EQ(error_with([](EngineFile& f) { f.args = {f.constant, f.y}; }), "");
}

TEST(EngineCheckTest, DelegatesAreTheManifestsEngines) {
  EXPECT_THAT(error_with([](EngineFile& f) { f.method().engines.clear(); }),
              HasSubstr("it has 1 delegates, and its manifest describes 0 engines"));
  for (const auto& change : std::initializer_list<std::function<void(EngineFile&)>>{
           [](EngineFile& f) { f.backend = "XnnpackBackend"; },
           [](EngineFile& f) { f.method().engines[0].segment = 0; },
           [](EngineFile& f) { f.record().size = 7; }}) {
    EXPECT_THAT(error_with(change), HasSubstr("delegate 0: its manifest describes another engine"));
  }
}

TEST(EngineCheckTest, ArgumentsAreWhatTheEngineTakesAndGives) {
  EXPECT_THAT(error_with([](EngineFile& f) {
                f.args = {f.x, f.x, f.y};
              }),
              HasSubstr("it has 3 arguments, and the engine 1 inputs and 1 outputs"));
  EXPECT_THAT(error_with([](EngineFile& f) {
                f.args = {f.number(int64_t{1}), f.y};
              }),
              HasSubstr("for 'x', is an int"));
  EXPECT_THAT(error_with([](EngineFile& f) { f.record().inputs[0].dtype = "int64"; }),
              HasSubstr("for 'x', is float32 of 2 dimensions, and the engine has int64 of 2"));
  EXPECT_THAT(error_with([](EngineFile& f) { f.record().outputs[0].sizes = {"6"}; }),
              HasSubstr("for 'y', is float32 of 2 dimensions, and the engine has float32 of 1"));
}

TEST(EngineCheckTest, AHeaderIsPartOfTheSegment) {
  EXPECT_EQ(error_with([](EngineFile& f) {
              f.record().size = 2;
              f.method().engines[0].header_size = 4;
            }),
            "");
  EXPECT_THAT(error_with([](EngineFile& f) {
                f.record().size = 7;
                f.method().engines[0].header_size = INT64_MAX;
              }),
              HasSubstr("describes another engine"));
}

TEST(EngineCheckTest, AResultInTheMemoryOfAnInputIsThat) {
  const auto alias = [](EngineFile& f) { f.record().aliases = {{0, 0, "user"}}; };
  EXPECT_THAT(error_with(alias), HasSubstr("its result 0 is value 1, and the engine has it in the "
                                           "memory of 0"));
  EXPECT_EQ(error_with([&](EngineFile& f) {
              alias(f);
              f.args = {f.y, f.y};
            }),
            "");
}

TEST(EngineCheckTest, VariantsAreTheirNamedData) {
  const auto add = [](EngineFile& f, const char* key) {
    const uint32_t segment = f.segment("other");
    f.named(key, segment);
    f.manifest.segments.push_back({segment, "engine", 5, EngineFile::hash("other")});
    engine::ManifestEngine variant = f.method().engines[0];
    variant.record.size = 5;
    variant.record.target = "sm_90";
    variant.segment = segment;
    f.record().sha256 = std::string(64, 'd');
    f.method().engines[0].variants = {variant};
  };
  const char* key = "slipway.engine.dddddddddddddddd.sm_90";
  EXPECT_EQ(error_with([&](EngineFile& f) { add(f, key); }), "");
  const char* missing = "it does not have the engine for sm_90 that its manifest describes";
  EXPECT_THAT(error_with([&](EngineFile& f) { add(f, "slipway.engine.dddddddddddddddd.sm_80"); }),
              HasSubstr(missing));
  EXPECT_THAT(error_with([&](EngineFile& f) {
                add(f, key);
                f.method().engines[0].variants[0].segment = 1;
              }),
              HasSubstr(missing));
  EXPECT_THAT(error_with([&](EngineFile& f) {
                add(f, key);
                f.method().engines[0].variants[0].header_size = 1;
              }),
              HasSubstr(missing));
}

// They are mapped read-only.
TEST(EngineCheckTest, ConstantsAreNoResults) {
  EXPECT_THAT(error_with([](EngineFile& f) {
                f.args = {f.x, f.constant};
              }),
              HasSubstr("for 'y', is a tensor that must not be written to"));
}

TEST(EngineCheckTest, EnginesAreVerified) {
  EngineFile program;
  auto bytes = program.finish();
  const auto file = File::read({bytes, nullptr}, "m.pte");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_TRUE(file->verify_engines("forward").ok());
  const auto flip = [&](uint32_t segment) {
    bytes[static_cast<size_t>(file->segment(segment)->data() - bytes.data())] ^= std::byte{1};
  };
  flip(0);  // a constant
  EXPECT_TRUE(file->verify_engines("forward").ok());
  flip(1);
  EXPECT_THAT(file->verify_engines("forward").error().message(),
              HasSubstr("m.pte: segment 1 (engine) does not have its checksum"));
  EXPECT_TRUE(file->verify_engines("another").ok());

  EngineFile unlisted;
  unlisted.manifest.segments.pop_back();
  const auto without = File::read(own_bytes(unlisted.finish()), "m.pte");
  ASSERT_TRUE(without.ok()) << without.error().message();
  EXPECT_THAT(without->verify_engines("forward").error().message(),
              HasSubstr("segment 1, an engine, has no checksum"));
}

}  // namespace
}  // namespace slipway::pte
