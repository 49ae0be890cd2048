// Reading engines: whether a plan is one, and whether it runs here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "slipway/result.h"
#include "tensorrt/library/engine.h"
#include "tensorrt/library/library.h"
#include "tensorrt/library/session.h"

namespace slipway::tensorrt {

// What TensorRT-RTX reads from the header of a plan. The body is not looked at.
struct Validity {
  enum class State : uint8_t { kValid, kSuboptimal, kInvalid };
  State state;
  uint64_t diagnostics;  // TensorRT's bits; those below among them
  std::string message;   // what it logged, if anything: why the plan does not run here
  // As seen: of a sound plan on a GPU of another compute capability, and of a damaged one.
  static constexpr uint64_t kComputeCapability = 0x2;
  static constexpr uint64_t kMalformed = 0x20;
};

// Not thread-safe.
class Runtime {
 public:
  // Needs no GPU.
  static Result<Runtime> create(LibraryPointer library);

  Version version() const { return session_->version(); }

  // How many bytes validity() wants; nothing where the library has no such check, as all but RTX.
  std::optional<size_t> header_size() const;
  // Requires header_size(). kInvalidFile for fewer bytes.
  Result<Validity> validity(std::span<const std::byte> header) const;

  // kUnavailable with TensorRT's first message where the plan does not load on this machine.
  Result<Engine> deserialize(std::span<const std::byte> plan) const;

 private:
  explicit Runtime(SessionPointer session) : session_(std::move(session)) {}
  SessionPointer session_;
};

}  // namespace slipway::tensorrt
