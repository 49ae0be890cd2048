#include "tensorrt/archive/calls.h"

#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pt2/program_reader.h"
#include "tensorrt/format/blob.h"

namespace slipway::tensorrt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ir::Program read(const std::string& archive) {
  auto program = pt2::read_program(std::string(SLIPWAY_TEST_DATA) + "/" + archive + ".pt2");
  EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().message());
  return program.ok() ? *std::move(program) : ir::Program();
}

std::string text_of(const OwnedSpan& bytes) {
  return {reinterpret_cast<const char*>(bytes.bytes.data()), bytes.bytes.size()};
}

// The header as a delegate reads it.
Metadata metadata_of(const engine::Engine& engine) {
  std::vector<std::byte> blob = engine.header;
  blob.insert(blob.end(), engine.bytes.bytes.begin(), engine.bytes.bytes.end());
  const auto read = read_blob(blob);
  EXPECT_TRUE(read.ok()) << (read.ok() ? "" : read.error().message());
  return read.ok() ? read->metadata : Metadata();
}

const ir::Node* call_in(const ir::Program& program) {
  for (const auto& node : program.graph->nodes()) {
    if (node->op() == ir::kCallEngine) return node.get();
  }
  ADD_FAILURE() << "no call of an engine";
  return nullptr;
}

// As Torch-TensorRT's C++ and Python runtimes save them, and compiled for another machine.
TEST(EngineCalls, AreTakenFromEveryForm) {
  for (const char* form : {"custom_obj", "custom_obj_cuda", "opaque", "noop_tensor_slot"}) {
    ir::Program program = read(std::string("golden/engine_") + form);
    const auto found = take_engines(program, 5);
    ASSERT_TRUE(found.ok()) << found.error().message();
    ASSERT_EQ(found->size(), 1U);
    const engine::Engine& engine = found->at(0).engine;
    const bool is_buffer = std::string(form) == "noop_tensor_slot";
    EXPECT_EQ(text_of(engine.bytes),
              is_buffer ? std::string("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16)
                        : "ftrt-fake-engine-bytes");
    EXPECT_EQ(engine.record.engine, "tensorrt");
    EXPECT_EQ(engine.record.backend, "TensorRTBackend");
    EXPECT_EQ(engine.record.target, "sm_90");
    EXPECT_EQ(engine.record.options.at("torch_tensorrt_abi"), "10");
    EXPECT_EQ(engine.record.options.at("platform"), "linux_x86_64");
    EXPECT_EQ(engine.record.compile_specs.at("target_device"), "cuda:0");
    const Metadata metadata = metadata_of(engine);
    const std::vector<int64_t> shape =
        is_buffer ? std::vector<int64_t>{2} : std::vector<int64_t>{-1, 4};
    EXPECT_THAT(metadata.io_bindings, ElementsAre(Binding{"x", "float32", shape, true},
                                                  Binding{"output0", "float32", shape, false}));
    EXPECT_EQ(metadata.target_platform, "linux_x86_64");
    EXPECT_FALSE(metadata.serialized_metadata.empty());
    EXPECT_EQ(metadata.engine_sha256, engine.record.sha256);
    EXPECT_EQ(metadata.engine_target, "sm_90");
    // The object or the buffer is no part of the program any more.
    ASSERT_EQ(program.inputs.size(), 1U) << form;
    EXPECT_TRUE(ir::verify(program).ok());
    EXPECT_EQ(std::get<ir::SymInt>(call_in(program)->arg(0)), ir::SymInt(5));
  }
}

TEST(EngineCalls, MayBeAPartOfAProgram) {
  ir::Program program = read("engines/partial");
  const std::byte* const buffer = program.inputs.at(0).data->storage.bytes.data();
  const auto found = take_engines(program, 0);
  ASSERT_TRUE(found.ok()) << found.error().message();
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->at(0).engine.bytes.bytes.data(), buffer) << "a plan in a buffer is not copied";
  const engine::Engine& engine = found->at(0).engine;
  EXPECT_THAT(found->at(0).node, HasSubstr("tensorrt.no_op_placeholder_for_execute_engine"));
  EXPECT_THAT(text_of(engine.bytes), testing::StartsWith("slipway stand-in plan for sm_86"));
  // It runs on other GPUs, too.
  EXPECT_EQ(engine.record.target, "");
  EXPECT_EQ(engine.record.compile_specs.at("target_device"), "cuda:0");
  const Metadata metadata = metadata_of(engine);
  EXPECT_TRUE(metadata.hardware_compatible);
  EXPECT_EQ(metadata.serialized_metadata, "bWV0YQ==");
  EXPECT_THAT(
      metadata.io_bindings,
      ElementsAre(Binding{"x", "float32", {-1, 4}, true}, Binding{"y", "float32", {-1, 5}, true},
                  Binding{"a", "float32", {-1, 4}, false}, Binding{"b", "float32", {-1, 5}, false},
                  Binding{"c", "float32", {-1, 5}, false}));
  EXPECT_EQ(call_in(program)->outputs().size(), 3U);
  EXPECT_TRUE(ir::verify(program).ok());
}

TEST(EngineCalls, KeepTheirAliases) {
  ir::Program program = read("engines/cache");
  const auto found = take_engines(program, 0);
  ASSERT_TRUE(found.ok()) << found.error().message();
  const engine::Engine& engine = found->at(0).engine;
  ASSERT_EQ(engine.record.aliases.size(), 1U);
  EXPECT_EQ(engine.record.aliases[0].output, 0U);
  EXPECT_EQ(engine.record.aliases[0].input, 0U);
  EXPECT_EQ(engine.record.aliases[0].kind, "kv_cache_update");
  EXPECT_THAT(metadata_of(engine).aliased_io,
              ElementsAre(Alias{"updated", "cache", "kv_cache_update"}));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(engine.header.data()), 4), "TR02");
}

TEST(EngineCalls, ThereAreNone) {
  ir::Program program = read("golden/mlp");
  const auto found = take_engines(program, 0);
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->empty());
}

// Of an object that is cut or changed, an engine is what can be read, or an error says what is
// wrong.
TEST(EngineCalls, TakeNoHarmFromDamagedObjects) {
  for (const char* form : {"custom_obj", "opaque"}) {
    const ir::Program whole = read(std::string("golden/engine_") + form);
    const std::string object = text_of(whole.inputs.at(0).object);
    const auto taken = [&](const std::string& changed) {
      ir::Program program = whole.clone();
      program.inputs.at(0).object = own_bytes(std::string(changed));
      const auto found = take_engines(program, 0);
      EXPECT_TRUE(found.ok() || !found.error().message().empty());
      return found.ok();
    };
    for (size_t size = 0; size < object.size(); ++size) EXPECT_FALSE(taken(object.substr(0, size)));
    for (size_t i = 0; i < object.size(); ++i) {
      std::string changed = object;
      changed[i] = static_cast<char>(changed[i] ^ 0x10);
      (void)taken(changed);
    }
  }
}

// As torch.export.save keeps an object that is still wrapped for tracing.
TEST(EngineCalls, AreTakenFromWrappedObjects) {
  ir::Program program = read("golden/engine_opaque");
  ir::Input& input = program.inputs.at(0);
  const std::string pickle = text_of(input.object);
  ASSERT_EQ(pickle.substr(0, 2), "\x80\x02");
  const std::string key("X\x08\0\0\0real_obj", 13);
  input.object = own_bytes(
      "\x80\x02"
      "ctorch._library.fake_class_registry\nFakeScriptObject\n)\x81}" +
      key + pickle.substr(2, pickle.size() - 3) + "sb.");
  const auto found = take_engines(program, 0);
  ASSERT_TRUE(found.ok()) << found.error().message();
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(text_of(found->at(0).engine.bytes), "ftrt-fake-engine-bytes");
}

ir::Argument& argument_of_placeholder(const ir::Program& program, size_t argument) {
  for (const auto& node : program.graph->nodes()) {
    if (node->op().find("no_op_placeholder") != std::string::npos) {
      return node->args().at(argument);
    }
  }
  throw std::logic_error("there is no placeholder");
}

// In the arguments of a placeholder, where they stay where they lie.
TEST(EngineCalls, AreTakenFromLongTexts) {
  const std::string plan = "ftrt" + std::string(200'000, 'p');
  for (const std::string& text : {plan, std::string(160'000, 'A')}) {
    ir::Program program = read("engines/partial");
    const OwnedSpan bytes = own_bytes(std::string(text));
    argument_of_placeholder(program, 4) = ir::LongText{bytes};
    argument_of_placeholder(program, 8) = ir::LongText{own_bytes(std::string(70'000, 'm'))};
    const auto found = take_engines(program, 0);
    ASSERT_TRUE(found.ok()) << found.error().message();
    const OwnedSpan& engine = found->at(0).engine.bytes;
    if (text == plan) {
      EXPECT_EQ(engine.bytes.data(), bytes.bytes.data());
      EXPECT_EQ(engine.owner, bytes.owner);
    } else {
      EXPECT_EQ(text_of(engine), std::string(120'000, '\0'));
    }
    EXPECT_EQ(metadata_of(found->at(0).engine).serialized_metadata, std::string(70'000, 'm'));
  }
}

// The program with one argument of its placeholder changed.
std::string error_with(size_t argument, ir::Argument value) {
  ir::Program program = read("engines/partial");
  argument_of_placeholder(program, argument) = std::move(value);
  const auto found = take_engines(program, 0);
  return found.ok() ? "" : found.error().message();
}

TEST(EngineCalls, NameTheNodeThatIsWrong) {
  const std::string problem = error_with(5, std::string("x"));
  EXPECT_THAT(problem, HasSubstr("partial.pt2: no_op_placeholder_for_execute_engine ("));
  EXPECT_THAT(problem, HasSubstr("its engine has 1 inputs, and the program 2"));
  EXPECT_THAT(error_with(6, std::string("a%b")), HasSubstr("has 2 outputs, and the program 3"));
  EXPECT_THAT(error_with(10, std::string("1")), HasSubstr("needs an output allocator"));
  EXPECT_THAT(error_with(12, std::string("1")), HasSubstr("is for several GPUs"));
  EXPECT_THAT(error_with(13, std::string("d@x@user")),
              HasSubstr("alias of 'd', which is no binding"));
  EXPECT_THAT(error_with(13, std::string("x@a@user")),
              HasSubstr("alias of 'x', which is no binding"));
  EXPECT_THAT(error_with(13, std::string("b@x@user")), HasSubstr("and of another type"));
  EXPECT_THAT(error_with(6, std::string("a%a%c")), HasSubstr("binding 'a' is there twice"));
  EXPECT_THAT(error_with(1, std::string("11")), HasSubstr("Slipway reads 7 to 10"));
  EXPECT_THAT(error_with(0, std::string("x")), HasSubstr("no list of tensors"));
  EXPECT_THAT(error_with(2, ir::Argument(1.5)), HasSubstr("its argument 2 is neither a text nor"));
}

TEST(EngineCalls, SayWhichObjectsThereAre) {
  ir::Program program = read("golden/engine_opaque");
  ir::Node& node = *program.graph->nodes().front();
  node.args()[1] = std::get<std::vector<ir::Value*>>(node.arg(0)).at(0);
  EXPECT_THAT(take_engines(program, 0).error().message(),
              HasSubstr("its engine, x, is none of the program's objects, which are: obj_engine"));
}

// What take_engines() refuses is listed with its reason, and nothing of it is lost.
TEST(EngineCalls, AreListedEachByItself) {
  ir::Program program = read("engines/partial");
  EXPECT_EQ(list_engines(program).at(0).node,
            "no_op_placeholder_for_execute_engine (tensorrt.no_op_placeholder_for_execute_engine."
            "default)");
  EXPECT_TRUE(list_engines(program).at(0).runs_here.ok());
  argument_of_placeholder(program, 10) = std::string("1");
  const auto allocating = list_engines(program);
  ASSERT_TRUE(allocating.at(0).engine.ok());
  EXPECT_THAT(text_of(allocating.at(0).engine->bytes), HasSubstr("stand-in plan"));
  EXPECT_THAT(allocating.at(0).runs_here.error().message(), HasSubstr("an output allocator"));
  argument_of_placeholder(program, 1) = std::string("11");
  const auto newer = list_engines(program);
  ASSERT_FALSE(newer.at(0).engine.ok());
  EXPECT_THAT(newer.at(0).engine.error().message(), HasSubstr("reads 7 to 10"));
  EXPECT_FALSE(take_engines(program, 0).ok());

  // In a branch it can't be run, and its object is nobody's.
  ir::Program outer = read("engines/partial");
  outer.graph->add_node("higher_order.cond", {outer.graph->clone()}, {});
  const auto both = list_engines(outer);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_TRUE(both[0].engine.ok());
  EXPECT_THAT(both[1].engine.error().message(), HasSubstr("is called in a branch or a loop"));
  EXPECT_EQ(list_engines(read("golden/mlp")).size(), 0U);
}

// A part of a storage, as a view is stored.
TEST(EngineCalls, APlanIsItsTensorsElements) {
  ir::Program program = read("engines/partial");
  ir::ConstantData& plan = *program.inputs.at(0).data;
  plan.storage_offset = 2;
  plan.sizes[0] -= 4;
  const std::string whole = text_of(plan.storage);
  const auto found = take_engines(program, 0);
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ(text_of(found->at(0).engine.bytes), whole.substr(2, whole.size() - 4));
}

// A plan that several calls have is read and hashed once, and is one in the file.
TEST(EngineCalls, MayShareAnEngine) {
  ir::Program program = read("golden/engine_custom_obj");
  ir::Node& node = *program.graph->nodes().front();
  ir::Node* again = program.graph->add_node(node.op(), node.args(), {.origin = &node});
  program.graph->add_output(again, node.output()->type());
  const auto found = take_engines(program, 0);
  ASSERT_TRUE(found.ok()) << found.error().message();
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ(found->at(0).engine.bytes.bytes.data(), found->at(1).engine.bytes.bytes.data());
  EXPECT_EQ(found->at(0).engine.record.sha256, found->at(1).engine.record.sha256);
}

// An engine for another machine waits in its placeholder; as an object it is what runs here.
TEST(EngineCalls, ForAnotherPlatformAreRepackedFromPlaceholders) {
  EXPECT_EQ(error_with(9, std::string("windows_x86_64")), "");
  ir::Program program = read("engines/partial");
  argument_of_placeholder(program, 9) = std::string("windows_x86_64");
  const auto found = take_engines(program, 0);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(metadata_of(found->at(0).engine).target_platform, "windows_x86_64");

  for (const bool is_said : {true, false}) {
    ir::Program object = read("golden/engine_opaque");
    ir::Input& input = object.inputs.at(0);
    std::string pickle = text_of(input.object);
    const std::string here = std::string("X\x0c\0\0\0", 5) + "linux_x86_64";
    const std::string other = is_said ? std::string("X\x0c\0\0\0", 5) + "other_x86_64"
                                      : std::string("X\x07\0\0\0", 5) + "unknown";
    pickle.replace(pickle.find(here), here.size(), other);
    input.object = own_bytes(pickle);
    const auto taken = take_engines(object, 0);
    EXPECT_EQ(taken.ok(), !is_said);
    if (!taken.ok()) {
      EXPECT_THAT(taken.error().message(),
                  HasSubstr("its engine is for other_x86_64, and this is"));
    }
  }
}

}  // namespace
}  // namespace slipway::tensorrt
