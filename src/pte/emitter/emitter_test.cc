#include "pte/emitter/emitter.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/emitter/emitted_program_test.h"

namespace slipway::pte {
namespace {

using ir::SymInt;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(EmitterTest, RunsAPerceptron) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({1, 2}));
  ir::Value* weight = p.constant("w", p.count({3, 2}, {2, 1}));
  ir::Value* bias = p.constant("b", p.count({3}, {1}, 10));
  auto b = p.build();
  p.output(b.relu(b.sub(b.linear(x, weight, bias), SymInt(12))));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::linear", "aten::sub", "aten::relu"));
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({1, 2}, {1, 1})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{0, 4, 9}));
}

TEST(EmitterTest, GivesTheSameBytesEachTime) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({4}));
  ir::Value* c = p.constant("c", p.count({4}, {1}));
  ir::Value* transposed = p.constant("t", p.count({2, 2}, {1, 2}));
  ir::Value* state = p.buffer("state", p.count({4}, {1}));
  auto b = p.build();
  p.mutation("state", b.mul(b.add(state, x), state));
  p.output(b.add(b.add(x, c), b.view(transposed, {4})));
  auto first = p.emit_bytes();
  auto second = p.emit_bytes();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);

  p.make_trees();
  auto pieces = emit({{"forward", &p.program, ""}}, {.tool_version = "test"});
  ASSERT_TRUE(pieces.ok());
  for (int i = 0; i < 2; ++i) {
    auto bytes = write_to_memory(*pieces);
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(*bytes, *first);
  }
}

TEST(EmitterTest, EveryOutputHasMemoryOfItsOwn) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2}));
  ir::Value* c = p.constant("c", p.count({2}, {1}, 5));
  ir::Value* state = p.buffer("state", p.count({2}, {1}, 7));
  auto b = p.build();
  ir::Value* sum = b.add(x, SymInt(1));
  p.mutation("state", b.add(state, SymInt(1)));
  for (ir::Value* value : {x, c, state, sum, sum, b.view(sum, {1, 2}), b.view(x, {2, 1})}) {
    p.output(value);
  }
  const slipway::Method method = p.load();
  const Tensor input = floats({2}, {1, 2});
  const auto outputs = run(method, {input});
  const std::vector<Floats> expected = {{1, 2}, {5, 6}, {7, 8}, {2, 3}, {2, 3}, {2, 3}, {1, 2}};
  ASSERT_EQ(outputs.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(to_floats(outputs[i]), expected[i]) << i;
    const void* data = std::get<Tensor>(outputs[i]).data();
    EXPECT_NE(data, input.data()) << i;
    for (size_t j = 0; j < i; ++j) EXPECT_NE(data, std::get<Tensor>(outputs[j]).data()) << i;
  }
  EXPECT_EQ(sizes_of(outputs[5]), (Sizes{1, 2}));
  EXPECT_EQ(sizes_of(outputs[6]), (Sizes{2, 1}));
  const auto state_after = method.state();
  ASSERT_TRUE(state_after.ok());
  EXPECT_EQ(to_floats((*state_after)[0].second), (Floats{8, 9}));
}

TEST(EmitterTest, StaticViewsNeedNoInstruction) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2, 3}));
  ir::Value* c = p.constant("c", p.count({6}, {1}));
  auto b = p.build();
  ir::Value* sum = b.add(x, SymInt(1));
  ir::Value* flat = b.view(sum, {6});
  ir::Value* product = b.mul(flat, b.view(c, {6}));
  // One that moves only a dimension of size 1, and one that repeats nothing.
  ir::Value* moved = b.permute(b.unsqueeze(product, 0), {1, 0});
  p.output(b.neg(b.expand(b.squeeze(moved, 1), {1, 6})));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::add", "aten::mul", "aten::neg"));
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({2, 3}, {0, 1, 2, 3, 4, 5})});
  EXPECT_EQ(sizes_of(outputs[0]), (Sizes{1, 6}));
  EXPECT_EQ(to_floats(outputs[0]), (Floats{0, -2, -6, -12, -20, -30}));
}

TEST(EmitterTest, ViewsOfInputsFollowTheirAddress) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2, 2}));
  auto b = p.build();
  p.output(b.add(b.view(x, {4}), SymInt(1)));
  EXPECT_THAT(p.instructions(), ElementsAre("executorch_prim::et_view", "aten::add"));
  const slipway::Method method = p.load();
  for (float value : {1.0F, 5.0F}) {
    const Tensor input = floats({2, 2}, Floats(4, value));
    EXPECT_EQ(to_floats(run(method, {input})[0]), Floats(4, value + 1));
  }
}

TEST(EmitterTest, ATensorWithoutDataIsNoInput) {
  ProgramToEmit p;
  auto b = p.build();
  p.output(b.relu(p.input("x", p.type({}))));
  const slipway::Method method = p.load();
  const auto refused = method.run({Tensor()});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(),
              HasSubstr("input 0 'x': expected float32[], got a tensor without data"));
  EXPECT_EQ(to_floats(run(method, {floats({}, {3})})[0]), Floats{3});
}

TEST(EmitterTest, AViewThatIsAnOutputIsComputedInPlace) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2, 2}));
  auto b = p.build();
  p.output(b.view(b.relu(x), {4}));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::relu"));
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({2, 2}, {1, -1, 2, -2})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{1, 0, 2, 0}));
  EXPECT_EQ(sizes_of(outputs[0]), (Sizes{4}));
}

TEST(EmitterTest, TwoViewsOfOneResultAreTwoOutputs) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2, 2}));
  auto b = p.build();
  ir::Value* y = b.relu(x);
  ir::Value* flat = b.view(y, {4});
  p.output(flat);
  p.output(b.view(flat, {1, 4}));
  p.output(y);
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({2, 2}, {1, -1, 2, -2})});
  EXPECT_EQ(sizes_of(outputs[1]), (Sizes{1, 4}));
  for (const Value& output : outputs) EXPECT_EQ(to_floats(output), (Floats{1, 0, 2, 0}));
}

TEST(EmitterTest, ListsOfResults) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({4, 2}));
  auto b = p.build();
  auto parts = b.split_with_sizes(x, {1, 3}, 0);
  p.output(parts[1]);
  p.output(b.cat({parts[0], parts[0]}, 0));
  auto [values, indices] = b.max_dim(x, 0);
  p.output(indices);
  p.output(values);
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({4, 2}, {1, 2, 3, 4, 9, 6, 7, 8})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{3, 4, 9, 6, 7, 8}));
  EXPECT_EQ(to_floats(outputs[1]), (Floats{1, 2, 1, 2}));
  const auto& found = std::get<Tensor>(outputs[2]);
  EXPECT_EQ(found.data_as<int64_t>()[0], 2);
  EXPECT_EQ(found.data_as<int64_t>()[1], 3);
  EXPECT_EQ(to_floats(outputs[3]), (Floats{9, 8}));
}

TEST(EmitterTest, OptionalTensorsInLists) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2, 3}));
  ir::Value* index = p.input("index", p.type({2}, DType::kInt64));
  auto b = p.build();
  p.output(b.index(x, {nullptr, index}));
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({2, 3}, {0, 1, 2, 3, 4, 5}), integers({2}, {2, 0})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{2, 0, 5, 3}));
}

TEST(EmitterTest, LiteralsAmongInputsAndOutputs) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({1}));
  auto literal = [&](const std::string& name, ir::Argument value) {
    ir::Input input;
    input.kind = ir::InputKind::kLiteral;
    input.name = name;
    input.literal = std::move(value);
    p.program.inputs.push_back(std::move(input));
  };
  literal("n", SymInt(3));
  literal("r", 0.5);
  literal("t", std::string("text"));
  literal("nothing", ir::None{});
  auto b = p.build();
  p.output(b.add(x, SymInt(1)));
  p.output(SymInt(7));
  p.output(true);
  p.output(2.5);
  p.output(std::string("out"));
  p.output(ir::None{});
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({1}, {1}), int64_t{3}, 0.5, std::string("text"), Value()});
  EXPECT_EQ(std::get<int64_t>(outputs[1]), 7);
  EXPECT_EQ(std::get<bool>(outputs[2]), true);
  EXPECT_EQ(std::get<double>(outputs[3]), 2.5);
  EXPECT_EQ(std::get<std::string>(outputs[4]), "out");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(outputs[5]));
}

TEST(EmitterTest, MethodsShareConstantsAndNotState) {
  ProgramToEmit p[2];
  for (int i = 0; i < 2; ++i) {
    ir::Value* x = p[i].input("x", p[i].type({1000}));
    ir::Value* c = p[i].constant("c", p[i].count({1000}, {1}, 0, 1000));
    ir::Value* state = p[i].buffer("state", p[i].count({1000}, {1}, 0, 1000));
    auto b = p[i].build();
    p[i].mutation("state", b.add(state, SymInt(i + 1)));
    p[i].output(b.add(x, c));
  }
  for (ProgramToEmit& program : p) program.make_trees();
  auto pieces = emit({{"one", &p[0].program, ""}, {"two", &p[1].program, ""}}, {});
  ASSERT_TRUE(pieces.ok()) << pieces.error().message();
  auto bytes = write_to_memory(*pieces);
  ASSERT_TRUE(bytes.ok());
  auto file = File::read(own_bytes(*bytes), "file");
  ASSERT_TRUE(file.ok()) << file.error().message();
  // The constants, what the buffers start with, the manifest.
  ASSERT_EQ(file->program().segments()->size(), 3u);
  for (uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(file->program().segments()->Get(i)->size(), 4000u);
    EXPECT_EQ(file->program().segments()->Get(i)->offset() % 128, 0u);
  }

  auto module = Module::load(std::move(*bytes), "file");
  ASSERT_TRUE(module.ok()) << module.error().message();
  EXPECT_EQ(module->method_names(), (std::vector<std::string>{"one", "two"}));
  EXPECT_THAT(module->method().error().message(),
              HasSubstr("no method 'forward'; it has one, two"));
  const Tensor x = *Tensor::zeros(DType::kFloat32, {1000});
  for (const char* name : {"one", "two", "two"}) {
    ASSERT_TRUE(module->method(name)->run({Value(x)}).ok());
  }
  auto one = module->method("one")->state();
  auto two = module->method("two")->state();
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(to_floats((*one)[0].second)[0], 1);
  EXPECT_EQ(to_floats((*two)[0].second)[0], 4);
}

TEST(EmitterTest, RefusesMethodsWithoutANameOfTheirOwn) {
  ProgramToEmit p;
  p.output(SymInt(1));
  EXPECT_FALSE(emit({}, {}).ok());
  EXPECT_FALSE(emit({{"", &p.program, ""}}, {}).ok());
  auto twice = emit({{"a", &p.program, ""}, {"a", &p.program, ""}}, {});
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().code(), ErrorCode::kInvalidArgument);
}

TEST(EmitterTest, ASizeWithoutABoundIsNamedWithItsRemedy) {
  ProgramToEmit p;
  ir::Value* x = p.input("tokens", p.type({SymInt::symbol("s77"), 2}));
  auto b = p.build();
  p.output(b.relu(x));
  const std::string error = p.emit_error();
  EXPECT_THAT(error, HasSubstr("tokens"));
  EXPECT_THAT(error, HasSubstr("option 'bounds' s77=64"));
  EXPECT_THAT(error, HasSubstr("comes from input tokens"));
  p.program.ranges["s77"] = {1, 8};
  EXPECT_EQ(p.emit_error(), "");
}

TEST(EmitterTest, RefusesWhatExecuTorchCannotHold) {
  {
    ProgramToEmit p;
    p.output(p.constant("c", [] {
      ir::ConstantData data = passes::TestProgram::count({4}, {1});
      data.dtype = DType::kFloat8E8M0;
      return data;
    }()));
    EXPECT_THAT(p.emit_error(), HasSubstr("float8_e8m0fnu"));
  }
  {
    ProgramToEmit p;
    p.output(p.input("x", p.type(std::vector<SymInt>(17, 1))));
    EXPECT_THAT(p.emit_error(), HasSubstr("17 dimensions"));
  }
  {
    ProgramToEmit p;
    p.output(p.input("x", p.type({SymInt(int64_t{1} << 31)}, DType::kUInt8)));
    EXPECT_THAT(p.emit_error(), HasSubstr("2147483648"));
  }
  {
    ProgramToEmit p;
    ir::Value* x = p.input("x", p.type({2}));
    p.output(p.call("aten.erfinv.default", {x}, p.type({2}), "strange"));
    const std::string error = p.emit_error();
    EXPECT_THAT(error, HasSubstr("node erfinv"));
    EXPECT_THAT(error, HasSubstr("aten.erfinv.default"));
  }
}

TEST(EmitterTest, TheManifestSaysWhatTheFileHolds) {
  ProgramToEmit p;
  p.program.torch_version = "2.14.0";
  p.program.ranges["s0"] = {2, 5};
  ir::Value* x = p.input("x", p.type({SymInt::symbol("s0"), 3}));
  ir::Value* c = p.constant("c", p.count({3}, {1}));
  ir::Value* state = p.buffer("layer.state", p.count({3}, {1}));
  ir::Node* grow =
      p.graph().add_node("aten.add.Tensor", {state, c, SymInt(1)},
                         {.stack_trace = "File \"m.py\", line 3, in forward", .name = "grow"});
  ir::Value* sum = p.graph().add_output(grow, p.type({3}));
  auto b = p.build();
  p.mutation("layer.state", sum);
  p.output(b.relu(x));
  p.make_trees();
  auto pieces = emit({{"forward", &p.program, "abc"}}, {.tool_version = "slipway test"});
  ASSERT_TRUE(pieces.ok());
  auto bytes = write_to_memory(*pieces);
  ASSERT_TRUE(bytes.ok());
  auto file = File::read(own_bytes(std::move(*bytes)), "file");
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_TRUE(file->manifest());
  EXPECT_TRUE(file->verify_checksums().ok());
  const engine::Manifest& manifest = *file->manifest();
  EXPECT_EQ(manifest.tool_version, "slipway test");
  ASSERT_EQ(manifest.segments.size(), 2u);
  EXPECT_EQ(manifest.segments[0].content, "constants");
  EXPECT_EQ(manifest.segments[1].content, "mutable");
  ASSERT_EQ(manifest.methods.size(), 1u);
  const engine::ManifestMethod& method = manifest.methods[0];
  EXPECT_EQ(method.source_sha256, "abc");
  EXPECT_EQ(method.source_torch_version, "2.14.0");
  EXPECT_THAT(method.mutable_buffers, ElementsAre("layer.state"));
  ASSERT_EQ(method.inputs.size(), 1u);
  EXPECT_EQ(method.inputs[0].name, "x");
  EXPECT_EQ(method.inputs[0].type, "float32");
  EXPECT_THAT(method.inputs[0].sizes, ElementsAre("s0", "3"));
  EXPECT_THAT(method.inputs[0].min_sizes, ElementsAre(2, 3));
  EXPECT_THAT(method.inputs[0].max_sizes, ElementsAre(5, 3));
  ASSERT_FALSE(method.instruction_origins.empty());
  EXPECT_EQ(method.instruction_origins[0], "grow: File \"m.py\", line 3, in forward");
}

TEST(EmitterTest, ConstantsPastFourGigabytes) {
  ProgramToEmit p;
  const int64_t rows = int64_t{1} << 30;
  ir::Value* x = p.input("x", p.type({1}));
  ir::Value* large = p.constant("large", p.count({rows, 2}, {0, 1}));
  ir::Value* small = p.constant("small", p.count({1}, {1}, 3));
  auto b = p.build();
  p.output(b.add(x, b.add(small, b.select(b.select(large, 0, SymInt(0)), 0, SymInt(0)))));
  auto pieces = emit({{"forward", &p.program, ""}}, {});
  ASSERT_TRUE(pieces.ok()) << pieces.error().message();
  EXPECT_GT(pieces->size(), uint64_t{8} << 30);
  // The program part comes first; the rest is not worth writing here.
  std::vector<std::byte> program;
  const Status stopped = pieces->write([&](std::span<const std::byte> bytes) -> Status {
    if (!program.empty()) return Error(ErrorCode::kIo, "enough");
    program.assign(bytes.begin(), bytes.end());
    return {};
  });
  EXPECT_FALSE(stopped.ok());
  const auto* file = executorch_flatbuffer::GetProgram(program.data());
  EXPECT_EQ(file->segments()->Get(0)->size(), (uint64_t{8} << 30) + 4);
  EXPECT_EQ(file->segments()->Get(1)->offset(), (uint64_t{8} << 30) + 128);
  EXPECT_EQ(file->constant_segment()->offsets()->Get(2), uint64_t{8} << 30);
}

TEST(EmitterTest, EmptyTensorsAreTensors) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2, 3}));
  ir::Value* empty = p.constant("empty", p.count({0, 3}, {3, 1}));
  p.buffer("state", p.count({0}, {1}));
  auto b = p.build();
  p.mutation("state", b.view(b.relu(empty), {0}));
  p.output(empty);
  p.output(b.cat({empty, x}, 0));
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({2, 3}, Floats(6, 1))});
  EXPECT_EQ(sizes_of(outputs[0]), (Sizes{0, 3}));
  EXPECT_EQ(to_floats(outputs[1]), Floats(6, 1));
}

TEST(EmitterTest, ConstantsOfEveryTypeAreGivenBack) {
  ProgramToEmit p;
  std::vector<DType> dtypes;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (dtype == DType::kFloat8E8M0) continue;
    ir::ConstantData data = p.count({2}, {1});
    data.dtype = dtype;
    p.output(p.constant("c" + std::to_string(i), data));
    dtypes.push_back(dtype);
  }
  const std::vector<float> source = {0, 1, 2, 3, 4, 5, 6, 7};
  const slipway::Method method = p.load();
  auto outputs = run(method, {});
  ASSERT_EQ(outputs.size(), dtypes.size());
  for (size_t i = 0; i < dtypes.size(); ++i) {
    const auto& tensor = std::get<Tensor>(outputs[i]);
    EXPECT_EQ(tensor.dtype(), dtypes[i]);
    EXPECT_EQ(std::memcmp(tensor.data(), source.data(), tensor.nbytes()), 0)
        << dtype_name(dtypes[i]);
  }
}

TEST(EmitterTest, AProgramWithoutInstructions) {
  ProgramToEmit p;
  p.output(SymInt(3));
  EXPECT_TRUE(p.instructions().empty());
  const slipway::Method method = p.load();
  EXPECT_EQ(std::get<int64_t>(run(method, {})[0]), 3);
}

}  // namespace
}  // namespace slipway::pte
