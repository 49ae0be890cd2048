#include "tensorrt/delegate/ports.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

#include "base/error.h"
#include "base/try.h"

namespace slipway::tensorrt {
namespace {

namespace aten = executorch::aten;

// Undefined for what ExecuTorch does not have.
aten::ScalarType to_executorch(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return aten::ScalarType::Float;
    case DataType::kHalf:
      return aten::ScalarType::Half;
    case DataType::kInt8:
      return aten::ScalarType::Char;
    case DataType::kInt32:
      return aten::ScalarType::Int;
    case DataType::kBool:
      return aten::ScalarType::Bool;
    case DataType::kUint8:
      return aten::ScalarType::Byte;
    case DataType::kBfloat16:
      return aten::ScalarType::BFloat16;
    case DataType::kInt64:
      return aten::ScalarType::Long;
  }
  return aten::ScalarType::Undefined;
}

const char* kind(bool is_input) { return is_input ? "input" : "output"; }

// The plan's own inputs or outputs, by the numbers in their names.
Result<std::vector<IoTensor>> in_order_of_names(const std::vector<IoTensor>& tensors,
                                                bool is_input) {
  std::map<size_t, IoTensor> by_place;
  for (const IoTensor& tensor : tensors) {
    if (tensor.is_input != is_input) continue;
    const auto place = place_in_name(tensor.name, is_input);
    if (!place || !by_place.emplace(*place, tensor).second) {
      return invalid_file(
          "its blob names no bindings, and {} '{}' of the plan {}: export the model again",
          kind(is_input), tensor.name, place ? "has the place of another one" : "has no place");
    }
  }
  std::vector<IoTensor> ordered;
  for (auto& [place, tensor] : by_place) {
    if (place != ordered.size()) {
      return invalid_file("its blob names no bindings, and the plan has no {} {}", kind(is_input),
                          ordered.size());
    }
    ordered.push_back(std::move(tensor));
  }
  return ordered;
}

Result<Ports> by_blob(const Metadata& metadata, const std::vector<IoTensor>& tensors) {
  Ports ports;
  std::set<std::string_view> named;
  for (const Binding& binding : metadata.io_bindings) {
    const auto tensor = std::find_if(tensors.begin(), tensors.end(), [&](const IoTensor& each) {
      return each.name == binding.name;
    });
    if (tensor == tensors.end() || tensor->is_input != binding.is_input) {
      return invalid_file("its blob has an {} '{}', which its plan has not", kind(binding.is_input),
                          binding.name);
    }
    named.insert(binding.name);
    (binding.is_input ? ports.inputs : ports.outputs).push_back(*tensor);
  }
  for (const IoTensor& tensor : tensors) {
    if (named.count(tensor.name) != 0) continue;
    return invalid_file("its plan has an {} '{}', which its blob does not name",
                        kind(tensor.is_input), tensor.name);
  }
  return ports;
}

Status check_supported(const Ports& ports) {
  for (const auto* list : {&ports.inputs, &ports.outputs}) {
    for (const IoTensor& tensor : *list) {
      if (tensor.is_shape_tensor) {
        return unsupported("{} '{}' is a shape, which the delegate does not take",
                           kind(tensor.is_input), tensor.name);
      }
      if (!tensor.is_linear) {
        return unsupported(
            "{} '{}' has another format than the linear one, in which tensors of programs are: "
            "build the engine without formats of its own",
            kind(tensor.is_input), tensor.name);
      }
      if (to_executorch(tensor.type) == aten::ScalarType::Undefined) {
        return unsupported("{} '{}' is of TensorRT's type {}, which ExecuTorch does not have",
                           kind(tensor.is_input), tensor.name, static_cast<int>(tensor.type));
      }
    }
  }
  return {};
}

size_t index_of(const std::vector<IoTensor>& tensors, const std::string& name) {
  return static_cast<size_t>(std::find_if(tensors.begin(), tensors.end(),
                                          [&](const IoTensor& each) { return each.name == name; }) -
                             tensors.begin());
}

}  // namespace

std::optional<size_t> place_in_name(std::string_view name, bool is_input) {
  const size_t last = name.find_last_not_of("0123456789");
  if (last == std::string_view::npos || last + 1 == name.size()) return std::nullopt;
  if (name[last] != '.' && name[last] != '_') return std::nullopt;
  if (!name.substr(0, last).ends_with(kind(is_input))) return std::nullopt;
  size_t place = 0;
  const auto parsed = std::from_chars(name.data() + last + 1, name.data() + name.size(), place);
  if (parsed.ec != std::errc()) return std::nullopt;
  return place;
}

Result<Ports> find_ports(const Metadata& metadata, const std::vector<IoTensor>& tensors) {
  Ports ports;
  if (metadata.io_bindings.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(ports.inputs, in_order_of_names(tensors, true));
    SLIPWAY_ASSIGN_OR_RETURN(ports.outputs, in_order_of_names(tensors, false));
  } else {
    SLIPWAY_ASSIGN_OR_RETURN(ports, by_blob(metadata, tensors));
  }
  SLIPWAY_RETURN_IF_ERROR(check_supported(ports));
  ports.aliases.resize(ports.outputs.size());
  for (const Alias& alias : metadata.aliased_io) {
    if (alias.kind != "kv_cache_update" && alias.kind != "user") {
      return invalid_file(
          "output '{}' is in the memory of input '{}' as '{}', which this version does not know",
          alias.output, alias.input, alias.kind);
    }
    const size_t input = index_of(ports.inputs, alias.input);
    const IoTensor& output = ports.outputs[index_of(ports.outputs, alias.output)];
    if (output.type != ports.inputs[input].type) {
      return invalid_file("output '{}' is in the memory of input '{}', and of another type",
                          alias.output, alias.input);
    }
    ports.aliases[index_of(ports.outputs, alias.output)] = input;
  }
  return ports;
}

delegate::Port to_port(const IoTensor& tensor) {
  delegate::Port port = {to_executorch(tensor.type), tensor.shape};
  // So TensorRT shows an output without dimensions, too.
  const bool may_be_scalar = !tensor.is_input && tensor.shape == std::vector<int64_t>{1};
  if (may_be_scalar) port.sizes.reset();
  return port;
}

}  // namespace slipway::tensorrt
