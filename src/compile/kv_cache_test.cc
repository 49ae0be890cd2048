// Decoders through the whole compiler, with the real TensorRT-RTX where it is.

#include <gtest/gtest.h>

#include "base/piece_writer.h"
#include "pte/reader/reader.h"
#include "slipway/compile.h"
#include "tensorrt/builder/builder.h"

namespace slipway {
namespace {

// The only engine of a decoder in tests/data/tensorrt.
class KvCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto builder = tensorrt::make_builder({}, "sm_86");
    const auto library = builder->fingerprint();
    if (!library.ok()) GTEST_SKIP() << library.error().message();
  }

  static engine::ManifestEngine compile_decoder(const std::string& name, std::string& magic) {
    const auto program = Program::load(SLIPWAY_TEST_DATA "/tensorrt/" + name);
    EXPECT_TRUE(program.ok()) << program.error().message();
    CompileOptions options;
    options.engines = {{"tensorrt", {{"target", "sm_86"}}}};
    options.require_full = true;
    options.verify_passes = true;
    const auto artefact = compile(*program, options);
    EXPECT_TRUE(artefact.ok()) << artefact.error().message();
    auto bytes = artefact->to_memory();
    EXPECT_TRUE(bytes.ok());
    const auto file = pte::File::read(own_bytes(std::move(*bytes)), name);
    EXPECT_TRUE(file.ok()) << file.error().message();
    const auto& engines = file->manifest()->methods.at(0).engines;
    EXPECT_EQ(engines.size(), 1U);
    const auto segment = file->segment(engines.at(0).segment);
    EXPECT_TRUE(segment.ok());
    magic.assign(reinterpret_cast<const char*>(segment->data()), 4);
    return engines.at(0);
  }
};

TEST_F(KvCacheTest, OneTokenIsWrittenInPlace) {
  std::string magic;
  const auto engine = compile_decoder("decoder_of_one.pt2", magic);
  EXPECT_EQ(magic, "TR02");
  ASSERT_EQ(engine.record.aliases.size(), 2U);
  const auto& inputs = engine.record.inputs;
  EXPECT_EQ(inputs.at(engine.record.aliases[0].input).name, "b_keys");
  EXPECT_EQ(inputs.at(engine.record.aliases[1].input).name, "b_values");
  for (const engine::EngineAlias& alias : engine.record.aliases) {
    EXPECT_EQ(alias.kind, "kv_cache_update");
    EXPECT_EQ(engine.record.outputs.at(alias.output).sizes, inputs.at(alias.input).sizes);
  }
}

TEST_F(KvCacheTest, PlacesThatNeedNotFollowEachOtherAreCopied) {
  std::string magic;
  const auto engine = compile_decoder("decoder_of_three.pt2", magic);
  EXPECT_EQ(magic, "TR01");
  EXPECT_TRUE(engine.record.aliases.empty());
  EXPECT_EQ(engine.record.outputs.size(), 3U);
}

}  // namespace
}  // namespace slipway
