#include "inspect/partition_text.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway::inspection {
namespace {

// Of tests/data/runtime/engine.pte: five nodes on an engine, three outside.
class PartitionText : public testing::Test {
 protected:
  PartitionText() {
    auto read = PteSummary::read(std::string(SLIPWAY_TEST_DATA) + "/runtime/engine.pte", {});
    EXPECT_TRUE(read.ok()) << read.error().message();
    summary = std::move(*read);
  }

  MethodInfo& method() { return summary.methods.at(0); }
  std::string text(bool all = false) {
    return partitions_text(summary.method(0), {.graph = all, .graph_hint = "ask for all"});
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

TEST_F(PartitionText, WhatIsSlowIsTold) {
  EXPECT_TRUE(slow_path(summary.method(0)).empty());
  summary.manifest->methods[0].outside.push_back({"conv", "aten.conv2d.default", "of float64"});
  EXPECT_EQ(slow_path(summary.method(0)),
            (std::vector<std::string>{"conv (aten.conv2d.default) on ExecuTorch's kernels, of 4 "
                                      "nodes outside the engines: of float64"}));
  summary.manifest.reset();  // of another tool: what it has is not known
  EXPECT_TRUE(slow_path(summary.method(0)).empty());
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
  EXPECT_NE(few.find("and 13 more operators and reasons: ask for all"), std::string::npos);
  const std::string all = text(true);
  EXPECT_NE(all.find("m7, m8"), std::string::npos) << all;
  EXPECT_NE(all.find("reason 29"), std::string::npos);
}

TEST_F(PartitionText, EnginesOfOtherToolsHaveNoMore) {
  summary.manifest.reset();
  method().engines[0].nodes.clear();
  method().outside.clear();
  EXPECT_EQ(text(), "1 engine:\n  engine 0: SumBackend, 3 bytes\n");
  const auto json = engines_json(summary.method(0));
  EXPECT_EQ(json.dump(), R"([{"backend":"SumBackend","bytes":3}])");
}

TEST_F(PartitionText, JsonHasEverything) {
  const auto engines = engines_json(summary.method(0));
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
  const auto outside = outside_json(summary.method(0));
  ASSERT_EQ(outside.size(), 3u);
  EXPECT_EQ(outside[0].dump(),
            R"({"name":"cos","op":"aten.cos.default","reason":"excluded by --exclude-op"})");
}

// Of tests/data/runtime/tensorrt.pte: an engine of TensorRT's delegate, for two targets.
class TensorRtText : public testing::Test {
 protected:
  TensorRtText() {
    auto read = PteSummary::read(std::string(SLIPWAY_TEST_DATA) + "/runtime/tensorrt.pte", {});
    EXPECT_TRUE(read.ok()) << read.error().message();
    summary = std::move(*read);
  }

  EngineHeader& header() { return summary.headers.at(0).at(0); }
  std::string text() { return partitions_text(summary.method(0), {}); }

  PteSummary summary;
};

TEST_F(TensorRtText, TargetsAndAliasesAreShown) {
  EXPECT_EQ(text(),
            "1 engine, 2 of 2 nodes:\n"
            "  engine 0: tensorrt TensorRT-RTX 1.7.1 for GPU, 534 bytes in segment 1\n"
            "    2 nodes: index_put (aten.index_put.default), mul (aten.mul.Tensor)\n"
            "    target sm_80,sm_86\n"
            "    also for sm_120: 553 bytes in segment 2, sha256 "
            "3910570aecf4af6000823d32f9474fc6501856d2780d8d3260381dd845afaf25\n"
            "    TensorRT plan for GPU 0 of linux_x86_64\n"
            "    metadata: {\"library\":\"TensorRT-RTX 1.7.1\"}\n"
            "    weights 0 bytes\n"
            "    input 'cache': float32[2, 3]\n"
            "    input 'x': float32[2, 3]\n"
            "    output 'update': float32[2, 3]\n"
            "    output 'update_1': float32[2, 3]\n"
            "    output 'update' is in the memory of input 'cache' (kv_cache_update)\n"
            "    sha256 a27fa2bacd5796b82680016a6b8865a616a9e4f6b6a198d3776ddc07536e3158\n");
  EXPECT_EQ(summary.engine_bytes, 534u + 553u);
}

TEST_F(TensorRtText, PlansOfOtherToolsAreDescribedByTheirHeaders) {
  summary.manifest.reset();
  summary.methods.at(0).engines.at(0).nodes.clear();
  (*header())->lines.at(0) += ", and GPUs of later kinds";
  EXPECT_EQ(text(),
            "1 engine:\n"
            "  engine 0: TensorRTBackend, 534 bytes\n"
            "    TensorRT plan for GPU 0 of linux_x86_64, and GPUs of later kinds\n"
            "    metadata: {\"library\":\"TensorRT-RTX 1.7.1\"}\n"
            "    input 'cache': float32[2, 3]\n"
            "    input 'x': float32[2, 3]\n"
            "    output 'update': float32[2, 3]\n"
            "    output 'update_1': float32[2, 3]\n"
            "    output 'update' is in the memory of input 'cache' (kv_cache_update)\n");
  header() = invalid_file("it is cut short");
  EXPECT_EQ(text(),
            "1 engine:\n"
            "  engine 0: TensorRTBackend, 534 bytes\n"
            "    its header is damaged: it is cut short\n");
}

TEST_F(TensorRtText, JsonHasTargetsAliasesAndTheHeader) {
  auto json = engines_json(summary.method(0))[0];
  EXPECT_EQ(json["target"], "sm_80,sm_86");
  EXPECT_EQ(json["header_size"], 528);
  EXPECT_EQ(json["aliases"].dump(),
            R"([{"output":"update","input":"cache","kind":"kv_cache_update"}])");
  EXPECT_EQ(json["variants"][0]["target"], "sm_120");
  EXPECT_EQ(json["variants"][0]["bytes"], 553);
  EXPECT_EQ(json["variants"][0]["segment"], 2);
  const auto& tensorrt = json["tensorrt"];
  EXPECT_EQ(tensorrt["io_bindings"][3].dump(),
            R"({"name":"update_1","dtype":"float32","shape":[2,3],"is_input":false})");
  EXPECT_EQ(tensorrt["aliased_io"], json["aliases"]);
  EXPECT_EQ(tensorrt["hardware_compatible"], false);
  EXPECT_EQ(tensorrt["device_id"], 0);
  EXPECT_EQ(tensorrt["target_platform"], "linux_x86_64");
  header() = invalid_file("it is cut short");
  EXPECT_EQ(engines_json(summary.method(0))[0]["tensorrt"]["error"], "it is cut short");
}

TEST_F(PartitionText, SummariesCountEngines) {
  EXPECT_EQ(summary.engine_count(), 1u);
  EXPECT_EQ(summary.engine_bytes, 3u);
  EXPECT_EQ(method().instructions.back(), "engine 0 of SumBackend");
}

}  // namespace
}  // namespace slipway::inspection
