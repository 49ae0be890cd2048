#include "slipway/compile.h"

#include <cstdio>
#include <fstream>

#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "ir/program.h"
#include "pte/reader/reader.h"
#include "slipway/module.h"

namespace slipway {
namespace {

std::string golden(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/golden/" + name;
}

Program load(const std::string& name) {
  auto program = Program::load(golden(name));
  EXPECT_TRUE(program.ok()) << program.error().message();
  return *program;
}

std::vector<std::byte> bytes_of(const std::string& path) {
  auto file = MappedFile::open(path);
  EXPECT_TRUE(file.ok()) << file.error().message();
  const auto bytes = (*file)->bytes();
  return {bytes.begin(), bytes.end()};
}

TEST(CompileTest, SavesWhatItGivesInMemory) {
  const Program program = load("mlp.pt2");
  CompileOptions options;
  options.engine = EngineKind::kNone;  // OpenVINO numbers its nodes anew at each build
  auto artefact = compile(program, options);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  auto memory = artefact->to_memory();
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(memory->size(), artefact->size());
  const std::string path = testing::TempDir() + "compile_test.pte";
  uint64_t last = 0;
  ASSERT_TRUE(artefact
                  ->save(path,
                         [&](uint64_t done, uint64_t total) {
                           EXPECT_LE(last, done);
                           EXPECT_EQ(total, artefact->size());
                           last = done;
                         })
                  .ok());
  EXPECT_EQ(last, artefact->size());
  EXPECT_EQ(bytes_of(path), *memory);
  // Once more, and by way of another program: the same bytes.
  auto again = compile(load("mlp.pt2"), options);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again->to_memory(), *memory);
  std::remove(path.c_str());
}

TEST(CompileTest, AnArtefactMayReplaceItsOwnSource) {
  const std::string path = testing::TempDir() + "compile_test_source.pt2";
  {
    std::ofstream copy(path, std::ios::binary);
    copy << std::ifstream(golden("mlp.pt2"), std::ios::binary).rdbuf();
  }
  auto program = Program::load(path);
  ASSERT_TRUE(program.ok());
  auto artefact = compile(*program);
  ASSERT_TRUE(artefact.ok());
  auto expected = artefact->to_memory();
  ASSERT_TRUE(artefact->save(path).ok());
  EXPECT_EQ(bytes_of(path), *expected);
  auto module = Module::load(path);
  EXPECT_TRUE(module.ok()) << module.error().message();
  std::remove(path.c_str());
}

TEST(CompileTest, TellsItsSteps) {
  std::vector<std::string> steps;
  CompileOptions options;
  options.on_step = [&](const std::string& step) { steps.push_back(step); };
  ASSERT_TRUE(compile(load("mlp.pt2"), options).ok());
  ASSERT_GE(steps.size(), 3u);
  EXPECT_EQ(steps.front(), "functionalize");
  EXPECT_EQ(steps.back(), "plan memory");
}

TEST(CompileTest, LeavesTheProgramAsItWas) {
  const Program program = load("mutated_buffer.pt2");
  const std::string before = program.to_string();
  ASSERT_TRUE(compile(program).ok());
  EXPECT_EQ(program.to_string(), before);
}

TEST(CompileTest, MethodsShareEqualWeights) {
  const Program program = load("mlp.pt2");
  CompileOptions options;
  options.engine = EngineKind::kNone;
  auto one = compile(program, options);
  auto two = compile({{"forward", &program}, {"encode", &program}}, options);
  ASSERT_TRUE(one.ok() && two.ok());
  const auto constants_size = [](const Artefact& artefact) -> size_t {
    auto file = pte::File::read(own_bytes(*artefact.to_memory()), "methods.pte", {});
    EXPECT_TRUE(file.ok()) << file.error().message();
    return file.ok() ? file->segment(0)->size() : 0;
  };
  EXPECT_GT(constants_size(*one), 0u);
  EXPECT_EQ(constants_size(*one), constants_size(*two));
  auto bytes = two->to_memory();
  auto module = Module::load(std::move(*bytes), "two methods");
  ASSERT_TRUE(module.ok()) << module.error().message();
  EXPECT_EQ(module->method_names(), (std::vector<std::string>{"forward", "encode"}));
  EXPECT_FALSE(compile({{"a", &program}, {"a", &program}}).ok());
  EXPECT_FALSE(compile(std::vector<std::pair<std::string, const Program*>>()).ok());
}

TEST(CompileTest, ABoundIsInTheFile) {
  const Program program = load("conv_dyn.pt2");
  ASSERT_EQ(program.ir().ranges.size(), 1u);
  const std::string symbol = program.ir().ranges.begin()->first;
  CompileOptions options;
  options.bounds[symbol] = 3;
  auto artefact = compile(program, options);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  auto module = Module::load(*artefact->to_memory(), "bounded");
  ASSERT_TRUE(module.ok());
  auto inputs = module->inputs();
  ASSERT_TRUE(inputs.ok());
  EXPECT_EQ((*inputs)[0].max_sizes[0], 3);
  options.bounds = {{"nothing", 3}};
  EXPECT_FALSE(compile(program, options).ok());
}

TEST(CompileTest, SavingNamesTheFolderThatIsMissing) {
  auto artefact = compile(load("mlp.pt2"));
  ASSERT_TRUE(artefact.ok());
  const std::string path = testing::TempDir() + "no such folder/model.pte";
  const Status saved = artefact->save(path);
  ASSERT_FALSE(saved.ok());
  EXPECT_NE(saved.error().message().find("no such folder"), std::string::npos);
}

}  // namespace
}  // namespace slipway
