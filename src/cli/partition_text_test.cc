#include "cli/partition_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

// Of tests/data/runtime/engine.pte: five nodes on an engine, three outside.
class PartitionText : public testing::Test {
 protected:
  PartitionText() {
    auto read = PteSummary::read(std::string(SLIPWAY_TEST_DATA) + "/runtime/engine.pte", false);
    EXPECT_TRUE(read.ok()) << read.error().message();
    summary = std::move(*read);
  }

  PteSummary::Method& method() { return summary.methods.at(0); }
  std::string text(bool all = false) {
    testing::internal::CaptureStdout();
    print_partitions(method(), all);
    return testing::internal::GetCapturedStdout();
  }

  PteSummary summary;
};

TEST_F(PartitionText, EnginesAndWhatIsOutsideAreShown) {
  EXPECT_EQ(text(),
            "1 engine, 5 of 8 nodes:\n"
            "  engine 0: sum 1 for CPU, 3 bytes in segment 0\n"
            "    5 nodes: add (aten.add.Tensor), add_1 (aten.add.Tensor), mul (aten.mul.Tensor), "
            "sub (aten.sub.Tensor) and 1 more\n"
            "    weights 2.0 KiB\n"
            "    option precision=f32\n"
            "    input 'relu': float32[s0, 2]\n"
            "    input 'x': float32[s0, 2]\n"
            "    output 'sum': float32[s0, 2]\n"
            "    sha256 09f5ffef28309853265c4a98d0e56e1be522b6b402d8193594fd05103064fc6a\n"
            "outside, on ExecuTorch's kernels: 3 nodes\n"
            "  count  operator           reason                    nodes\n"
            "  2      aten.relu.default  its result loses NaN      relu, relu_1\n"
            "  1      aten.cos.default   excluded by --exclude-op  cos\n");
  EXPECT_NE(text(true).find("    5 nodes:\n      add (aten.add.Tensor)\n"), std::string::npos);
}

TEST_F(PartitionText, ManyReasonsAreCutShortUnlessAllAreWanted) {
  for (int i = 0; i < 30; ++i) {
    method().outside.push_back({"n", "aten.add.Tensor", fmt::format("reason {}", i)});
  }
  for (int i = 0; i < 9; ++i) {
    method().outside.push_back({fmt::format("m{}", i), "aten.mul.Tensor", "often"});
  }
  const std::string few = text();
  EXPECT_NE(few.find("m0, m1, m2 and 6 more"), std::string::npos) << few;
  EXPECT_NE(few.find("and 13 more operators and reasons: --graph shows them"), std::string::npos);
  const std::string all = text(true);
  EXPECT_NE(all.find("m7, m8"), std::string::npos) << all;
  EXPECT_NE(all.find("reason 29"), std::string::npos);
}

TEST_F(PartitionText, EnginesOfOtherToolsHaveNoMore) {
  method().engines[0].described.reset();
  method().outside.clear();
  EXPECT_EQ(text(), "1 engine:\n  engine 0: SumBackend, 3 bytes\n");
  const auto json = engines_json(method());
  EXPECT_EQ(json.dump(), R"([{"backend":"SumBackend","bytes":3}])");
}

TEST_F(PartitionText, JsonHasEverything) {
  const auto engines = engines_json(method());
  ASSERT_EQ(engines.size(), 1u);
  EXPECT_EQ(engines[0]["engine"], "sum");
  EXPECT_EQ(engines[0]["library_version"], "1");
  EXPECT_EQ(engines[0]["options"]["precision"], "f32");
  EXPECT_EQ(engines[0]["compile_specs"]["inputs"], "2");
  EXPECT_EQ(engines[0]["inputs"][1]["name"], "x");
  EXPECT_EQ(engines[0]["inputs"][1]["sizes"].dump(), R"(["s0","2"])");
  EXPECT_EQ(engines[0]["outputs"][0]["type"], "float32");
  EXPECT_EQ(engines[0]["nodes"].size(), 5u);
  EXPECT_EQ(engines[0]["weight_bytes"], 2048);
  const auto outside = outside_json(method());
  ASSERT_EQ(outside.size(), 3u);
  EXPECT_EQ(outside[0].dump(),
            R"({"name":"cos","op":"aten.cos.default","reason":"excluded by --exclude-op"})");
}

TEST_F(PartitionText, SummariesCountEngines) {
  EXPECT_EQ(summary.engine_count(), 1u);
  EXPECT_EQ(summary.engine_bytes, 3u);
  EXPECT_EQ(method().instructions.back(), "engine 0 of SumBackend");
}

}  // namespace
}  // namespace slipway::cli
