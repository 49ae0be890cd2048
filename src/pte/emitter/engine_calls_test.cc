// Calls of engines, run by a backend that is made for these tests.
#include <algorithm>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/try.h"
#include "pte/emitter/emitted_program_test.h"
#include "pte/format/layout.h"
#include "runtime/sum_backend_test.h"

namespace slipway::pte {
namespace {

using ir::SymInt;
using runtime::SumBackend;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class EngineCallTest : public testing::Test {
 protected:
  EngineCallTest() { backend.specs_end_with_nul = true; }

  ProgramToEmit p;
  SumBackend& backend = SumBackend::get();
};

TEST_F(EngineCallTest, AnEngineIsCalledBetweenKernels) {
  ir::Value* x = p.input("x", p.type({3}));
  ir::Value* y = p.input("y", p.type({3}));
  auto b = p.build();
  ir::Value* sum = p.call_sum({b.relu(x), y}, {p.type({3})})->output();
  p.engines[0].record.compile_specs["device"] = "CPU.0";
  p.output(b.mul(sum, SymInt(10)));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::relu", "engine", "aten::mul"));
  const slipway::Method method = p.load();
  const Value in = floats({3}, {-1, 2, 3});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(to_floats(run(method, {in, floats({3}, {1, 1, 1})})[0]), (Floats{10, 30, 40}));
  }
  EXPECT_THAT(backend.specs, ElementsAre(Pair("device", "CPU.0"), Pair("inputs", "2")));
  // ExecuTorch's own delegates may read a spec up to its NUL.
  EXPECT_TRUE(backend.specs_end_with_nul);
}

TEST_F(EngineCallTest, OfAnotherVersionOrDeviceIsAWarningOrAnError) {
  ir::Value* x = p.input("x", p.type({3}));
  p.output(p.call_sum({x}, {p.type({3})})->output());
  p.engines[0].record.library_version = "1.0";
  p.engines[0].record.device = "CPU";
  p.engines[0].record.capabilities = "avx2 fma";
  const auto bytes = p.emit_bytes();
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  const auto load = [&](const std::string& version, const std::string& capabilities, bool strict,
                        std::string& warnings) -> Status {
    backend.version = version;
    backend.capabilities = capabilities;
    LoadOptions options;
    options.require_same_environment = strict;
    options.on_warning = [&](const std::string& warning) { warnings += warning + "\n"; };
    SLIPWAY_ASSIGN_OR_RETURN(Module module, Module::load(*bytes, "m.pte", options));
    const Status loaded = module.method()->prepare();
    backend.version.clear();
    backend.capabilities.clear();
    return loaded;
  };
  std::string warnings;
  EXPECT_TRUE(load("1.0", "avx2 fma", true, warnings).ok());
  EXPECT_TRUE(load("", "", true, warnings).ok()) << "a backend that does not tell";
  EXPECT_EQ(warnings, "");
  EXPECT_TRUE(load("2.0", "", false, warnings).ok());
  EXPECT_TRUE(load("1.0", "sve", false, warnings).ok());
  EXPECT_TRUE(load("2.0", "sve", false, warnings).ok());
  EXPECT_EQ(warnings,
            "m.pte: engine 0 of forward was built with sum 1.0, and here is 2.0: it may be refused "
            "or run more slowly; bring that version, or compile the model again with what is here\n"
            "m.pte: engine 0 of forward was built with sum for CPU with avx2 fma, and here is CPU "
            "with sve: it may be refused or run more slowly; compile the model again with what is "
            "here\n"
            "m.pte: engine 0 of forward was built with sum 1.0 for CPU with avx2 fma, and here is "
            "2.0 on CPU with sve: it may be refused or run more slowly; bring that version, or "
            "compile the model again with what is here\n");
  for (const auto& [version, capabilities] : {std::pair("2.0", ""), std::pair("", "sve")}) {
    const Status strict = load(version, capabilities, true, warnings);
    ASSERT_FALSE(strict.ok());
    EXPECT_EQ(strict.error().code(), ErrorCode::kUnavailable);
    EXPECT_THAT(strict.error().message(), HasSubstr("m.pte: engine 0 of forward was built with"));
  }
}

TEST_F(EngineCallTest, OutputsAreWrittenWhereTheCallerWantsThem) {
  ir::Value* x = p.input("x", p.type({2, 2}));
  ir::Node* call = p.call_sum({x}, {p.type({2, 2}), p.type({2, 2}), p.type({2, 2})});
  auto b = p.build();
  p.output(call->output(1));
  p.output(call->output(0));
  p.output(call->output(1));
  // The third result is not used, and the second also within.
  p.output(b.relu(call->output(1)));
  EXPECT_THAT(p.instructions(), ElementsAre("engine", "aten::relu", "aten::alias_copy"));
  const slipway::Method method = p.load();
  const auto outputs = run(method, {floats({2, 2}, {1, -2, 3, 4})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{2, -4, 6, 8}));
  EXPECT_EQ(to_floats(outputs[1]), (Floats{1, -2, 3, 4}));
  EXPECT_EQ(to_floats(outputs[2]), (Floats{2, -4, 6, 8}));
  EXPECT_EQ(to_floats(outputs[3]), (Floats{2, 0, 6, 8}));
}

TEST_F(EngineCallTest, AViewOfAResultIsTheOutput) {
  ir::Value* x = p.input("x", p.type({4}));
  auto b = p.build();
  p.output(b.view(p.call_sum({x}, {p.type({4})})->output(), {2, 2}));
  const slipway::Method method = p.load();
  const auto outputs = run(method, {floats({4}, {1, 2, 3, 4})});
  EXPECT_EQ(sizes_of(outputs[0]), (Sizes{2, 2}));
  EXPECT_EQ(to_floats(outputs[0]), (Floats{1, 2, 3, 4}));
}

TEST_F(EngineCallTest, ViewsConstantsAndBuffersAreInputs) {
  ir::Value* x = p.input("x", p.type({2, 2}));
  ir::Value* c = p.constant("c", p.count({4}, {1}, 1));
  ir::Value* transposed = p.constant("t", p.count({2, 2}, {1, 2}, 10));
  ir::Value* state = p.buffer("state", p.count({2, 2}, {2, 1}, 20));
  auto b = p.build();
  ir::Value* view = b.view(c, {2, 2});
  ir::Value* flat = b.view(b.view(x, {4}), {2, 2});
  p.mutation("state", b.add(state, SymInt(1)));
  p.output(p.call_sum({flat, view, transposed, state}, {p.type({2, 2})})->output());
  const slipway::Method method = p.load();
  const Value in = floats({2, 2}, {100, 200, 300, 400});
  EXPECT_EQ(to_floats(run(method, {in})[0]), (Floats{131, 235, 336, 440}));
  EXPECT_EQ(to_floats(run(method, {in})[0]), (Floats{132, 236, 337, 441}));
}

TEST_F(EngineCallTest, SizesMayBeDynamic) {
  p.program.ranges["s0"] = {1, 5};
  p.program.ranges["u0"] = {0, 10};
  const SymInt s0 = SymInt::symbol("s0");
  const SymInt u0 = SymInt::symbol("u0");
  ir::Value* x = p.input("x", p.type({s0, 2}));
  auto b = p.build();
  ir::Value* flat = b.view(x, {s0 * SymInt(2)});
  // u0 is what the engine makes of it.
  ir::Node* call = p.call_sum({flat, flat}, {p.type({u0}), p.type({s0 * SymInt(2)})});
  p.output(call->output(0));
  p.output(b.view(call->output(1), {s0, 2}));
  p.output(p.call("aten.full.default",
                  {passes::Ints{u0, 1}, 7.0, ir::None(), ir::None(), ir::None(), ir::None()},
                  p.type({u0, 1}), "full"));
  const slipway::Method method = p.load();
  for (const int64_t rows : {2, 5, 1}) {
    const auto count = static_cast<size_t>(2 * rows);
    const auto outputs = run(method, {floats({rows, 2}, Floats(count, 1.5f))});
    EXPECT_EQ(sizes_of(outputs[0]), (Sizes{2 * rows}));
    EXPECT_EQ(to_floats(outputs[0]), Floats(count, 3));
    EXPECT_EQ(sizes_of(outputs[1]), (Sizes{rows, 2}));
    EXPECT_EQ(to_floats(outputs[1]), Floats(count, 6));
    EXPECT_EQ(sizes_of(outputs[2]), (Sizes{2 * rows, 1}));
  }
}

TEST_F(EngineCallTest, ABufferThatTheEngineReadsIsWrittenAtTheEnd) {
  ir::Value* x = p.input("x", p.type({3}));
  ir::Value* state = p.buffer("state", p.count({3}, {1}, 1));
  ir::Node* call = p.call_sum({state, x}, {p.type({3}), p.type({3})});
  p.mutation("state", call->output(1));
  p.output(call->output(0));
  EXPECT_THAT(p.instructions(), ElementsAre("engine", "aten::copy_"));
  const slipway::Method method = p.load();
  const Value in = floats({3}, {1, 1, 1});
  EXPECT_EQ(to_floats(run(method, {in})[0]), (Floats{2, 3, 4}));
  EXPECT_EQ(state_of(method), (Floats{4, 6, 8}));
  EXPECT_EQ(to_floats(run(method, {in})[0]), (Floats{5, 7, 9}));
  EXPECT_EQ(state_of(method), (Floats{10, 14, 18}));
}

// Nor through a view of it.
TEST_F(EngineCallTest, AViewOfABufferThatTheEngineReadsIsWrittenAtTheEnd) {
  ir::Value* state = p.buffer("state", p.count({2, 2}, {2, 1}, 1));
  auto b = p.build();
  ir::Node* call = p.call_sum({b.view(state, {4})}, {p.type({4}), p.type({4})});
  p.mutation("state", b.view(call->output(1), {2, 2}));
  p.output(call->output(0));
  EXPECT_THAT(p.instructions(), Contains("aten::copy_"));
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {})[0]), (Floats{1, 2, 3, 4}));
  EXPECT_EQ(state_of(method), (Floats{2, 4, 6, 8}));
}

TEST_F(EngineCallTest, ABufferThatTheEngineOnlyGivesIsWrittenInPlace) {
  ir::Value* x = p.input("x", p.type({3}));
  p.buffer("state", p.count({3}, {1}, 1));
  ir::Node* call = p.call_sum({x}, {p.type({3}), p.type({3})});
  p.mutation("state", call->output(1));
  p.output(call->output(0));
  EXPECT_THAT(p.instructions(), ElementsAre("engine"));
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {floats({3}, {1, 2, 3})})[0]), (Floats{1, 2, 3}));
  EXPECT_EQ(state_of(method), (Floats{2, 4, 6}));
}

TEST_F(EngineCallTest, ABufferThatIsReadAfterTheEngineIsWrittenAtTheEnd) {
  ir::Value* x = p.input("x", p.type({3}));
  ir::Value* state = p.buffer("state", p.count({3}, {1}, 1));
  ir::Node* call = p.call_sum({x}, {p.type({3})});
  auto b = p.build();
  ir::Value* old = b.relu(state);
  p.mutation("state", call->output());
  p.output(old);
  EXPECT_THAT(p.instructions(), ElementsAre("engine", "aten::relu", "aten::copy_"));
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {floats({3}, {4, 5, 6})})[0]), (Floats{1, 2, 3}));
  EXPECT_EQ(state_of(method), (Floats{4, 5, 6}));
}

TEST_F(EngineCallTest, AnInputIsMutated) {
  ir::Value* x = p.input("x", p.type({3}));
  ir::Node* call = p.call_sum({x, x}, {p.type({3})});
  p.mutation(ir::OutputKind::kUserInputMutation, "x", call->output());
  p.output(call->output());
  const slipway::Method method = p.load();
  const Tensor in = floats({3}, {1, 2, 3});
  EXPECT_EQ(to_floats(run(method, {in})[0]), (Floats{2, 4, 6}));
  EXPECT_EQ(to_floats(in), (Floats{2, 4, 6}));
}

TEST_F(EngineCallTest, EqualEnginesAreStoredOnce) {
  ProgramToEmit q[2];
  for (ProgramToEmit& program : q) {
    ir::Value* x = program.input("x", program.type({3}));
    ir::Value* once = program.call_sum({x}, {program.type({3})}, "once")->output();
    program.output(program.call_sum({once, x}, {program.type({3})}, "twice")->output());
    program.make_trees();
  }
  q[1].engines[1].bytes = own_bytes(std::string(5000, 's').replace(0, 3, "sum"));
  q[1].engines[1].record.size = 5000;
  q[1].engines[1].record.sha256 = sha256_hex(q[1].engines[1].bytes.bytes);
  Method first = q[0].method("first");
  first.engine_nodes = {{"relu (aten.relu.default)"}, {}};
  first.outside = {{"cos", "aten.cos.default", "excluded"}};
  auto pieces = emit({first, q[1].method("second")}, {});
  ASSERT_TRUE(pieces.ok()) << pieces.error().message();
  auto bytes = write_to_memory(*pieces);
  ASSERT_TRUE(bytes.ok());
  auto file = File::read(own_bytes(*bytes), "two.pte");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_TRUE(file->verify_checksums().ok());
  const engine::Manifest& manifest = *file->manifest();
  ASSERT_EQ(manifest.segments.size(), 2u);
  EXPECT_EQ(manifest.segments[0].content, "engine");
  EXPECT_EQ(manifest.segments[0].size, 3u);
  EXPECT_EQ(manifest.segments[1].size, 5000u);
  ASSERT_EQ(manifest.methods[0].engines.size(), 2u);
  EXPECT_EQ(manifest.methods[0].engines[0].segment, 0u);
  EXPECT_EQ(manifest.methods[0].engines[1].segment, 0u);
  EXPECT_EQ(manifest.methods[1].engines[0].segment, 0u);
  EXPECT_EQ(manifest.methods[1].engines[1].segment, 1u);
  EXPECT_THAT(manifest.methods[0].engines[0].nodes, ElementsAre("relu (aten.relu.default)"));
  ASSERT_EQ(manifest.methods[0].outside.size(), 1u);
  EXPECT_EQ(manifest.methods[0].outside[0].name, "cos");
  for (size_t i = 0; i < 2; ++i) {
    const auto offset = static_cast<uint64_t>(file->segment(i)->data() - file->bytes().data());
    EXPECT_EQ(offset % kEngineAlignment, 0u);
  }

  auto module = Module::load(std::move(*bytes), "two.pte");
  ASSERT_TRUE(module.ok()) << module.error().message();
  for (const char* name : {"first", "second"}) {
    auto outputs = module->method(name)->run({floats({3}, {1, 2, 3})});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(to_floats((*outputs)[0]), (Floats{2, 4, 6}));
  }
}

TEST_F(EngineCallTest, AnEngineIsCalledTwiceAndAnotherNever) {
  ir::Value* x = p.input("x", p.type({3}));
  ir::Node* unused = p.call_sum({x}, {p.type({3})}, "unused");
  ir::Value* sum = p.call_sum({x, x}, {p.type({3})})->output();
  p.graph().erase(unused);
  p.output(
      p.call(ir::kCallEngine, {SymInt(1), std::vector<ir::Value*>{sum, x}}, p.type({3}), "again"));
  auto bytes = p.emit_bytes();
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  auto file = File::read(own_bytes(*bytes), "file");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->manifest()->methods[0].engines.size(), 1u);
  const slipway::Method method = p.load();
  const size_t before = backend.inits;
  EXPECT_EQ(to_floats(run(method, {floats({3}, {1, 2, 3})})[0]), (Floats{3, 6, 9}));
  EXPECT_EQ(backend.inits, before + 1);
}

TEST_F(EngineCallTest, CallsThatFitNoEngineAreInternalErrors) {
  ir::Value* x = p.input("x", p.type({3}));
  p.output(p.call_sum({x}, {p.type({3})})->output());
  const engine::Engine good = p.engines[0];
  EXPECT_EQ(p.emit_error(), "");
  p.engines[0].record.outputs[0].dtype = "int64";
  EXPECT_THAT(p.emit_error(), HasSubstr("is float32, and the engine's sum is a tensor of int64"));
  p.engines[0] = good;
  p.engines[0].record.inputs.clear();
  EXPECT_THAT(p.emit_error(), HasSubstr("it has 1 inputs and 1 results, and engine 0 has 0 and 1"));
  p.engines[0] = good;
  p.engines[0].record.size = 2;
  EXPECT_THAT(p.emit_error(), HasSubstr("engine 0 has 3 bytes, and its record says 2"));
  p.engines.clear();
  EXPECT_THAT(p.emit_error(), HasSubstr("it calls none of the 0 engines"));
}

TEST_F(EngineCallTest, AFailedCallIsNamed) {
  ir::Value* x = p.input("x", p.type({3}));
  auto b = p.build();
  p.output(p.call_sum({b.relu(x)}, {p.type({3})})->output());
  p.engines[0].record.compile_specs["inputs"] = "7";
  const slipway::Method method = p.load();
  auto outputs = method.run({floats({3}, {1, 2, 3})});
  ASSERT_FALSE(outputs.ok());
  EXPECT_THAT(outputs.error().message(),
              HasSubstr("failed at instruction 1, a call of an engine (from call_engine)"));
}

TEST_F(EngineCallTest, WrongInputsAreNamedBeforeTheEngineRuns) {
  p.program.ranges["s0"] = {1, 5};
  const SymInt s0 = SymInt::symbol("s0");
  ir::Value* x = p.input("x", p.type({s0, 2}));
  ir::Value* y = p.input("y", p.type({s0, 2}));
  p.output(p.call_sum({x, y}, {p.type({s0, 2})})->output());
  const slipway::Method method = p.load();
  const auto error_with = [&](const Value& first, const Value& second) {
    auto outputs = method.run({first, second});
    return outputs.ok() ? "" : outputs.error().message();
  };
  const Tensor right = floats({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(error_with(right, right), "");
  EXPECT_THAT(error_with(right, floats({2, 3}, Floats(6))), HasSubstr("'y'"));
  EXPECT_THAT(error_with(right, floats({3, 2}, Floats(6))), HasSubstr("'y'"));
  EXPECT_THAT(error_with(floats({6, 2}, Floats(12)), right), HasSubstr("'x'"));
  EXPECT_THAT(error_with(floats({4}, Floats(4)), right), HasSubstr("'x'"));
  EXPECT_THAT(error_with(integers({2, 2}, {1, 2, 3, 4}), right), HasSubstr("int64"));
  EXPECT_EQ(error_with(right, right), "");
}

// The file that other tests read; it is also a seed of the fuzz targets.
TEST_F(EngineCallTest, TheSameProgramGivesTheSameFile) {
  p.program.ranges["s0"] = {1, 5};
  const SymInt s0 = SymInt::symbol("s0");
  ir::Value* x = p.input("x", p.type({s0, 2}));
  auto b = p.build();
  p.output(p.call_sum({b.relu(x), x}, {p.type({s0, 2})})->output());
  p.make_trees();
  Method method = p.method();
  method.engine_nodes = {{"add (aten.add.Tensor)", "add_1 (aten.add.Tensor)",
                          "mul (aten.mul.Tensor)", "sub (aten.sub.Tensor)",
                          "neg (aten.neg.default)"}};
  method.outside = {{"cos", "aten.cos.default", "excluded by --exclude-op"},
                    {"relu", "aten.relu.default", "its result loses NaN"},
                    {"relu_1", "aten.relu.default", "its result loses NaN"}};
  engine::EngineRecord& record = method.engines[0].record;
  record.library_version = "1";
  record.device = "CPU";
  record.options = {{"precision", "f32"}};
  record.weight_bytes = 2048;
  auto pieces = emit({method}, {.tool_version = "slipway"});
  ASSERT_TRUE(pieces.ok()) << pieces.error().message();
  auto bytes = write_to_memory(*pieces);
  ASSERT_TRUE(bytes.ok());
  auto stored = MappedFile::open(SLIPWAY_TEST_DATA "/runtime/engine.pte");
  ASSERT_TRUE(stored.ok());
  EXPECT_TRUE(std::ranges::equal(*bytes, (*stored)->bytes()));
}

class DamagedEngineTest : public EngineCallTest {
 protected:
  DamagedEngineTest() {
    ir::Value* x = p.input("x", p.type({3}));
    ir::Value* c = p.constant("c", p.count({3}, {1}, 1));
    p.output(p.call_sum({x, c}, {p.type({3})})->output());
    auto emitted = p.emit_bytes();
    EXPECT_TRUE(emitted.ok());
    bytes = *emitted;
    auto file = File::read({bytes, nullptr}, "file");
    EXPECT_TRUE(file.ok());
    program_size = file->program_size();
    engine = static_cast<size_t>(file->segment(1)->data() - bytes.data());
    manifest = *file->manifest();
    const auto text = *file->named_data(std::string(engine::kManifestKey));
    manifest_at = static_cast<size_t>(text.data() - bytes.data());
  }

  // "" where it ran.
  static std::string run_error(const std::vector<std::byte>& file) {
    auto module = Module::load(file, "damaged.pte");
    if (!module.ok()) return module.error().message();
    auto outputs = module->method()->run({floats({3}, {1, 1, 1})});
    return outputs.ok() ? "" : outputs.error().message();
  }

  std::vector<std::byte> bytes;
  size_t program_size = 0;
  size_t engine = 0;  // where it begins
  engine::Manifest manifest;
  size_t manifest_at = 0;
};

TEST_F(DamagedEngineTest, TheBackendNeverSeesADamagedEngine) {
  ASSERT_EQ(run_error(bytes), "");
  const size_t inits = backend.inits;
  for (size_t i = 0; i < 3; ++i) {
    std::vector<std::byte> damaged = bytes;
    damaged[engine + i] ^= std::byte{1};
    EXPECT_THAT(run_error(damaged),
                HasSubstr("damaged.pte: segment 1 (engine) does not have its checksum; the file is "
                          "damaged: copy it again"));
  }
  EXPECT_EQ(backend.inits, inits);
}

TEST_F(DamagedEngineTest, EveryTruncationIsFound) {
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(run_error({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)}), "") << size;
  }
}

TEST_F(DamagedEngineTest, NoFlipCrashes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= std::byte{0x11};
    const std::string error = run_error(bytes);
    // Constants give other numbers, and padding is compared on request.
    const bool in_engine = i >= engine && i < engine + 3;
    if (i < program_size || in_engine || i >= manifest_at) {
      EXPECT_NE(error, "") << i;
    }
    bytes[i] ^= std::byte{0x11};
  }
}

// Whoever damages a file on purpose puts the checksums right.
TEST_F(DamagedEngineTest, NoFlipWithRightChecksumsCrashes) {
  for (size_t i = 40; i < program_size; ++i) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      std::vector<std::byte> damaged = bytes;
      damaged[i] ^= static_cast<std::byte>(mask);
      manifest.program_xxh3 = xxh3_hex(std::span(damaged).first(program_size));
      const std::string text = engine::write_manifest(manifest);
      std::memcpy(damaged.data() + manifest_at, text.data(), text.size());
      static_cast<void>(run_error(damaged));
    }
  }
}

}  // namespace
}  // namespace slipway::pte
