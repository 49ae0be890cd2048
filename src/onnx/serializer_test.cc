#include "onnx/serializer.h"

#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <unistd.h>

#include <gtest/gtest.h>

#include "onnx/model.pb.h"

namespace slipway::onnx {
namespace {

std::vector<std::byte> numbers(size_t count) {
  std::vector<std::byte> bytes(count * sizeof(float));
  for (size_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i);
    std::memcpy(bytes.data() + i * sizeof(float), &value, sizeof value);
  }
  return bytes;
}

// y = x + small + large; `large` comes from a producer.
Graph two_constants() {
  Graph graph;
  graph.name = "g";
  graph.inputs = {{"x", DType::kFloat32, {ir::SymInt::symbol("s0"), 1000}}};
  graph.outputs = {{"y", DType::kFloat32, {ir::SymInt::symbol("s0"), 1000}}};
  graph.initializers.push_back({"small", DType::kFloat32, {1}, own_bytes(numbers(1))});
  const auto data = std::make_shared<std::vector<std::byte>>(numbers(1000));
  graph.initializers.push_back(
      {"large", DType::kFloat32, {1000}, {4000, [data](const ByteSink& sink) {
                                            return sink(*data);
                                          }}});
  Node first{"Add", "first", {"x", "small"}, {"t"}, {}, "add", "aten.add.Tensor", "line 3"};
  Node second{"Add", "second", {"t", "large"}, {"y"}, {{"axis", 1}}, "", "", ""};
  graph.nodes = {first, second};
  return graph;
}

proto::ModelProto parse(const PieceList& pieces) {
  const auto bytes = write_to_memory(pieces);
  EXPECT_TRUE(bytes.ok());
  proto::ModelProto model;
  EXPECT_TRUE(model.ParseFromArray(bytes->data(), static_cast<int>(bytes->size())));
  return model;
}

TEST(Serialize, HoldsSmallModelsWhole) {
  const auto files = serialize(two_constants(), "g.onnx.data");
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(files->data.size(), 0U);
  const auto model = parse(files->model);
  ASSERT_EQ(model.graph().initializer_size(), 2);
  EXPECT_EQ(model.graph().initializer(1).name(), "large");
  const auto expected = numbers(1000);
  ASSERT_EQ(model.graph().initializer(1).raw_data().size(), expected.size());
  EXPECT_EQ(
      std::memcmp(model.graph().initializer(1).raw_data().data(), expected.data(), expected.size()),
      0);
  EXPECT_EQ(model.opset_import(0).version(), 20);
  EXPECT_EQ(model.graph().input(0).type().tensor_type().shape().dim(0).dim_param(), "s0");
  EXPECT_EQ(model.graph().node(0).doc_string(), "aten.add.Tensor (add); line 3");
  EXPECT_EQ(model.graph().node(1).attribute(0).i(), 1);
}

TEST(Serialize, MovesLargerConstantsOutWhenTheyAreTooMuch) {
  const auto files = serialize(two_constants(), "g.onnx.data", /*max_inline=*/1000);
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(files->data.size(), 4000U);
  const auto model = parse(files->model);
  EXPECT_EQ(model.graph().initializer(0).raw_data().size(), 4U);
  const auto& large = model.graph().initializer(1);
  EXPECT_FALSE(large.has_raw_data());
  EXPECT_EQ(large.data_location(), proto::TensorProto::EXTERNAL);
  std::map<std::string, std::string> entries;
  for (const auto& entry : large.external_data()) entries[entry.key()] = entry.value();
  EXPECT_EQ(entries["location"], "g.onnx.data");
  EXPECT_EQ(entries["offset"], "0");
  EXPECT_EQ(entries["length"], "4000");
}

TEST(Serialize, TakesPlainFileNamesOnly) {
  for (const char* name : {"/tmp/data", "../data", "folder/data", "..", "", "*/_ORT_MEM_ADDR_/*"}) {
    const auto files = serialize(two_constants(), name, 1000);
    ASSERT_FALSE(files.ok()) << name;
    EXPECT_EQ(files.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(Serialize, WritesStateAsDefaultsOfItsInputs) {
  Graph graph = two_constants();
  StateAlias state{"x", "y", "total", {"x", DType::kFloat32, {1}, own_bytes(numbers(1))}};
  graph.states.push_back(state);
  const auto files = serialize(graph, "d");
  ASSERT_TRUE(files.ok());
  const auto model = parse(files->model);
  EXPECT_EQ(model.graph().initializer(2).name(), "x");
}

TEST(SerializeByReference, LeavesLargerConstantsWhereTheyAre) {
  std::vector<std::string> asked;
  const auto text = serialize_by_reference(two_constants(), [&](const Initializer& initializer) {
    asked.push_back(initializer.name);
    return ExternalData{"somewhere", 77};
  });
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(asked, std::vector<std::string>{"large"});
  proto::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(*text));
  EXPECT_EQ(model.graph().initializer(1).external_data(1).value(), "77");
  for (const auto& node : model.graph().node()) EXPECT_EQ(node.doc_string(), "");
}

TEST(Save, WritesBothFiles) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("slipway_onnx_test." + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "m.onnx";
  ASSERT_TRUE(save(two_constants(), path, 1000).ok());
  EXPECT_EQ(std::filesystem::file_size(path + ".data"), 4000U);
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace slipway::onnx
