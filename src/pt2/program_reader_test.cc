#include "pt2/program_reader.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/memory_limit_test.h"
#include "pt2/archive_test.h"
#include "pt2/graph_reader.h"

namespace slipway::pt2 {
namespace {

const std::string kData = SLIPWAY_TEST_DATA;

Result<ir::Program> read(const std::string& file) { return read_program(kData + "/" + file); }

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks " << part;
}

// Reads a file that must be readable and sound.
ir::Program program_of(const std::string& file) {
  auto program = read(file);
  if (!program.ok()) {
    ADD_FAILURE() << program.error().message();
    return {};
  }
  const Status sound = ir::verify(*program);
  EXPECT_TRUE(sound.ok()) << file << ": " << (sound.ok() ? "" : sound.error().message());
  return *std::move(program);
}

const ir::Node* node_of(const ir::Program& program, const std::string& name) {
  for (const auto& node : program.graph->nodes()) {
    if (node->name() == name) return node.get();
  }
  ADD_FAILURE() << "no node " << name;
  return nullptr;
}

const ir::Input* input_of(const ir::Program& program, const std::string& target) {
  for (const ir::Input& input : program.inputs) {
    if (input.target == target || input.name == target) return &input;
  }
  ADD_FAILURE() << "no input " << target;
  return nullptr;
}

template <class T>
std::vector<T> values_of(const ir::ConstantData& data) {
  const auto bytes = data.to_contiguous();
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::string tree_text(const Tree& tree) { return tree.to_string(tree.leaf_paths()); }

TEST(ProgramReader, ReadsEveryArchiveThatPyTorchWrote) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kData + "/golden")) {
    if (entry.path().extension() != ".pt2") continue;
    const std::string file = std::filesystem::relative(entry.path(), kData).string();
    const ir::Program program = program_of(file);
    EXPECT_FALSE(program.graph->nodes().empty()) << file;
    EXPECT_FALSE(program.torch_version.empty()) << file;
    EXPECT_EQ(program.dialect, file.ends_with(".core.pt2") ? "ATEN" : "TRAINING") << file;
    count++;
  }
  EXPECT_EQ(count, 54);
}

TEST(ProgramReader, ReadsTheLayoutsOfOlderAndNewerVersions) {
  for (const auto& [file, version] :
       {std::pair("v2.7.1", "2.7.1"), {"v2.8.0", "2.8.0"}, {"v2.15.0", "2.15.0"}}) {
    const ir::Program program = program_of("golden/compat/" + std::string(file) + "_mlp.pt2");
    EXPECT_TRUE(program.torch_version.starts_with(version)) << program.torch_version;
    EXPECT_EQ(tree_text(program.output_tree), "{'a': ['a'], 'b': ['b']}");
    EXPECT_EQ(values_of<float>(*input_of(program, "lifted_tensor_0")->data),
              std::vector<float>{2.0F});
    EXPECT_FALSE(input_of(program, "np")->persistent);
    EXPECT_EQ(input_of(program, "np")->data->sizes, std::vector<int64_t>{4});
    // The two last layers share a weight.
    const auto linear = [&](const char* name) { return node_of(program, name)->value(1); };
    const ir::Value* second = linear("linear_1");
    const ir::Value* third = linear("linear_2");
    EXPECT_EQ(program.input_of(second)->data->storage.bytes.data(),
              program.input_of(third)->data->storage.bytes.data());
  }
  // torch 2.7 names one target twice; that is one tensor here.
  const ir::Program oldest = program_of("golden/compat/v2.7.1_mlp.pt2");
  EXPECT_EQ(node_of(oldest, "linear_1")->value(1), node_of(oldest, "linear_2")->value(1));
}

TEST(ProgramReader, KeepsTreesNamesAndLiterals) {
  const ir::Program dict = program_of("golden/dict_io.pt2");
  EXPECT_EQ(dict.input_tree.to_string({"a", "b", "c", "d", "e", "f"}),
            "(({'a': a, 'b': b}, (c, d)), {'flag': e, 'bias': f})");
  EXPECT_EQ(dict.output_tree.leaf_count(), 6);
  const ir::Input* flag = input_of(dict, "flag");
  EXPECT_EQ(flag->kind, ir::InputKind::kLiteral);
  EXPECT_EQ(std::get<bool>(flag->literal), true);
  EXPECT_EQ(flag->value, nullptr);
  EXPECT_EQ(std::get<bool>(dict.graph->outputs()[4]), true);
  EXPECT_TRUE(std::holds_alternative<ir::None>(dict.graph->outputs()[5]));

  const ir::Program trees = program_of("pt2/trees.pt2");
  EXPECT_EQ(tree_text(trees.input_tree).substr(0, 2), "((");
  const Tree& out = trees.output_tree;
  EXPECT_EQ(out.keys, (std::vector<std::string>{"point", "ordered", "list", "pair", "queue",
                                                "default", "5"}));
  EXPECT_EQ(out.children[0].type_name, "geometry.Point");
  EXPECT_EQ(out.children[0].keys, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(out.children[3].type_name, "geometry.Pair");
  EXPECT_EQ(out.children[3].kind, Tree::Kind::kNamedTuple);
  const auto& outputs = trees.graph->outputs();
  EXPECT_TRUE(std::holds_alternative<ir::None>(outputs[5]));
  EXPECT_EQ(std::get<bool>(outputs[6]), true);
  EXPECT_EQ(std::get<ir::SymInt>(outputs[7]), ir::SymInt(3));
  EXPECT_EQ(std::get<std::string>(outputs[8]), "text");
  EXPECT_EQ(std::get<double>(outputs[9]), 0.5);
  EXPECT_EQ(std::get<double>(input_of(trees, "scale")->literal), 2.5);
}

TEST(ProgramReader, FillsInDefaultArguments) {
  const ir::Program dict = program_of("golden/dict_io.pt2");
  // aten.add.Tensor(linear, bias) and aten.sum.dim_IntList(add, [1]) in the archive.
  const ir::Node* add = node_of(dict, "add");
  ASSERT_EQ(add->args().size(), 3U);
  EXPECT_EQ(std::get<ir::SymInt>(add->arg(2)), ir::SymInt(1));
  const ir::Node* sum = node_of(dict, "sum_1");
  ASSERT_EQ(sum->args().size(), 4U);
  EXPECT_EQ(std::get<bool>(sum->arg(2)), false);
  EXPECT_TRUE(sum->is_none(3));
}

TEST(ProgramReader, NumbersForTensorsTakeTheScalarOverload) {
  const ir::Program scalars = program_of("golden/scalars.core.pt2");
  EXPECT_EQ(node_of(scalars, "mul_2")->op(), "aten.mul.Scalar");
  EXPECT_EQ(node_of(scalars, "add")->op(), "aten.add.Tensor");
  const ir::Program literals = program_of("pt2/literals.pt2");
  EXPECT_EQ(node_of(literals, "mul")->op(), "aten.mul.Scalar");
  EXPECT_EQ(std::get<ir::ComplexNumber>(node_of(literals, "mul")->arg(1)),
            (ir::ComplexNumber{1, 2}));
}

TEST(ProgramReader, ReadsArgumentsOfManyKinds) {
  const ir::Program program = program_of("pt2/literals.pt2");
  EXPECT_EQ(std::get<double>(node_of(program, "masked_fill")->arg(2)), -INFINITY);
  EXPECT_EQ(std::get<double>(node_of(program, "clamp")->arg(2)), INFINITY);
  EXPECT_TRUE(std::isnan(std::get<double>(node_of(program, "pad")->arg(3))));
  EXPECT_EQ(std::get<std::string>(node_of(program, "pad")->arg(2)), "constant");
  const ir::Node* split = node_of(program, "split_with_sizes");
  EXPECT_EQ(split->outputs().size(), 3U);
  const auto& indices = std::get<std::vector<ir::Value*>>(node_of(program, "index")->arg(1));
  EXPECT_EQ(indices[0], nullptr);
  EXPECT_EQ(indices[1]->name(), "detach_");
  const ir::Node* check = node_of(program, "_assert_tensor_metadata_default");
  EXPECT_TRUE(check->outputs().empty());
  EXPECT_EQ(std::get<DType>(check->arg(3)), DType::kFloat32);
  EXPECT_EQ(std::get<ir::Device>(check->arg(4)).type, "cpu");
  EXPECT_TRUE(std::get<ir::Layout>(check->arg(5)).strided);
}

TEST(ProgramReader, SymbolsAreExpressionsWithBounds) {
  const ir::Program program = program_of("pt2/symbols.pt2");
  EXPECT_EQ(
      program.ranges,
      (ir::SymbolRanges{{"s17", {2, std::nullopt}}, {"s44", {2, 32}}, {"s86", {0, std::nullopt}}}));
  // What PyTorch saw, of 2*s44 for one.
  EXPECT_EQ(program.hints.at("s44"), 2);
  EXPECT_EQ(program.hints.at("s86"), 7);
  const auto s = [](const char* name) { return ir::SymInt::symbol(name); };
  EXPECT_EQ(program.inputs[0].value->sizes()[0], s("s44") * 2);
  EXPECT_EQ(program.inputs[2].value->kind(), ir::ValueKind::kSymInt);
  EXPECT_EQ(program.inputs[2].value->expression(), s("s86"));
  // Expressions stand in arguments directly; the nodes that compute them stay.
  EXPECT_EQ(std::get<std::vector<ir::SymInt>>(node_of(program, "full")->arg(0))[0],
            ir::SymInt::max(s("s44") * 2, 3) + s("s86"));
  EXPECT_EQ(node_of(program, "sym_max")->op(), "torch.sym_max");
  EXPECT_EQ(node_of(program, "sym_max")->output()->expression(), ir::SymInt::max(s("s44") * 2, 3));
  const ir::Value* product = std::get<ir::Value*>(program.graph->outputs()[3]);
  EXPECT_EQ(product->kind(), ir::ValueKind::kSymFloat);

  const ir::Program unbacked = program_of("golden/nonzero_item.pt2");
  EXPECT_EQ(node_of(unbacked, "item")->output()->expression(), s("u1"));
  EXPECT_EQ(unbacked.ranges.at("u1"), (ir::Range{1, 100}));
}

TEST(ProgramReader, ReadsSubgraphs) {
  const ir::Program cond = program_of("golden/cond.pt2");
  const ir::Node* node = node_of(cond, "cond");
  EXPECT_EQ(node->op(), "higher_order.cond");
  const auto& branch = std::get<std::shared_ptr<ir::Graph>>(node->arg(1));
  EXPECT_EQ(branch->inputs().size(), 3U);
  EXPECT_EQ(branch->nodes().size(), 2U);
  EXPECT_EQ(std::get<std::vector<ir::Value*>>(node->arg(3)).size(), 3U);
  const ir::Program loop = program_of("pt2/loop.pt2");
  EXPECT_EQ(node_of(loop, "while_loop")->outputs().size(), 2U);
}

TEST(ProgramReader, ReadsDeclaredMutations) {
  const ir::Program program = program_of("pt2/mutations.pt2");
  ASSERT_EQ(program.outputs.size(), 3U);
  EXPECT_EQ(program.outputs[0].kind, ir::OutputKind::kBufferMutation);
  EXPECT_EQ(program.outputs[0].target, "count");
  EXPECT_EQ(program.outputs[1].kind, ir::OutputKind::kUserInputMutation);
  EXPECT_EQ(program.outputs[1].target, "x");
  EXPECT_EQ(program.outputs[2].kind, ir::OutputKind::kUserOutput);
}

TEST(ProgramReader, KeepsTheUsersOwnSourceLine) {
  const ir::Program dict = program_of("golden/dict_io.pt2");
  expect_contains(node_of(dict, "sum_1")->stack_trace(),
                  "golden.py\", line 28, in forward\n    return {'y':y");
  EXPECT_EQ(
      own_frame("File \"/home/me/m.py\", line 3, in forward\n    y = self.conv(x)\n  File "
                "\"/usr/lib/python3/dist-packages/torch/nn/conv.py\", line 9, in forward\n    "
                "return F.conv2d(x)"),
      "File \"/home/me/m.py\", line 3, in forward\n    y = self.conv(x)");
  EXPECT_EQ(own_frame("File \"a.py\", line 1, in f\n    g()\nFile \"b.py\", line 2, in g\n    h()\n"
                      "  File \"<eval_with_key>.1\", line 7, in forward\n    add = x + 1"),
            "File \"b.py\", line 2, in g\n    h()");
  EXPECT_EQ(own_frame("  File \"torch/fx/passes/runtime_assert.py\", line 24, in insert"),
            "File \"torch/fx/passes/runtime_assert.py\", line 24, in insert");
  EXPECT_EQ(own_frame(""), "");
  EXPECT_EQ(own_frame("no frame at all"), "");
}

TEST(ProgramReader, WeightsOfEveryType) {
  const ir::Program program = program_of("pt2/dtypes.pt2");
  for (const char* name :
       {"uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64",
        "complex128", "bool", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu",
        "uint16", "uint32", "uint64"}) {
    const ir::Input* input = input_of(program, std::string("of_") + name);
    ASSERT_NE(input, nullptr);
    EXPECT_EQ(dtype_name(input->data->dtype), name);
    EXPECT_EQ(input->data->nbytes(), 3 * dtype_size(input->data->dtype));
  }
  EXPECT_EQ(values_of<uint16_t>(*input_of(program, "of_bfloat16")->data),
            (std::vector<uint16_t>{0x3f80, 0, 0x4000}));
  EXPECT_EQ(values_of<int64_t>(*input_of(program, "zero_dim")->data), std::vector<int64_t>{7});
  EXPECT_TRUE(input_of(program, "zero_dim")->data->sizes.empty());
  EXPECT_EQ(input_of(program, "empty")->data->nbytes(), 0U);
  EXPECT_FALSE(input_of(program, "transient")->persistent);
}

TEST(ProgramReader, WeightsKeepTheirLayoutAndShareStorage) {
  const ir::Program program = program_of("pt2/layouts.pt2");
  const auto data = [&](const char* name) -> const ir::ConstantData& {
    return *input_of(program, name)->data;
  };
  EXPECT_EQ(data("channels_last").strides, (std::vector<int64_t>{24, 1, 8, 2}));
  std::vector<float> counting(24);
  for (int i = 0; i < 24; ++i) counting[i] = static_cast<float>(i);
  EXPECT_EQ(values_of<float>(data("channels_last")), counting);
  EXPECT_EQ(values_of<float>(data("transposed"))[1], 6.0F);
  EXPECT_EQ(data("expanded").strides, (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(values_of<float>(data("expanded")), (std::vector<float>{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(data("part").storage_offset, 4);
  EXPECT_EQ(values_of<float>(data("part")), (std::vector<float>{4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(data("part").storage.bytes.data(), data("transposed").storage.bytes.data());
  EXPECT_EQ(data("first.weight").storage.bytes.data(), data("second.weight").storage.bytes.data());
}

TEST(ProgramReader, KeepsCustomObjectsAsBytes) {
  for (const char* file : {"engine_custom_obj", "engine_custom_obj_cuda", "engine_opaque"}) {
    const ir::Program program = program_of("golden/" + std::string(file) + ".pt2");
    const ir::Input* engine = input_of(program, "engine");
    EXPECT_EQ(engine->kind, ir::InputKind::kCustomObject);
    EXPECT_EQ(engine->object_type, "__torch__.torch.classes.tensorrt.Engine");
    EXPECT_GT(engine->object.bytes.size(), 100U);
    EXPECT_EQ(engine->value->kind(), ir::ValueKind::kCustomObject);
  }
  const ir::Program slot = program_of("golden/engine_noop_tensor_slot.pt2");
  EXPECT_EQ(input_of(slot, "_trt_engine_0")->data->dtype, DType::kUInt8);
}

TEST(ProgramReader, TakesAnyNameAndExtension) {
  EXPECT_EQ(program_of("pt2/a name.with.dots.ep").graph->nodes().size(), 1U);
}

TEST(ProgramReader, NamesWhatAnArchiveLacks) {
  const auto problem = [](const std::string& file) {
    auto program = read(file);
    return program.ok() ? "" : program.error().message();
  };
  expect_contains(problem("pt2/fake.pt2"), "saved from fake tensors");
  expect_contains(problem("pt2/subclass.pt2"), "tensor subclass");
  expect_contains(problem("pt2/state.pt"), "torch.save");
  expect_contains(problem("golden/manifest.json"), "not a zip archive");
  expect_contains(problem("golden/none.pt2"), "none.pt2");
}

// --- Archives with entries changed ---

using Entries = std::vector<TestEntry>;

std::string problem_of(const Entries& entries) {
  const auto program = read_entries(entries);
  return program.ok() ? "" : program.error().message();
}

TestEntry& entry_of(Entries& entries, const std::string& end) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const TestEntry& entry) {
    return entry.name.ends_with(end);
  });
  EXPECT_NE(found, entries.end()) << end;
  return *found;
}

// The entries of an archive with the first `from` in the entry that ends with `end` replaced.
Entries replaced(const std::string& file, const std::string& end, const std::string& from,
                 const std::string& to) {
  Entries entries = entries_of(kData + "/" + file);
  std::string& data = entry_of(entries, end).data;
  const size_t at = data.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) data.replace(at, from.size(), to);
  return entries;
}

Entries without(Entries entries, const std::string& end) {
  std::erase_if(entries, [&](const TestEntry& entry) { return entry.name.ends_with(end); });
  return entries;
}

TEST(ProgramReader, AnotherSchemaIsNamedWithTheOneThatIsRead) {
  const auto with = [](const std::string& version) {
    return problem_of(
        replaced("golden/mlp.pt2", "model.json", R"({"major": 8, "minor": 20})", version));
  };
  EXPECT_EQ(with(R"({"major": 8, "minor": 21})"), "");
  for (const int major : {7, 9}) {
    expect_contains(
        with(fmt::format(R"({{"major": {}, "minor": 1}})", major)),
        fmt::format("schema_version is {}.1, which Slipway does not read: it reads 8.x, "
                    "of torch 2.7 to 2.15",
                    major));
  }
}

TEST(ProgramReader, ToleratesWhatTorchTolerates) {
  const Entries mlp = entries_of(kData + "/golden/mlp.pt2");
  const auto expect_read = [](const Entries& entries) { EXPECT_EQ(problem_of(entries), ""); };
  expect_read(mlp);
  Entries changed = mlp;
  for (TestEntry& entry : changed) entry.method = 8;
  expect_read(changed);
  changed = mlp;
  std::reverse(changed.begin(), changed.end());
  expect_read(changed);
  changed = mlp;
  for (TestEntry& entry : changed) entry.name = "another root" + entry.name.substr(3);
  expect_read(changed);
  changed = without(without(mlp, "byteorder"), "serialization_id");
  entry_of(changed, "sample_inputs/model.pt").data.clear();
  changed.push_back({"mlp/data/unknown/file", "anything"});
  changed.push_back({"mlp/extra/notes", "text"});
  expect_read(changed);
}

TEST(ProgramReader, ObjectsAreFoundByTheirNamesAlone) {
  const std::string file = "golden/engine_custom_obj.pt2";
  const std::string name = R"("custom_obj_name": "engine")";
  expect_contains(
      problem_of(replaced(file, "models/model.json", name, R"("custom_obj_name": "engine_2")")),
      "is \"engine_2\", and the archive's objects are: engine");
  const std::string config = "constants/model_constants_config.json";
  expect_contains(problem_of(replaced(
                      file, config, R"("config": {)",
                      R"("config": {"engine": {"path_name": "custom_obj_0", "is_param": false, )"
                      R"("use_pickle": true, "tensor_meta": null}, )")),
                  "is there twice, as custom_obj_0 and as custom_obj_0");
  const std::string tensor =
      R"("engine": {"path_name": "custom_obj_0", "is_param": false, "use_pickle": false, )"
      R"("tensor_meta": {"dtype": 1, "sizes": [], "requires_grad": false, "device": )"
      R"({"type": "cpu", "index": null}, "strides": [], "storage_offset": {"as_int": 0}, )"
      R"("layout": 7}})";
  expect_contains(
      problem_of(replaced(file, config, R"("config": {)", R"("config": {)" + tensor + ", ")),
      "is there twice, as a tensor and as custom_obj_0");
  expect_contains(problem_of(replaced(file, config, "}}", "}, " + tensor + "}")),
                  "is there twice, as custom_obj_0 and as a tensor");
  expect_contains(problem_of(replaced(file, config, R"("engine")", R"("e")")),
                  "is \"engine\", and the archive's objects are: e");
}

// As programs had them before signatures did: inputs of the graph, by whose names they are stored.
TEST(ProgramReader, ObjectsOfOlderProgramsAreFoundByTheirInputs) {
  const std::string type = "__torch__.torch.classes.tensorrt.Engine";
  const std::string mapped = R"({"custom_obj": {"arg": {"name": "obj_engine", "class_fqn": ")" +
                             type + R"("}, "custom_obj_name": "engine"}})";
  const std::string unmapped =
      R"({"user_input": {"arg": {"as_custom_obj": {"name": "obj_engine", "class_fqn": ")" + type +
      R"("}}}})";
  Entries entries = replaced("golden/engine_opaque.pt2", "models/model.json", mapped, unmapped);
  std::string& config = entry_of(entries, "model_constants_config.json").data;
  const std::string stored = config;
  config.replace(config.find("engine"), 6, "obj_engine");
  const auto program = read_entries(entries);
  ASSERT_TRUE(program.ok()) << program.error().message();
  const ir::Input* engine = input_of(*program, "obj_engine");
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->kind, ir::InputKind::kCustomObject);
  EXPECT_EQ(engine->object_type, type);
  EXPECT_GT(engine->object.bytes.size(), 100U);

  // Under another name it is not found, and nothing else is taken for it.
  config = stored;
  expect_contains(problem_of(entries),
                  "nests 1 inputs and 1 outputs where the program has 2 and 1, which include "
                  "\"obj_engine\": the signature maps no object to it, and the archive's objects "
                  "are: engine");
  // Nor is it where the signature maps objects, but not this one.
  config.replace(config.find("\"engine\""), 8,
                 R"("other": {"path_name": "opaque_obj_0", "is_param": false, "use_pickle": true, )"
                 R"("tensor_meta": null}, "obj_engine")");
  std::string& model = entry_of(entries, "models/model.json").data;
  const auto insert_before = [&](const std::string& place, const std::string& text) {
    const size_t at = model.find(place);
    ASSERT_NE(at, std::string::npos) << place;
    model.insert(at, text);
  };
  const std::string object = R"({"name": "other", "class_fqn": ")" + type + R"("})";
  insert_before(R"({"as_custom_obj")", R"({"as_custom_obj": )" + object + "}, ");
  insert_before(unmapped,
                R"({"custom_obj": {"arg": )" + object + R"(, "custom_obj_name": "other"}}, )");
  insert_before(R"("obj_engine": {"name")", R"("other": )" + object + ", ");
  expect_contains(problem_of(entries),
                  "\"obj_engine\": the signature maps no object to it, and the archive's objects "
                  "are: obj_engine, other");
}

TEST(ProgramReader, RefusesArchivesWithoutTheirParts) {
  const Entries mlp = entries_of(kData + "/golden/mlp.pt2");
  expect_contains(problem_of({}), "not one of torch.export.save");
  expect_contains(problem_of(without(mlp, "archive_format")), "not one of torch.export.save");
  expect_contains(problem_of(without(mlp, "archive_version")), "archive_version");
  expect_contains(problem_of(without(mlp, "model.json")), "holds no exported program");
  expect_contains(problem_of(without(mlp, "weights_config.json")), "weights_config.json");
  expect_contains(problem_of(without(mlp, "constants_config.json")), "constants_config.json");
  expect_contains(problem_of(without(mlp, "weights/weight_0")), "weights/weight_0");
  expect_contains(problem_of(replaced("golden/mlp.pt2", "archive_version", "0", "1")), "\"1\"");
  expect_contains(problem_of(replaced("golden/mlp.pt2", "byteorder", "little", "big")),
                  "little-endian");
  Entries two = mlp;
  entry_of(two, "models/model.json").name = "mlp/models/a.json";
  two.push_back({"mlp/models/b.json", "{}"});
  expect_contains(problem_of(two), "2 models");
}

TEST(ProgramReader, RefusesWeightsThatDoNotFit) {
  const auto weights = [](const std::string& from, const std::string& to) {
    return problem_of(replaced("pt2/layouts.pt2", "weights_config.json", from, to));
  };
  // The first tensor is first.weight, float32[3, 3] in 36 bytes.
  expect_contains(weights(R"("strides": [{"as_int": 3})", R"("strides": [{"as_int": 4})"),
                  "\"first.weight\" in layouts/data/weights/weight_0: float32[3, 3] with strides "
                  "[4, 1] and offset 0 reaches past its storage of 36 bytes");
  expect_contains(
      weights(R"("storage_offset": {"as_int": 0})", R"("storage_offset": {"as_int": 1})"),
      "reaches past");
  expect_contains(
      weights(R"("storage_offset": {"as_int": 0})", R"("storage_offset": {"as_int": -1})"),
      "offset -1 is negative");
  expect_contains(weights(R"("sizes": [{"as_int": 3})", R"("sizes": [{"as_int": -3})"), "weight");
  expect_contains(
      weights(R"("sizes": [{"as_int": 3})", R"("sizes": [{"as_int": 4611686018427387904})"),
      "first.weight");
  expect_contains(
      weights(R"("strides": [{"as_int": 3})", R"("strides": [{"as_int": 9223372036854775807})"),
      "reaches past");
  expect_contains(weights(R"("strides": [{"as_int": 3}, )", R"("strides": [)"),
                  "2 dimensions has 1 strides");
  expect_contains(weights(R"("dtype": 7)", R"("dtype": 99)"), "is 99, an element type");
  expect_contains(weights(R"("dtype": 7)", R"("dtype": 4)"),
                  "whose data is int32[3, 3], another type than the graph's float32[3, 3]");
  expect_contains(weights(R"("layout": 7)", R"("layout": 1)"), "not strided");
  expect_contains(weights("weight_0", "../weight_0"), "no entry");
  expect_contains(weights("first.weight", "other.weight"), "of which the archive has no data");
}

TEST(ProgramReader, RefusesGraphsThatContradictThemselves) {
  const auto model = [](const std::string& file, const std::string& from, const std::string& to) {
    std::string problem = problem_of(replaced(file, "models/model.json", from, to));
    EXPECT_NE(problem.find("test.pt2: "), std::string::npos) << problem;
    return problem;
  };
  const std::string mlp = "golden/mlp.pt2";
  expect_contains(model(mlp, R"({"as_tensor": {"name": "x"}})", R"({"as_tensor": {"name": "y"}})"),
                  "graph_module.graph.inputs");
  expect_contains(model(mlp, R"("outputs": [{"as_tensor": {"name": "linear"}}])",
                        R"("outputs": [{"as_tensor": {"name": "x"}}])"),
                  "defines \"x\" a second time");
  expect_contains(model(mlp, R"("arg": {"as_tensor": {"name": "linear"}})",
                        R"("arg": {"as_tensor": {"name": "linear_1"}})"),
                  "names \"linear_1\", which nothing before it defines");
  expect_contains(model(mlp, R"("name": "weight", "arg")", R"("name": "input", "arg")"), "twice");
  expect_contains(
      model(mlp, R"({"name": "input", "arg": {"as_tensor": {"name": "x"}}, "kind": 1}, )", ""),
      "lacks the argument");
  expect_contains(model(mlp, R"("as_tensor": {"name": "x"})", R"("as_nonsense": {"name": "x"})"),
                  "as_nonsense");
  expect_contains(model(mlp, R"("relu": {)", R"("other": {)"),
                  "names a tensor \"relu\" that has no entry in tensor_values");
  expect_contains(model(mlp, R"("user_output")", R"("loss_output")"), "training");
  expect_contains(model(mlp, R"("parameter": {)", R"("novelty": {)"), "novelty");
  expect_contains(model(mlp, R"("output_specs": [{)",
                        R"("output_specs": [{"user_output": {"arg": {"as_none": true}}}, {)"),
                  "2 entries for 1 outputs");
  expect_contains(model(mlp, R"("fqn": "")", R"("fqn": "x")"), "whole model");
  expect_contains(
      model(
          mlp, R"("out_spec": "[1, {\"type\": null, \"context\": null, \"children_spec\": []}]")",
          R"("out_spec": "[1, {\"type\": \"builtins.tuple\", \"context\": \"null\", \"children_spec\": []}]")"),
      "nests 1 inputs and 0 outputs where the program has 1 and 1");

  const std::string symbols = "pt2/symbols.pt2";
  expect_contains(model(symbols, "Symbol('s44', positive=True, integer=True)", "Sombrero('s44')"),
                  "expr_str");
  expect_contains(model(symbols, R"("s44": {"min_val": 2, "max_val": 32})",
                        R"("s44": {"min_val": 33, "max_val": 32})"),
                  "leave no value for s44");
  const std::string mutations = "pt2/mutations.pt2";
  expect_contains(model(mutations, R"("buffer_name": "count"}})", R"("buffer_name": "other"}})"),
                  "mutates \"other\", which is no input");
}

TEST(ProgramReader, BoundsPastEveryTensorAreNone) {
  for (const char* none : {"null", "9223372036854775806", "9223372036854775807",
                           "18446744073709551615", "4611686018427387904"}) {
    const auto program = read_entries(replaced(
        "pt2/symbols.pt2", "models/model.json",
        R"("2*s44": {"min_val": 4, "max_val": 64}, "s17": {"min_val": 2, "max_val": null})",
        std::string(
            R"("3*s44": {"min_val": 7, "max_val": 64}, "s17 + 1": {"min_val": 9, "max_val": 9}, "s17": {"min_val": -9223372036854775807, "max_val": )") +
            none + "}"));
    ASSERT_TRUE(program.ok()) << program.error().message();
    EXPECT_EQ(program->ranges.at("s17"), ir::Range());
    // A multiple bounds its symbol too: 7 <= 3*s44 <= 64.
    EXPECT_EQ(program->ranges.at("s44"), (ir::Range{3, 21}));
  }
}

// --- Damage and size ---

// While this lives, private memory may grow by `allowance` and no further.
class MemoryLimit {
 public:
  explicit MemoryLimit(size_t allowance) {
    if (kSanitized) return;
    getrlimit(RLIMIT_DATA, &before_);
    rlimit limit = before_;
    limit.rlim_cur = data_size() + allowance;
    EXPECT_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
  }
  ~MemoryLimit() {
    if (!kSanitized) setrlimit(RLIMIT_DATA, &before_);
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  rlimit before_{};
};

std::string bytes_of(const std::string& file) {
  std::ifstream stream(kData + "/" + file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class ProgramReaderDamage : public testing::TestWithParam<const char*> {};

// An archive cut short is refused, and one with a byte changed is refused or is still sound.
TEST_P(ProgramReaderDamage, OfAnyByteIsSurvived) {
  const std::string archive = bytes_of(GetParam());
  ASSERT_FALSE(archive.empty());
  const MemoryLimit limit(size_t{64} << 20);
  int read_all_the_same = 0;
  for (size_t i = 0; i < archive.size(); ++i) {
    const std::string cut = archive.substr(0, i);
    EXPECT_FALSE(read_program(own_bytes(cut), "cut.pt2").ok()) << i;
    std::string flipped = archive;
    flipped[i] = static_cast<char>(flipped[i] ^ 0xff);
    const auto program = read_program(own_bytes(std::move(flipped)), "flipped.pt2");
    if (program.ok()) {
      read_all_the_same++;
      EXPECT_TRUE(ir::verify(*program).ok()) << i;
    }
  }
  // Flips of what is not read: padding, sample inputs, times.
  EXPECT_LT(read_all_the_same, static_cast<int>(archive.size()) * 3 / 4);
}

// Damage that the checksums don't show: the JSON is changed and stored with a new CRC-32.
TEST_P(ProgramReaderDamage, OfTheModelIsSurvived) {
  Entries entries = entries_of(kData + "/" + GetParam());
  const MemoryLimit limit(size_t{64} << 20);
  for (TestEntry& entry : entries) {
    if (!entry.name.ends_with(".json")) continue;
    const std::string json = entry.data;
    // Every third byte keeps this fast; structure and digits are hit all the same.
    for (size_t i = 0; i < json.size(); i += 3) {
      for (const char replacement : {'0', '9', '"', '}', 'x'}) {
        entry.data[i] = replacement;
        const auto program = read_entries(entries);
        if (program.ok()) {
          const Status sound = ir::verify(*program);
          EXPECT_TRUE(sound.ok()) << i << replacement << ": " << sound.error().message();
        }
      }
      entry.data[i] = json[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Small, ProgramReaderDamage,
                         testing::Values("pt2/a name.with.dots.ep", "pt2/mutations.pt2",
                                         "golden/compat/v2.7.1_mlp.pt2"));

// What docs/reliability.md says of an archive's JSON.
TEST(ProgramReader, TakesTenTimesItsJsonAtMost) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  Entries entries = entries_of(kData + "/golden/mlp.pt2");
  std::string& json = entry_of(entries, "models/model.json").data;
  const auto insert_behind = [&](std::string_view place, const std::string& text) {
    const size_t at = json.find(place);
    ASSERT_NE(at, std::string::npos);
    json.insert(at + place.size(), text);
  };
  std::string nodes;
  std::string values;
  for (int i = 0; i < 100'000; ++i) {
    const std::string name = "v" + std::to_string(i);
    nodes += R"({"target": "torch.ops.aten.relu.default", "inputs": [{"name": "self", "arg": )"
             R"({"as_tensor": {"name": "x"}}, "kind": 1}], "outputs": [{"as_tensor": {"name": ")" +
             name + R"("}}], "metadata": {}}, )";
    values += '"' + name +
              R"(": {"dtype": 7, "sizes": [{"as_int": 2}, {"as_int": 8}], )"
              R"("requires_grad": false, "device": {"type": "cpu", "index": null}, "strides": )"
              R"([{"as_int": 8}, {"as_int": 1}], "storage_offset": {"as_int": 0}, "layout": 7}, )";
  }
  insert_behind("\"nodes\": [", nodes);
  insert_behind("\"tensor_values\": {", values);
  const size_t size = json.size();
  const OwnedSpan archive = own_bytes(make_zip(entries));
  in_child([&]() -> std::string {
    if (!limit_data(10 * size)) return "no limit";
    const auto program = read_program(archive, "large.pt2");
    if (!program.ok()) return program.error().message();
    return program->graph->nodes().size() > 100'000 ? "" : "nodes are missing";
  });
}

TEST(ProgramReader, BigWeightsAreNotCopied) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  constexpr size_t kElements = size_t{90} << 20;  // 360 MiB of zeros, a hole in the file
  const std::string path = testing::TempDir() + "/slipway_big.pt2";
  {
    Entries entries =
        replaced("pt2/mutations.pt2", "weights_config.json", "\"count\"", "\"count\"");
    TestEntry& weight = entry_of(entries, "weights/weight_0");
    std::swap(weight, entries.back());
    uint32_t crc = 0;
    const std::vector<std::byte> zeros(1 << 20);
    for (size_t i = 0; i < kElements * 4; i += zeros.size()) crc = crc32(crc, zeros);
    entries.back().data.clear();
    entries.back().claimed_crc = crc;
    entries.back().claimed_size = static_cast<uint32_t>(kElements * 4);
    const auto widen = [](std::string& json, const std::string& from, const std::string& to) {
      for (size_t at = 0; (at = json.find(from, at)) != std::string::npos; at += to.size()) {
        json.replace(at, from.size(), to);
      }
    };
    const std::string scalar = R"("dtype": 5, "sizes": [], )";
    const std::string vector =
        R"("dtype": 7, "sizes": [{"as_int": )" + std::to_string(kElements) + "}], ";
    for (const char* json : {"weights_config.json", "models/model.json"}) {
      widen(entry_of(entries, json).data, scalar, vector);
      widen(entry_of(entries, json).data, R"("strides": [])", R"("strides": [{"as_int": 1}])");
    }
    const std::string zip = make_zip(entries);
    // The weight's data goes between its header and the directory, whose offset moves.
    const size_t directory = zip.rfind("PK\5\6") - [&] {
      uint32_t size = 0;
      std::memcpy(&size, zip.data() + zip.rfind("PK\5\6") + 12, 4);
      return size;
    }();
    std::string tail = zip.substr(directory);
    const auto moved = static_cast<uint32_t>(directory + kElements * 4);
    std::memcpy(tail.data() + tail.rfind("PK\5\6") + 16, &moved, 4);
    std::ofstream file(path, std::ios::binary);
    file << zip.substr(0, directory);
    file.seekp(static_cast<std::streamoff>(moved));
    file << tail;
  }
  {
    const MemoryLimit limit(size_t{16} << 20);
    const auto program = read_program(path);
    EXPECT_TRUE(program.ok()) << (program.ok() ? "" : program.error().message());
    if (program.ok()) {
      EXPECT_EQ(input_of(*program, "count")->data->nbytes(), kElements * 4);
    }
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace slipway::pt2
