#include "tensorrt/format/description.h"

#include <cstring>

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "tensorrt/format/blob.h"

namespace slipway::tensorrt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

engine::EngineRecord record() {
  engine::EngineRecord record;
  record.library_version = "TensorRT-RTX 1.7.1";
  record.inputs = {{"x", "float32", {"s0", "4"}}, {"cache", "float32", {"1", "8"}}};
  record.outputs = {{"y", "float32", {"s0", "2*s0"}}, {"cache_1", "float32", {"1", "8"}}};
  record.aliases = {{1, 1, "kv_cache_update"}};
  record.target = "sm_80,sm_86";
  record.size = 3;
  record.sha256 = std::string(64, '7');
  return record;
}

// The header of the record, and a plan behind it.
std::vector<std::byte> blob() {
  auto bytes = kDescription.header(record());
  EXPECT_TRUE(bytes.ok()) << bytes.error().message();
  for (const char c : {'f', 't', 'r'}) bytes->push_back(static_cast<std::byte>(c));
  return *bytes;
}

TEST(TensorRtDescription, WritesTheHeaderOfARecord) {
  const auto bytes = blob();
  const auto read = read_blob(bytes);
  ASSERT_TRUE(read.ok()) << read.error().message();
  ASSERT_EQ(read->metadata.io_bindings.size(), 4u);
  EXPECT_THAT(read->metadata.io_bindings[0].shape, ElementsAre(-1, 4));
  EXPECT_THAT(read->metadata.io_bindings[2].shape, ElementsAre(-1, -1));
  EXPECT_FALSE(read->metadata.io_bindings[2].is_input);
  ASSERT_EQ(read->metadata.aliased_io.size(), 1u);
  EXPECT_EQ(read->metadata.aliased_io[0].output, "cache_1");
  EXPECT_EQ(read->metadata.aliased_io[0].input, "cache");
  EXPECT_EQ(read->metadata.engine_sha256, std::string(64, '7'));
  EXPECT_EQ(read->metadata.engine_target, "sm_80,sm_86");
}

TEST(TensorRtDescription, FindsThePlanAndTellsOfIt) {
  const auto bytes = blob();
  const auto plan = kDescription.engine_of(bytes);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(std::memcmp(plan->data(), "ftr", 3), 0);
  EXPECT_EQ(plan->size(), 3u);
  const auto summary = kDescription.summarize(bytes);
  ASSERT_TRUE(summary.ok());
  EXPECT_THAT(summary->lines, ElementsAre("TensorRT plan for GPU 0 of linux_x86_64",
                                          "metadata: slipway: TensorRT-RTX 1.7.1"));
  EXPECT_THAT(summary->ends,
              ElementsAre("input 'x': float32[-1, 4]", "input 'cache': float32[1, 8]",
                          "output 'y': float32[-1, -1]", "output 'cache_1': float32[1, 8]",
                          "output 'cache_1' is in the memory of input 'cache' (kv_cache_update)"));
  EXPECT_THAT(summary->json, HasSubstr("\"io_bindings\""));
  EXPECT_FALSE(kDescription.engine_of(std::span(bytes).first(20)).ok());
  Metadata metadata = read_blob(bytes)->metadata;
  metadata.hardware_compatible = true;
  const auto other = write_header(metadata, 3);
  std::vector<std::byte> blob = *other;
  blob.resize(blob.size() + 3);
  EXPECT_EQ(kDescription.summarize(blob)->lines[0],
            "TensorRT plan for GPU 0 of linux_x86_64, and GPUs of later kinds");
  EXPECT_FALSE(kDescription.summarize({}).ok());
  metadata.engine_key = "k";
  const auto elsewhere = write_header(metadata, 0);
  ASSERT_TRUE(elsewhere.ok()) << elsewhere.error().message();
  EXPECT_THAT(kDescription.summarize(*elsewhere)->lines,
              testing::Contains("the plan is named data: k"));
  EXPECT_TRUE(kDescription.engine_of(*elsewhere)->empty());
  EXPECT_EQ(*kDescription.external_key(*elsewhere), "k");
  EXPECT_EQ(*kDescription.external_key(bytes), "");
  EXPECT_FALSE(kDescription.external_key({}).ok());
}

TEST(TensorRtDescription, AHeaderMayBeOfAPlanElsewhere) {
  const auto bytes = blob();
  const auto header = std::span(bytes).first(bytes.size() - 3);
  const auto external = kDescription.external_header(header, "k");
  ASSERT_TRUE(external.ok()) << external.error().message();
  Metadata expected = read_blob(bytes)->metadata;
  expected.engine_key = "k";
  EXPECT_EQ(read_blob(*external)->metadata, expected);
  EXPECT_FALSE(kDescription.external_header(header.first(20), "k").ok());
  EXPECT_FALSE(kDescription.external_header(header.first(64), "k").ok());
  EXPECT_FALSE(kDescription.external_header(header, "").ok());
}

TEST(TensorRtDescription, GivesTheDelegateBudgetsAsTexts) {
  EXPECT_TRUE(kDescription.load_settings({}).empty());
  const auto given = [](const LoadOptions& options, const std::string& key) {
    const auto settings = kDescription.load_settings(options);
    EXPECT_EQ(settings.size(), 1u);
    EXPECT_EQ(settings.at(0).first, key);
    return std::get<std::string>(settings.at(0).second);
  };
  const auto of_each = [&](uint64_t budget) {
    return given({.weight_streaming_budget = budget}, "weight_streaming_budget");
  };
  EXPECT_EQ(of_each(0), "0");
  EXPECT_EQ(of_each(uint64_t{5} << 30), "5368709120");
  EXPECT_EQ(of_each(UINT64_MAX), "9223372036854775807");
  EXPECT_EQ(given({.weight_streaming_total = UINT64_MAX}, "weight_streaming_total"),
            "9223372036854775807");
}

TEST(TensorRtDescription, GivesTheDelegateTheDevice) {
  const auto settings = kDescription.load_settings({.device = "cuda:1"});
  ASSERT_EQ(settings.size(), 1u);
  EXPECT_EQ(std::string(settings[0].first), "target_device");
  EXPECT_EQ(std::get<std::string>(settings[0].second), "cuda:1");
}

TEST(TensorRtDescription, KnowsTheDeviceOfARecord) {
  const auto device_of = [](const std::string& spec) {
    engine::EngineRecord record;
    record.compile_specs = {{"target_device", spec}};
    return kDescription.cuda_device(record);
  };
  EXPECT_EQ(device_of("cuda:0"), 0);
  EXPECT_EQ(device_of("cuda:12"), 12);
  for (const char* none :
       {"", "cpu", "cuda", "cuda:", "cuda:x", "cuda:-1", "cuda:1 ", "cuda:128"}) {
    EXPECT_EQ(device_of(none), std::nullopt) << none;
  }
  EXPECT_EQ(kDescription.cuda_device({}), std::nullopt);
}

TEST(TensorRtDescription, TellsTheDelegateWhatIsShared) {
  const auto settings = kDescription.load_settings({.share_engines = false, .share_scratch = true});
  ASSERT_EQ(settings.size(), 2u);
  EXPECT_EQ(std::string(settings[0].first), "use_shared_engines");
  EXPECT_FALSE(std::get<bool>(settings[0].second));
  EXPECT_EQ(std::string(settings[1].first), "use_shared_activation_scratch");
  EXPECT_TRUE(std::get<bool>(settings[1].second));
}

TEST(TensorRtDescription, KnowsBarePlans) {
  const auto is_plan = [](const char* text) {
    return kDescription.is_bare_engine(std::as_bytes(std::span(text, std::strlen(text))));
  };
  EXPECT_TRUE(is_plan("ftrt and more"));
  EXPECT_TRUE(is_plan("vtrt"));
  EXPECT_FALSE(is_plan("TR01"));
  EXPECT_FALSE(is_plan(""));
}

}  // namespace
}  // namespace slipway::tensorrt
