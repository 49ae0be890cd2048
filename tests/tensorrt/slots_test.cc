// Our description of TensorRT's binary interface against its official headers, which are not part
// of Slipway: built where TENSORRT_INCLUDE_DIR names them.

#include <NvInfer.h>
#include <array>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>
#if __has_include(<NvOnnxParser.h>)
#include <NvOnnxParser.h>
#define SLIPWAY_WITH_PARSER 1
#endif
#include <gtest/gtest.h>

#include "tensorrt/library/builder.h"
#include "tensorrt/library/slots.h"

// Not in all headers.
namespace nvinfer1::apiv {
class VRuntimeCache;
class VRuntimeConfig;
}  // namespace nvinfer1::apiv

namespace slipway {
namespace {

tensorrt::Version header_version() {
  const auto version = tensorrt::Version::from_number(
      NV_TENSORRT_MAJOR * 10'000 + NV_TENSORRT_MINOR * 100 + NV_TENSORRT_PATCH, "NvInferVersion.h");
  EXPECT_TRUE(version.ok()) << version.error().message();
  return *version;
}

// On x86-64 a pointer to a virtual method is 8 times its slot, and 1.
template <class Pointer>
int slot_of(Pointer method) {
  static_assert(std::is_member_function_pointer_v<Pointer>);
  std::array<uint64_t, 2> words;
  static_assert(sizeof method == sizeof words);
  std::memcpy(words.data(), &method, sizeof words);
  EXPECT_EQ(words[0] % 8, 1U);
  EXPECT_EQ(words[1], 0U);
  return static_cast<int>(words[0] / 8);
}

// The overload of deserializeCudaEngine() that we call.
template <class T>
using FromBytes = nvinfer1::ICudaEngine* (T::*)(const void*, std::size_t) noexcept;

// The headers' slots in the order of Method; -1 for what they lack, -2 without the class.
std::vector<int> official_slots() {
  using namespace nvinfer1::apiv;
#ifdef SLIPWAY_WITH_PARSER
  using namespace nvonnxparser;
#else
  struct IParser;
  struct IParserError;
#endif
  const auto missing = [](auto* type) {
    return requires { sizeof *type; }
    ? -1 : -2;
  };
  std::vector<int> slots;
#define SLIPWAY_METHOD(type, method, ...)                          \
  slots.push_back([&]<class T>(T* pointer) {                       \
    if constexpr (requires { &T::method; }) {                      \
      return slot_of(&T::method);                                  \
    } else if constexpr (requires { FromBytes<T>(&T::method); }) { \
      return slot_of(FromBytes<T>(&T::method));                    \
    }                                                              \
    return missing(pointer);                                       \
  }(static_cast<type*>(nullptr)));
  SLIPWAY_TENSORRT_METHODS(SLIPWAY_METHOD)
#undef SLIPWAY_METHOD
  return slots;
}

TEST(SlotsTest, AreThoseOfTheHeaders) {
  const tensorrt::Version version = header_version();
  const std::vector<int> official = official_slots();
  ASSERT_EQ(official.size(), tensorrt::slots().size());
  int compared = 0;
  for (size_t i = 0; i < official.size(); ++i) {
    const tensorrt::Slot& ours = tensorrt::slots()[i];
    if (official[i] == -2) continue;
    EXPECT_EQ(ours.of(version), official[i]) << ours.type << "::" << ours.method;
    ++compared;
  }
  RecordProperty("compared", compared);
  std::printf("%s: %d of %zu slots compared\n", version.name().c_str(), compared, official.size());
}

#ifdef SLIPWAY_WITH_PARSER
TEST(SlotsTest, TheParsersDestructorsFollowClearErrors) {
  EXPECT_EQ(slot_of(&nvonnxparser::IParser::getUsedVCPluginLibraries),
            slot_of(&nvonnxparser::IParser::clearErrors) + 3);
}
#endif

TEST(SlotsTest, InterfacesThatTensorrtCalls) {
  const bool plain = header_version().family == tensorrt::Family::kT10;
  EXPECT_EQ(slot_of(&nvinfer1::ILogger::log), plain ? slot_of(&tensorrt::PlainLoggerInterface::log)
                                                    : slot_of(&tensorrt::LoggerInterface::log));
  EXPECT_EQ(slot_of(&nvinfer1::IProfiler::reportLayerTime),
            plain ? slot_of(&tensorrt::PlainProfilerInterface::reportLayerTime)
                  : slot_of(&tensorrt::ProfilerInterface::reportLayerTime));
  EXPECT_EQ(slot_of(&nvinfer1::IVersionedInterface::getInterfaceInfo),
            slot_of(&tensorrt::VersionedInterface::getInterfaceInfo));
  EXPECT_EQ(sizeof(nvinfer1::InterfaceInfo), sizeof(tensorrt::InterfaceInfo));
#if NV_TENSORRT_MAJOR > 10 || NV_TENSORRT_MINOR >= 13
  EXPECT_EQ(slot_of(&nvinfer1::IStreamWriter::write),
            slot_of(&tensorrt::StreamWriterInterface::write));
#endif
}

TEST(SlotsTest, NumbersOfFlagsAndTypes) {
  using nvinfer1::BuilderFlag;
  using Flag = tensorrt::BuilderFlag;
  const auto number = [](Flag flag) {
    return tensorrt::flag_number(header_version().family, flag);
  };
  EXPECT_EQ(number(Flag::kRefit), static_cast<int>(BuilderFlag::kREFIT));
  EXPECT_EQ(number(Flag::kTf32), static_cast<int>(BuilderFlag::kTF32));
  EXPECT_EQ(number(Flag::kVersionCompatible), static_cast<int>(BuilderFlag::kVERSION_COMPATIBLE));
  EXPECT_EQ(number(Flag::kStripPlan), static_cast<int>(BuilderFlag::kSTRIP_PLAN));
  EXPECT_EQ(number(Flag::kRefitIdentical), static_cast<int>(BuilderFlag::kREFIT_IDENTICAL));
  EXPECT_EQ(number(Flag::kWeightStreaming), static_cast<int>(BuilderFlag::kWEIGHT_STREAMING));
  []<class Official>(const auto& flag_number) {
    if constexpr (requires { Official::kREFIT_INDIVIDUAL; }) {
      EXPECT_EQ(flag_number(Flag::kRefitIndividual), static_cast<int>(Official::kREFIT_INDIVIDUAL));
    }
  }.template operator()<BuilderFlag>(number);
  EXPECT_EQ(tensorrt::strongly_typed(header_version().family),
            1U << static_cast<int>(nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED));

  EXPECT_EQ(static_cast<int>(tensorrt::DataType::kBfloat16),
            static_cast<int>(nvinfer1::DataType::kBF16));
  EXPECT_EQ(static_cast<int>(tensorrt::DataType::kInt64),
            static_cast<int>(nvinfer1::DataType::kINT64));
  EXPECT_EQ(sizeof(tensorrt::Dims), sizeof(nvinfer1::Dims));
  EXPECT_EQ(offsetof(tensorrt::Dims, sizes), offsetof(nvinfer1::Dims, d));
}

}  // namespace
}  // namespace slipway
