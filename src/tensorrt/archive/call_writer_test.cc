#include "tensorrt/archive/call_writer.h"

#include <cstddef>
#include <sys/mman.h>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/piece_writer.h"
#include "pt2/program_reader.h"
#include "pt2/program_writer.h"
#include "tensorrt/archive/calls.h"
#include "tensorrt/archive/metadata.h"
#include "tensorrt/format/description.h"

namespace slipway::tensorrt {
namespace {

using engine_build::ArchiveCalls;
using ir::SymInt;
using ir::Value;
using testing::ElementsAre;
using testing::HasSubstr;

const ir::TensorType kType = {DType::kFloat32, {2, 4}, {}};

engine::Engine engine_of_plan(const std::string& plan, std::vector<std::string> inputs,
                              std::vector<std::string> outputs) {
  engine::Engine engine;
  engine.record.engine = kDescription.name;
  engine.record.backend = kDescription.backend;
  engine.record.library_version = "TensorRT-RTX 1.7.1";
  engine.record.device = "cuda";
  engine.record.target = "sm_86";
  engine.record.compile_specs = {{"target_device", "cuda:0"}};
  for (std::string& name : inputs) engine.record.inputs.push_back({std::move(name), "float32", {}});
  for (std::string& name : outputs) {
    engine.record.outputs.push_back({std::move(name), "float32", {}});
  }
  engine.bytes = own_bytes(std::string(plan));
  engine.record.size = plan.size();
  engine.record.sha256 = sha256_hex(engine.bytes.bytes);
  return engine;
}

class CallWriterTest : public testing::Test {
 protected:
  CallWriterTest() { program_.source = "model.pt2"; }

  Value* input(ir::InputKind kind, const std::string& name) {
    ir::Input input;
    input.kind = kind;
    input.value = program_.graph->add_input(name, kType);
    input.name = name;
    if (kind != ir::InputKind::kUserInput) {
      input.target = name;
      input.data = {DType::kFloat32, {2, 4}, {4, 1}, 0, own_bytes(std::string(32, '\0'))};
    }
    program_.inputs.push_back(std::move(input));
    return program_.inputs.back().value;
  }
  ir::Node* call(int64_t engine, std::vector<Value*> inputs, size_t outputs) {
    ir::Node* node =
        program_.graph->add_node(ir::kCallEngine, {SymInt(engine), std::move(inputs)}, {});
    for (size_t i = 0; i < outputs; ++i) program_.graph->add_output(node, kType, "result");
    return node;
  }
  void output(Value* value, ir::Output declared = {}) {
    program_.graph->outputs().emplace_back(value);
    program_.outputs.push_back(std::move(declared));
  }

  // With the objects that an archive would have.
  ArchiveCalls put(const CallForm& form = {}) {
    auto calls = put_engines(program_, engines_, form);
    EXPECT_TRUE(calls.ok()) << calls.error().message();
    const Status sound = ir::verify(program_);
    EXPECT_TRUE(sound.ok()) << sound.error().message();
    if (!calls.ok()) return {};
    for (ir::Input& input : program_.inputs) {
      if (!calls->objects.contains(input.target)) continue;
      PieceList pieces;
      pieces.add(calls->objects.at(input.target));
      input.object = own_bytes(*write_to_memory(pieces));
    }
    return *std::move(calls);
  }
  std::string error(const CallForm& form = {}) {
    ir::Program copy = program_.clone();
    const auto parameters = put_engines(copy, engines_, form);
    return parameters.ok() ? "" : parameters.error().message();
  }
  std::vector<std::string> ops() const {
    std::vector<std::string> ops;
    for (const auto& node : program_.graph->nodes()) ops.push_back(node->op());
    return ops;
  }
  std::vector<std::string> targets(ir::InputKind kind) const {
    std::vector<std::string> targets;
    for (const ir::Input& input : program_.inputs) {
      if (input.kind == kind) targets.push_back(input.target);
    }
    return targets;
  }
  std::vector<engine_build::FoundEngine> take() {
    auto found = take_engines(program_, 0);
    EXPECT_TRUE(found.ok()) << found.error().message();
    return found.ok() ? *std::move(found) : std::vector<engine_build::FoundEngine>();
  }
  // In the place of that of the only call.
  void set_plan(ir::Argument plan) {
    program_.graph->nodes().front()->args()[kPlanItem + 1] = std::move(plan);
    program_.remove_unused_constants();
  }
  static std::string text_of(const OwnedSpan& span) {
    return {reinterpret_cast<const char*>(span.bytes.data()), span.bytes.size()};
  }

  ir::Program program_;
  std::vector<engine::Engine> engines_;
};

TEST_F(CallWriterTest, WhatIsWrittenIsReadInEveryForm) {
  engines_.push_back(engine_of_plan("ftrt plan", {"x", "y"}, {"a", "b"}));
  const Value* x = input(ir::InputKind::kUserInput, "x");
  ir::Node* node = call(0, {const_cast<Value*>(x), input(ir::InputKind::kParameter, "y")}, 2);
  output(node->output(1));
  const ir::Program original = program_.clone();
  const CallForm forms[] = {{.abi = "7"},
                            {.abi = "8"},
                            {.abi = "9"},
                            {.abi = "10"},
                            {.abi = "9", .is_placeholder = true},
                            {.abi = "10", .is_placeholder = true},
                            {.is_placeholder = true, .platform = "windows_x86_64"}};
  for (const CallForm& form : forms) {
    program_ = original.clone();
    const auto parameters = put(form).operators;
    const ir::Node& written = *program_.graph->nodes().front();
    ASSERT_EQ(parameters.size(), 1U);
    EXPECT_EQ(parameters.begin()->first, written.op());
    EXPECT_EQ(parameters.begin()->second.size(), written.args().size());
    EXPECT_EQ(written.outputs().size(), 2U);
    EXPECT_EQ(written.output(1), std::get<Value*>(program_.graph->outputs()[0]));
    KnownObjects known;
    const auto serialized = engine_of(program_, written, known);
    ASSERT_TRUE(serialized.ok()) << serialized.error().message();
    EXPECT_EQ(serialized->abi_version, form.abi);
    EXPECT_EQ(serialized->name, "_run_on_acc_0_engine");
    EXPECT_EQ(serialized->capability, "sm_86");
    EXPECT_FALSE(serialized->hardware_compatible);
    EXPECT_EQ(serialized->target_platform, form.platform);
    EXPECT_EQ(text_of(serialized->plan), "ftrt plan");
    const auto found = take();
    ASSERT_EQ(found.size(), 1U);
    const engine::EngineRecord& record = found[0].engine.record;
    EXPECT_EQ(record.library_version, "TensorRT-RTX 1.7.1");
    EXPECT_EQ(record.target, "sm_86");
    EXPECT_EQ(record.inputs[1].name, "y");
    EXPECT_EQ(record.outputs[0].name, "a");
  }
}

TEST_F(CallWriterTest, EqualPlansAreOneBufferAndNamesAreFree) {
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  engines_.push_back(engine_of_plan("other", {"x"}, {"y"}));
  Value* value = input(ir::InputKind::kUserInput, "x");
  Value* taken = input(ir::InputKind::kBuffer, "_trt_engine.0");
  for (int64_t i = 0; i < 3; ++i) value = call(i, {value}, 1)->output();
  output(value);
  output(taken);
  const ir::Program original = program_.clone();
  put({.is_placeholder = true});
  EXPECT_THAT(targets(ir::InputKind::kBuffer),
              ElementsAre("_trt_engine.0", "_trt_engine_1", "_trt_engine_2"));
  const ir::Input& buffer = program_.inputs[2];
  EXPECT_TRUE(buffer.persistent);
  EXPECT_EQ(buffer.data->dtype, DType::kUInt8);
  EXPECT_EQ(buffer.data->storage.bytes.data(), engines_[0].bytes.bytes.data()) << "not copied";

  program_ = original.clone();
  input(ir::InputKind::kParameter, "_run_on_acc.0_engine");
  output(program_.inputs.back().value);
  input(ir::InputKind::kParameter, "_run_on_acc_2_engine.weight");
  output(program_.inputs.back().value);
  put();
  EXPECT_THAT(targets(ir::InputKind::kCustomObject),
              ElementsAre("_run_on_acc_1_engine", "_run_on_acc_3_engine", "_run_on_acc_4_engine"));
}

// A cache is written in its place, and anything else that an engine writes to is copied before.
TEST_F(CallWriterTest, OnlyStateIsWrittenInItsPlace) {
  engines_.push_back(engine_of_plan("plan", {"cache", "x"}, {"updated", "y"}));
  engines_[0].record.aliases.push_back({0, 0, "kv_cache_update"});
  Value* cache = input(ir::InputKind::kBuffer, "cache");
  Value* x = input(ir::InputKind::kUserInput, "x");
  ir::Node* node = call(0, {cache, x}, 2);
  output(node->output(0), {ir::OutputKind::kBufferMutation, "cache"});
  output(node->output(1));
  const ir::Program original = program_.clone();
  put();
  EXPECT_THAT(ops(), ElementsAre(kExecute));
  EXPECT_EQ(take()[0].engine.record.aliases.size(), 1U);

  // Its old value is given out.
  program_ = original.clone();
  output(program_.inputs[0].value);
  put();
  EXPECT_THAT(ops(), ElementsAre("aten.clone.default", kExecute));

  // It becomes something else.
  program_ = original.clone();
  program_.outputs[0].kind = ir::OutputKind::kUserOutput;
  put();
  EXPECT_THAT(ops(), ElementsAre("aten.clone.default", kExecute));

  // The engine reads it beside.
  program_ = original.clone();
  std::get<std::vector<Value*>>(program_.graph->nodes().front()->args()[1])[1] =
      program_.inputs[0].value;
  put();
  EXPECT_THAT(ops(), ElementsAre("aten.clone.default", kExecute));
}

TEST_F(CallWriterTest, CallsThatAreThereGetTheForm) {
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  put({.is_placeholder = true});
  engines_.clear();
  put({.abi = "8"});
  EXPECT_THAT(ops(), ElementsAre(kExecute));
  EXPECT_THAT(targets(ir::InputKind::kBuffer), ElementsAre()) << "nothing uses it any more";
  EXPECT_THAT(targets(ir::InputKind::kCustomObject), ElementsAre("_run_on_acc_0_engine"));
  // As it is: nothing to do.
  const OwnedSpan object = program_.inputs.back().object;
  const ArchiveCalls same = put({.abi = "8"});
  EXPECT_EQ(same.operators.size(), 0U);
  EXPECT_EQ(same.found, 1U);
  EXPECT_EQ(program_.inputs.back().object.bytes.data(), object.bytes.data());
  put({.is_placeholder = true});
  EXPECT_THAT(ops(), ElementsAre(kPlaceholder));
  EXPECT_EQ(text_of(take()[0].engine.bytes), "plan");
}

// As Torch-TensorRT up to 2.12 has it in programs for another machine.
TEST_F(CallWriterTest, APlanMayBeALongText) {
  const std::string plan = "ftrt" + std::string(size_t{12} << 20, 'p');
  engines_.push_back(engine_of_plan(plan, {"x"}, {"y"}));
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  auto calls = put({.abi = "9", .is_placeholder = true});
  PieceList encoded;
  encoded.add(encode_base64(engines_[0].bytes));
  program_.graph->nodes().front()->args()[kPlanItem + 1] =
      text_of(own_bytes(*write_to_memory(encoded)));
  program_.remove_unused_constants();
  program_.dialect = "ATEN";
  program_.input_tree.kind = Tree::Kind::kTuple;
  program_.input_tree.children.resize(2);
  program_.input_tree.children[0].kind = Tree::Kind::kTuple;
  program_.input_tree.children[0].children.emplace_back();
  program_.input_tree.children[1].kind = Tree::Kind::kDict;
  program_.output_tree.kind = Tree::Kind::kTuple;
  program_.output_tree.children.emplace_back();

  pt2::WriteOptions options;
  auto& [op, parameters] = *calls.operators.begin();
  options.operators[op] = {.parameters = parameters, .gives_list = true};
  const auto archive = pt2::write_program(program_, options);
  ASSERT_TRUE(archive.ok()) << archive.error().message();
  PieceList pieces;
  pieces.add(*archive);
  auto read = pt2::read_program(own_bytes(*write_to_memory(pieces)), "written.pt2");
  ASSERT_TRUE(read.ok()) << read.error().message();
  program_ = *std::move(read);
  EXPECT_EQ(text_of(take().at(0).engine.bytes), plan);
}

// The plan may be there longer than the node that has it as a text.
TEST_F(CallWriterTest, APlanMayBeAShortTextAsItIs) {
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  put({.is_placeholder = true});
  set_plan(std::string("ftrt, and no Base64"));
  const auto found = take();
  program_ = ir::Program();
  EXPECT_EQ(text_of(found.at(0).engine.bytes), "ftrt, and no Base64");
}

TEST_F(CallWriterTest, AnEngineMayTakeNothing) {
  engines_.push_back(engine_of_plan("plan", {}, {"y"}));
  output(call(0, {}, 1)->output());
  put();
  EXPECT_EQ(take()[0].engine.record.inputs.size(), 0U);
}

TEST_F(CallWriterTest, SeveralTargetsAreHardwareCompatible) {
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  engines_[0].record.target = "sm_86,sm_120";
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  put();
  KnownObjects known;
  const auto serialized = engine_of(program_, *program_.graph->nodes().front(), known);
  ASSERT_TRUE(serialized.ok());
  EXPECT_TRUE(serialized->hardware_compatible);
  EXPECT_EQ(serialized->capability, "sm_86");
  EXPECT_EQ(take()[0].engine.record.target, "sm_86,sm_120") << "as Slipway's note has it";
}

TEST_F(CallWriterTest, WhatCannotBeSaidIsAnError) {
  const engine::Engine good = engine_of_plan("plan", {"x"}, {"y"});
  engines_.push_back(good);
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  EXPECT_THAT(error({.abi = "11"}), HasSubstr("ABI '11' is not one of 7, 8, 9, 10"));
  EXPECT_THAT(error({.abi = "8", .is_placeholder = true}), HasSubstr("since ABI 9"));
  for (const char* name : {"a%b", "", "%"}) {
    engines_[0].record.inputs[0].name = name;
    EXPECT_THAT(error(), HasSubstr("can't be named in a program of Torch-TensorRT")) << name;
  }
  engines_[0] = good;
  engines_[0].record.aliases = {{0, 0, "user"}};
  EXPECT_THAT(error({.abi = "9"}), HasSubstr("ABI 9 has no item for: write ABI 10"));
  engines_[0].record.inputs[0].name = "a@b";
  EXPECT_THAT(error(), HasSubstr("'a@b' can't be named"));
  engines_[0] = good;
  engines_[0].record.outputs.clear();
  EXPECT_THAT(error(), HasSubstr("gives 0, and the program has 1 and 1 there"));
  engines_[0] = good;
  engines_[0].variants.push_back(good);
  EXPECT_THAT(error(), HasSubstr("2 targets"));
  engines_.clear();
  EXPECT_THAT(error(), HasSubstr("calls an engine that is not there"));
}

// Objects of TorchScript hold 4 GiB of Base64: of what is larger the error names the other forms.
TEST_F(CallWriterTest, APlanPastTheLimitOfAnObjectIsWrittenInOtherForms) {
  constexpr size_t kSize = size_t{4} << 30;
  // It is never looked at.
  void* const start =
      ::mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(start, MAP_FAILED);
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  engines_[0].bytes = {{static_cast<const std::byte*>(start), kSize}, nullptr};
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  for (const char* abi : {"7", "8", "9"}) {
    EXPECT_THAT(error({.abi = abi}),
                HasSubstr("write it as a buffer (option 'cross_compile'), or in ABI 10 (option "
                          "'torch_tensorrt_abi')"));
  }
  EXPECT_EQ(error(), "");
  EXPECT_EQ(error({.abi = "9", .is_placeholder = true}), "");
  ::munmap(start, kSize);
}

TEST_F(CallWriterTest, WhatAnotherVersionMadeIsSaid) {
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  put({.is_placeholder = true});
  std::string& metadata = std::get<std::string>(program_.graph->nodes().front()->args()[8]);
  const auto other = write_metadata({}, {}, {}, {"slipway 0.0.1", "TensorRT-RTX 1.7.1", "sm_86"});
  ASSERT_TRUE(other.ok());
  const std::string own = std::exchange(metadata, *other);
  ir::Program made_by_other = program_.clone();
  EXPECT_THAT(take_engines(made_by_other, 0)->at(0).warning,
              HasSubstr("was made by slipway 0.0.1, and this is slipway "));
  std::get<std::string>(program_.graph->nodes().front()->args()[8]) = own;
  EXPECT_EQ(take()[0].warning, "");
}

TEST_F(CallWriterTest, HostileNamesOfEnginesAreReplaced) {
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  put({.is_placeholder = true});
  const ir::Program original = program_.clone();
  for (const char* name : {"", "a.b", "../engine", "x", "import os\n", "0", "\xff"}) {
    program_ = original.clone();
    std::get<std::string>(program_.graph->nodes().front()->args()[2]) = name;
    put();
    EXPECT_THAT(targets(ir::InputKind::kCustomObject), ElementsAre("_run_on_acc_0_engine")) << name;
    EXPECT_EQ(text_of(take()[0].engine.bytes), "plan");
  }
}

TEST_F(CallWriterTest, AnEngineIsForOnePlatform) {
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  put({.is_placeholder = true, .platform = "windows_arm64"});
  EXPECT_THAT(error(), HasSubstr("its engine is for windows_arm64, and this is linux_x86_64"));
  EXPECT_THAT(error({.is_placeholder = true, .platform = "linux_aarch64"}),
              HasSubstr("it was built for windows_arm64, and not for linux_aarch64"));
  // Where it is not known, whoever writes it knows.
  std::get<std::string>(program_.graph->nodes().front()->args()[9]) = "unknown";
  for (const CallForm& form : {CallForm{.is_placeholder = true},
                               CallForm{.abi = "9", .is_placeholder = true}, CallForm()}) {
    EXPECT_EQ(error(form), "");
  }
}

// Nothing is written that PyTorch would read as another number of results than the engine gives.
TEST_F(CallWriterTest, ACallThatDoesNotFitItsEngineIsAnError) {
  engines_.push_back(engine_of_plan("plan", {"x"}, {"y"}));
  output(call(0, {input(ir::InputKind::kUserInput, "x")}, 1)->output());
  put({.is_placeholder = true});
  const ir::Program original = program_.clone();
  for (const size_t names : {5, 6}) {
    program_ = original.clone();
    std::get<std::string>(program_.graph->nodes().front()->args()[names]) = "a%b";
    const std::string problem = names == 5 ? "it takes 2 tensors and gives 1, and the program has "
                                             "1 and 1 there"
                                           : "it takes 1 tensors and gives 2, and the program has "
                                             "1 and 1 there";
    EXPECT_THAT(error({.is_placeholder = true}), HasSubstr(problem)) << "as it is";
    EXPECT_THAT(error(), HasSubstr(problem));
  }
}

}  // namespace
}  // namespace slipway::tensorrt
