#include "c_api/options.h"

#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace slipway::c_api {
namespace {

template <class Options>
struct Case {
  const char* value;
  std::function<bool(const Options&)> is_set;
};

template <class Options, class Read>
void expect_all_set(const slipway_option_info* infos, size_t count,
                    const std::map<std::string, Case<Options>>& cases, const Read& read) {
  std::set<std::string> names;
  for (size_t i = 0; i < count; ++i) {
    const char* const name = infos[i].name;
    SCOPED_TRACE(name);
    names.insert(name);
    EXPECT_NE(std::string_view(infos[i].help), "");
    const auto found = cases.find(name);
    ASSERT_NE(found, cases.end());
    const slipway_option option{name, found->second.value};
    const auto options = read({&option, 1});
    ASSERT_TRUE(options.ok()) << options.error().message();
    EXPECT_TRUE(found->second.is_set(*options));
    EXPECT_FALSE(found->second.is_set(Options()));
    const slipway_option twice[] = {option, option};
    EXPECT_EQ(read(std::span<const slipway_option>(twice)).ok(), infos[i].is_repeated);
  }
  EXPECT_EQ(names.size(), cases.size());
}

TEST(COptions, OfCompilingAreSetByName) {
  using O = CompileOptions;
  const std::map<std::string, Case<O>> cases = {
      {"output", {"pt2", [](const O& o) { return o.output == Output::kArchive; }}},
      {"engines", {"none", [](const O& o) { return o.engines.empty(); }}},
      {"exclude_ops", {"aten.cos", [](const O& o) { return o.exclude_ops.contains("aten.cos"); }}},
      {"exclude_nodes", {"add", [](const O& o) { return o.exclude_nodes.contains("add"); }}},
      {"min_partition_size", {"3", [](const O& o) { return o.min_partition_size == 3; }}},
      {"require_full", {"true", [](const O& o) { return o.require_full; }}},
      {"allow_reduced_precision", {"true", [](const O& o) { return o.allow_reduced_precision; }}},
      {"alloc_graph_output", {"false", [](const O& o) { return !o.alloc_graph_output; }}},
      {"non_cpu_memory_planning", {"true", [](const O& o) { return o.non_cpu_memory_planning; }}},
      {"share_buffers", {"true", [](const O& o) { return o.share_buffers; }}},
      {"check", {"fail", [](const O& o) { return o.check == EngineCheck::kFail; }}},
      {"cache", {"/c", [](const O& o) { return o.cache == "/c"; }}},
      {"external_engines", {"e", [](const O& o) { return o.external_engines == "e"; }}},
      {"bounds",
       {"x.0=8",
        [](const O& o) {
          return o.bounds == O{.bounds = {{"x.0", 8}}}.bounds;
        }}},
      {"seed", {"7", [](const O& o) { return o.seed == 7; }}},
      {"tune", {"true", [](const O& o) { return o.tune; }}},
      {"tune_sizes",
       {"x.0=8",
        [](const O& o) {
          return o.tune_sizes == O{.bounds = {{"x.0", 8}}}.bounds;
        }}},
      {"verify_passes", {"true", [](const O& o) { return o.verify_passes; }}},
      {"dump_partitions", {"/d", [](const O& o) { return o.dump_partitions == "/d"; }}},
  };
  size_t count = 0;
  const slipway_option_info* const infos = slipway_compile_options(&count);
  expect_all_set(infos, count, cases, to_compile_options);
}

TEST(COptions, OfLoadingAreSetByName) {
  using O = LoadOptions;
  const std::map<std::string, Case<O>> cases = {
      {"trust", {"true", [](const O& o) { return o.trust; }}},
      {"data_file", {"d.ptd", [](const O& o) { return o.data_file == "d.ptd"; }}},
      {"verify_checksums", {"true", [](const O& o) { return o.verify_checksums; }}},
      {"copy", {"true", [](const O& o) { return o.copy; }}},
      {"time_limit",
       {"250", [](const O& o) { return o.time_limit == std::chrono::milliseconds(250); }}},
      {"isolate", {"true", [](const O& o) { return o.isolate; }}},
      {"memory_limit", {"4096", [](const O& o) { return o.memory_limit == 4096; }}},
      {"engine_threads", {"2", [](const O& o) { return o.engine_threads == 2; }}},
      {"performance_hint",
       {"throughput",
        [](const O& o) { return o.performance_hint == PerformanceHint::kThroughput; }}},
      {"device", {"cuda:1", [](const O& o) { return o.device == "cuda:1"; }}},
      {"weight_streaming_budget", {"5", [](const O& o) { return o.weight_streaming_budget == 5; }}},
      {"weight_streaming_total", {"6", [](const O& o) { return o.weight_streaming_total == 6; }}},
      {"share_engines", {"false", [](const O& o) { return o.share_engines == false; }}},
      {"share_scratch", {"true", [](const O& o) { return o.share_scratch; }}},
      {"cuda_graphs", {"false", [](const O& o) { return o.cuda_graphs == false; }}},
      {"require_same_environment", {"true", [](const O& o) { return o.require_same_environment; }}},
  };
  size_t count = 0;
  const slipway_option_info* const infos = slipway_load_options(&count);
  expect_all_set(infos, count, cases, to_load_options);
}

TEST(COptions, OfEnginesHaveTheirNameBefore) {
  size_t engine_count = 0;
  const char* const* const engines = slipway_engine_names(&engine_count);
  ASSERT_GT(engine_count, 0u);
  for (size_t i = 0; i < engine_count; ++i) {
    SCOPED_TRACE(engines[i]);
    size_t count = 0;
    const slipway_option_info* const infos = slipway_engine_options(engines[i], &count);
    ASSERT_EQ(infos != nullptr, count > 0);
    ASSERT_EQ(count, engine_options(engines[i]).size());
    for (size_t k = 0; k < count; ++k) {
      const std::string name = std::string(engines[i]) + "." + infos[k].name;
      const slipway_option options[] = {{name.c_str(), "x"}, {"engines", engines[i]}};
      const auto read = to_compile_options(options);
      ASSERT_TRUE(read.ok()) << read.error().message();
      const std::vector<std::pair<std::string, std::string>> expected = {{infos[k].name, "x"}};
      EXPECT_EQ(read->engines.front().options, expected);
    }
  }
  size_t count = 1;
  EXPECT_EQ(slipway_engine_options("none", &count), nullptr);
  EXPECT_EQ(count, 0u);
}

TEST(COptions, ThatAreWrongAreErrors) {
  struct Wrong {
    slipway_option option;
    const char* message;
  };
  const Wrong wrong[] = {
      {{"outputs", "pte"}, "there is no option outputs"},
      {{"output", "exe"}, "pte|library|aoti|engine|onnx|engine_onnx|pt2"},
      {{"require_full", "yes"}, "true or false"},
      {{"min_partition_size", "-1"}, "a whole number"},
      {{"min_partition_size", ""}, "a whole number"},
      {{"bounds", "s77"}, "s77=512"},
      {{"engines", "tensorflow"}, "tensorflow"},
      {{"stand_in.option", "x"}, "not among the engines"},
      {{"check", nullptr}, "has no value"},
      {{nullptr, "x"}, "NULL"},
  };
  for (const Wrong& one : wrong) {
    const auto options = to_compile_options({&one.option, 1});
    ASSERT_FALSE(options.ok()) << one.message;
    EXPECT_EQ(options.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(options.error().message().find(one.message), std::string::npos)
        << options.error().message();
  }
  const slipway_option unknown{"engines", "none"};
  EXPECT_FALSE(to_load_options({&unknown, 1}).ok());
}

}  // namespace
}  // namespace slipway::c_api
