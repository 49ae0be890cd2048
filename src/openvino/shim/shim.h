// OpenVINO behind plain C types.
//
// shim.cc is the only file that includes OpenVINO's headers. No type of the C++ library crosses
// this interface, since OpenVINO's wheels have been built with either of its ABIs, and no exception
// does: what fails writes why to a Report.
//
// libslipway_openvino.so exports one function, slipway_openvino(), and all else is reached through
// its table. Everything may be called by several threads at once, but one Request by one thread at
// a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "slipway/export.h"

namespace slipway::openvino::shim {

// Of OpenVINO or the compiler.
struct Property {
  const char* name;
  const char* value;
};

struct Properties {
  const Property* data;
  size_t size;
};

// Takes an error's text, or an answer; `text` is valid during the call.
struct Report {
  void* context;
  void (*write)(void* context, const char* text);
};

// Takes consecutive bytes; false stops the writing.
struct Sink {
  void* context;
  bool (*write)(void* context, const void* data, size_t size);
};

// Takes what OpenVINO knows of a layer; the texts are valid during the call.
struct LayerSink {
  void* context;
  void (*write)(void* context, const char* name, const char* kind, uint64_t microseconds);
};

// The numbers that PyTorch and ExecuTorch give their types.
enum class ElementType : int8_t {
  kUnknown = -1,
  kUInt8 = 0,
  kInt8 = 1,
  kInt16 = 2,
  kInt32 = 3,
  kInt64 = 4,
  kFloat16 = 5,
  kFloat32 = 6,
  kFloat64 = 7,
  kBool = 11,
  kBFloat16 = 15,
  kUInt16 = 27,
  kUInt32 = 28,
  kUInt64 = 29,
};

// An input or output of a model.
struct Port {
  ElementType type;
  bool has_rank;
  size_t rank;
  const int64_t* sizes;  // -1 where any size goes
};

struct Ports {
  const Port* data;
  size_t size;
};

// A tensor's memory, contiguous. `data` is not null even where there are no elements.
struct Tensor {
  void* data;
  size_t rank;
  const int64_t* sizes;
};

struct Model;    // compiled and ready
struct Request;  // what one thread needs to run a model

enum class CompileResult : uint8_t { kDone, kRefused, kStopped };

// A property of Slipway's own, of compile: the export is written for OpenVINO 2025.4, whatever the
// value.
inline constexpr const char* kCompatProperty = "OPENVINO_COMPAT";

struct Functions {
  // "2026.4.1-22982-..."
  const char* (*version)();
  // The path of OpenVINO's own library.
  const char* (*path)();

  // Compiles an ONNX ModelProto and writes its export to the sink. kStopped: the sink gave false.
  CompileResult (*compile)(const void* model, size_t size, const char* device,
                           Properties properties, Sink sink, Report error);

  // Makes what export wrote ready to run, of this version or of 2025.4. The bytes are used in place
  // (those of 2025.4 and of processors with other instruction sets are copied): they must stay
  // until the model is destroyed. Null after an error.
  Model* (*import_model)(const void* blob, size_t size, const char* device, Properties properties,
                         Report error);
  void (*destroy_model)(Model* model);
  // Valid until the model is destroyed.
  Ports (*inputs)(const Model* model);
  Ports (*outputs)(const Model* model);
  // The value that the compiled model has for a property.
  bool (*property)(const Model* model, const char* name, Report value, Report error);

  // The model must outlive the request. Null after an error.
  Request* (*create_request)(Model* model, Report error);
  void (*destroy_request)(Request* request);
  // Runs on inputs where they lie; outputs of static shape are written where `outputs` says, the
  // others into memory of the request. Types, ranks and sizes must be those of the ports. Telling
  // the same pointers and sizes again costs nothing.
  bool (*infer)(Request* request, const Tensor* inputs, const Tensor* outputs, Report error);
  // After infer: how long each layer took that ran, in the order in which they ran, the mean of all
  // runs, where the model was imported with the property PERF_COUNT. `kind` is what ran.
  bool (*layers)(const Request* request, LayerSink sink, Report error);
  // An output after infer: valid until the next infer.
  bool (*output)(Request* request, size_t index, Tensor* tensor, Report error);
};

}  // namespace slipway::openvino::shim

extern "C" SLIPWAY_API const slipway::openvino::shim::Functions* slipway_openvino();
