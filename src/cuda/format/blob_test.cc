// An engine's bytes: written and read again, and refused where they are damaged.
#include "cuda/format/blob.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/format/check.h"
#include "cuda/format/description.h"
#include "cuda/format/engine_maker_test.h"
#include "cuda/format/plans.h"
#include "cuda/format/steps.h"

namespace slipway::cuda {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// choosing() with a fourth way, by a library.
EngineMaker multiplying() {
  EngineMaker maker = choosing();
  const table::LaunchT& scale = *maker.engine.steps.at(0).AsLaunch();
  const uint32_t three = maker.number(3);
  table::ProductT product;
  product.type = 5;
  product.m = product.n = product.k = product.a_stride = product.b_stride = three;
  product.a = scale.reads.at(0);
  product.b = scale.reads.at(1);
  product.bias = product.b + 1;
  product.d = scale.writes.at(0);
  product.workspace = maker.buffer(table::Home::Scratch, maker.number(64));
  product.origin = "aten.linear.default";
  product.choice = 1;
  product.alternative = 3;
  product.plan = "cuBLASLt";
  table::StepUnion step;
  step.Set(std::move(product));
  maker.engine.steps.insert(maker.engine.steps.begin() + 3, std::move(step));
  return maker;
}

// choosing() with a fourth way, a convolution of one place by a library, and room for a plan.
EngineMaker convolving() {
  EngineMaker maker = choosing();
  table::LibraryGraphT graph;
  graph.type = 5;
  const uint32_t bytes = maker.number(2 * 8);
  for (size_t i = 0; i < 5; ++i) {
    auto tensor = std::make_unique<table::GraphTensorT>();
    tensor->buffer = maker.buffer(table::Home::Scratch, bytes);
    tensor->sizes = {1, 2, 2, 2};
    tensor->strides = {8, 1, 4, 2};
    graph.tensors.push_back(std::move(tensor));
  }
  graph.tensors[1]->sizes = {2, 2, 1, 1};
  graph.tensors[1]->strides = {2, 1, 1, 1};
  graph.tensors[3]->sizes = {1, 2, 1, 1};
  graph.has_bias = graph.has_c = true;
  graph.strides = graph.dilations = {1, 1};
  graph.pads = {0, 0};
  graph.workspace = maker.buffer(table::Home::Scratch, maker.number(64));
  graph.origin = "aten.conv2d.default";
  graph.choice = 1;
  graph.alternative = 3;
  graph.plan = "cuDNN";
  table::StepUnion step;
  step.Set(std::move(graph));
  maker.engine.steps.insert(maker.engine.steps.begin() + 3, std::move(step));
  maker.engine.plans.resize(64);
  return maker;
}

void expect_refused(const table::EngineT& engine, const char* why) {
  const Status checked = check_engine(engine, 1 << 20);
  ASSERT_FALSE(checked.ok()) << why;
  EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidFile);
  EXPECT_THAT(checked.error().message(), HasSubstr(why));
}

std::string error_of(std::span<const std::byte> bytes) {
  const auto blob = read_blob(bytes);
  return blob.ok() ? "" : blob.error().message();
}

TEST(CudaBlob, IsReadAsItWasWritten) {
  EngineMaker maker = affine();
  maker.constant({7, 8});
  maker.engine.flags = {"an index is out of range"};
  maker.images.emplace_back("sm_90", "machine code");
  const auto bytes = maker.blob();
  const auto blob = read_blob(bytes);
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  const table::EngineT& engine = blob->engine;
  EXPECT_THAT(engine.kernels, ElementsAre("scale", "shift"));
  EXPECT_THAT(engine.flags, ElementsAre("an index is out of range"));
  EXPECT_EQ(engine.steps.size(), 2u);
  EXPECT_EQ(engine.steps.at(0).AsLaunch()->origin, "aten.mul.Tensor");
  EXPECT_EQ(engine.numbers.size(), maker.engine.numbers.size());
  const table::ImageT& image = *engine.images.at(1);
  EXPECT_EQ(image.target, "sm_90");
  EXPECT_EQ(std::memcmp(blob->images.data() + image.offset, "machine code", image.size), 0);
  EXPECT_EQ(blob->constants.size(), 256u + 2 * sizeof(float));
  EXPECT_EQ((blob->constants.data() - bytes.data()) % kConstantsAlignment, 0);
  Floats second(2);
  std::memcpy(second.data(), blob->constants.data() + 256, 8);
  EXPECT_EQ(second, (Floats{7, 8}));
}

TEST(CudaBlob, HoldsProductsOfALibrary) {
  EngineMaker maker = multiplying();
  maker.engine.choices = {3};
  const auto bytes = maker.blob();
  const auto blob = read_blob(bytes);
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  const table::EngineT& engine = blob->engine;
  const StepInfo info = info_of(engine.steps.at(3));
  EXPECT_EQ(info.origin, "aten.linear.default");
  EXPECT_EQ(info.library, Library::kCublasLt);
  EXPECT_TRUE(is_chosen(engine, engine.steps.at(3)));
  EXPECT_EQ(reads_of(engine.steps.at(3)).size(), 3u);
  EXPECT_EQ(writes_of(engine.steps.at(3)).size(), 2u);
  EXPECT_THAT(*choices_for(engine, {"compute_10", true}, engine.choices), ElementsAre(3));
  EXPECT_THAT(*choices_for(engine, {"compute_10", false}, engine.choices), ElementsAre(0));
  const auto summary = kDescription.summarize(bytes);
  EXPECT_THAT(summary->lines, testing::Contains(HasSubstr("1 product(s) a call by cuBLASLt")));
  EXPECT_THAT(summary->json, HasSubstr(R"("launches":1,"cublaslt_calls":1)"));
}

TEST(CudaBlob, HoldsGraphsOfALibrary) {
  EngineMaker maker = convolving();
  maker.engine.choices = {3};
  const auto bytes = maker.blob();
  const auto blob = read_blob(bytes);
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  const table::EngineT& engine = blob->engine;
  const StepInfo info = info_of(engine.steps.at(3));
  EXPECT_EQ(info.origin, "aten.conv2d.default");
  EXPECT_EQ(info.library, Library::kCudnn);
  EXPECT_EQ(reads_of(engine.steps.at(3)).size(), 4u);
  EXPECT_EQ(writes_of(engine.steps.at(3)).size(), 2u);
  size_t asked = 0;
  Surroundings here = {"compute_10"};
  EXPECT_THAT(*choices_for(engine, here, engine.choices), ElementsAre(0));
  here.computes = [&](const table::LibraryGraphT&) { return ++asked > 0; };
  EXPECT_THAT(*choices_for(engine, here, engine.choices), ElementsAre(3));
  EXPECT_EQ(asked, 1u);
  EXPECT_THAT(*choices_for(engine, here, {0}), ElementsAre(0));
  EXPECT_EQ(asked, 1u);  // A plan takes time.
  const auto summary = kDescription.summarize(bytes);
  EXPECT_THAT(summary->lines,
              testing::Contains(HasSubstr("1 convolution(s) and attention(s) a call by cuDNN")));
  EXPECT_THAT(summary->json, HasSubstr(R"("launches":1,"cudnn_calls":1)"));
}

TEST(CudaBlob, PlansOfALibraryAreWrittenOverInPlace) {
  const auto bytes = convolving().blob();
  const auto with = [&](const std::map<uint32_t, std::string>& plans) {
    const auto changes = kDescription.choose(bytes, {{3}, "a GPU", plans});
    EXPECT_TRUE(changes.ok()) << changes.error().message();
    return changed(bytes, *changes);
  };
  const auto blob = read_blob(with({{3, "a plan"}}));
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  EXPECT_THAT(*read_plans(blob->engine), ElementsAre(std::pair(3u, std::string_view("a plan"))));
  // Where there is no room it is left out.
  EXPECT_TRUE(read_plans(read_blob(with({{3, std::string(57, 'x')}}))->engine)->empty());
  EXPECT_EQ(read_plans(read_blob(with({{3, std::string(56, 'x')}}))->engine)->size(), 1u);
  const auto changes = kDescription.choose(bytes, {{3}, "", {{2, "of a launch"}}});
  EXPECT_THAT(changes.error().message(), HasSubstr("a plan of 11 bytes for step 2 of 5"));
  EngineMaker damaged = convolving();
  static_cast<void>(damaged.blob());
  damaged.engine.plans.assign(16, uint8_t{3});
  EXPECT_THAT(check_engine(damaged.engine, 1 << 20).error().message(), HasSubstr("a plan of"));
}

TEST(CudaBlob, MayLieAtAnyAddress) {
  const auto bytes = affine().blob();
  for (size_t shift = 1; shift < 9; ++shift) {
    std::vector<std::byte> moved(shift);
    moved.insert(moved.end(), bytes.begin(), bytes.end());
    EXPECT_TRUE(read_blob(std::span(moved).subspan(shift)).ok()) << shift;
  }
}

TEST(CudaBlob, CutShortIsRefused) {
  for (const auto& bytes : {affine().blob(), multiplying().blob(), convolving().blob()}) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_NE(error_of(std::span(bytes).first(size)), "") << size;
    }
  }
}

TEST(CudaBlob, ChoicesAreWrittenOverInPlace) {
  const auto bytes = choosing().blob();
  EXPECT_EQ(*kDescription.count_choices(bytes), 1u);
  const std::vector<uint8_t> choices = {2};
  const auto changes = kDescription.choose(bytes, {choices, "a GPU, CUDA 13.0", {}});
  ASSERT_TRUE(changes.ok()) << changes.error().message();
  const auto tuned = changed(bytes, *changes);
  const auto blob = read_blob(tuned);
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  EXPECT_THAT(blob->engine.choices, ElementsAre(2));
  EXPECT_EQ(chosen_device(blob->engine), "a GPU, CUDA 13.0");
  // Nothing else is another one, and a choice can be taken back.
  const std::vector<uint8_t> none = {0};
  EXPECT_EQ(changed(tuned, *kDescription.choose(tuned, {none, "", {}})), bytes);
  const auto long_name = kDescription.choose(bytes, {none, std::string(200, 'x'), {}});
  EXPECT_EQ(chosen_device(read_blob(changed(bytes, *long_name))->engine),
            std::string(kDeviceRoom - 1, 'x'));
  const auto summary = kDescription.summarize(tuned);
  EXPECT_THAT(summary->lines.at(0), HasSubstr("4 kernels, 2 launches a call"));
  EXPECT_THAT(summary->lines.back(),
              HasSubstr("1 choice(s) among ways to compute, tuned on a GPU"));
  EXPECT_THAT(summary->json, HasSubstr(R"("choices":[2],"alternatives":[3],"tuned_on":"a GPU)"));
}

TEST(CudaBlob, ChoicesThatThereAreNotAreRefused) {
  const auto bytes = choosing().blob();
  const auto error = [&](const std::vector<uint8_t>& choices) {
    return kDescription.choose(bytes, {choices, "", {}}).error().message();
  };
  EXPECT_THAT(error({3}), HasSubstr("choice 1 is of alternative 3 of 3"));
  EXPECT_THAT(error({0, 0}), HasSubstr("2 choices are made, and there are 1"));
  EXPECT_EQ(*kDescription.count_choices(affine().blob()), 0u);
  EXPECT_TRUE(kDescription.choose(affine().blob(), {{}, "a GPU", {}})->empty());
}

// What is read of a damaged engine lies within its bytes; most damage is noticed.
TEST(CudaBlob, WithAChangedByteIsRefusedOrSound) {
  const auto bytes = multiplying().blob();
  const size_t end = bytes.size() - 12;  // the constants
  size_t refused = 0;
  for (size_t at = 0; at < std::min<size_t>(end, 3000); ++at) {
    for (const unsigned mask : {0x01u, 0x80u, 0xffu}) {
      auto damaged = bytes;
      damaged[at] ^= static_cast<std::byte>(mask);
      const auto blob = read_blob(damaged);
      refused += blob.ok() ? 0 : 1;
      if (!blob.ok()) continue;
      EXPECT_TRUE(check_engine(blob->engine, blob->images.size()).ok());
    }
  }
  EXPECT_GT(refused, 300u);
}

TEST(CudaBlob, OfAnotherVersionOrWithoutATableSaysSo) {
  auto bytes = affine().blob();
  bytes[8] = std::byte{2};
  EXPECT_THAT(error_of(bytes),
              HasSubstr("it is of version 2, and this version of Slipway reads 1"));
  bytes[8] = std::byte{1};
  const auto table_bytes = std::span(bytes).subspan(24, 8);
  std::fill(table_bytes.begin(), table_bytes.end(), std::byte{0});
  EXPECT_THAT(error_of(bytes), HasSubstr("it has no table"));
  bytes[0] = std::byte{'X'};
  EXPECT_THAT(error_of(bytes), HasSubstr("SLIPCUDA"));
  EXPECT_FALSE(begins_blob(bytes));
}

// Each wrong in one way: the writer refuses to write it, as the reader would to read it.
TEST(CudaBlob, WhatIsWrongInTheTableIsNamed) {
  using Change = std::function<void(table::EngineT&)>;
  const std::vector<std::pair<const char*, Change>> cases = {
      {"kernel 9", [](auto& e) { e.steps[0].AsLaunch()->kernel = 9; }},
      {"number 99", [](auto& e) { e.steps[0].AsLaunch()->grid[2] = 99; }},
      {"without three sizes", [](auto& e) { e.steps[0].AsLaunch()->grid.pop_back(); }},
      {"without three sizes", [](auto& e) { e.steps[0].AsLaunch()->block.push_back(1); }},
      {"the size 0", [](auto& e) { e.steps[0].AsLaunch()->block[1] = 0; }},
      {"the size 1025", [](auto& e) { e.steps[0].AsLaunch()->block[1] = 1025; }},
      {"2048 threads", [](auto& e) { e.steps[0].AsLaunch()->block[1] = 64; }},
      {"shared memory", [](auto& e) { e.steps[0].AsLaunch()->shared_bytes = 300'000; }},
      {"buffer 77", [](auto& e) { e.steps[0].AsLaunch()->reads[0] = 77; }},
      {"buffer 78", [](auto& e) { e.steps[0].AsLaunch()->writes[0] = 78; }},
      {"writes an input", [](auto& e) { e.steps[0].AsLaunch()->writes[0] = 0; }},
      {"writes an input or constant", [](auto& e) { e.steps[0].AsLaunch()->writes[0] = 1; }},
      {"neither reads nor writes", [](auto& e) { e.steps[0].AsLaunch()->reads.pop_back(); }},
      {"number 55",
       [](auto& e) {
         e.steps[0].AsLaunch()->arguments[0] = {table::ArgumentKind::Number, 55};
       }},
      {"unknown kind",
       [](auto& e) {
         e.steps[0].AsLaunch()->arguments[0] = {static_cast<table::ArgumentKind>(7), 0};
       }},
      {"a step is of an unknown kind", [](auto& e) { e.steps[0].Reset(); }},
      {"earlier number 2", [](auto& e) { e.numbers[2]->a = 2; }},
      {"earlier number 40", [](auto& e) { e.numbers[2]->b = 40; }},
      {"unknown kind 33", [](auto& e) { e.numbers[1]->kind = static_cast<table::NumberKind>(33); }},
      {"input 4", [](auto& e) { e.numbers[0]->a = 4; }},
      {"dimension 2", [](auto& e) { e.numbers[0]->b = 2; }},
      {"not int64", [](auto& e) { e.numbers[0]->kind = table::NumberKind::Element; }},
      {"number 66", [](auto& e) { e.buffers[0]->bytes = 66; }},
      {"input 3", [](auto& e) { e.buffers[0]->position = 3; }},
      {"output 3", [](auto& e) { e.buffers[3]->position = 3; }},
      {"unknown place", [](auto& e) { e.buffers[0]->home = static_cast<table::Home>(9); }},
      {"size of a constant", [](auto& e) { e.buffers[1]->bytes = 0; }},
      {"does not lie within", [](auto& e) { e.buffers[1]->offset = 256; }},
      {"does not lie within", [](auto& e) { e.buffers[1]->offset = 8; }},
      {"does not lie within", [](auto& e) { e.numbers[e.buffers[1]->bytes]->value = 13; }},
      {"unknown type 99", [](auto& e) { e.inputs[0]->type = 99; }},
      {"17 dimensions", [](auto& e) { e.outputs[0]->sizes.resize(17); }},
      {"number 44", [](auto& e) { e.outputs[0]->sizes[0] = 44; }},
      {"an image for 'gpu'", [](auto& e) { e.images[0]->target = "gpu"; }},
      {"an image for 'sm_'", [](auto& e) { e.images[0]->target = "sm_"; }},
      {"an image for 'sm_90b'", [](auto& e) { e.images[0]->target = "sm_90b"; }},
      {"an image for 'compute_90a'", [](auto& e) { e.images[0]->target = "compute_90a"; }},
      {"the name 'a b'", [](auto& e) { e.kernels[0] = "a b"; }},
      {"5000 flags", [](auto& e) { e.flags.resize(5000); }},
  };
  for (const auto& [why, change] : cases) {
    EngineMaker maker = affine();
    static_cast<void>(maker.blob());  // The images' places, and the constants' size.
    change(maker.engine);
    expect_refused(maker.engine, why);
    const std::vector<std::string> images = {"x"};
    EXPECT_EQ(write_blob(maker.engine, images, maker.constants, [](auto) { return Status(); })
                  .error()
                  .code(),
              ErrorCode::kInternal)
        << why;
  }
}

TEST(CudaBlob, WhatIsWrongWithChoicesIsNamed) {
  using Change = std::function<void(table::EngineT&)>;
  const std::vector<std::pair<const char*, Change>> cases = {
      {"choice 2 of 1", [](auto& e) { e.steps[1].AsLaunch()->choice = 2; }},
      {"choice 1 lacks an alternative", [](auto& e) { e.steps[1].AsLaunch()->alternative = 7; }},
      {"choice 1 is of alternative 3 of 3", [](auto& e) { e.choices[0] = 3; }},
      {"choice 2 is of alternative 0 of 0", [](auto& e) { e.choices.push_back(0); }},
      {"5 choices, and 4 steps", [](auto& e) { e.choices.resize(5); }},
      {"a launch for one image alone is of no choice",
       [](auto& e) {
         e.steps[0].AsLaunch()->choice = 0;
         e.steps[0].AsLaunch()->target = "sm_90a";
       }},
      {"has 127 bytes", [](auto& e) { e.device.pop_back(); }},
      {"what 0 choices were made on has 128 bytes", [](auto& e) { e.choices.clear(); }},
  };
  for (const auto& [why, change] : cases) {
    EngineMaker maker = choosing();
    static_cast<void>(maker.blob());
    change(maker.engine);
    expect_refused(maker.engine, why);
  }
}

TEST(CudaBlob, WhatIsWrongWithProductsIsNamed) {
  using Change = std::function<void(table::ProductT&)>;
  const std::vector<std::pair<const char*, Change>> cases = {
      {"is of the type 6", [](auto& p) { p.type = 6; }},
      {"number 99", [](auto& p) { p.k = 99; }},
      {"number 98", [](auto& p) { p.b_stride = 98; }},
      {"buffer 77", [](auto& p) { p.b = 77; }},
      {"buffer 76", [](auto& p) { p.bias = 77; }},
      {"buffer 75", [](auto& p) { p.c = 76; }},
      {"a product writes an input or constant", [](auto& p) { p.d = p.a; }},
      {"a product writes an input or constant", [](auto& p) { p.workspace = p.b; }},
      {"what a library computes is of no choice", [](auto& p) { p.choice = 0; }},
      {"choice 4 of 1", [](auto& p) { p.choice = 4; }},
      {"choice 1 lacks an alternative", [](auto& p) { p.alternative = 5; }},
  };
  for (const auto& [why, change] : cases) {
    EngineMaker maker = multiplying();
    static_cast<void>(maker.blob());
    change(*maker.engine.steps.at(3).AsProduct());
    expect_refused(maker.engine, why);
  }
}

TEST(CudaBlob, WhatIsWrongWithGraphsOfALibraryIsNamed) {
  using Change = std::function<void(table::LibraryGraphT&)>;
  constexpr uint64_t kMost = uint64_t{1} << 31;
  const std::vector<std::pair<const char*, Change>> cases = {
      {"is of the type 6", [](auto& g) { g.type = 6; }},
      {"of the unknown kind 7", [](auto& g) { g.kind = static_cast<table::LibraryGraphKind>(7); }},
      {"of the unknown kind 0, 9",
       [](auto& g) { g.activation = static_cast<table::LibraryActivation>(9); }},
      {"has 5 tensors, and not 4", [](auto& g) { g.has_c = false; }},
      {"has 4 tensors, and not 5", [](auto& g) { g.tensors.pop_back(); }},
      {"buffer 77", [](auto& g) { g.tensors[1]->buffer = 77; }},
      {"buffer 76", [](auto& g) { g.workspace = 76; }},
      {"does not lie within", [](auto& g) { g.tensors[0]->offset = 1; }},
      {"does not lie within", [](auto& g) { g.tensors[0]->strides[0] = kMost; }},
      {"does not lie within", [](auto& g) { g.tensors[0]->strides.pop_back(); }},
      {"does not lie within", [](auto& g) { g.tensors[2]->sizes[1] = 0; }},
      {"does not lie within", [](auto& g) { g.tensors[2]->sizes[2] = kMost - 1; }},
      {"do not fit together", [](auto& g) { g.tensors[1]->sizes[1] = 1; }},
      {"do not fit together", [](auto& g) { g.tensors[3]->sizes[1] = 1; }},
      {"do not fit together", [](auto& g) { g.tensors[4]->sizes[3] = 1; }},
      {"do not fit together", [](auto& g) { g.strides[0] = 2; }},
      {"do not fit together", [](auto& g) { g.strides[1] = 0; }},
      {"do not fit together",
       [](auto& g) {
         g.pads = {1, 1, 1};
       }},
      {"do not fit together", [](auto& g) { g.dilations.clear(); }},
      {"what a library computes is of no choice", [](auto& g) { g.choice = 0; }},
  };
  for (const auto& [why, change] : cases) {
    EngineMaker maker = convolving();
    static_cast<void>(maker.blob());
    change(*maker.engine.steps.at(3).AsLibraryGraph());
    expect_refused(maker.engine, why);
  }
  // A product of matrices.
  {
    EngineMaker maker = convolving();
    static_cast<void>(maker.blob());
    table::LibraryGraphT& graph = *maker.engine.steps.at(3).AsLibraryGraph();
    graph.kind = table::LibraryGraphKind::Product;
    EXPECT_FALSE(check_engine(maker.engine, 1 << 20).ok());
    for (auto& tensor : graph.tensors) tensor->sizes = {1, 1, 2, 2};
    graph.tensors[3]->sizes[2] = 1;
    EXPECT_TRUE(check_engine(maker.engine, 1 << 20).ok());
    graph.tensors[1]->sizes[2] = 1;
    EXPECT_FALSE(check_engine(maker.engine, 1 << 20).ok());
  }
  // Attention of four heads, which share two of keys and values.
  EngineMaker maker = convolving();
  static_cast<void>(maker.blob());
  table::LibraryGraphT& graph = *maker.engine.steps.at(3).AsLibraryGraph();
  graph.kind = table::LibraryGraphKind::Attention;
  graph.tensors.pop_back();
  for (auto& tensor : graph.tensors) tensor->sizes = {1, 4, 1, 2};
  for (auto& tensor : graph.tensors) tensor->strides = {8, 2, 2, 1};
  for (const size_t i : {1, 2}) graph.tensors[i]->sizes[1] = 2;
  EXPECT_TRUE(check_engine(maker.engine, 1 << 20).ok());
  graph.tensors[2]->sizes[1] = 1;
  EXPECT_FALSE(check_engine(maker.engine, 1 << 20).ok());
  graph.tensors[1]->sizes[1] = 1;
  EXPECT_TRUE(check_engine(maker.engine, 1 << 20).ok());
  graph.tensors[3]->sizes[1] = 2;
  EXPECT_FALSE(check_engine(maker.engine, 1 << 20).ok());
}

// A list that many launches share takes no room, and would be copied for each.
TEST(CudaBlob, WhoseListsAreSharedIsRefused) {
  flatbuffers::FlatBufferBuilder builder;
  const auto many = builder.CreateVector(std::vector<uint32_t>(1000));
  const auto launch = table::CreateLaunch(builder, 0, many, many);
  const std::vector<table::Step> types(100, table::Step::Launch);
  const auto types_offset =
      builder.CreateVector(reinterpret_cast<const uint8_t*>(types.data()), types.size());
  const auto steps =
      builder.CreateVector(std::vector<flatbuffers::Offset<void>>(100, launch.Union()));
  table::EngineBuilder engine(builder);
  engine.add_steps_type(flatbuffers::Offset<flatbuffers::Vector<table::Step>>(types_offset.o));
  engine.add_steps(steps);
  table::FinishEngineBuffer(builder, engine.Finish());

  auto bytes = affine().blob();
  const uint64_t place[2] = {bytes.size(), builder.GetSize()};
  std::memcpy(bytes.data() + 16, place, sizeof place);
  const auto* const table = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  bytes.insert(bytes.end(), table, table + builder.GetSize());
  EXPECT_THAT(error_of(bytes), HasSubstr("describes"));
}

TEST(CudaDescription, ShowsWhatAnEngineHolds) {
  const auto bytes = affine().blob();
  const auto summary = kDescription.summarize(bytes);
  ASSERT_TRUE(summary.ok()) << summary.error().message();
  EXPECT_THAT(summary->lines.at(0), HasSubstr("2 kernels, 2 launches a call"));
  EXPECT_THAT(summary->lines.at(1), HasSubstr("compute_10"));
  EXPECT_FALSE(kDescription.summarize(std::span(bytes).first(100)).ok());
}

TEST(CudaDescription, TellsTheDelegateTheOptionsThatItTakes) {
  LoadOptions options;
  EXPECT_TRUE(kDescription.load_settings(options).empty());
  options.device = "cuda:1";
  options.cuda_graphs = false;
  const auto settings = kDescription.load_settings(options);
  ASSERT_EQ(settings.size(), 2u);
  EXPECT_STREQ(settings[0].first, kDeviceOption);
  EXPECT_EQ(std::get<std::string>(settings[0].second), "cuda:1");
  EXPECT_STREQ(settings[1].first, kGraphsOption);
  EXPECT_FALSE(std::get<bool>(settings[1].second));
}

}  // namespace
}  // namespace slipway::cuda
