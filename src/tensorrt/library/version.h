// Versions of TensorRT, and the families that share one binary interface.
#pragma once

#include <cstdint>
#include <string>

#include "slipway/result.h"

namespace slipway::tensorrt {

// Within a family, classes only grow at their ends.
enum class Family : uint8_t {
  kT10,  // TensorRT 10
  kT11,  // TensorRT 11
  kRtx,  // TensorRT-RTX from 1.5 on
};

struct Version {
  Family family;
  int major;
  int minor;
  int patch;

  // What the library's getInferLibVersion() says: 10701 is TensorRT-RTX 1.7.1, 110100 is TensorRT
  // 11.1.0. kUnsupported names the version where it is of no family; `path` is for the message.
  static Result<Version> from_number(int32_t number, const std::string& path);

  // "TensorRT" or "TensorRT-RTX".
  const char* product() const;
  // "1.7.1"
  std::string text() const;
  // "TensorRT-RTX 1.7.1"
  std::string name() const;
};

}  // namespace slipway::tensorrt
