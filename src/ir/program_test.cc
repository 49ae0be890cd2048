#include "ir/program.h"

#include <cstring>
#include <numeric>

#include <gtest/gtest.h>

namespace slipway::ir {
namespace {

template <class T>
OwnedSpan storage(const std::vector<T>& values) {
  auto bytes = std::as_bytes(std::span(values));
  return own_bytes(std::vector<std::byte>(bytes.begin(), bytes.end()));
}

template <class T>
std::vector<T> elements(const std::vector<std::byte>& bytes) {
  const T* first = reinterpret_cast<const T*>(bytes.data());
  return {first, first + bytes.size() / sizeof(T)};
}

ConstantData floats(std::vector<int64_t> sizes, std::vector<int64_t> strides, int64_t offset,
                    size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.0f);
  return {DType::kFloat32, std::move(sizes), std::move(strides), offset, storage(values)};
}

TEST(ConstantDataTest, ContiguousDataIsInPlace) {
  ConstantData data = floats({2, 3}, {3, 1}, 1, 8);
  ASSERT_TRUE(data.check().ok());
  EXPECT_TRUE(data.is_contiguous());
  EXPECT_EQ(data.nbytes(), 24u);
  EXPECT_EQ(data.bytes().data(), data.storage.bytes.data() + 4);
  EXPECT_EQ(elements<float>(data.to_contiguous()), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(ConstantDataTest, LaysOutAnew) {
  EXPECT_EQ(elements<float>(floats({3, 2}, {1, 3}, 0, 6).to_contiguous()),
            (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(elements<float>(floats({2, 3}, {0, 1}, 2, 5).to_contiguous()),
            (std::vector<float>{2, 3, 4, 2, 3, 4}));
  EXPECT_EQ(elements<float>(floats({2, 2, 2}, {1, 4, 2}, 0, 8).to_contiguous()),
            (std::vector<float>{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(elements<float>(floats({3}, {0}, 1, 2).to_contiguous()), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(elements<float>(floats({}, {}, 1, 2).to_contiguous()), (std::vector<float>{1}));
  EXPECT_TRUE(floats({0, 3}, {3, 1}, 0, 0).to_contiguous().empty());
}

TEST(ConstantDataTest, LaysOutEveryElementSize) {
  for (DType dtype :
       {DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64, DType::kComplex128}) {
    size_t size = dtype_size(dtype);
    std::vector<std::byte> bytes(6 * size);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
    ConstantData data{dtype, {3, 2}, {1, 3}, 0, own_bytes(bytes)};
    std::vector<std::byte> result = data.to_contiguous();
    ASSERT_EQ(result.size(), bytes.size());
    const size_t kOrder[] = {0, 3, 1, 4, 2, 5};
    for (size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(std::memcmp(&result[i * size], &bytes[kOrder[i] * size], size), 0);
    }
  }
}

TEST(ConstantDataTest, ProducesInSmallChunks) {
  // 3 MiB, transposed.
  const int64_t kRows = 1024;
  const int64_t kColumns = 768;
  ConstantData data = floats({kRows, kColumns}, {1, kRows}, 0, kRows * kColumns);
  std::vector<std::byte> all;
  Status status = data.source().write([&](std::span<const std::byte> bytes) -> Status {
    EXPECT_LE(bytes.size(), size_t{1} << 20);
    all.insert(all.end(), bytes.begin(), bytes.end());
    return {};
  });
  ASSERT_TRUE(status.ok());
  std::vector<float> values = elements<float>(all);
  ASSERT_EQ(values.size(), static_cast<size_t>(kRows * kColumns));
  for (int64_t i = 0; i < kRows * kColumns; i += 997) {
    int64_t from = i % kColumns * kRows + i / kColumns;
    EXPECT_EQ(values[i], static_cast<float>(from));
  }
  int calls = 0;
  status = data.source().write([&](std::span<const std::byte>) -> Status {
    ++calls;
    return Error(ErrorCode::kIo, "disk full");
  });
  EXPECT_EQ(status.error().message(), "disk full");
  EXPECT_EQ(calls, 1);
}

TEST(ConstantDataTest, FindsWhatLeavesTheStorage) {
  EXPECT_FALSE(floats({2, 3}, {3, 1}, 0, 5).check().ok());
  EXPECT_FALSE(floats({2, 3}, {3, 1}, 1, 6).check().ok());
  EXPECT_FALSE(floats({2}, {1}, -1, 6).check().ok());
  EXPECT_FALSE(floats({2}, {-1}, 1, 6).check().ok());
  EXPECT_FALSE(floats({-2}, {1}, 0, 6).check().ok());
  EXPECT_FALSE(floats({2}, {}, 0, 6).check().ok());
  EXPECT_FALSE(floats({2}, {INT64_MAX}, 5, 6).check().ok());
  EXPECT_FALSE(floats({INT64_MAX, INT64_MAX}, {0, 0}, 0, 6).check().ok());
  EXPECT_TRUE(floats({2, 0}, {1, 1}, 100, 0).check().ok());
  EXPECT_TRUE(floats({}, {}, 5, 6).check().ok());
  EXPECT_TRUE(floats({2, 3}, {3, 1}, 0, 5).to_contiguous().empty());
}

Input user_input(Program& program, const std::string& name) {
  Input input;
  input.name = name;
  input.value = program.graph->add_input(name, TensorType{DType::kFloat32, {2}, {}});
  return input;
}

TEST(ProgramTest, FindsAndRemovesInputs) {
  Program program;
  Input literal;
  literal.kind = InputKind::kLiteral;
  literal.name = "flag";
  literal.literal = true;
  program.inputs.push_back(literal);
  program.inputs.push_back(user_input(program, "x"));
  Value* x = program.inputs[1].value;
  Value* used = program.add_constant("c", floats({2}, {1}, 0, 2));
  Value* unused = program.add_constant("c", floats({2}, {1}, 0, 2));
  EXPECT_EQ(used->type().sizes, std::vector<SymInt>{2});
  EXPECT_EQ(unused->name(), "c_1");
  EXPECT_EQ(program.input_of(unused)->target, "c_1");
  EXPECT_EQ(program.input_of(x), &program.inputs[1]);

  Input state;
  state.kind = InputKind::kBuffer;
  state.name = state.target = "state";
  state.data = floats({2}, {1}, 0, 2);
  state.value = program.graph->add_input("state", TensorType{DType::kFloat32, {2}, {}});
  program.inputs.push_back(state);

  Node* node = program.graph->add_node("aten.neg.default", {used}, {});
  Value* result = program.graph->add_output(node, TensorType{DType::kFloat32, {2}, {}});
  EXPECT_EQ(program.input_of(result), nullptr);
  program.graph->outputs() = {result, result};
  program.outputs = {{OutputKind::kBufferMutation, "state"}, {OutputKind::kUserOutput, ""}};
  ASSERT_TRUE(verify(program).ok()) << verify(program).error().message();

  program.remove_unused_constants();
  // The literal, the user input and the buffer that is written stay.
  ASSERT_EQ(program.inputs.size(), 4u);
  EXPECT_EQ(program.inputs[2].name, "c");
  EXPECT_EQ(program.inputs[3].name, "state");
  EXPECT_EQ(program.graph->inputs().size(), 3u);
  EXPECT_TRUE(verify(program).ok());
}

}  // namespace
}  // namespace slipway::ir
