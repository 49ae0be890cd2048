#include "slipway/compile.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "compile/program_impl.h"
#include "pt2/program_reader.h"
#include "pte/format/program_generated.h"
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

TEST(CompileTest, AProgramThatIsMissingIsAnError) {
  Program program = load("mlp.pt2");
  const Program taken = std::move(program);
  for (const Program* missing : {static_cast<const Program*>(nullptr), &std::as_const(program)}) {
    const auto artefact = compile({{"forward", missing}});
    ASSERT_FALSE(artefact.ok());
    EXPECT_EQ(artefact.error().message(), "a Program is missing: it is null or was moved from");
  }
  EXPECT_FALSE(compile(program).ok());  // NOLINT(bugprone-use-after-move)
  for (const Output output :
       {Output::kEngine, Output::kOnnx, Output::kEngineOnnx, Output::kArchive}) {
    EXPECT_FALSE(compile(program, {.output = output}).ok());
  }
  EXPECT_EQ(program.to_string(), "");
}

TEST(CompileTest, AllocGraphOutputPlansOutputs) {
  const Program program = load("mlp.pt2");
  CompileOptions options;
  options.engines.clear();
  for (const bool planned : {true, false}) {
    options.alloc_graph_output = planned;
    const auto artefact = compile(program, options);
    ASSERT_TRUE(artefact.ok()) << artefact.error().message();
    const auto file = pte::File::read(own_bytes(*artefact->to_memory()), "mlp");
    ASSERT_TRUE(file.ok()) << file.error().message();
    const auto* plan = file->plan("forward");
    for (const int32_t output : *plan->outputs()) {
      const auto* tensor = plan->values()->Get(static_cast<uint32_t>(output))->val_as_Tensor();
      EXPECT_EQ(tensor->allocation_info() != nullptr, planned);
    }
  }
}

TEST(CompileTest, SavesWhatItGivesInMemory) {
  const Program program = load("mlp.pt2");
  CompileOptions options;
  options.engines.clear();  // OpenVINO numbers its nodes anew at each build
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

TEST(CompileTest, OneProgramOnlyIsInOtherOutputs) {
  const Program program = load("mlp.pt2");
  for (const Output output :
       {Output::kEngine, Output::kOnnx, Output::kEngineOnnx, Output::kArchive}) {
    const auto artefact = compile({{"a", &program}, {"b", &program}}, {.output = output});
    ASSERT_FALSE(artefact.ok());
    EXPECT_EQ(artefact.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(artefact.error().message().find("holds one program, but 2 are given"),
              std::string::npos);
  }
}

TEST(CompileTest, AnOptionWithoutEffectIsAnError) {
  const Program program = load("mlp.pt2");
  const auto expect_refused = [&](const CompileOptions& options, const std::string& option) {
    const auto artefact = compile(program, options);
    ASSERT_FALSE(artefact.ok()) << option;
    EXPECT_EQ(artefact.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(artefact.error().message().find("option '" + option + "' has no effect on"),
              std::string::npos)
        << artefact.error().message();
  };
  for (const Output output : {Output::kOnnx, Output::kEngineOnnx, Output::kArchive}) {
    std::vector<EngineChoice> engines = CompileOptions().engines;
    if (output == Output::kArchive) engines.clear();
    const auto expect = [&](CompileOptions options, const char* option) {
      options.output = output;
      options.engines = engines;
      expect_refused(options, option);
    };
    expect({.exclude_ops = {"aten.cos"}}, "exclude_ops");
    expect({.exclude_nodes = {"cos"}}, "exclude_nodes");
    expect({.min_partition_size = 2}, "min_partition_size");
    expect({.require_full = true}, "require_full");
    expect({.check = EngineCheck::kFail}, "check");
    expect({.cache = "folder"}, "cache");
    expect({.dump_partitions = "folder"}, "dump_partitions");
  }
  for (const Output output : {Output::kOnnx, Output::kEngineOnnx}) {
    expect_refused({.output = output, .bounds = {{"s77", 4}}}, "bounds");
  }
  for (const Output output :
       {Output::kEngine, Output::kOnnx, Output::kEngineOnnx, Output::kArchive}) {
    expect_refused({.output = output, .alloc_graph_output = false}, "alloc_graph_output");
    expect_refused({.output = output, .external_engines = "e"}, "external_engines");
    expect_refused({.output = output, .non_cpu_memory_planning = true}, "non_cpu_memory_planning");
    expect_refused({.output = output, .share_buffers = true}, "share_buffers");
  }
  expect_refused({.share_buffers = true}, "share_buffers");
  expect_refused({.output = Output::kOnnx, .allow_reduced_precision = true},
                 "allow_reduced_precision");
  expect_refused({.output = Output::kArchive, .engines = {}, .allow_reduced_precision = true},
                 "allow_reduced_precision");
  // Options of engines for other outputs.
  expect_refused({.engines = {{"tensorrt", {{"cross_compile", "true"}}}}}, "cross_compile");
  expect_refused({.output = Output::kEngine, .engines = {{"tensorrt", {{"platform", "x"}}}}},
                 "platform");
  expect_refused(
      {.output = Output::kArchive, .engines = {{"tensorrt", {{"weight_streaming_total", "1GB"}}}}},
      "weight_streaming_total");
  expect_refused({.output = Output::kOnnx, .engines = {{"tensorrt"}}}, "engines");
  expect_refused(
      {.output = Output::kEngineOnnx, .engines = {{"tensorrt", {{"tensorrt_lib", "/nowhere"}}}}},
      "tensorrt_lib");
}

// An engine that is there already is not built: what asks for a build has no effect on it.
TEST(CompileTest, WhatIsBuiltAlreadyHasNoOptionsOfBuilds) {
  const Program program = load("engine_opaque.pt2");
  const auto refused = [&](CompileOptions options, const char* option) {
    options.output = Output::kEngine;
    if (options.engines.front().name != "tensorrt") options.engines = {{"tensorrt"}};
    const auto artefact = compile(program, options);
    ASSERT_FALSE(artefact.ok()) << option;
    EXPECT_EQ(artefact.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(artefact.error().message(), "option '" + std::string(option) + "' has no effect on " +
                                              golden("engine_opaque.pt2") +
                                              ", which is an engine that is built already");
  };
  refused({.engines = {{"tensorrt", {{"precision", "fp16"}}}}}, "precision");
  refused({.engines = {{"tensorrt", {{"target", "sm_86"}}}}}, "target");
  refused({.exclude_ops = {"aten.cos"}}, "exclude_ops");
  refused({.allow_reduced_precision = true}, "allow_reduced_precision");
  refused({.check = EngineCheck::kFail}, "check");
  EXPECT_TRUE(compile(program, {.output = Output::kEngine,
                                .engines = {{"tensorrt", {{"tensorrt_lib", "/nowhere"}}}},
                                .require_full = true})
                  .ok());

  // In a program others may be built, too.
  std::vector<std::string> warnings;
  CompileOptions options = {.engines = {{"tensorrt",
                                         {{"optimization_level", "0"},
                                          {"keep_fp32", "aten.linear"},
                                          {"precision", "fp16"},
                                          {"keep_fp32", "aten.conv2d"},
                                          {"tensorrt_lib", "/nowhere"},
                                          {"cuda_graphs", "true"}}}}};
  options.on_warning = [&](const std::string& message) { warnings.push_back(message); };
  EXPECT_TRUE(compile(program, options).ok()) << "and needs no library";
  const std::string rest = " has no effect on the 1 engine(s) that " + golden("engine_opaque.pt2") +
                           " came with, which are built already";
  EXPECT_EQ(warnings,
            (std::vector<std::string>{"option 'optimization_level'" + rest,
                                      "option 'keep_fp32'" + rest, "option 'precision'" + rest}));
  warnings.clear();
  options.engines = {{"openvino"}};
  EXPECT_TRUE(compile(program, options).ok());
  EXPECT_EQ(warnings, std::vector<std::string>());

  // And written in another form.
  options.output = Output::kArchive;
  options.engines = {
      {"tensorrt",
       {{"tensorrt_lib", "/nowhere"}, {"torch_tensorrt_abi", "8"}, {"workspace", "1GB"}}}};
  const auto archive = compile(program, options);
  ASSERT_TRUE(archive.ok()) << archive.error().message();
  EXPECT_EQ(warnings, std::vector<std::string>{"option 'workspace'" + rest});
  const auto again = pt2::read_program(own_bytes(*archive->to_memory()), "again.pt2");
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->inputs.at(0).kind, ir::InputKind::kCustomObject);

  // What there is to be built does.
  options.engines[0].options.pop_back();
  const auto missing = compile(load("mlp.pt2"), options);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message().find("/nowhere"), std::string::npos)
      << missing.error().message();
}

TEST(CompileTest, AnArchiveIsTheProgramAsItWasRead) {
  const Program program = load("conv_dyn.pt2");
  const std::string text = program.to_string();
  const auto artefact = compile(program, {.output = Output::kArchive, .engines = {}});
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  const std::string path = testing::TempDir() + "compile_test.pt2";
  ASSERT_TRUE(artefact->save(path).ok());
  EXPECT_EQ(bytes_of(path), *artefact->to_memory());
  auto again = Program::load(path);
  ASSERT_TRUE(again.ok()) << again.error().message();
  const auto body = [](const std::string& whole) { return whole.substr(whole.find('\n')); };
  EXPECT_EQ(body(again->to_string()), body(text));
  EXPECT_EQ(program.to_string(), text);
  // An archive that is being read is never the output.
  const auto over = compile(*again, {.output = Output::kArchive, .engines = {}});
  ASSERT_TRUE(over.ok());
  EXPECT_FALSE(over->save(path).ok());
  std::remove(path.c_str());
}

TEST(CompileTest, AnArchiveHasTheBoundsThatAreGiven) {
  const Program program = load("conv_dyn.pt2");
  const ir::SymbolRanges& ranges = Program::Impl::of(program).ir.ranges;
  ASSERT_FALSE(ranges.empty());
  const std::string symbol = ranges.begin()->first;
  const auto artefact =
      compile(program, {.output = Output::kArchive, .engines = {}, .bounds = {{symbol, 3}}});
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  const auto again = pt2::read_program(own_bytes(*artefact->to_memory()), "again.pt2");
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->ranges.at(symbol).max, 3);
  EXPECT_EQ(again->ranges.at(symbol).min, ranges.begin()->second.min);
}

TEST(CompileTest, AnArchiveHoldsNoEnginesOfOthers) {
  const auto artefact = compile(load("mlp.pt2"), {.output = Output::kArchive});
  ASSERT_FALSE(artefact.ok());
  EXPECT_EQ(artefact.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(artefact.error().message().find(
                "holds no engines of openvino: ask for option 'engines' tensorrt"),
            std::string::npos);
  const auto several = compile(
      load("mlp.pt2"), {.output = Output::kArchive, .engines = {{"tensorrt"}, {"openvino"}}});
  ASSERT_FALSE(several.ok());
  EXPECT_NE(several.error().message().find("holds no engines of openvino"), std::string::npos);
}

TEST(CompileTest, EachOutputHasItsSteps) {
  const Program program = load("mlp.pt2");
  for (const Output output : {Output::kEngine, Output::kOnnx, Output::kPte}) {
    const std::vector<std::string> known = step_names(output);
    std::vector<std::string> seen;
    CompileOptions options = {.output = output, .verify_passes = true};
    options.print_after = {known.begin(), known.end()};
    options.on_program = [&](const std::string& step, const std::string&) { seen.push_back(step); };
    const auto artefact = compile(program, options);
    ASSERT_TRUE(artefact.ok()) << artefact.error().message();
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), options.print_after);
    if (output == Output::kPte) continue;
    options.print_after = {"deduplicate"};
    EXPECT_EQ(compile(program, options).error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(CompileTest, TellsItsSteps) {
  std::vector<std::string> steps;
  CompileOptions options;
  options.on_step = [&](const std::string& step) { steps.push_back(step); };
  ASSERT_TRUE(compile(load("mlp.pt2"), options).ok());
  ASSERT_GE(steps.size(), 3u);
  EXPECT_EQ(steps.front(), "inline regions");
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
  options.engines.clear();
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

TEST(CompileTest, WhatIsExcludedFromOneMethodNeedsNotBeInTheOthers) {
  const Program first = load("alias_strides.pt2");
  const Program second = load("log_softmax0.pt2");
  const auto outside = [&](const CompileOptions& options) {
    std::vector<std::string> ops;
    const auto artefact = compile({{"first", &first}, {"second", &second}}, options);
    EXPECT_TRUE(artefact.ok()) << artefact.error().message();
    if (!artefact.ok()) return ops;
    const auto file = pte::File::read(own_bytes(*artefact->to_memory()), "methods.pte", {});
    for (const auto& method : file->manifest()->methods) {
      for (const auto& node : method.outside) ops.push_back(node.op);
    }
    return ops;
  };
  const std::vector<std::string> all = {"aten.embedding.default", "aten.log_softmax.int"};
  EXPECT_EQ(outside({.exclude_ops = {"aten.embedding", "openvino:aten.log_softmax"}}), all);
  EXPECT_EQ(outside({.exclude_nodes = {"embedding", "log_softmax"}}), all);
  const auto neither =
      compile({{"first", &first}, {"second", &second}}, {.exclude_ops = {"aten.embeding"}});
  ASSERT_FALSE(neither.ok());
  EXPECT_NE(neither.error().message().find("did you mean aten.embedding"), std::string::npos);
}

TEST(CompileTest, ABoundIsInTheFile) {
  const Program program = load("conv_dyn.pt2");
  ASSERT_EQ(Program::Impl::of(program).ir.ranges.size(), 1u);
  const std::string symbol = Program::Impl::of(program).ir.ranges.begin()->first;
  CompileOptions options;
  options.bounds[symbol] = 3;
  auto artefact = compile(program, options);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  auto module = Module::load(*artefact->to_memory(), "bounded");
  ASSERT_TRUE(module.ok());
  EXPECT_EQ(module->method()->inputs()[0].tensor()->sizes[0].max, 3);
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

TEST(CompileTest, NamesThatTheReaderRefusesAreRefusedAtOnce) {
  const Program program = load("mlp.pt2");
  CompileOptions options;
  options.engines.clear();
  for (const std::string& name : {std::string(), std::string(10'000, 'n'), std::string("a\0b", 3),
                                  std::string("\xff"), std::string("\xed\xa0\x80")}) {
    const auto refused = compile({{name, &program}}, options);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(refused.error().message().find("method name"), std::string::npos);
  }
  EXPECT_FALSE(compile({{"a", &program}, {"a", &program}}, options).ok());
  EXPECT_FALSE(compile(std::vector<std::pair<std::string, const Program*>>(), options).ok());
  std::vector<std::pair<std::string, const Program*>> many;
  for (int i = 0; i < 300; ++i) many.emplace_back("m" + std::to_string(i), &program);
  EXPECT_FALSE(compile(many, options).ok());
  EXPECT_TRUE(compile({{std::string(4096, 'n'), &program}}, options)->to_memory().ok());
}

TEST(CompileTest, AnArchiveThatChangedIsNotCompiledAndNotSaved) {
  const std::string archive = testing::TempDir() + "compile_test_changes.pt2";
  const std::string output = testing::TempDir() + "compile_test_changes.pte";
  std::filesystem::copy_file(golden("mlp.pt2"), archive,
                             std::filesystem::copy_options::overwrite_existing);
  CompileOptions options;
  options.engines.clear();
  auto program = Program::load(archive);
  ASSERT_TRUE(program.ok());
  const auto artefact = compile(*program, options);
  ASSERT_TRUE(artefact.ok());
  const Status onto_itself = artefact->save(archive);
  ASSERT_FALSE(onto_itself.ok());
  EXPECT_EQ(onto_itself.error().code(), ErrorCode::kInvalidArgument);
  const auto model = compile(*program, {.output = Output::kOnnx});
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_EQ(model->save(archive).error().code(), ErrorCode::kInvalidArgument);
  std::filesystem::resize_file(archive, 100);  // reading the weights would end the process
  for (const Status& status : {artefact->save(output), Status(artefact->to_memory().error()),
                               Status(compile(*program, options).error()), model->save(output),
                               Status(model->to_memory().error()),
                               Status(compile(*program, {.output = Output::kOnnx}).error())}) {
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message().find("was changed after it was read"), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(output));
  std::filesystem::remove(archive);
}

}  // namespace
}  // namespace slipway
