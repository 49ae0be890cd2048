// Which GPU the engines of a program run on, of those that are loaded.
#pragma once

#include <optional>
#include <string>

namespace slipway::cuda {

// An engine's entry, as long as that lives.
class ProgramDevice {
 public:
  // `program` is empty where the engine was not told of one.
  ProgramDevice(std::string program, int device);
  ProgramDevice(const ProgramDevice&) = delete;
  ProgramDevice& operator=(const ProgramDevice&) = delete;
  ~ProgramDevice();

  // That of all engines of a program; nothing where they run on several, or there is none. Any
  // thread may ask.
  static std::optional<int> of(const std::string& program);

 private:
  const std::string program_;
  const int device_;
};

}  // namespace slipway::cuda
