#include "profile/profiler.h"

#include <cstring>

#include <gtest/gtest.h>

#include "profile/etdump_generated.h"
#include "profile/trace_file.h"

namespace slipway::profile {
namespace {

using std::chrono::microseconds;

// An engine with two layers, and a kernel that a loop calls twice.
RunProfile run_of(int engine, int kernel) {
  RunProfile run;
  run.method = "forward";
  run.instructions = std::make_shared<const std::vector<ProfiledInstruction>>(
      std::vector<ProfiledInstruction>{{"engine 0 of XBackend", "part"},
                                       {"move", ""},
                                       {"aten::add.out", "add: File \"m.py\", line 3"}});
  run.duration = microseconds(10 + engine + 5 + 2 * kernel + 20);
  run.calls.push_back({0, microseconds(10), microseconds(engine), {}});
  run.calls[0].layers = {{"conv", "jit", microseconds(engine / 2)}, {"relu", "", microseconds(1)}};
  run.calls.push_back({2, microseconds(10 + engine + 5), microseconds(kernel), {}});
  run.calls.push_back({2, microseconds(10 + engine + 5 + kernel), microseconds(kernel), {}});
  return run;
}

TEST(Profiler, GivesMeansOfTheMiddleHalfWithoutTheFirstRun) {
  Profiler profiler;
  profiler.add(run_of(9000, 900));
  for (const int engine : {250, 100, 150, 8000}) profiler.add(run_of(engine, engine / 10));
  const Summary summary = profiler.summary();
  EXPECT_EQ(summary.method, "forward");
  EXPECT_EQ(summary.runs, 4u);
  EXPECT_NEAR(summary.milliseconds, 0.275, 1e-6);
  EXPECT_NEAR(summary.inputs, 0.010, 1e-6);
  EXPECT_NEAR(summary.between, 0.005, 1e-6);
  EXPECT_NEAR(summary.outputs, 0.020, 1e-6);
  ASSERT_EQ(summary.instructions.size(), 2u) << "the move was not called";
  const InstructionTime& engine = summary.instructions[0];
  EXPECT_EQ(engine.name, "engine 0 of XBackend");
  EXPECT_EQ(engine.calls, 1u);
  EXPECT_NEAR(engine.milliseconds, 0.2, 1e-6);
  ASSERT_EQ(engine.layers.size(), 2u);
  EXPECT_EQ(engine.layers[0].kind, "jit");
  EXPECT_NEAR(engine.layers[0].milliseconds, 0.1, 1e-6);
  const InstructionTime& kernel = summary.instructions[1];
  EXPECT_EQ(kernel.instruction, 2u);
  EXPECT_EQ(kernel.calls, 2u);
  EXPECT_NEAR(kernel.milliseconds, 0.04, 1e-6) << "of both calls";
  EXPECT_EQ(kernel.origin, "add: File \"m.py\", line 3");
}

// By the numbers alone, whatever the clock says.
TEST(Profiler, PartsAddUpToTheRunAndLayersToTheirCall) {
  Profiler profiler;
  for (const int engine : {9000, 250, 100, 777, 8000}) profiler.add(run_of(engine, engine / 7));
  const Summary summary = profiler.summary();
  double sum = summary.inputs + summary.between + summary.outputs;
  for (const InstructionTime& instruction : summary.instructions) {
    sum += instruction.milliseconds;
  }
  EXPECT_NEAR(sum, summary.milliseconds, 1e-6);
  const InstructionTime& engine = summary.instructions[0];
  EXPECT_GT(engine.rest, 0);
  EXPECT_NEAR(engine.layers[0].milliseconds + engine.layers[1].milliseconds + engine.rest,
              engine.milliseconds, 1e-6);
  EXPECT_EQ(summary.instructions[1].rest, 0) << "a kernel has no layers";
  const auto json = to_json(summary);
  EXPECT_EQ(json["instructions"][0]["rest_ms"], engine.rest);
  EXPECT_FALSE(json["instructions"][1].contains("rest_ms"));
}

TEST(Profiler, TheOnlyRunCounts) {
  Profiler profiler;
  EXPECT_TRUE(profiler.summary().instructions.empty());
  profiler.add(run_of(100, 10));
  EXPECT_EQ(profiler.summary().runs, 1u);
  EXPECT_EQ(profiler.runs().size(), 1u);
}

TEST(Profiler, KeepsTheLastRunsOnly) {
  RunProfile run = run_of(100, 10);
  run.calls.resize(60'000, run.calls.back());
  Profiler profiler;
  for (int i = 0; i < 4; ++i) profiler.add(run);
  EXPECT_EQ(profiler.runs().size(), 1u);
  EXPECT_EQ(profiler.summary().runs, 3u);
}

TEST(TraceFile, ChromesFormatHasTheRunsAndTheSummary) {
  Profiler profiler;
  for (int i = 0; i < 3; ++i) profiler.add(run_of(100, 10));
  const auto json = nlohmann::json::parse(chrome_trace(profiler.runs(), profiler.summary()));
  size_t calls = 0;
  double end = 0;
  for (const auto& event : json["traceEvents"]) {
    if (event["ph"] != "X") continue;
    if (event["cat"] == "engine" || event["cat"] == "kernel") {
      ++calls;
      EXPECT_GE(event["ts"].get<double>(), end - 1e-6) << "calls follow each other";
      end = event["ts"].get<double>() + event["dur"].get<double>();
    }
    if (event["name"] == "relu") {
      EXPECT_EQ(event["args"]["instruction"], 0);
    }
  }
  EXPECT_EQ(calls, 6u);
  // Layers and the rest lie end to end below their call, and fill it.
  for (size_t i = 0; i < json["traceEvents"].size(); ++i) {
    const auto& call = json["traceEvents"][i];
    if (call.value("cat", "") != "engine") continue;
    double place = call["ts"];
    for (size_t k = 1; k <= 3; ++k) {
      const auto& part = json["traceEvents"].at(i + k);
      EXPECT_EQ(part["cat"], k < 3 ? "layer" : "rest");
      EXPECT_NEAR(part["ts"].get<double>(), place, 1e-6);
      place += part["dur"].get<double>();
    }
    EXPECT_NEAR(place, call["ts"].get<double>() + call["dur"].get<double>(), 1e-6);
  }
  EXPECT_EQ(json["profile"]["runs"], 2);
  EXPECT_EQ(json["profile"]["instructions"][0]["layers"][0]["name"], "conv");
}

TEST(TraceFile, NamesThatAreNoUtf8Stay) {
  RunProfile run = run_of(100, 10);
  run.calls[0].layers[0].name = "\xff\"<";
  EXPECT_TRUE(nlohmann::json::accept(chrome_trace({run}, {})));
}

TEST(TraceFile, AnEtdumpHasTheRuns) {
  const auto bytes = etdump({run_of(100, 10), run_of(200, 10)});
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size());
  ASSERT_TRUE(::etdump::VerifySizePrefixedETDumpBuffer(verifier));
  const auto* dump = ::etdump::GetSizePrefixedETDump(data);
  ASSERT_EQ(dump->run_data()->size(), 2u);
  const auto& events = *dump->run_data()->Get(1)->events();
  ASSERT_EQ(events.size(), 6u);
  const auto* layer = events.Get(0)->profile_event();
  EXPECT_EQ(layer->delegate_debug_id_str()->str(), "conv");
  EXPECT_EQ(layer->instruction_id(), 0);
  const auto* call = events.Get(2)->profile_event();
  EXPECT_EQ(call->name()->str(), "DELEGATE_CALL");
  EXPECT_EQ(call->end_time() - call->start_time(), 200'000u);
  EXPECT_EQ(events.Get(3)->profile_event()->name()->str(), "aten::add.out");
  EXPECT_EQ(events.Get(5)->profile_event()->name()->str(), "Method::execute");
}

}  // namespace
}  // namespace slipway::profile
