// What of TensorRT's binary interface (Itanium C++ ABI, 64 bits) is the same in all families, and
// the interfaces that TensorRT calls. Written from the interface's documentation, not its headers:
// no header of TensorRT is needed to build this, and slots_test.cc of tests/tensorrt compares.
#pragma once

#include <cstdint>

namespace slipway::tensorrt {

// Every object of TensorRT's API. Its own virtual table holds the destructors alone, the methods
// are those of `impl`.
struct Object {
  const void* const* table;
  void* impl;
};

// The slot of the deleting destructor in Object::table.
inline constexpr int kDeletingDestructor = 1;

struct Dims {
  int32_t count = 0;
  int64_t sizes[8] = {};
};
static_assert(sizeof(Dims) == 72);

// TensorRT's element types, as far as its ONNX parser makes them.
enum class DataType : int32_t {
  kFloat = 0,
  kHalf = 1,
  kInt8 = 2,
  kInt32 = 3,
  kBool = 4,
  kUint8 = 5,
  kBfloat16 = 7,
  kInt64 = 8,
};

// How a tensor's elements lie in memory. The others pad or reorder them.
enum class TensorFormat : int32_t { kLinear = 0 };

// Where a tensor's memory is, and what an engine does with it.
enum class TensorLocation : int32_t { kDevice = 0, kHost = 1 };
enum class IoMode : int32_t { kNone = 0, kInput = 1, kOutput = 2 };
// Of the shapes of a profile.
enum class ProfileShape : int32_t { kMin = 0, kOpt = 1, kMax = 2 };

struct InterfaceInfo {
  const char* kind;
  int32_t major;
  int32_t minor;
};

class VersionedInterface {
 public:
  virtual int32_t getAPILanguage() const noexcept { return 0; }
  virtual InterfaceInfo getInterfaceInfo() const noexcept = 0;
  virtual ~VersionedInterface() = default;
};

// The logger of T10, which is not versioned.
class PlainLoggerInterface {
 public:
  virtual void log(int32_t severity, const char* text) noexcept = 0;
  virtual ~PlainLoggerInterface() = default;
};

// The logger of T11 and RTX.
class LoggerInterface : public VersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"ILogger", 1, 0}; }
  virtual void log(int32_t severity, const char* text) noexcept = 0;
};

// The profiler of T10, which is not versioned.
class PlainProfilerInterface {
 public:
  virtual void reportLayerTime(const char* layer, float milliseconds) noexcept = 0;
  virtual ~PlainProfilerInterface() = default;
};

// The profiler of T11 and RTX.
class ProfilerInterface : public VersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IProfiler", 1, 0}; }
  virtual void reportLayerTime(const char* layer, float milliseconds) noexcept = 0;
};

class StreamWriterInterface : public VersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IStreamWriter", 1, 0}; }
  // The number of bytes taken. TensorRT ignores it.
  virtual int64_t write(const void* data, int64_t size) noexcept = 0;
};

}  // namespace slipway::tensorrt
