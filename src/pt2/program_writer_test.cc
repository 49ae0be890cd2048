#include "pt2/program_writer.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/memory_limit_test.h"
#include "base/piece_writer.h"
#include "passes/passes.h"
#include "passes/program_test.h"
#include "pt2/archive_test.h"

namespace slipway::pt2 {
namespace {

using ir::SymInt;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kData = SLIPWAY_TEST_DATA;

OwnedSpan written(const ir::Program& program, const WriteOptions& options = {}) {
  const auto archive = write_program(program, options);
  EXPECT_TRUE(archive.ok()) << archive.error().message();
  if (!archive.ok()) return {};
  PieceList pieces;
  pieces.add(*archive);
  auto bytes = write_to_memory(pieces);
  EXPECT_TRUE(bytes.ok());
  return own_bytes(*std::move(bytes));
}

std::string problem_of(const ir::Program& program, const WriteOptions& options = {}) {
  const auto archive = write_program(program, options);
  return archive.ok() ? "" : archive.error().message();
}

ir::Program read_back(const OwnedSpan& archive) {
  auto program = read_program(archive, "written.pt2");
  EXPECT_TRUE(program.ok()) << program.error().message();
  return program.ok() ? *std::move(program) : ir::Program();
}

ir::Program program_of(const std::string& file) {
  auto program = read_program(kData + "/" + file);
  EXPECT_TRUE(program.ok()) << program.error().message();
  return program.ok() ? *std::move(program) : ir::Program();
}

std::vector<std::string> names_of(const OwnedSpan& archive) {
  std::vector<std::string> names;
  auto zip = ZipReader::open(archive, "written.pt2");
  EXPECT_TRUE(zip.ok());
  for (const ZipEntry& entry : zip->entries()) {
    names.push_back(entry.name.substr(entry.name.find('/') + 1));
  }
  return names;
}

std::unique_ptr<JsonDocument> json_of(const OwnedSpan& archive, const std::string& entry) {
  auto zip = ZipReader::open(archive, "written.pt2");
  EXPECT_TRUE(zip.ok());
  auto document = JsonDocument::parse(text_of(*zip->read("model/" + entry)), entry);
  EXPECT_TRUE(document.ok());
  return *std::move(document);
}

std::vector<std::string> ops_of(const ir::Graph& graph) {
  std::vector<std::string> ops;
  for (const auto& node : graph.nodes()) ops.push_back(node->op());
  return ops;
}

// (x) -> y
class SmallProgram : public passes::TestProgram {
 public:
  SmallProgram() {
    program.source = "small.pt2";
    program.dialect = "ATEN";
    program.output_tree.kind = Tree::Kind::kTuple;
    program.input_tree.kind = Tree::Kind::kTuple;
    program.input_tree.children.resize(2);
    program.input_tree.children[0].kind = Tree::Kind::kTuple;
    program.input_tree.children[1].kind = Tree::Kind::kDict;
  }
  ir::Value* user_input(const std::string& name, ir::TensorType type) {
    program.input_tree.children[0].children.emplace_back();
    return input(name, std::move(type));
  }
  void user_output(ir::Argument argument) {
    program.output_tree.children.emplace_back();
    output(std::move(argument));
  }
  void mutation(ir::OutputKind kind, const std::string& target, ir::Value* value) {
    graph().outputs().emplace_back(value);
    program.outputs.push_back({kind, target});
  }
};

std::vector<std::string> archives() {
  std::vector<std::string> files;
  for (const char* folder : {"golden", "golden/compat", "runtime", "constants", "pt2"}) {
    for (const auto& entry : std::filesystem::directory_iterator(kData + "/" + folder)) {
      if (entry.path().extension() != ".pt2") continue;
      const std::string name = entry.path().filename();
      if (name == "fake.pt2" || name == "subclass.pt2") continue;  // Not read either.
      files.push_back(std::string(folder) + "/" + name);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

class EveryArchive : public testing::TestWithParam<std::string> {};

TEST_P(EveryArchive, IsReadBackAsItWas) {
  const ir::Program program = program_of(GetParam());
  const OwnedSpan archive = written(program);
  ir::Program again = read_back(archive);
  again.source = program.source;
  EXPECT_EQ(ir::print(again), ir::print(program));
  EXPECT_EQ(again.ranges, program.ranges);
  EXPECT_EQ(again.torch_version, program.torch_version);
  EXPECT_EQ(again.dialect, program.dialect);
  ASSERT_EQ(again.inputs.size(), program.inputs.size());
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const ir::Input& was = program.inputs[i];
    const ir::Input& is = again.inputs[i];
    EXPECT_EQ(text_of(is.object), text_of(was.object));
    ASSERT_EQ(is.data.has_value(), was.data.has_value());
    if (!was.data) continue;
    EXPECT_EQ(is.data->strides, was.data->strides);
    EXPECT_EQ(is.data->storage_offset, was.data->storage_offset);
    EXPECT_EQ(text_of(is.data->storage), text_of(was.data->storage));
  }
  // What was written is written the same.
  EXPECT_EQ(text_of(written(again)), text_of(archive));
  EXPECT_EQ(text_of(written(program)), text_of(archive));
}

INSTANTIATE_TEST_SUITE_P(Golden, EveryArchive, testing::ValuesIn(archives()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(c) != 0 ? c : '_';
  return name;
});

TEST(ProgramWriter, KeepsWhatProgramsDoNotHold) {
  const ir::Program program = program_of("golden/cond.pt2");
  const auto entries = entries_of(kData + "/golden/cond.pt2");
  const auto model = std::find_if(entries.begin(), entries.end(), [](const TestEntry& entry) {
    return entry.name.ends_with("models/model.json");
  });
  ASSERT_NE(model, entries.end());
  const auto source = JsonDocument::parse(model->data, "before");
  const auto found = json_of(written(program), "models/model.json");
  const auto nodes = [](const JsonDocument& document) {
    return document.root()["graph_module"]["graph"]["nodes"].items();
  };
  auto node = nodes(*found).begin();
  size_t traces = 0;
  for (const JsonValue meant : nodes(**source)) {
    EXPECT_EQ((*node)["metadata"]["nn_module_stack"].to_string(),
              meant["metadata"]["nn_module_stack"].to_string());
    EXPECT_EQ((*node)["metadata"]["stack_trace"].to_string(),
              meant["metadata"]["stack_trace"].to_string());
    ++node;
    ++traces;
  }
  EXPECT_GT(traces, 0U);
  EXPECT_EQ(found->root()["graph_module"]["module_call_graph"].size(), 2U);
}

TEST(ProgramWriter, EntriesFollowPyTorchsOrder) {
  WriteOptions options;
  options.extra_files = {{"notes/b.txt", own_bytes(std::string("b"))},
                         {"a.txt", own_bytes(std::string("a"))}};
  const OwnedSpan archive = written(program_of("golden/mlp.pt2"), options);
  EXPECT_THAT(
      names_of(archive),
      ElementsAre("data/weights/weight_0", "data/weights/weight_1", "data/weights/weight_2",
                  "data/weights/weight_3", "data/weights/model_weights_config.json",
                  "data/constants/model_constants_config.json", "models/model.json",
                  "data/sample_inputs/model.pt", "archive_format", "archive_version", "extra/a.txt",
                  "extra/notes/b.txt", ".data/version", "byteorder", ".data/serialization_id"));
  // They are carried on, and replaced by name.
  options.extra_files = {{"a.txt", own_bytes(std::string("new"))}};
  const OwnedSpan again = written(read_back(archive), options);
  auto zip = ZipReader::open(again, "again.pt2");
  EXPECT_EQ(text_of(*zip->read("model/extra/a.txt")), "new");
  EXPECT_EQ(text_of(*zip->read("model/extra/notes/b.txt")), "b");
}

TEST(ProgramWriter, IntegersThatNoValueHoldsBecomeNodes) {
  const SymInt s = SymInt::symbol("s0");
  SmallProgram p;
  ir::Value* x = p.user_input("x", p.type({s, 3}));
  p.program.ranges["s0"] = {2, 16};
  ir::Value* y = p.call("aten.view.default", {x, std::vector<SymInt>{s * 3}}, p.type({s * 3}), "y");
  p.user_output(y);
  p.user_output(SymInt::floordiv(s, 2));
  const OwnedSpan archive = written(p.program);
  const ir::Program again = read_back(archive);
  EXPECT_THAT(ops_of(*again.graph), ElementsAre("aten.sym_size.int", "_operator.mul",
                                                "aten.view.default", "_operator.floordiv"));
  EXPECT_EQ(again.ranges, p.program.ranges);
  EXPECT_EQ(again.graph->outputs()[1], ir::Argument(SymInt::floordiv(s, 2)));
  const auto model = json_of(archive, "models/model.json");
  const JsonValue sizes = model->root()["graph_module"]["graph"]["tensor_values"]["x"]["sizes"];
  EXPECT_EQ((*sizes.items().begin())["as_expr"]["expr_str"].to_string(),
            "Symbol('s0', positive=True, integer=True)");
  // The program itself is as it was.
  EXPECT_EQ(p.graph().nodes().size(), 1U);
}

TEST(ProgramWriter, EveryFunctionOfIntegersIsReadBack) {
  const SymInt s = SymInt::symbol("s0");
  const SymInt u = SymInt::symbol("u1");
  const std::vector<SymInt> integers = {s * s * 2 - s + 5,
                                        SymInt::mod(s, 4),
                                        SymInt::mod(s - 9, 4),
                                        SymInt::mod(u - 9, s),
                                        SymInt::min(s, 4),
                                        SymInt::max(s + u, u * 3),
                                        SymInt::floordiv(s * u, s + 1) - 7};
  SmallProgram p;
  p.program.ranges = {{"s0", {2, 16}}, {"u1", {0, {}}}};
  p.user_input("x", p.type({s}));
  p.user_input("y", p.type({u}));
  for (const SymInt& integer : integers) p.user_output(integer);
  const ir::Program again = read_back(written(p.program));
  for (size_t i = 0; i < integers.size(); ++i) {
    EXPECT_EQ(again.graph->outputs()[i], ir::Argument(integers[i]));
  }
}

TEST(ProgramWriter, KeepsUserFilesOfTheOldestLayout) {
  auto entries = entries_of(kData + "/golden/compat/v2.7.1_mlp.pt2");
  entries.push_back({.name = "extra_files/notes/a.txt", .data = "a"});
  const auto program = read_entries(entries);
  ASSERT_TRUE(program.ok()) << program.error().message();
  auto zip = ZipReader::open(written(*program), "written.pt2");
  ASSERT_TRUE(zip.ok());
  EXPECT_EQ(text_of(*zip->read("model/extra/notes/a.txt")), "a");
}

TEST(ProgramWriter, ASymbolThatNothingDefinesIsAnError) {
  SmallProgram p;
  ir::Value* x = p.user_input("x", p.type({4}));
  p.user_output(p.call("aten.expand.default", {x, std::vector<SymInt>{SymInt::symbol("s9"), 4}},
                       p.type({SymInt::symbol("s9"), 4}), "y"));
  EXPECT_THAT(problem_of(p.program), HasSubstr("nothing defines the symbol s9 here"));
}

TEST(ProgramWriter, APassedProgramIsWritten) {
  ir::Program program = program_of("golden/llama_prefill.pt2");
  ASSERT_TRUE(passes::functionalize(program).ok());
  ASSERT_TRUE(passes::remove_no_ops(program).ok());
  ASSERT_TRUE(passes::remove_dead_code(program).ok());
  const ir::Program again = read_back(written(program));
  EXPECT_EQ(again.inputs.size(), program.inputs.size());
  EXPECT_EQ(again.outputs.size(), program.outputs.size());
  EXPECT_EQ(again.ranges, program.ranges);
}

TEST(ProgramWriter, TensorsOfOneStorageShareARecord) {
  SmallProgram p;
  const ir::ConstantData data = p.count({4, 8}, {8, 1});
  ir::ConstantData view = data;
  view.sizes = {8, 2};
  view.strides = {1, 0};
  view.storage_offset = 3;
  ir::ConstantData integers = data;
  integers.dtype = DType::kInt32;
  p.stored(ir::InputKind::kParameter, "a", data);
  p.stored(ir::InputKind::kParameter, "b", view);
  p.stored(ir::InputKind::kBuffer, "c", integers);
  p.constant("d", data);
  p.user_output(ir::None());
  const OwnedSpan archive = written(p.program);
  const auto names = names_of(archive);
  EXPECT_THAT(std::vector<std::string>(names.begin(), names.begin() + 4),
              ElementsAre("data/weights/weight_0", "data/weights/weight_1",
                          "data/weights/model_weights_config.json", "data/constants/tensor_0"));
  const ir::Program again = read_back(archive);
  EXPECT_EQ(again.inputs[0].data->storage.bytes.data(), again.inputs[1].data->storage.bytes.data());
  EXPECT_EQ(again.inputs[1].data->strides, (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(again.inputs[1].data->storage_offset, 3);
}

TEST(ProgramWriter, InputsAreInPyTorchsOrder) {
  SmallProgram p;
  p.user_input("x", p.type({2}));
  p.constant("c", p.count({2}, {1}));
  ir::Input object;
  object.kind = ir::InputKind::kCustomObject;
  object.value = p.graph().add_input("engine", ir::ValueKind::kCustomObject);
  object.name = "engine";
  object.target = "engine";
  object.object = own_bytes(std::string("\x80\x02."));
  object.object_type = "__torch__.A";
  p.program.inputs.push_back(object);
  ir::Input literal;
  literal.kind = ir::InputKind::kLiteral;
  literal.name = "flag";
  literal.literal = true;
  p.program.inputs.push_back(literal);
  p.program.input_tree.children[0].children.emplace_back();
  p.buffer("b", p.count({2}, {1}));
  p.stored(ir::InputKind::kParameter, "w", p.count({2}, {1}));
  p.user_output(ir::None());
  const OwnedSpan archive = written(p.program);
  const ir::Program again = read_back(archive);
  std::vector<std::string> names;
  for (const ir::Input& input : again.inputs) names.push_back(input.name);
  EXPECT_THAT(names, ElementsAre("w", "b", "c", "engine", "x", "flag"));
  EXPECT_EQ(text_of(again.inputs[3].object), "\x80\x02.");
  EXPECT_EQ(again.inputs[3].object_type, "__torch__.A");
  EXPECT_EQ(again.inputs[5].literal, ir::Argument(true));
  EXPECT_THAT(names_of(archive), testing::Contains("data/constants/opaque_obj_0"));
}

TEST(ProgramWriter, OutputsMayBeInputsOrGivenTwice) {
  SmallProgram p;
  ir::Value* x = p.user_input("x", p.type({2}));
  ir::Value* b = p.buffer("b", p.count({2}, {1}));
  ir::Value* y = p.call("aten.relu.default", {x}, p.type({2}), "relu");
  p.mutation(ir::OutputKind::kBufferMutation, "b", y);
  p.mutation(ir::OutputKind::kUserInputMutation, "x", y);
  p.user_output(y);
  p.user_output(x);
  p.user_output(b);
  p.user_output(y);
  p.user_output(2.5);
  const ir::Program again = read_back(written(p.program));
  ASSERT_EQ(again.outputs.size(), 7U);
  EXPECT_EQ(again.outputs[0].kind, ir::OutputKind::kBufferMutation);
  EXPECT_EQ(again.outputs[0].target, "b");
  EXPECT_EQ(again.outputs[1].kind, ir::OutputKind::kUserInputMutation);
  EXPECT_EQ(again.outputs[1].target, "x");
  std::vector<std::string> names;
  for (size_t i = 0; i < 6; ++i) {
    names.push_back(std::get<ir::Value*>(again.graph->outputs()[i])->name());
  }
  EXPECT_THAT(names, ElementsAre("relu", "relu", "relu", "x", "b", "relu"));
  EXPECT_EQ(again.graph->outputs()[6], ir::Argument(2.5));
}

TEST(ProgramWriter, NamesAreIdentifiersAndUnique) {
  SmallProgram p;
  ir::Value* x = p.user_input("a.b", p.type({2}));
  ir::Value* y = p.user_input("a_b", p.type({2}));
  ir::Value* z = p.user_input("lambda", p.type({2}));
  p.stored(ir::InputKind::kParameter, "m.w", p.count({2}, {1}));
  p.constant("m_w", p.count({2}, {1}));
  p.constant("m", p.count({2}, {1}));
  p.constant("m.w.x", p.count({2}, {1}));
  p.user_output(x);
  p.user_output(y);
  p.user_output(z);
  const ir::Program again = read_back(written(p.program));
  std::vector<std::string> targets;
  for (const ir::Input& input : again.inputs) targets.push_back(input.target + "=" + input.name);
  EXPECT_THAT(targets, ElementsAre("m.w=m_w", "m_w=m_w_1", "m_1=m", "m_w_x=m_w_x", "=a_b", "=a_b_1",
                                   "=lambda_"));
}

TEST(ProgramWriter, BuffersThatNothingUsesAreGone) {
  ir::Program program = program_of("golden/mutated_buffer.pt2");
  const size_t before = program.inputs.size();
  ir::Value* x = nullptr;
  for (const ir::Input& input : program.inputs) {
    if (input.kind == ir::InputKind::kUserInput) x = input.value;
  }
  std::vector<ir::Node*> nodes;
  for (const auto& node : program.graph->nodes()) nodes.push_back(node.get());
  program.graph->outputs() = {x};
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) program.graph->erase(*node);
  program.remove_unused_constants();
  ASSERT_LT(program.inputs.size(), before);
  const OwnedSpan archive = written(program);
  for (const std::string& name : names_of(archive)) {
    EXPECT_FALSE(name.starts_with("data/weights/weight_")) << name;
  }
  EXPECT_EQ(read_back(archive).inputs.size(), 1U);
}

// (x) -> x + a.w + b.w, of which both are stored and lie in one place.
SmallProgram tied() {
  SmallProgram p;
  ir::Value* y = p.user_input("x", p.type({2}));
  const ir::ConstantData data = p.count({2}, {1});
  for (const char* name : {"a.w", "b.w"}) {
    ir::Value* w = p.stored(ir::InputKind::kParameter, name, data);
    y = p.call("aten.add.Tensor", {y, w, SymInt(1)}, p.type({2}), "y");
  }
  p.user_output(y);
  return p;
}

TEST(ProgramWriter, TiedWeightsThatBecomeOneKeepTheirNames) {
  ir::Program program = read_back(written(tied().program));
  ASSERT_TRUE(passes::deduplicate(program).ok());
  ASSERT_EQ(program.inputs.size(), 2U);
  const OwnedSpan archive = written(program);
  EXPECT_EQ(read_back(archive).inputs.size(), 2U);
  const auto config = json_of(archive, "data/weights/model_weights_config.json");
  for (const char* name : {"a.w", "b.w"}) {
    EXPECT_EQ(config->root()["config"][name]["path_name"].to_string(), "weight_0") << name;
  }
  EXPECT_TRUE(config->status().ok());
}

TEST(ProgramWriter, NewBuffersAreNotNamedAsWhatIsOnlyStored) {
  ir::Program tied_program = read_back(written(tied().program));
  ASSERT_TRUE(passes::deduplicate(tied_program).ok());
  ir::Program program = read_back(written(tied_program));
  ir::Input buffer;
  buffer.kind = ir::InputKind::kBuffer;
  buffer.target = "b.w";
  buffer.name = "mine";
  buffer.value = program.graph->add_input("mine", {DType::kUInt8, {4}, {}});
  buffer.data = {DType::kUInt8, {4}, {1}, 0, own_bytes(std::string("plan"))};
  program.inputs.push_back(buffer);
  const OwnedSpan archive = written(program);
  const ir::Program again = read_back(archive);
  ASSERT_EQ(again.inputs.size(), 3U);
  EXPECT_EQ(again.inputs[1].target, "b_w");
  EXPECT_EQ(text_of(again.inputs[1].data->storage), "plan");
  const auto config = json_of(archive, "data/weights/model_weights_config.json");
  EXPECT_EQ(config->root()["config"]["b.w"]["path_name"].to_string(), "weight_0");
}

TEST(ProgramWriter, CallsOfUnknownOperatorsNeedNames) {
  SmallProgram p;
  ir::Value* x = p.user_input("x", p.type({2}));
  ir::Node* node = p.graph().add_node("mine.split", {std::vector<ir::Value*>{x}, true}, {});
  ir::Value* result = p.graph().add_output(node, p.type({2}), "result");
  p.user_output(result);
  EXPECT_THAT(problem_of(p.program), HasSubstr("node split (mine.split): neither Slipway nor the "
                                               "archive knows what its 2 arguments are called"));
  WriteOptions options;
  options.operators["mine.split"] = {.parameters = {"inputs", "flag"}, .gives_list = true};
  options.device = {.type = "cuda", .index = 0};
  const auto model = json_of(written(p.program, options), "models/model.json");
  const JsonValue graph = model->root()["graph_module"]["graph"];
  const JsonValue call = *graph["nodes"].items().begin();
  EXPECT_EQ(call["target"].to_string(), "torch.ops.mine.split");
  EXPECT_EQ((*call["inputs"].items().begin())["name"].to_string(), "inputs");
  EXPECT_EQ((*call["outputs"].items().begin()).to_union().first, "as_tensors");
  EXPECT_EQ(graph["tensor_values"]["result"]["device"]["type"].to_string(), "cuda");
}

TEST(ProgramWriter, WhatAnArchiveCantExpressIsAnError) {
  SmallProgram engines;
  ir::Value* x = engines.user_input("x", engines.type({2}));
  engines.user_output(engines.graph().add_output(
      engines.graph().add_node(ir::kCallEngine, {SymInt(0), std::vector<ir::Value*>{x}}, {}),
      engines.type({2})));
  EXPECT_THAT(problem_of(engines.program), HasSubstr("slipway.call_engine"));

  SmallProgram tree;
  tree.program.output_tree = {
      .kind = Tree::Kind::kTuple, .keys = {}, .type_name = "Pair", .children = {}};
  EXPECT_THAT(problem_of(tree.program), HasSubstr("nest in a Pair"));
}

// A program that says one thing in its graph and another beside it would come out relabelled.
TEST(ProgramWriter, WhatWouldBeReadOtherwiseIsNotWritten) {
  const auto problem_with = [](const auto& change) {
    SmallProgram p;
    ir::Value* x = p.user_input("x", p.type({2}));
    ir::Value* b = p.stored(ir::InputKind::kBuffer, "b", p.count({2}, {1}));
    p.mutation(ir::OutputKind::kBufferMutation, "b", b);
    p.user_output(x);
    EXPECT_EQ(problem_of(p.program), "");
    change(p.program);
    return problem_of(p.program);
  };
  const auto is_refused = [](const char* why) {
    return testing::AllOf(HasSubstr("nothing is written, because it would be read otherwise"),
                          HasSubstr(why));
  };
  EXPECT_THAT(problem_with([](ir::Program& p) { std::swap(p.outputs[0], p.outputs[1]); }),
              is_refused("is a mutation after the user's outputs"));
  EXPECT_THAT(problem_with([](ir::Program& p) { p.output_tree.children.emplace_back(); }),
              is_refused("nests 1 inputs and 2 outputs where the program has 1 and 1"));
  EXPECT_THAT(problem_with([](ir::Program& p) { p.outputs[0].target = "another"; }),
              HasSubstr("output 0 changes 'another', which is no input"));
}

// The weights are read where they lie, and what is written of them is never held.
TEST(ProgramWriter, TakesNoMemoryForWeights) {
  if (kSanitized) GTEST_SKIP() << "sanitizers take memory of their own";
  const std::string path = testing::TempDir() + "program_writer_test.bin";
  constexpr int64_t kBytes = int64_t{512} << 20;
  std::FILE* file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(::ftruncate(::fileno(file), kBytes), 0);
  std::fclose(file);
  in_child([&]() -> std::string {
    const auto mapped = MappedFile::open(path);
    if (!mapped.ok()) return mapped.error().message();
    SmallProgram p;
    ir::ConstantData data;
    data.sizes = {kBytes / 4};
    data.strides = {1};
    data.storage = {(*mapped)->bytes(), *mapped};
    p.stored(ir::InputKind::kParameter, "w", data);
    p.user_output(ir::None());
    if (!limit_data(uint64_t{8} << 20)) return "can't set a limit";
    const auto archive = write_program(p.program);
    if (!archive.ok()) return archive.error().message();
    uint64_t size = 0;
    const Status sent = archive->write([&](std::span<const std::byte> bytes) {
      size += bytes.size();
      return Status();
    });
    if (!sent.ok()) return sent.error().message();
    return size > static_cast<uint64_t>(kBytes) ? "" : "too little is written";
  });
  std::remove(path.c_str());
}

}  // namespace
}  // namespace slipway::pt2
