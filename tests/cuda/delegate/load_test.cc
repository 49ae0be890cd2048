// Engines that load and those that don't: for other devices, damaged, without memory, with options.
#include "cuda/delegate/delegate_test.h"
#include "engine/description.h"

namespace slipway::cuda {
namespace {

using testing::HasSubstr;

class CudaLoad : public CudaDelegateTest {
 protected:
  static et::BackendOption text_option(const char* key, const char* value) {
    et::BackendOption option{};
    std::strcpy(option.key, key);
    std::array<char, et::kMaxOptionValueLength> text{};
    std::strcpy(text.data(), value);
    option.value = text;
    return option;
  }
  void expect_runs(Handle& engine) {
    ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
    TestTensor x({1, 3}, {1, 2, 3});
    TestTensor y({1, 3}, Floats(3));
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.data(), (Floats{4, 42, 602}));
  }
};

// An engine whose images are these; what is no source of the host's can't be loaded.
std::vector<std::byte> with_targets(const std::vector<std::string>& targets,
                                    const std::string& good = "") {
  EngineMaker maker = affine();
  const std::string source = maker.images.at(0).second;
  maker.images.clear();
  for (const std::string& target : targets) {
    maker.images.emplace_back(target, target == good ? source : "\177ELF for " + target);
  }
  return maker.blob();
}

// Of the program's engines, as long as they are there.
TEST_F(CudaLoad, TellsTheDeviceOfAProgram) {
  const auto device_of = [](const char* program) {
    std::array asked = {text_option(engine::kProgramOption, program), et::BackendOption{}};
    std::strcpy(asked[1].key, engine::kCudaDeviceOption);
    asked[1].value = -1;
    const et::Error error = et::get_option(kBackend, {asked.data(), asked.size()});
    return error == et::Error::Ok ? std::get<int>(asked[1].value) : -1;
  };
  const auto load = [](const char* program, const char* device) {
    return std::make_unique<Handle>(affine().blob(), Handle::Specs{},
                                    std::vector{text_option(engine::kProgramOption, program),
                                                text_option("target_device", device)});
  };
  EXPECT_EQ(device_of("a"), -1);
  const auto first = load("a", "cuda:1");
  const auto other = load("b", "cuda:0");
  EXPECT_EQ(device_of("a"), 1);
  EXPECT_EQ(device_of("b"), 0);
  auto second = load("a", "cuda:0");
  EXPECT_EQ(device_of("a"), -1) << "there are two";
  second.reset();
  EXPECT_EQ(device_of("a"), 1);
}

TEST_F(CudaLoad, TakesTheImageThatIsBestForTheDevice) {
  if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
  const std::vector<std::string> all = {"sm_80", "compute_80", "sm_86",
                                        "sm_90", "compute_90", "sm_120"};
  const std::vector<std::pair<int, const char*>> expected = {{86, "sm_86"},       {89, "sm_86"},
                                                             {80, "sm_80"},       {90, "sm_90"},
                                                             {100, "compute_90"}, {121, "sm_120"}};
  for (const auto& [capability, target] : expected) {
    driver.capability = capability;
    Handle engine(with_targets(all, target));
    EXPECT_EQ(engine.error(), et::Error::Ok) << capability << engine.log();
  }
}

// Machine code with what only its own capability has.
TEST_F(CudaLoad, TakesWhatIsForItsCapabilityAloneFirstAndNoOthers) {
  if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
  driver.capability = 90;
  Handle hopper(with_targets({"sm_90", "sm_90a"}, "sm_90a"));
  expect_runs(hopper);
  driver.capability = 86;
  Handle ampere(with_targets({"sm_80a", "compute_80"}, "compute_80"));
  expect_runs(ampere);
}

TEST_F(CudaLoad, TakesPtxWhereTheDriverRefusesMachineCode) {
  if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
  driver.capability = 87;
  Handle engine(with_targets({"sm_86", "compute_80"}, "compute_80"));
  expect_runs(engine);
}

TEST_F(CudaLoad, SaysWhatItHasAndWhatIsHereForAnotherDevice) {
  if (driver.is_real) GTEST_SKIP() << "the GPU may be any";
  driver.capability = 75;
  Handle engine(with_targets({"sm_80", "sm_90", "compute_80"}));
  EXPECT_EQ(engine.error(), et::Error::DelegateInvalidCompatibility);
  EXPECT_THAT(engine.log(), HasSubstr("kernels for sm_80, sm_90, compute_80"));
  EXPECT_THAT(engine.log(), HasSubstr("compute capability 7.5"));
  EXPECT_THAT(engine.log(), HasSubstr("sm_75"));
}

TEST_F(CudaLoad, SaysThatTheDriverIsTooOldForThePtx) {
  if (driver.is_real) GTEST_SKIP() << "the driver may be new";
  driver.module_error = 222;
  Handle engine(affine().blob());
  EXPECT_EQ(engine.error(), et::Error::DelegateInvalidCompatibility);
  EXPECT_THAT(engine.log(), HasSubstr("the driver is of CUDA 13.2, which is older than the PTX"));
  EXPECT_THAT(engine.log(), HasSubstr("compile the model for sm_86"));
}

TEST_F(CudaLoad, KernelsThatAreNotInTheImageAreAnError) {
  EngineMaker maker = affine();
  maker.engine.kernels.at(1) = "elsewhere";
  Handle engine(maker.blob());
  EXPECT_NE(engine.error(), et::Error::Ok);
  EXPECT_THAT(engine.log(), HasSubstr("there is no kernel elsewhere"));
}

TEST_F(CudaLoad, DamagedBytesAreAnErrorWhereverTheyAre) {
  const std::vector<std::byte> whole = affine().blob();
  for (size_t size = 0; size < whole.size(); size += size < 600 ? 7 : 501) {
    Handle engine({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)});
    ASSERT_EQ(engine.error(), et::Error::InvalidProgram) << size;
    ASSERT_THAT(engine.log(), HasSubstr("its bytes can't be read")) << size;
  }
}

TEST_F(CudaLoad, TheOptionSaysWhichDeviceAndTheFileWhereItDoesNot) {
  if (driver.devices < 2) GTEST_SKIP() << "it takes two GPUs";
  DeviceFloats given({1, 2, 3}, 1);
  DeviceFloats taken(Floats(3), 1);
  TestTensor x({1, 3}, {}, aten::ScalarType::Float, false, given.data());
  TestTensor y({1, 3}, {}, aten::ScalarType::Float, false, taken.data());
  Handle by_option(affine().blob(), {{"target_device", "cuda:0"}},
                   {text_option("target_device", "cuda:1")});
  EXPECT_EQ(by_option.run({&x, &y}), et::Error::Ok) << by_option.log();
  Handle by_file(affine().blob(), {{"target_device", "cuda:1"}});
  EXPECT_EQ(by_file.run({&x, &y}), et::Error::Ok) << by_file.log();
  EXPECT_EQ(taken.floats(), (Floats{4, 42, 602}));
}

TEST_F(CudaLoad, DevicesThatAreNotThereAreNamed) {
  Handle missing(affine().blob(), {{"target_device", "cuda:63"}});
  EXPECT_EQ(missing.error(), et::Error::NotFound);
  EXPECT_THAT(missing.log(), HasSubstr("there is no cuda:63"));
  for (const char* wrong : {"cpu", "cuda:", "cuda:x", "cuda:-1", ""}) {
    Handle engine(affine().blob(), {{"target_device", wrong}});
    EXPECT_EQ(engine.error(), et::Error::InvalidProgram) << wrong;
    EXPECT_THAT(engine.log(), HasSubstr("must be such as 'cuda:0'"));
  }
}

TEST_F(CudaLoad, WithoutMemoryLoadingAndCallsFailAndLaterOnesDoNot) {
  EngineMaker maker = affine();
  maker.constant(Floats(1 << 20));
  const auto blob = maker.blob();
  driver.memory = 1 << 20;
  Handle too_large(blob);
  EXPECT_EQ(too_large.error(), et::Error::MemoryAllocationFailed);
  EXPECT_THAT(too_large.log(), HasSubstr("free="));
  driver.memory = size_t{1} << 30;
  Handle engine(blob);
  expect_runs(engine);
  driver.memory = driver.used + 4096;
  TestTensor x({4096, 3}, Floats(12288, 1));
  TestTensor y({4096, 3}, Floats(12288));
  EXPECT_EQ(engine.run({&x, &y}), et::Error::MemoryAllocationFailed);
  EXPECT_THAT(engine.log(), HasSubstr("free="));
  driver.memory = size_t{1} << 30;
  expect_runs(engine);
}

TEST_F(CudaLoad, SetOptionTakesGraphsAlone) {
  Handle engine(affine().blob());
  auto* const backend = et::get_backend_class(kBackend);
  ASSERT_NE(backend, nullptr);
  et::BackendOptionContext context;
  et::BackendOption wrong = text_option("weights", "1");
  EXPECT_EQ(backend->set_option(context, {&wrong, 1}), et::Error::InvalidArgument);
  et::BackendOption text = text_option("use_cuda_graphs", "1");
  EXPECT_EQ(backend->set_option(context, {&text, 1}), et::Error::InvalidArgument);
  for (const bool value : {true, false}) {
    et::BackendOption graphs = graphs_option(value);
    EXPECT_EQ(backend->set_option(context, {&graphs, 1}), et::Error::Ok);
  }
}

TEST_F(CudaLoad, TellsWhatTheDeviceIs) {
  Handle engine(affine().blob());
  auto* const backend = et::get_backend_class(kBackend);
  et::BackendOptionContext context;
  et::BackendOption option{};
  std::strcpy(option.key, "capabilities");
  et::Span<et::BackendOption> options(&option, 1);
  ASSERT_EQ(backend->get_option(context, options), et::Error::Ok);
  const auto& text = std::get<std::array<char, et::kMaxOptionValueLength>>(option.value);
  EXPECT_EQ(std::string(text.data()), "sm_" + std::to_string(driver.capability));
}

}  // namespace
}  // namespace slipway::cuda
