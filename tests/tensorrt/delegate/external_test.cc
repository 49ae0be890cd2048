// Programs with engines in a data file beside them.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/piece_writer.h"
#include "base/test_folder.h"
#include "ptd/writer.h"
#include "pte/emitter/emitted_program_test.h"
#include "pte/reader/program_test.h"
#include "slipway/compile.h"
#include "slipway/npy.h"
#include "slipway/program.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

namespace fs = std::filesystem;
using pte::to_floats;
using testing::HasSubstr;

class ExternalTest : public DelegateTest {
 protected:
  void SetUp() override {
    DelegateTest::SetUp();
    save("partial", "m.pte", "engines");
  }

  void save(const std::string& archive, const std::string& name, const std::string& external) {
    const auto program = Program::load(kFolder + archive + ".pt2");
    ASSERT_TRUE(program.ok()) << program.error().message();
    CompileOptions options;
    options.engines = {};
    options.external_engines = external;
    const auto artefact = compile(*program, options);
    ASSERT_TRUE(artefact.ok()) << artefact.error().message();
    const Status saved = artefact->save(folder_ / name);
    ASSERT_TRUE(saved.ok()) << saved.error().message();
    EXPECT_EQ(artefact->to_memory().error().code(), ErrorCode::kUnsupported);
    EXPECT_EQ(artefact->size(),
              fs::file_size(folder_ / name) + fs::file_size(folder_ / (external + ".ptd")));
  }

  std::string read(const std::string& name) const {
    std::ifstream stream(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  void write(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(write_file(folder_ / name, text).ok());
  }
  std::vector<std::byte> bytes_of(const std::string& name) const {
    const std::string text = read(name);
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }

  static std::vector<Value> inputs() {
    return {*read_npy(kFolder + "partial.in0.npy"), *read_npy(kFolder + "partial.in1.npy")};
  }
  static void expect_right(const Result<Module>& module) {
    ASSERT_TRUE(module.ok()) << module.error().message();
    SKIP_UNLESS_PLANS_RUN();
    const auto outputs = module->method()->run(inputs());
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    for (size_t i = 0; i < 2; ++i) {
      const auto expected = read_npy(kFolder + "partial.out" + std::to_string(i) + ".npy");
      EXPECT_EQ(to_floats(outputs->at(i)), to_floats(Value(*expected)));
    }
  }
  Error error_of(const LoadOptions& options = {}) const {
    const auto module = Module::load(folder_ / "m.pte", options);
    EXPECT_FALSE(module.ok());
    return module.ok() ? Error(ErrorCode::kInternal, "") : module.error();
  }

  TestFolder folder_;
};

TEST_F(ExternalTest, AreFoundBesideTheProgram) {
  expect_right(Module::load(folder_ / "m.pte"));
  expect_right(Module::load(folder_ / "m.pte", {.verify_checksums = true, .copy = true}));
  expect_right(Module::load(folder_ / "m.pte", {.isolate = true}));
  expect_right(Module::load(folder_ / "m.pte", {.copy = true, .isolate = true}));
  // The program alone is small, and has no plan.
  EXPECT_EQ(read("m.pte").find("stand-in plan"), std::string::npos);
  EXPECT_NE(read("engines.ptd").find("stand-in plan"), std::string::npos);
}

TEST_F(ExternalTest, MayLieElsewhere) {
  fs::create_directory(folder_ / "other");
  fs::rename(folder_ / "engines.ptd", folder_ / "other/e.ptd");
  const std::string data = folder_ / "other/e.ptd";
  expect_right(Module::load(folder_ / "m.pte", {.data_file = data}));
  expect_right(Module::load(bytes_of("m.pte"), "in memory", {.data_file = data}));
  expect_right(Module::load(bytes_of("m.pte"), "in memory", {.data_file = data, .isolate = true}));
  const auto without = Module::load(bytes_of("m.pte"), "in memory");
  ASSERT_FALSE(without.ok());
  EXPECT_THAT(without.error().message(), HasSubstr("say where its data file (.ptd) is"));
  EXPECT_THAT(error_of().message(),
              testing::AllOf(HasSubstr("m.pte has engines outside of it: "),
                             HasSubstr("engines.ptd: cannot be opened"),
                             HasSubstr("say where it is (option 'data_file')")));
}

TEST_F(ExternalTest, AnotherProgramsFileIsRefused) {
  save("cache", "c.pte", "others");
  fs::rename(folder_ / "others.ptd", folder_ / "engines.ptd");
  for (const bool isolate : {false, true}) {
    const Error error = error_of({.isolate = isolate});
    EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
    EXPECT_THAT(error.message(), HasSubstr("it belongs to another program, or to an earlier"));
  }
  fs::copy_file(folder_ / "m.pte", folder_ / "engines.ptd", fs::copy_options::overwrite_existing);
  EXPECT_THAT(error_of().message(), HasSubstr("not a data file, but an ExecuTorch program"));
}

TEST_F(ExternalTest, ADamagedOneIsRefusedBeforeTensorRtSeesIt) {
  const std::string data = read("engines.ptd");
  std::string damaged = data;
  damaged[data.find("stand-in plan") + 2] ^= 1;
  write("engines.ptd", damaged);
  const int before = tensorrt.deserialized;
  const auto module = Module::load(folder_ / "m.pte");
  ASSERT_TRUE(module.ok()) << module.error().message();
  const Status prepared = module->method()->prepare();
  ASSERT_FALSE(prepared.ok());
  EXPECT_THAT(prepared.error().message(), HasSubstr("its plan is damaged"));
  EXPECT_EQ(tensorrt.deserialized, before);
  for (const size_t size : {size_t{0}, size_t{63}, size_t{200}, data.size() - 1}) {
    write("engines.ptd", data.substr(0, size));
    EXPECT_EQ(error_of().code(), ErrorCode::kInvalidFile) << size;
  }
}

TEST_F(ExternalTest, NothingIsLookedForWhereNoneIsOutside) {
  const auto program = Program::load(kFolder + "partial.pt2");
  const auto artefact = compile(*program, {.engines = {}});
  ASSERT_TRUE(artefact->save(folder_ / "plain.pte").ok());
  write("plain.ptd", "no data file");
  expect_right(Module::load(folder_ / "plain.pte"));
  const auto given = Module::load(folder_ / "plain.pte", {.data_file = folder_ / "engines.ptd"});
  ASSERT_FALSE(given.ok());
  EXPECT_THAT(given.error().message(), HasSubstr("leave out option 'data_file'"));
}

TEST_F(ExternalTest, NeitherFileReplacesAnotherWhereOneCantBeWritten) {
  const auto program = Program::load(kFolder + "partial.pt2");
  fs::create_hard_link(folder_ / "engines.ptd", folder_ / "before.ptd");
  const auto artefact = compile(*program, {.engines = {}, .external_engines = "engines.ptd"});
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  fs::create_directory(folder_ / "taken.pte");
  EXPECT_FALSE(artefact->save(folder_ / "taken.pte").ok());
  EXPECT_TRUE(fs::equivalent(folder_ / "engines.ptd", folder_ / "before.ptd"));
  EXPECT_THAT(artefact->save(folder_ / "engines.ptd").error().message(),
              HasSubstr("can't be both the program and its data file"));
  expect_right(Module::load(folder_ / "m.pte"));
}

TEST_F(ExternalTest, TheNameIsPlain) {
  const auto program = Program::load(kFolder + "partial.pt2");
  for (const char* name :
       {".", "..", "a/b", "/a", "a\\b", "aoti_cuda_blob", "aoti_cuda_blob.ptd"}) {
    const auto artefact = compile(*program, {.engines = {}, .external_engines = name});
    ASSERT_FALSE(artefact.ok()) << name;
    EXPECT_THAT(artefact.error().message(), HasSubstr("must be the plain name of a file"));
  }
  const auto openvino =
      compile(*program, {.engines = {{"openvino"}}, .external_engines = "engines"});
  ASSERT_FALSE(openvino.ok());
  EXPECT_THAT(openvino.error().message(), HasSubstr("has no effect on openvino"));
}

// As Torch-TensorRT writes them: no manifest, and a key of its own.
TEST_F(ExternalTest, OfOtherToolsAreFoundByTheProgramsName) {
  Metadata metadata;
  metadata.io_bindings = {{"x", "float32", {2, 3}, true}, {"y", "float32", {2, 3}, false}};
  metadata.engine_key = "engine 0";
  pte::TestProgram program;
  const int32_t x = program.tensor({});
  const int32_t y = program.tensor({});
  program.inputs = {x};
  program.outputs = {y};
  program.delegate(kBackend, executorch_flatbuffer::DataLocation::SEGMENT,
                   program.segment(blob_of(metadata, "")));
  program.call_delegate(0, {x, y});
  program.constants(0, {0});  // none: ExecuTorch wants the list
  ASSERT_TRUE(write_file(folder_ / "foreign.pte", program.build()).ok());
  const std::string plan = stand_in_plan("input x float32 2 3\noutput y x 2 1\n");
  const auto write_data = [&](const std::string& key) {
    const auto pieces = ptd::lay_out({{key, own_bytes(plan)}});
    ASSERT_TRUE(write_file(folder_ / "foreign.ptd", *pieces).ok());
  };
  write_data("engine 0");
  const auto module = Module::load(folder_ / "foreign.pte");
  ASSERT_TRUE(module.ok()) << module.error().message();
  const auto outputs = module->method()->run({pte::floats({2, 3}, {1, 2, 3, 4, 5, 6})});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(to_floats(outputs->at(0)), (std::vector<float>{3, 5, 7, 9, 11, 13}));
  write_data("engine 1");
  const auto other = Module::load(folder_ / "foreign.pte");
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().message(), HasSubstr("does not have engine 0 of forward"));
}

}  // namespace
}  // namespace slipway::tensorrt
