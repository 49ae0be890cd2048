// Shared libraries with a program, in the tool.
#include <fstream>
#include <string>
#include <vector>

#include "cli/tool_test.h"

namespace slipway::cli {
namespace {

class ModelLibrary : public Tool {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }

  const std::string input_ = "0=" + data_path("golden/mlp.0.in0.npy");
};

TEST_F(ModelLibrary, IsTakenAsTheProgramInIt) {
  const std::string library = compile("golden/mlp.pt2", "model.so");
  for (const std::vector<std::string>& more : {std::vector<std::string>(), {"--isolate"}}) {
    std::vector<std::string> arguments = {"run", library, "--input", input_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome ran = run(arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(contains(ran.out, "output 0")) << ran.out;
  }
  const Outcome verified = run({"verify", library});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
  EXPECT_TRUE(contains(verified.out, "checksums")) << verified.out;
  const Outcome inspected = run({"inspect", library});
  EXPECT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_TRUE(contains(inspected.out, "method forward")) << inspected.out;
  EXPECT_EQ(run({"extract", library, "-o", path("engine")}).code, 0);
}

TEST_F(ModelLibrary, IsMadeOfAProgramAndBack) {
  const std::string program = compile("golden/mlp.pt2", "model.pte", "none");
  const std::string library = compile("golden/mlp.pt2", "model.so", "none");
  ASSERT_EQ(run({"compile", program, "-o", path("again.so")}).code, 0);
  EXPECT_EQ(read_file(path("again.so")), read_file(library));
  ASSERT_EQ(run({"compile", library, "-o", path("again.pte")}).code, 0);
  EXPECT_EQ(read_file(path("again.pte")), read_file(program));

  for (const std::vector<std::string>& given : std::vector<std::vector<std::string>>{
           {"--engine", "none"}, {"--share-buffers"}, {"--non-cpu-memory-planning"}}) {
    std::vector<std::string> arguments = {"compile", program, "-o", path("other.so")};
    arguments.insert(arguments.end(), given.begin(), given.end());
    const Outcome option = run(arguments);
    EXPECT_EQ(option.code, 2);
    EXPECT_TRUE(contains(option.err, "is compiled already")) << option.err;
  }
  const Outcome model = run({"compile", program, "-o", path("other.onnx")});
  EXPECT_TRUE(contains(model.err, "is compiled already")) << model.err;
  EXPECT_EQ(run({"compile", program, "-o", program}).code, 2);
}

// What PyTorch makes of it is in tests/peers/test_aoti.py.
TEST_F(ModelLibrary, IsPutIntoPackagesOfAOTInductor) {
  const std::string library = compile("golden/mlp.pt2", "model.so", "none");
  const auto package = [&](const std::string& model, const std::string& name) {
    return run({"compile", model, "-o", path(name), "--format", "aoti"});
  };
  ASSERT_EQ(package(library, "package.pt2").code, 0);
  const std::string model = std::string(SLIPWAY_TEST_DATA) + "/golden/mlp.pt2";
  const std::string program = path("two.pte");
  ASSERT_EQ(run({"compile", "a=" + model, "b=" + model, "-o", program, "--engine", "none"}).code,
            0);
  const Outcome both = package(program, "both.pt2");
  EXPECT_EQ(both.code, 2);
  EXPECT_TRUE(contains(both.err, "holds one program, but")) << both.err;
  EXPECT_TRUE(contains(both.err, "has 2: a, b")) << both.err;
  const std::string bytes = read_file(path("package.pt2"));
  EXPECT_EQ(bytes.substr(0, 4), "PK\x03\x04");
  EXPECT_TRUE(contains(bytes, read_file(library)));
  EXPECT_TRUE(contains(bytes, R"({"AOTI_DEVICE_KEY": "cpu")"));
  const Outcome inspected = run({"inspect", path("package.pt2")});
  EXPECT_TRUE(contains(inspected.err, "is a package of AOTInductor")) << inspected.err;
  const Outcome compiled = package(data_path("golden/mlp.pt2"), "other.pt2");
  EXPECT_EQ(compiled.code, 0) << compiled.err;
  EXPECT_TRUE(contains(compiled.out, "a package of AOTInductor")) << compiled.out;

  const Outcome refused = package(data_path("pt2/trees.pt2"), "refused.pt2");
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(contains(refused.err, "takes tensors, numbers and None alone")) << refused.err;
  EXPECT_FALSE(fs::exists(path("refused.pt2")));
  const Outcome two =
      run({"compile", "a=" + data_path("golden/mlp.pt2"), "b=" + data_path("golden/mlp.pt2"), "-o",
           path("two.pt2"), "--format", "aoti"});
  EXPECT_EQ(two.code, 2);
  EXPECT_TRUE(contains(two.err, "one program, but 2 are given")) << two.err;
}

TEST_F(ModelLibrary, WhatIsDamagedIsRefused) {
  const std::string whole = read_file(compile("golden/mlp.pt2", "model.so", "none"));
  const auto refusal = [&](const std::string& bytes) {
    write("damaged.so", bytes);
    for (const char* command : {"inspect", "verify"}) {
      EXPECT_EQ(run({command, path("damaged.so")}).code, 1);
    }
    return run({"run", path("damaged.so"), "--input", input_}).err;
  };
  EXPECT_TRUE(contains(refusal(whole.substr(0, whole.size() - 1)), "strip"));
  std::string changed = whole;
  changed[1000] = static_cast<char>(changed[1000] ^ 1);
  EXPECT_TRUE(contains(refusal(changed), "the shared library around the model is damaged"));
  changed = whole;
  char& byte = changed[changed.find("ET12") + 100];
  byte = static_cast<char>(byte ^ 1);
  EXPECT_TRUE(contains(refusal(changed), "damaged"));
  EXPECT_EQ(run({"compile", path("damaged.so"), "-o", path("again.pte")}).code, 1);
  EXPECT_FALSE(fs::exists(path("again.pte")));
}

}  // namespace
}  // namespace slipway::cli
