// What the tool says to those who use it otherwise than it is meant.

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/tool_test.h"

namespace slipway::cli {
namespace {

TEST_F(Tool, TellsWrongUseFromFailedWork) {
  const std::string model = data_path("golden/mlp.pt2");
  const std::string plan = path("plan.engine");
  std::ofstream(plan) << "ftrt plan";
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string message;
  };
  const Case cases[] = {
      {{}, 2, "subcommand is required"},
      {{"fly"}, 2, "there is no `slipway fly`"},
      {{"complie"}, 2, "did you mean compile?"},
      {{"compile", model, "--ouput", "m.pte"}, 2, "no option --ouput; did you mean --output?"},
      {{"compile", model, "-o", path("m.pte"), "--engin=none"}, 2, "did you mean --engine?"},
      {{"run", model, "--mean", ""}, 2, "--mean is given an empty value"},
      {{"run", model, "--mean=", "--resize", "8"}, 2, "--mean is given an empty value"},
      {{"cache", "lst"}, 2, "subcommand is required"},
      {{"run", model, "--performance-hint", "fast"}, 2, "fast not in {latency,throughput}"},
      {{"run", model, "--performance-hint", "1"}, 2, "1 not in {latency,throughput}"},
      {{"compile", model, "-o", path("m.pte"), "--bound", "a=4", "b=4"}, 2, "give --bound b=4"},
      {{"verify", model, "--input", "0=1"}, 2, "--input is for --reference"},
      {{"run"}, 2, "FILE is required"},
      {{"run", "x.pte", "--fast"}, 2, "--fast"},
      {{"compile", model}, 2, "--output is required"},
      {{"compile", model, "-o", path("m.blob")}, 2, "end it in one of .pte"},
      {{"compile", model, "-o", path("m.engine")}, 2, "add --engine tensorrt"},
      {{"compile", model, "-o", path("m.engine"), "--engine", "openvino,tensorrt"},
       2,
       "m.engine' holds one engine: ask for --engine tensorrt alone"},
      {{"compile", model, "-o", path("m.pt2")},
       2,
       "no engines of openvino: ask for --engine tensorrt"},
      {{"compile", model, "-o", path("m.pte"), "--format", "ep2"}, 2, "ep2 not in {"},
      {{"compile", model, "-o", path("m.ep"), "--engine", "none", "--min-partition-size", "2"},
       2,
       "--min-partition-size has no effect on an archive without engines"},
      {{"compile", model, model, "-o", path("m.trt"), "--engine", "tensorrt"}, 2, "one program"},
      {{"compile", model, "-o", path("m.pte"), "--engine", "warp"}, 2, "warp"},
      {{"compile", model, "-o", path("m.pte"), "--bound", "s77"}, 2, "expected SIZE=NUMBER"},
      {{"compile", model, "-o", path("m.pte"), "--bound", "s77=99999999999999999999"},
       2,
       "expected SIZE=NUMBER"},
      {{"run", model, "--duration", "nan"}, 2, "--duration"},
      {{"run", model, "--repeat", "5", "--duration", "1"}, 2, "give one"},
      {{"verify", model, "--atol", "-1"}, 2, "--atol and --rtol take numbers from 0"},
      {{"verify", model, "--rtol", "nan"}, 2, "--atol and --rtol take numbers from 0"},
      {{"run", model, "--profile", model}, 2, "its name ends in .json"},
      {{"run", model, "--profile", "-", "--instances", "2"}, 2, "leave out --instances"},
      {{"run", model, "--profile", "-", "--isolate"}, 2, "leave out --isolate"},
      {{"inspect", model, "--profile", "x.json"}, 2, "give --html, too"},
      {{"compile", model, "-o", path("m.pte"), "--tune-size", "s77"}, 2, "--tune-size s77: expect"},
      {{"compile", model, "-o", path("m.pte"), "--tune"}, 2, "--tune chooses among 2 to 4"},
      {{"compile", model, model, "-o", path("m.pte")}, 2, "'forward' is given twice"},
      {{"compile", model, model, "-o", path("m.onnx")},
       2,
       "m.onnx' holds one program, but 2 are given"},
      {{"compile", model, "-o", path("m.onnx"), "--bound", "s77=4"},
       2,
       "--bound has no effect on an ONNX model"},
      {{"run", model, "--output-dir", "d", "--state-dir", "d"}, 2, "give each its own"},
      {{"run", plan, "--engine", "tensorrt", "--precision", "fp16"},
       2,
       "--precision has no effect on " + plan + ", which is an engine that is built already"},
      {{"run", plan, "--engine", "tensorrt", "--exclude-op", "aten.cos"},
       2,
       "--exclude-op has no effect on"},
      // Before anything is read.
      {{"run", "missing.pte", "--output-dir", model + "/out"}, 1, "files can be written there"},
      {{"run", "missing.pte", "--state-dir", model}, 1, "mlp.pt2: Not a directory"},
      {{"run", "missing.pte", "--output-dir", path("a") + "/b"}, 1, "missing.pte: cannot be"},
      {{"inspect", model, "--data-file", "e.ptd"}, 2, "leave out --data-file"},
      {{"verify", model, "--data-file", "e.ptd"}, 2, "leave out --data-file"},
      {{"extract", model, "-o", path("e"), "--data-file", "e.ptd"}, 2, "leave out --data-file"},
      {{"run", data_path("golden/conv_dyn.pt2"), "--bound", "s77=1", "--input",
        "0=" + data_path("golden/conv_dyn.0.in0.npy")},
       2,
       "expected float32[1, 3, 16, 16]"},
      {{"run", data_path("golden/conv_dyn.pt2"), "--bound", "s77"}, 2, "expected SIZE=NUMBER"},
      {{"run", "/nowhere/model.pte"}, 1, "/nowhere/model.pte"},
      {{"run", data_path("golden/mlp.0.in0.npy")}, 1, "is a .npy array, an input of a model"},
      {{"compile", "/nowhere/model.pt2", "-o", path("m.pte")}, 1, "/nowhere/model.pt2"},
      {{"compile", model, "-o", "/nowhere/m.pte"}, 2, "there is no folder '/nowhere'"},
      {{"run", model, "x.npy"}, 2, "inputs are given as --input 0=FILE"},
      {{"run", model, "--input", "z=1"}, 2, "no such input; the only one is '"},
      {{"run", model, "--input", "7=1"}, 2, "no such input; the only one is '"},
      {{"verify", model, "--reference", "/nowhere"}, 2, "there is no folder /nowhere"},
      {{"inspect", data_path("golden/manifest.json")}, 1, "neither an archive"},
  };
  for (const Case& item : cases) {
    const Outcome outcome = run(item.arguments);
    EXPECT_EQ(outcome.code, item.code) << item.message;
    EXPECT_TRUE(contains(outcome.err, "slipway: error: ")) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, item.message)) << outcome.err;
  }
  EXPECT_FALSE(fs::exists(path("m.pte")));
}

TEST_F(Tool, KnowsModelsOfOthers) {
  std::ofstream(path("m.onnx")) << "\x08\x0a\x12\x07pytorch";
  std::ofstream(path("m.py")) << "import torch\n";
  for (const char* command : {"compile", "run", "inspect", "verify"}) {
    for (const auto& [name, what] :
         {std::pair("m.onnx", "is an ONNX model"), std::pair("m.py", "is Python source")}) {
      std::vector<std::string> arguments = {command, path(name)};
      if (arguments[0] == "compile") arguments.insert(arguments.end(), {"-o", path("m.pte")});
      const Outcome outcome = run(arguments);
      EXPECT_EQ(outcome.code, 1);
      const std::string text = outcome.err + outcome.out;
      EXPECT_TRUE(contains(text, what)) << text;
      EXPECT_TRUE(contains(text, "torch.export.save")) << text;
    }
  }
}

TEST_F(Tool, PrintsHelpAsText) {
  for (const char* command :
       {"compile", "run", "inspect", "extract", "verify", "operators", "cache", "doctor"}) {
    const Outcome outcome = run({command, "--help"});
    EXPECT_EQ(outcome.code, 0);
    for (const char c : outcome.out) EXPECT_TRUE(c == '\n' || c >= ' ') << command;
    // Its own examples, not those of the whole tool.
    EXPECT_FALSE(contains(outcome.out, "Exit codes")) << command;
  }
  EXPECT_TRUE(contains(run({"--help"}).out, "Exit codes"));
}

}  // namespace
}  // namespace slipway::cli
