// The tool as its users run it.

#include "cli/tool_test.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/memory_limit_test.h"
#include "slipway/npy.h"

namespace slipway::cli {
namespace {

TEST_F(Tool, ALackOfMemoryIsAnErrorAndBlamesNoOperator) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need address space of their own";
  bool failed = false;
  bool failed_last = false;
  for (const int kilobytes : {60'000, 90'000, 110'000, 122'880, 130'000, 135'000, 2'000'000}) {
    const Outcome outcome =
        run({"compile", data_path("golden/mlp.pt2"), "-o", path("model.pte"), "--no-cache"},
            fmt::format("ulimit -v {}; ", kilobytes));
    failed = failed || outcome.code == 1;
    EXPECT_TRUE(outcome.code == 0 || outcome.code == 1) << kilobytes << ": " << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "stays outside")) << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "--exclude-op")) << outcome.err;
    EXPECT_EQ(contains(outcome.err, "error"), outcome.code == 1) << outcome.err;
    failed_last = outcome.code == 1;
  }
  EXPECT_TRUE(failed);
  EXPECT_FALSE(failed_last);
}

TEST_F(Tool, ChecksEnginesBeforeItWrites) {
  for (const char* archive : {"golden/mlp.pt2", "golden/dict_io.pt2", "golden/conv_dyn.pt2"}) {
    const Outcome outcome = run(
        {"compile", data_path(archive), "-o", path("model.pte"), "--no-cache", "--check", "fail"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    // Nor does it say that the check was not made.
    EXPECT_EQ(outcome.err, "");
  }
}

TEST_F(Tool, NeverReplacesWhatItReads) {
  fs::copy_file(data_path("golden/mlp.pt2"), path("archive.pte"));
  fs::copy_file(data_path("golden/mlp.0.in0.npy"), path("0.npy"));
  const std::string model = compile("golden/mlp.pt2");
  fs::create_symlink("model.pte", path("link.engine"));
  const std::string archive = read_file(path("archive.pte"));
  const std::string program = read_file(model);
  const std::string input = read_file(path("0.npy"));
  const std::vector<std::vector<std::string>> calls = {
      {"compile", path("archive.pte"), "-o", path("archive.pte")},
      {"extract", model, "-o", model},
      {"extract", model, "-o", path("link.engine")},
      {"run", model, "--input", "0=" + path("0.npy"), "--output-dir", folder_.path()},
  };
  for (const auto& call : calls) {
    const Outcome outcome = run(call);
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    EXPECT_TRUE(contains(outcome.err, "give the output another name")) << outcome.err;
  }
  EXPECT_EQ(read_file(path("archive.pte")), archive);
  EXPECT_EQ(read_file(model), program);
  EXPECT_EQ(read_file(path("0.npy")), input);
}

TEST_F(Tool, RunsInAProcessOfItsOwn) {
  const std::string model = compile("golden/mlp.pt2", "model.pte", "none");
  const Outcome same = run({"run", model, "--random-inputs", "1"});
  const Outcome isolated = run({"run", model, "--random-inputs", "1", "--isolate"});
  EXPECT_EQ(isolated.code, 0) << isolated.err;
  EXPECT_EQ(isolated.out, same.out);
  const Outcome wrong = run({"run", "--isolate", model});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(contains(wrong.err, "missing inputs")) << wrong.err;
  const Outcome late = run({"run", model, "--random-inputs", "1", "--timeout", "0"});
  EXPECT_EQ(late.code, 1);
  EXPECT_TRUE(contains(late.err, "was stopped after 0 ms")) << late.err;
  const Outcome large = run({"run", model, "--random-inputs", "1", "--memory-limit", "0"});
  EXPECT_EQ(large.code, 1);
  EXPECT_TRUE(contains(large.err, "and 0 MiB are allowed")) << large.err;
  const Outcome copied = run({"run", model, "--random-inputs", "1", "--copy"});
  EXPECT_EQ(copied.out, same.out);
}

TEST_F(Tool, ACrashInAProcessOfItsOwnIsAnError) {
  const std::string model = compile("golden/mlp.pt2", "model.pte", "none");
  const std::string line = fmt::format(
      "'{}' run '{}' --random-inputs 1 --isolate --repeat 10000000 > /dev/null 2> '{}' & "
      "tool=$!; while [ -z \"$worker\" ] && [ -e /proc/$tool/exe ]; do "
      "worker=$(cat /proc/$tool/task/$tool/children); done; "
      "kill -SEGV $worker || echo 'no process of its own' >&2; wait $tool",
      SLIPWAY_TOOL, model, path("stderr"));
  const int status = std::system(line.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  std::ifstream stream(path("stderr"));
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_TRUE(contains(text, "the process that ran it was ended by signal 11")) << text;
}

// Made by hand: XNNPACK's own blob, called with an argument too few.
TEST_F(Tool, RefusesWhatWouldCrashALibrary) {
  const Outcome refused =
      run({"run", data_path("hostile/xnnpack_crash.pte"), "--random-inputs", "1"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(contains(refused.err, "the graph's output 1 is not among them")) << refused.err;
}

// To read it would take minutes.
TEST_F(Tool, VerifyRefusesALongTailAtOnce) {
  const std::string model = compile("golden/mlp.pt2", "model.pte", "none");
  std::error_code error;
  std::filesystem::resize_file(model, uint64_t{200} << 30, error);
  if (error) GTEST_SKIP() << "no file here can be so large: " << error.message();
  const std::string line = fmt::format("ulimit -t 10; '{}' verify '{}' > '{}' 2>&1", SLIPWAY_TOOL,
                                       model, path("report"));
  const int status = std::system(line.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  std::ifstream stream(path("report"));
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_TRUE(contains(text, "the padding after the last segment is damaged")) << text;
}

TEST_F(Tool, KeepsEscapesFromTheTerminal) {
  const std::string name = "m\x1b[2J\u202e";
  const Outcome compiled = run({"compile", name + "=" + data_path("golden/mlp.pt2"), "-o",
                                path("m.pte"), "--engine", "none"});
  ASSERT_EQ(compiled.code, 0) << compiled.err;
  for (const std::vector<std::string>& call :
       std::vector<std::vector<std::string>>{{"inspect", path("m.pte")},
                                             {"verify", path("m.pte")},
                                             {"run", path("m.pte"), "--random-inputs", "1"}}) {
    const Outcome outcome = run(call);
    EXPECT_FALSE(contains(outcome.out + outcome.err, "\x1b")) << call[0];
    EXPECT_FALSE(contains(outcome.out + outcome.err, "\u202e")) << call[0];
    EXPECT_TRUE(contains(outcome.out + outcome.err, "m\\x1b[2J\\u202e")) << call[0];
  }
}

TEST_F(Tool, SaysThatItCannotWriteItsOutput) {
  for (const char* command : {"operators", "doctor"}) {
    const std::string line =
        fmt::format("{} {} > /dev/full 2> '{}'", SLIPWAY_TOOL, command, path("stderr"));
    const int status = std::system(line.c_str());
    ASSERT_TRUE(WIFEXITED(status)) << command;
    EXPECT_EQ(WEXITSTATUS(status), 1) << command;
    EXPECT_TRUE(contains(read_file(path("stderr")), "slipway: error: ")) << command;
  }
}

TEST_F(Tool, ListsTheOperatorsThatThePageLists) {
  const Outcome listed = run({"operators"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_TRUE(listed.out == read_file(data_path("../../docs/operators.md")))
      << "run `slipway operators > docs/operators.md`";
}

TEST_F(Tool, HelpsWithExamples) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out.rfind("slipway 0.", 0), 0u) << version.out;
  for (const char* part :
       {"ExecuTorch  1.", "manifest 1", "openvino ", "OpenVINO 20", "xnnpack "}) {
    EXPECT_TRUE(contains(version.out, part)) << part << " in " << version.out;
  }
  for (const char* command : {"compile", "run", "inspect", "verify"}) {
    const Outcome help = run({command, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_TRUE(contains(help.out, std::string("slipway ") + command)) << help.out;
  }
}

TEST_F(Tool, CompilesAndRuns) {
  const Outcome compiled =
      run({"compile", data_path("golden/mlp.pt2"), "-o", path("m.pte"), "--verify-passes"});
  ASSERT_EQ(compiled.code, 0) << compiled.err;
  EXPECT_EQ(compiled.out.rfind("engine: openvino\n", 0), 0u) << compiled.out;
  EXPECT_TRUE(contains(compiled.out, "3 nodes became 1 instruction; 1 engine of ")) << compiled.out;
  EXPECT_EQ(compiled.err, "");
  const Outcome printed =
      run({"compile", data_path("golden/mlp.pt2"), "-o", path("p.pte"), "--print-program"});
  EXPECT_EQ(printed.code, 0) << printed.err;
  EXPECT_TRUE(contains(printed.out, "aten.linear.default(")) << printed.out;

  for (const char* key : {"0", "x", "[0][0]", "[0]"}) {
    const Outcome ran = run({"run", path("m.pte"), "--input",
                             fmt::format("{}={}", key, data_path("golden/mlp.0.in0.npy")),
                             "--output-dir", path("out")});
    ASSERT_EQ(ran.code, 0) << key << ": " << ran.err;
  }
  auto found = read_npy(path("out/0.npy"));
  auto expected = read_npy(data_path("golden/mlp.0.out0.npy"));
  ASSERT_TRUE(found.ok() && expected.ok());
  ASSERT_EQ(found->sizes(), expected->sizes());
  for (int64_t i = 0; i < found->numel(); ++i) {
    EXPECT_NEAR(found->data_as<float>()[i], expected->data_as<float>()[i], 1e-5);
  }
}

TEST_F(Tool, RunsArchivesDirectly) {
  const Outcome ran = run({"run", data_path("golden/mlp.pt2"), "--random-inputs", "1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "float32[2, 4]")) << ran.out;
}

TEST_F(Tool, WritesOutputsWithTheirTreeAndTypes) {
  compile("golden/dict_io.pt2");
  const std::string golden = data_path("golden/dict_io.0.in");
  const Outcome ran =
      run({"run", path("model.pte"), "--input", "[0]['a']=" + golden + "0.npy", "--input",
           "inp_b=" + golden + "1.npy", "--input", "2=" + golden + "2.npy", "--input",
           "3=" + golden + "3.npy", "--input", "flag=true", "--input", "bias=" + golden + "5.npy",
           "--output-dir", path("out")});
  // Quotes inside of an argument end the shell's own: the path key reaches the tool without them.
  ASSERT_EQ(ran.code, 2) << ran.out;
  EXPECT_TRUE(contains(ran.err, "no such input; there are 'inp_a' (or 0)")) << ran.err;

  const Outcome again = run({"run", path("model.pte"), "--input", "0=" + golden + "0.npy",
                             "--input", "inp_b=" + golden + "1.npy", "--input",
                             "2=" + golden + "2.npy", "--input", "3=" + golden + "3.npy", "--input",
                             "5=" + golden + "5.npy", "--output-dir", path("out")});
  ASSERT_EQ(again.code, 0) << again.err;
  const auto json = nlohmann::json::parse(read_file(path("out/outputs.json")));
  EXPECT_EQ(json["outputs"].size(), 6u);
  EXPECT_EQ(json["outputs"][0]["type"], "float32");
  EXPECT_EQ(json["outputs"][0]["shape"], nlohmann::json({2, 3}));
  EXPECT_EQ(json["outputs"][0]["file"], "0.npy");
  EXPECT_EQ(json["outputs"][4]["type"], "bool");
  EXPECT_EQ(json["outputs"][4]["value"], true);
  EXPECT_EQ(json["outputs"][5]["type"], "none");
  EXPECT_EQ(json["tree"]["kind"], "dict");
  EXPECT_FALSE(fs::exists(path("out/4.npy")));
}

TEST_F(Tool, StoresTypesThatNumPyLacksAsTheirBits) {
  compile("runtime/narrow.pt2");
  const Outcome ran =
      run({"run", path("model.pte"), "--random-inputs", "1", "--output-dir", path("out")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(read_file(path("out/outputs.json")));
  EXPECT_EQ(json["outputs"][0]["type"], "bfloat16");
  EXPECT_EQ(json["outputs"][0]["stored_as"], "uint16");
  EXPECT_EQ(read_npy(path("out/0.npy"))->dtype(), DType::kUInt16);
}

TEST_F(Tool, WritesStateAndMutatedInputs) {
  compile("golden/mutated_buffer.pt2");
  Outcome ran =
      run({"run", path("model.pte"), "--input", "0=" + data_path("golden/mutated_buffer.0.in0.npy"),
           "--state-dir", path("state")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(read_file(path("state/n.npy")).substr(128),
            read_file(data_path("golden/mutated_buffer.0.after.n.npy")).substr(128));
  EXPECT_TRUE(fs::exists(path("state/acc.npy")));

  compile("runtime/mutated_input.pt2");
  ran = run({"run", path("model.pte"), "--random-inputs", "1", "--state-dir", path("inputs")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(fs::exists(path("inputs/input.0.npy")));
  EXPECT_FALSE(fs::exists(path("inputs/input.1.npy")));
}

TEST_F(Tool, ExplainsInputsThatDoNotFit) {
  compile("runtime/symbols.pt2");
  auto write = [&](const std::string& name, std::vector<int64_t> sizes) {
    EXPECT_TRUE(write_npy(path(name), *Tensor::zeros(DType::kFloat32, std::move(sizes))).ok());
    return path(name);
  };
  const std::string x4 = write("x4.npy", {4, 3});
  const std::string x5 = write("x5.npy", {5, 3});
  const std::string x70 = write("x70.npy", {70, 3});
  const std::string t8 = write("t8.npy", {8});
  const std::string t9 = write("t9.npy", {9});
  const auto error = [&](const std::string& x, const std::string& mask, const std::string& twice) {
    return run({"run", path("model.pte"), "--input", "x=" + x, "--input", "mask=" + mask, "--input",
                "twice=" + twice})
        .err;
  };
  EXPECT_EQ(error(x4, x4, t8), "");
  EXPECT_TRUE(contains(error(x70, x70, t8), "input 0 'x': expected float32[s"))
      << error(x70, x70, t8);
  EXPECT_TRUE(contains(error(x70, x70, t8), " in 1..64, 3], got float32[70, 3]"));
  EXPECT_TRUE(contains(error(x4, x5, t8), "got float32[5, 3], but s")) << error(x4, x5, t8);
  EXPECT_TRUE(contains(error(x4, x5, t8), " is 4 in input 0 'x'"));
  EXPECT_TRUE(contains(error(x5, x5, t8), "whose size 8 is not 2*s")) << error(x5, x5, t8);
  EXPECT_TRUE(contains(error(x4, x4, t9), "whose size 9 is not 2*s")) << error(x4, x4, t9);
  const Outcome missing = run({"run", path("model.pte"), "--input", "x=" + x4});
  EXPECT_EQ(missing.code, 2);
  EXPECT_TRUE(contains(missing.err, "missing inputs: 1 'mask' (float32[s")) << missing.err;
  const Outcome twice = run({"run", path("model.pte"), "--input", "x=" + x4, "--input", "0=" + x4});
  EXPECT_TRUE(contains(twice.err, "input 0 'x' is given twice")) << twice.err;
}

TEST_F(Tool, RandomInputsAreTheSameForTheSameSeed) {
  compile("runtime/symbols.pt2");
  const Outcome a = run({"run", path("model.pte"), "--random-inputs", "7"});
  const Outcome b = run({"run", path("model.pte"), "--random-inputs", "7"});
  const Outcome c = run({"run", path("model.pte"), "--random-inputs", "8"});
  ASSERT_EQ(a.code, 0) << a.err;
  EXPECT_EQ(a.out, b.out);
  EXPECT_NE(a.out, c.out);
}

TEST_F(Tool, RepeatsWithATableOfLatencies) {
  compile("golden/mlp.pt2");
  const Outcome ran =
      run({"run", path("model.pte"), "--random-inputs", "1", "--repeat", "20", "--threads", "1"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "loaded in ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, " ms, first run in ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, " of the others a second\n")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "runs  min")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "\n  19    ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "p90")) << ran.out;
}

TEST_F(Tool, TimesInstancesOfTheSizesThatAreGiven) {
  compile("golden/conv_dyn.pt2");
  const std::vector<std::string> command = {"run", path("model.pte"), "--random-inputs", "1"};
  const auto with = [&](std::vector<std::string> options) {
    options.insert(options.begin(), command.begin(), command.end());
    return run(options);
  };
  const Outcome timed =
      with({"--size", "x.0=5", "--instances", "2", "--duration", "0.05", "--json"});
  ASSERT_EQ(timed.code, 0) << timed.err;
  const auto json = nlohmann::json::parse(timed.out);
  EXPECT_TRUE(contains(json["outputs"][0]["type"], "float32[5, ")) << timed.out;
  const auto& timing = json["timing"];
  EXPECT_EQ(timing["instances"], 2);
  EXPECT_GE(timing["runs"], 2);
  EXPECT_GE(timing["seconds"], 0.05);
  EXPECT_GE(timing["latency_ms"]["max"], timing["latency_ms"]["median"]);
  EXPECT_TRUE(contains(with({"--instances", "3", "--repeat", "4"}).out, " by 3 instances\n"));
  EXPECT_TRUE(contains(with({"--instances", "3", "--repeat", "4"}).out, "\n  9     "));
  EXPECT_FALSE(nlohmann::json::parse(with({"--json"}).out).contains("timing"));
  EXPECT_TRUE(contains(with({"--size", "x.0=65"}).err, "x.0 is between 1 and 64, and can't be 65"));
  EXPECT_TRUE(contains(with({"--size", "y.0=5"}).err, "no size is called y.0; there are x.0"));
  EXPECT_EQ(with({"--size", "x"}).code, 2);
  const Outcome given = run({"run", path("model.pte"), "--size", "x.0=5"});
  EXPECT_TRUE(contains(given.err, "--size is of random inputs")) << given.err;
}

TEST_F(Tool, RandomInputsMayBeIntegers) {
  ASSERT_EQ(run({"compile", data_path("pt2/symbols.pt2"), "-o", path("model.pte"), "--engine",
                 "none", "--bound", "s17=16", "--bound", "s86=16"})
                .code,
            0);
  const Outcome ran = run({"run", path("model.pte"), "--random-inputs", "1", "--size", "s86=5"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  const Outcome other = run({"run", path("model.pte"), "--random-inputs", "1", "--size", "n=6"});
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(ran.out, other.out);
}

TEST_F(Tool, RunsAnEngineWithThreadsAndAHint) {
  ASSERT_EQ(run({"compile", data_path("golden/mlp.pt2"), "-o", path("model.pte"), "--engine",
                 "openvino", "--no-cache"})
                .code,
            0);
  for (const char* hint : {"latency", "throughput"}) {
    const Outcome ran = run({"run", path("model.pte"), "--random-inputs", "1", "--repeat", "2",
                             "--threads", "1", "--performance-hint", hint});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(contains(ran.out, fmt::format("engine: 1 thread, {}\n", hint))) << ran.out;
  }
  EXPECT_EQ(run({"run", path("model.pte"), "--performance-hint", "speed"}).code, 2);
}

TEST_F(Tool, WritesArchivesThatItReads) {
  const std::string model = data_path("golden/mlp.pt2");
  const std::string archive = path("copy.ep");
  const Outcome written = run({"compile", model, "-o", archive, "--engine", "none"});
  EXPECT_EQ(written.code, 0) << written.err;
  EXPECT_TRUE(contains(written.out, "archive of 3 nodes, file ")) << written.out;
  // The same under any name.
  const std::string other = path("copy.bin");
  EXPECT_EQ(run({"compile", archive, "-o", other, "--engine", "none", "--format", "pt2"}).code, 0);
  EXPECT_EQ(read_file(other), read_file(archive));
  const std::string input = "0=" + data_path("golden/mlp.0.in0.npy");
  const Outcome ran = run({"run", archive, "--input", input, "--engine", "none"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, run({"run", model, "--input", input, "--engine", "none"}).out);
  // What is read is not replaced.
  EXPECT_EQ(run({"compile", archive, "-o", archive, "--engine", "none"}).code, 2);
}

TEST_F(Tool, CompilesSeveralMethods) {
  const Outcome compiled =
      run({"compile", "forward=" + data_path("golden/mlp.pt2"),
           "encode=" + data_path("golden/mutated_buffer.pt2"), "-o", path("m.pte")});
  ASSERT_EQ(compiled.code, 0) << compiled.err;
  const Outcome encode = run({"run", path("m.pte"), "--method", "encode", "--random-inputs", "1",
                              "--state-dir", path("state")});
  EXPECT_EQ(encode.code, 0) << encode.err;
  EXPECT_TRUE(fs::exists(path("state/acc.npy")));
  EXPECT_EQ(run({"run", path("m.pte"), "--random-inputs", "1"}).code, 0);
  const Outcome unknown = run({"run", path("m.pte"), "--method", "decode", "--random-inputs", "1"});
  EXPECT_TRUE(contains(unknown.err, "no method 'decode'; it has forward, encode")) << unknown.err;
}

TEST_F(Tool, InspectsByContent) {
  compile("golden/mlp.pt2", "program.pte", "none");
  fs::rename(path("program.pte"), path("program.pt2"));
  const Outcome text = run({"inspect", path("program.pt2"), "--graph"});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "ExecuTorch program")) << text.out;
  EXPECT_TRUE(contains(text.out, "aten::linear.out")) << text.out;
  const auto program = nlohmann::json::parse(run({"inspect", "--json", path("program.pt2")}).out);
  EXPECT_EQ(program["kind"], "pte");
  EXPECT_EQ(program["methods"][0]["operators"]["aten::linear.out"], 2);
  EXPECT_EQ(program["manifest"]["sources"][0]["sha256"].get<std::string>().size(), 64u);

  const Outcome archive = run({"inspect", data_path("golden/mlp.pt2")});
  ASSERT_EQ(archive.code, 0) << archive.err;
  EXPECT_TRUE(contains(archive.out, "aten.linear.default")) << archive.out;
  const auto json =
      nlohmann::json::parse(run({"inspect", "--json", data_path("golden/mlp.pt2")}).out);
  EXPECT_EQ(json["kind"], "pt2");
  EXPECT_EQ(json["operators"]["aten.linear.default"], 2);
  EXPECT_EQ(json["weights"].size(), 4u);
}

TEST_F(Tool, ShowsEnginesAndWhatStaysOutside) {
  ASSERT_EQ(run({"compile", data_path("golden/mlp.pt2"), "-o", path("m.pte"), "--exclude-op",
                 "aten.relu", "--no-cache"})
                .code,
            0);
  const Outcome text = run({"inspect", path("m.pte")});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "2 engines, 2 of 3 nodes:\n  engine 0: openvino 2026.4.1"))
      << text.out;
  EXPECT_TRUE(contains(text.out, "    1 node: linear (aten.linear.default)\n")) << text.out;
  EXPECT_TRUE(contains(text.out, "  1      aten.relu.default  ")) << text.out;
  const auto shown = nlohmann::json::parse(run({"inspect", "--json", path("m.pte")}).out);
  const auto& method = shown["methods"][0];
  EXPECT_EQ(method["engines"].size(), 2u);
  EXPECT_EQ(method["engines"][1]["nodes"][0], "linear_1 (aten.linear.default)");
  EXPECT_EQ(method["outside"][0]["op"], "aten.relu.default");
  EXPECT_EQ(method["instructions"],
            (std::vector<std::string>{"engine 0 of OpenvinoBackend", "aten::relu.out",
                                      "engine 1 of OpenvinoBackend"}));
}

TEST_F(Tool, TimesEnginesAndSaysSo) {
  const Outcome compiled =
      run({"compile", data_path("golden/conv_dyn.pt2"), "-o", path("m.pte"), "--engine",
           "openvino,xnnpack", "--tune", "--tune-size", "x.0=4", "--no-cache"});
  ASSERT_EQ(compiled.code, 0) << compiled.err;
  const size_t table = compiled.out.find("engines chosen by their times on ");
  ASSERT_NE(table, std::string::npos) << compiled.out;
  EXPECT_TRUE(contains(compiled.out, " = 4:\n  engines ")) << compiled.out;
  EXPECT_TRUE(contains(compiled.out, " 1.00 ")) << compiled.out;
  EXPECT_TRUE(contains(compiled.out, "the parts are those of openvino\n")) << compiled.out;
  const std::string lines = compiled.out.substr(table, compiled.out.find("m.pte: ") - table);
  const Outcome text = run({"inspect", path("m.pte")});
  EXPECT_TRUE(contains(text.out, lines.substr(0, lines.rfind('\n')))) << text.out;
  const auto shown = nlohmann::json::parse(run({"inspect", "--json", path("m.pte")}).out);
  const auto& tuning = shown["manifest"]["tuning"];
  EXPECT_EQ(tuning["cuts"].size(), 4U);
  EXPECT_EQ(tuning["cuts"][0]["engines"][0], shown["methods"][0]["engines"][0]["engine"]);
  EXPECT_EQ(tuning["sizes"].begin().value(), 4);
}

TEST_F(Tool, ExtractsAnEngine) {
  const std::string model = compile("golden/mlp.pt2");
  const Outcome extracted = run({"extract", model, "--engine", "0", "-o", path("x.engine")});
  ASSERT_EQ(extracted.code, 0) << extracted.err;
  EXPECT_TRUE(contains(extracted.out, "x.engine: engine 0 of OpenvinoBackend")) << extracted.out;
  const auto shown = nlohmann::json::parse(run({"inspect", "--json", model}).out);
  const std::string bytes = read_file(path("x.engine"));
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span<const char>(bytes))),
            shown["methods"][0]["engines"][0]["sha256"].get<std::string>());

  const Outcome missing = run({"extract", model, "--engine", "1", "-o", path("y.engine")});
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(contains(missing.err, "has 1 engine: there is no engine 1")) << missing.err;
  EXPECT_EQ(run({"extract", model, "--method", "encode", "-o", path("y.engine")}).code, 1);
  // What the library calls an option is a flag here.
  const Outcome foreign =
      run({"extract", data_path("pte/xnnpack.pte"), "--target", "sm_80", "-o", path("y.engine")});
  EXPECT_EQ(foreign.code, 1);
  EXPECT_TRUE(contains(foreign.err, "leave out --target")) << foreign.err;

  // A damaged engine is neither extracted nor run.
  std::string file = read_file(model);
  file[file.find(bytes) + bytes.size() / 2] ^= 1;
  std::ofstream(path("damaged.pte"), std::ios::binary) << file;
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"extract", path("damaged.pte"), "-o", path("y.engine")},
        std::vector<std::string>{"run", path("damaged.pte"), "--random-inputs", "1"}}) {
    const Outcome damaged = run(command);
    EXPECT_EQ(damaged.code, 1);
    EXPECT_TRUE(contains(damaged.err, "damaged.pte: segment 0 (engine) does not have its checksum"))
        << damaged.err;
  }
  EXPECT_FALSE(fs::exists(path("y.engine")));
}

TEST_F(Tool, VerifiesStructureChecksumsAndNumbers) {
  const std::string model = compile("golden/mlp.pt2");
  EXPECT_EQ(run({"verify", model}).code, 0);
  EXPECT_EQ(run({"verify", data_path("golden/mlp.pt2")}).code, 0);

  fs::create_directories(path("reference/inputs"));
  fs::create_directories(path("reference/outputs"));
  fs::copy(data_path("golden/mlp.0.in0.npy"), path("reference/inputs/0.npy"));
  fs::copy(data_path("golden/mlp.0.out0.npy"), path("reference/outputs/0.npy"));
  const Outcome right = run({"verify", model, "--reference", path("reference")});
  EXPECT_EQ(right.code, 0) << right.err << right.out;
  EXPECT_TRUE(contains(right.out, "largest difference")) << right.out;

  ASSERT_TRUE(
      write_npy(path("reference/outputs/0.npy"), *Tensor::zeros(DType::kFloat32, {2, 4})).ok());
  const Outcome wrong = run({"verify", model, "--reference", path("reference")});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_TRUE(contains(wrong.out, "FAILED  element 0 is ")) << wrong.out;
  EXPECT_EQ(run({"verify", model, "--reference", path("reference"), "--atol", "100"}).code, 0);
  EXPECT_EQ(run({"verify", model, "--reference", path("reference"), "--rtol", "100"}).code, 1)
      << "nothing is close to zero in relative terms";

  // What `slipway run` wrote, with the inputs that it was given.
  const std::string input = "0=" + data_path("golden/mlp.0.in0.npy");
  const std::string kernels = compile("golden/mlp.pt2", "kernels.pte", "none");
  ASSERT_EQ(run({"run", kernels, "--input", input, "--output-dir", path("out")}).code, 0);
  const Outcome same = run({"verify", model, "--reference", path("out"), "--input", input});
  EXPECT_EQ(same.code, 0) << same.err << same.out;
  EXPECT_TRUE(contains(same.out, "output 0")) << same.out;
  const Outcome no_inputs = run({"verify", model, "--reference", path("out")});
  EXPECT_EQ(no_inputs.code, 1);
  EXPECT_TRUE(contains(no_inputs.out, "give the inputs with --input")) << no_inputs.out;
  ASSERT_TRUE(write_npy(path("out/0.npy"), *Tensor::zeros(DType::kFloat32, {2, 4})).ok());
  EXPECT_EQ(run({"verify", model, "--reference", path("out"), "--input", input}).code, 1);
}

TEST_F(Tool, ComparesRelativelyToWhatIsExpected) {
  const std::string model = compile("golden/mlp.pt2");
  fs::create_directories(path("reference/inputs"));
  fs::create_directories(path("reference/outputs"));
  fs::copy(data_path("golden/mlp.0.in0.npy"), path("reference/inputs/0.npy"));
  auto expected = read_npy(data_path("golden/mlp.0.out0.npy"));
  ASSERT_TRUE(expected.ok()) << expected.error().message();
  for (int64_t i = 0; i < expected->numel(); ++i) expected->data_as<float>()[i] *= 1.01F;
  ASSERT_TRUE(write_npy(path("reference/outputs/0.npy"), *expected).ok());
  std::vector<std::string> verify = {"verify", model, "--reference", path("reference")};
  EXPECT_EQ(run(verify).code, 1);
  verify.insert(verify.end(), {"--rtol", "0.02"});
  EXPECT_EQ(run(verify).code, 0);
}

TEST_F(Tool, RunComparesChecksumsOnRequest) {
  std::string bytes = read_file(compile("golden/mlp.pt2", "model.pte", "none"));
  uint64_t first_weight = 0;
  std::memcpy(&first_weight, bytes.data() + 24, sizeof first_weight);
  ASSERT_LT(first_weight, bytes.size());
  bytes[first_weight] = static_cast<char>(bytes[first_weight] ^ 1);
  std::ofstream(path("damaged.pte"), std::ios::binary) << bytes;
  std::vector<std::string> command = {"run", path("damaged.pte"), "--random-inputs", "1"};
  EXPECT_EQ(run(command).code, 0);
  command.push_back("--verify-checksums");
  const Outcome outcome = run(command);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, "checksum")) << outcome.err;
}

TEST_F(Tool, TrustLetsUnknownOperatorsPass) {
  std::string bytes = read_file(data_path("pte/mlp.pte"));
  const std::string known = "aten::addmm";
  const size_t at = bytes.find(known);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, known.size(), "mine::addmm");
  std::ofstream(path("mine.pte"), std::ios::binary) << bytes;

  const Outcome refused = run({"inspect", path("mine.pte")});
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(contains(refused.err, "mine::addmm")) << refused.err;
  const Outcome shown = run({"inspect", path("mine.pte"), "--trust"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_TRUE(contains(shown.out, "mine::addmm")) << shown.out;

  EXPECT_TRUE(contains(run({"verify", path("mine.pte")}).out, "structure  FAILED"));
  EXPECT_TRUE(contains(run({"verify", path("mine.pte"), "--trust"}).out, "every offset"));

  const std::vector<std::string> command = {"run", path("mine.pte"), "--random-inputs", "1"};
  EXPECT_TRUE(contains(run(command).err, "with --trust"));
  std::vector<std::string> trusting = command;
  trusting.push_back("--trust");
  const Outcome missing = run(trusting);
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(contains(missing.err, "kernels don't have: mine::addmm")) << missing.err;
}

TEST_F(Tool, VerifyFindsEveryFlippedByte) {
  const std::string model = compile("runtime/narrow.pt2");
  const std::string bytes = read_file(model);
  // All of them take a process each: a stride that is no power of two meets every part.
  for (size_t i = 0; i < bytes.size(); i += 37) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0xff);
    std::ofstream(path("damaged.pte"), std::ios::binary) << damaged;
    EXPECT_EQ(run({"verify", path("damaged.pte")}).code, 1) << "byte " << i;
  }
}

TEST_F(Tool, DoctorNamesWhatIsThere) {
  const Outcome outcome = run({"doctor"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"slipway", "ExecuTorch", "engine none", "engine openvino",
                           "ready: OpenVINO 2026.4.1", "engine tensorrt", "XnnpackBackend"}) {
    EXPECT_TRUE(contains(outcome.out, part)) << part << "\n" << outcome.out;
  }
}

TEST_F(Tool, RunTellsEnginesOfTheirDeviceAndBudget) {
  const std::string model = path("model.pte");
  ASSERT_EQ(run({"compile", data_path("golden/mlp.pt2"), "-o", model, "--engine", "none"}).code, 0);
  const auto run_with = [&](std::vector<std::string> options) {
    std::vector<std::string> arguments = {"run", model, "--random-inputs", "1"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run(arguments);
  };
  // The file has no engine that takes them, which shows that they arrive.
  const Outcome warned = run_with({"--device", "cuda:1", "--weight-streaming-budget", "2GB"});
  EXPECT_EQ(warned.code, 0) << warned.err;
  EXPECT_TRUE(contains(warned.err, "--device has no effect on forward")) << warned.err;
  EXPECT_TRUE(contains(warned.err, "--weight-streaming-budget has no effect")) << warned.err;
  const Outcome graphs = run_with({"--cuda-graphs"});
  EXPECT_TRUE(contains(graphs.err, "--cuda-graphs has no effect on forward")) << graphs.err;
  const Outcome total = run_with({"--weight-streaming-total", "2GB"});
  EXPECT_TRUE(contains(total.err, "--weight-streaming-total has no effect")) << total.err;
  EXPECT_EQ(run_with({"--weight-streaming-total", "2XB"}).code, 2);
  const Outcome target = run_with({"--target", "sm_86"});
  EXPECT_EQ(target.code, 2);
  EXPECT_TRUE(contains(target.err, "is compiled already")) << target.err;
}

TEST_F(Tool, DoctorNamesTensorrtOrSaysWhatToDo) {
  ::setenv("SLIPWAY_TENSORRT_LIB", SLIPWAY_TENSORRT_STAND_IN, 1);
  ::setenv("SLIPWAY_STAND_IN_VERSION", "110100", 1);
  const Outcome found = run({"doctor"});
  ::setenv("SLIPWAY_STAND_IN_VERSION", "10400", 1);
  const Outcome old = run({"doctor"});
  ::setenv("SLIPWAY_TENSORRT_LIB", path("nothing").c_str(), 1);
  const Outcome missing = run({"doctor"});
  ::unsetenv("SLIPWAY_TENSORRT_LIB");
  EXPECT_TRUE(contains(found.out, "TensorRT 11.1.0 at " SLIPWAY_TENSORRT_STAND_IN)) << found.out;
  EXPECT_TRUE(contains(found.out, "libnvonnxparser.so.11")) << found.out;
  EXPECT_TRUE(contains(old.out, "TensorRT-RTX 1.4.0")) << old.out;
  EXPECT_TRUE(contains(old.out, "needs 1.5 or later")) << old.out;
  EXPECT_TRUE(contains(missing.out, "SLIPWAY_TENSORRT_LIB names, does not exist")) << missing.out;
}

}  // namespace
}  // namespace slipway::cli
