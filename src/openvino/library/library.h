// OpenVINO's compiler, behind libslipway_openvino.so: opened on demand, so that a program that
// makes no engines needs no OpenVINO.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/piece_writer.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway::openvino {

namespace shim {
struct Functions;
}

// One a process; any thread may use it, several at once.
class Library {
 public:
  // Opens it at the first call; it stays open. kUnavailable names what is missing and the package
  // that has it; a later call tries again.
  static Result<const Library*> open();

  // "2026.4.1-22982-..."
  const std::string& version() const { return version_; }
  // Where OpenVINO was found: the path of its library.
  const std::string& path() const { return path_; }

  // Compiles an ONNX ModelProto for the device of the property "DEVICE" (an OpenVINO name, "CPU"
  // where it is not given) and streams what OpenVINO's export gives to `sink`, in order. The other
  // properties are OpenVINO's, such as {"INFERENCE_PRECISION_HINT", "f32"}. Weights may be external
  // data with location "*/_ORT_MEM_ADDR_/*" and their address as offset; they are read until this
  // returns. The sink's error is passed on; kUnsupported gives OpenVINO's reason for a model that
  // it does not take.
  Status compile(std::string_view model, const std::map<std::string, std::string>& properties,
                 const ByteSink& sink) const;

  // Imports an engine, as the delegate does, and runs it on each list of inputs: the outputs of
  // each. kUnsupported gives OpenVINO's reason, or says that the inputs are others.
  using Tensors = std::vector<Tensor>;
  Result<std::vector<Tensors>> run(std::span<const std::byte> engine,
                                   const std::vector<Tensors>& inputs) const;

 private:
  explicit Library(const shim::Functions& functions);

  const shim::Functions& functions_;
  std::string version_;
  std::string path_;
};

}  // namespace slipway::openvino
