// Which tensors of a plan the arguments of a call are, by what the blob says.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "delegate/arguments.h"
#include "slipway/result.h"
#include "tensorrt/format/blob.h"
#include "tensorrt/library/engine.h"

namespace slipway::tensorrt {

// By position, as a call has them.
struct Ports {
  std::vector<IoTensor> inputs;
  std::vector<IoTensor> outputs;
  // For each output the input whose memory it has, if any.
  std::vector<std::optional<size_t>> aliases;
};

// The place of a tensor that is named "input.0" or "x.output_12"; nothing for other names.
std::optional<size_t> place_in_name(std::string_view name, bool is_input);

// The tensors of the plan in the blob's order; where the blob names none, in the order of the
// numbers in their names. kInvalidFile names what does not fit, kUnsupported what the delegate does
// not run.
Result<Ports> find_ports(const Metadata& metadata, const std::vector<IoTensor>& tensors);

delegate::Port to_port(const IoTensor& tensor);

}  // namespace slipway::tensorrt
