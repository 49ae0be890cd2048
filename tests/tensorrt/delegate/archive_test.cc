// Exported programs with engines of Torch-TensorRT in them, compiled and run.
#include "base/piece_writer.h"
#include "compile/bare_engine.h"
#include "compile/program_impl.h"
#include "engine_list/compilers/registry.h"
#include "pt2/program_writer.h"
#include "pte/emitter/emitted_program_test.h"
#include "slipway/compile.h"
#include "slipway/npy.h"
#include "slipway/program.h"
#include "tensorrt/archive/call_writer.h"
#include "tensorrt/archive/calls.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

using pte::floats;
using pte::to_floats;
using Floats = std::vector<float>;

class ArchiveTest : public DelegateTest {
 protected:
  static Result<Module> compiled(const std::string& name) {
    return compiled_file(kFolder + name + ".pt2", name);
  }
  static Result<Module> compiled_file(const std::string& path, const std::string& name) {
    const auto program = Program::load(path);
    if (!program.ok()) return program.error();
    const auto artefact = compile(*program, CompileOptions());
    if (!artefact.ok()) return artefact.error();
    auto bytes = artefact->to_memory();
    if (!bytes.ok()) return bytes.error();
    return Module::load(*std::move(bytes), name + ".pte");
  }

  // The archive with its calls as Slipway writes them, compiled. As new ones, which were taken out
  // of it before, or in another form than they have.
  static Result<Module> compiled_in_form(const std::string& name, const CallForm& form,
                                         bool as_new) {
    const auto loaded = Program::load(kFolder + name + ".pt2");
    if (!loaded.ok()) return loaded.error();
    ir::Program program = Program::Impl::of(*loaded).ir.clone();
    std::vector<engine::Engine> engines;
    if (as_new) {
      auto found = take_engines(program, 0);
      if (!found.ok()) return found.error();
      for (auto& one : *found) engines.push_back(std::move(one.engine));
    }
    auto calls = put_engines(program, engines, form);
    if (!calls.ok()) return calls.error();
    pt2::WriteOptions options;
    options.objects = std::move(calls->objects);
    for (const auto& [op, names] : calls->operators) {
      options.operators[op] = {.parameters = names, .gives_list = true};
    }
    auto archive = pt2::write_program(program, options);
    if (!archive.ok()) return archive.error();
    PieceList pieces;
    pieces.add(*std::move(archive));
    const std::string path = testing::TempDir() + "archive_test." + name + ".pt2";
    const Status written = write_file(path, pieces);
    if (!written.ok()) return written.error();
    return compiled_file(path, name);
  }

  void check_partial(const Result<Module>& module) {
    ASSERT_TRUE(module.ok()) << module.error().message();
    SKIP_UNLESS_PLANS_RUN();
    std::vector<Value> inputs;
    for (const char* name : {"partial.in0.npy", "partial.in1.npy"}) {
      inputs.emplace_back(*read_npy(kFolder + name));
    }
    const int before = tensorrt.runs;
    const auto outputs = module->method()->run(inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(tensorrt.runs, before + 1);
    ASSERT_EQ(outputs->size(), 2U);
    for (size_t i = 0; i < 2; ++i) {
      const auto expected = read_npy(kFolder + "partial.out" + std::to_string(i) + ".npy");
      ASSERT_TRUE(expected.ok());
      EXPECT_EQ(pte::sizes_of((*outputs)[i]),
                (std::vector<int64_t>(expected->sizes().begin(), expected->sizes().end())));
      EXPECT_EQ(to_floats((*outputs)[i]), to_floats(Value(*expected)));
    }
  }

  static void check_cache(const Result<Module>& module) {
    ASSERT_TRUE(module.ok()) << module.error().message();
    SKIP_UNLESS_PLANS_RUN();
    const auto method = module->method();
    for (int step = 1; step <= 3; ++step) {
      const auto outputs = method->run({floats({3}, {1, 2, 3})});
      ASSERT_TRUE(outputs.ok()) << outputs.error().message();
      EXPECT_EQ(to_floats(outputs->at(0)), (Floats{2, 4, 6}));
      const auto add = static_cast<float>(step * 10);
      EXPECT_EQ(to_floats(method->state()->at(0).second),
                (Floats{add, 1 + add, 2 + add, 3 + add, 4 + add, 5 + add}));
    }
  }
};

TEST_F(ArchiveTest, AnEngineAmongOperatorsGivesWhatPyTorchGives) {
  check_partial(compiled("partial"));
}

TEST_F(ArchiveTest, ABufferThatAnEngineUpdatesIsTheProgramsState) {
  check_cache(compiled("cache"));
}

TEST_F(ArchiveTest, StateIsPlannedOnTheDeviceWhereThatIsAskedFor) {
  const auto compiled_so = [](const char* name, std::string* warnings) {
    const auto program = Program::load(kFolder + name + ".pt2");
    CompileOptions options;
    options.engines = {};
    options.non_cpu_memory_planning = true;
    options.on_warning = [warnings](const std::string& warning) { *warnings += warning; };
    return *compile(*program, options)->to_memory();
  };
  std::string warnings;
  const auto bytes = compiled_so("cache", &warnings);
  EXPECT_EQ(warnings, "");
  const auto file = pte::File::read(own_bytes(std::vector(bytes)), "cache");
  ASSERT_TRUE(file.ok()) << file.error().message();
  const auto* devices = file->plan("forward")->non_const_buffer_device();
  ASSERT_NE(devices, nullptr);
  EXPECT_EQ(devices->Get(0)->device_index(), 0);
  check_cache(Module::load(bytes, "cache"));

  const auto program = Program::load(SLIPWAY_TEST_DATA "/golden/mlp.pt2");
  ASSERT_TRUE(program.ok()) << program.error().message();
  CompileOptions options = {.engines = {}, .non_cpu_memory_planning = true};
  options.on_warning = [&](const std::string& warning) { warnings += warning; };
  ASSERT_TRUE(compile(*program, options).ok());
  EXPECT_EQ(warnings,
            "option 'non_cpu_memory_planning' has no effect: the program has no engine that takes "
            "its tensors in a GPU's memory");
  options.engines = {{"openvino"}};
  EXPECT_EQ(compile(*program, options).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(ArchiveTest, WhatSlipwayWritesRunsAlike) {
  for (const bool as_new : {false, true}) {
    for (const char* abi : {"7", "8", "9", "10"}) {
      SCOPED_TRACE(abi);
      check_partial(compiled_in_form("partial", {.abi = abi}, as_new));
    }
    for (const char* abi : {"9", "10"}) {
      SCOPED_TRACE(abi);
      check_partial(compiled_in_form("partial", {.abi = abi, .is_placeholder = true}, as_new));
    }
    check_cache(compiled_in_form("cache", {}, as_new));
    check_cache(compiled_in_form("cache", {.is_placeholder = true}, as_new));
  }
}

TEST_F(ArchiveTest, AProgramThatIsOneEngineIsABareEngine) {
  CompileOptions options;
  options.output = Output::kEngine;
  options.engines = {{"tensorrt", {}}};
  const auto whole = Program::load(SLIPWAY_TEST_DATA "/golden/engine_opaque.pt2");
  ASSERT_TRUE(whole.ok());
  const auto artefact = compile(*whole, options);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  const auto bytes = artefact->to_memory();
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()),
            "ftrt-fake-engine-bytes");

  // What nothing uses is no part of it.
  Program::Impl with_more = Program::Impl::of(*whole);
  with_more.ir = with_more.ir.clone();
  ir::Value* x = with_more.ir.inputs.back().value;
  ir::Node* size = with_more.ir.graph->add_node("aten.sym_size.int", {x, ir::SymInt(0)}, {});
  with_more.ir.graph->add_output(size, ir::ValueKind::kSymInt, x->sizes()[0]);
  const auto same = compile(Program::Impl::make(std::move(with_more)), options);
  ASSERT_TRUE(same.ok()) << same.error().message();
  EXPECT_EQ(same->to_memory()->size(), bytes->size());

  // There are other nodes, or it is given what is the program's own and not in the engine.
  for (const char* name : {"partial", "cache"}) {
    const auto program = Program::load(kFolder + name + ".pt2");
    ASSERT_TRUE(program.ok());
    const auto refused = compile(*program, options);
    ASSERT_FALSE(refused.ok()) << name;
    EXPECT_NE(refused.error().message().find("it came with 1 engine(s) that are built already"),
              std::string::npos)
        << refused.error().message();
  }
}

// TensorRT says what it takes and gives, and which sizes.
TEST_F(ArchiveTest, ABareEngineIsAProgramOfOneCall) {
  const auto wrapped = [&](const std::string& plan) {
    return wrap_engine(own_bytes(stand_in_plan(plan)), "x.engine",
                       *engine_list::find_compiler("tensorrt"), {});
  };
  const auto artefact = wrapped(kDoubling);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  auto bytes = artefact->to_memory();
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  const auto module = Module::load(*std::move(bytes), "x.engine");
  ASSERT_TRUE(module.ok()) << module.error().message();
  const auto method = module->method();
  for (const int64_t rows : {1, 2, 8}) {
    const Floats x(static_cast<size_t>(rows) * 3, 4.0F);
    const auto outputs = method->run({floats({rows, 3}, x)});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(pte::sizes_of(outputs->at(0)), (std::vector<int64_t>{rows, 3}));
    EXPECT_EQ(to_floats(outputs->at(0)), Floats(x.size(), 9.0F));
  }
  EXPECT_FALSE(method->run({floats({9, 3}, Floats(27))}).ok()) << "past the profile";
  for (const auto& [format, what] :
       {std::pair("format x 4\n", "input 'x'"), std::pair("format y 8\n", "output 'y'")}) {
    const auto packed = wrapped(kDoubling + format);
    ASSERT_FALSE(packed.ok());
    EXPECT_EQ(packed.error().code(), ErrorCode::kUnsupported);
    EXPECT_NE(packed.error().message().find(what + std::string(" has another format")),
              std::string::npos)
        << packed.error().message();
  }
  const auto damaged = wrapped("nonsense");
  ASSERT_FALSE(damaged.ok());
  EXPECT_NE(damaged.error().message().find("x.engine: "), std::string::npos)
      << damaged.error().message();
}

}  // namespace
}  // namespace slipway::tensorrt
