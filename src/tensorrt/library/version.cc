#include "tensorrt/library/version.h"

#include <fmt/core.h>

#include "base/error.h"

namespace slipway::tensorrt {
namespace {

constexpr int kFirstRtxMinor = 5;

// TensorRT's numbers from 10 on, and TensorRT-RTX's, have two digits each for minor and patch;
// TensorRT before had one for minor.
Version decode(int32_t number) {
  if (number < 10'000) {
    return {Family::kT10, number / 1000, number / 100 % 10, number % 100};
  }
  const int major = number / 10'000;
  const Family family = major == 1 ? Family::kRtx : major == 10 ? Family::kT10 : Family::kT11;
  return {family, major, number / 100 % 100, number % 100};
}

}  // namespace

Result<Version> Version::from_number(int32_t number, const std::string& path) {
  if (number < 0) {
    return unsupported("{} is no TensorRT: its version number is {}", path, number);
  }
  const Version version = decode(number);
  const bool known = version.family == Family::kRtx ? version.minor >= kFirstRtxMinor
                                                    : version.major == 10 || version.major == 11;
  if (!known) {
    return unsupported(
        "{} at {} is not supported: {} (`make setup-tensorrt` gets TensorRT-RTX 1.7.1)",
        version.name(), path,
        version.family == Family::kRtx ? "Slipway needs 1.5 or later"
                                       : "Slipway knows TensorRT 10 and 11, and TensorRT-RTX 1.5 "
                                         "and later");
  }
  return version;
}

const char* Version::product() const {
  return family == Family::kRtx ? "TensorRT-RTX" : "TensorRT";
}

std::string Version::text() const { return fmt::format("{}.{}.{}", major, minor, patch); }

std::string Version::name() const { return fmt::format("{} {}", product(), text()); }

}  // namespace slipway::tensorrt
