#include "delegate/arguments.h"

#include <algorithm>
#include <utility>

#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/platform/log.h>

#include "delegate/log.h"

namespace slipway::delegate {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

// PyTorch's names.
const char* type_name(aten::ScalarType type) {
  switch (type) {
    case aten::ScalarType::Byte:
      return "uint8";
    case aten::ScalarType::Char:
      return "int8";
    case aten::ScalarType::Short:
      return "int16";
    case aten::ScalarType::Int:
      return "int32";
    case aten::ScalarType::Long:
      return "int64";
    case aten::ScalarType::Half:
      return "float16";
    case aten::ScalarType::Float:
      return "float32";
    case aten::ScalarType::Double:
      return "float64";
    case aten::ScalarType::Bool:
      return "bool";
    case aten::ScalarType::BFloat16:
      return "bfloat16";
    case aten::ScalarType::UInt16:
      return "uint16";
    case aten::ScalarType::UInt32:
      return "uint32";
    case aten::ScalarType::UInt64:
      return "uint64";
    default:
      return "another type";
  }
}

template <class Sizes>
std::string type_text(aten::ScalarType type, const Sizes& sizes) {
  std::string text = type_name(type);
  text += '[';
  const char* comma = "";
  for (const auto size : sizes) {
    text += comma + (size < 0 ? "?" : std::to_string(size));
    comma = ", ";
  }
  return text + "]";
}

// Outputs may have other sizes so far: they are resized.
bool matches(const Port& port, const aten::Tensor& tensor, bool with_sizes) {
  if (port.type != tensor.scalar_type()) return false;
  if (!et::is_contiguous_dim_order(tensor.dim_order().data(), tensor.dim_order().size())) {
    return false;
  }
  if (!port.sizes) return true;
  if (port.sizes->size() != static_cast<size_t>(tensor.dim())) return false;
  return !with_sizes ||
         std::equal(port.sizes->begin(), port.sizes->end(), tensor.sizes().begin(),
                    [](int64_t wanted, int64_t given) { return wanted < 0 || wanted == given; });
}

}  // namespace

bool Port::is_static() const {
  return sizes && std::all_of(sizes->begin(), sizes->end(), [](int64_t size) { return size >= 0; });
}

std::string Port::type_text() const {
  if (!sizes) return std::string(type_name(type)) + "[...]";
  return delegate::type_text(type, *sizes);
}

Arguments::Arguments(const char* title, std::vector<Port> inputs, const std::vector<Port>& outputs)
    : title_(title), inputs_(inputs.size()), ports_(std::move(inputs)) {
  ports_.insert(ports_.end(), outputs.begin(), outputs.end());
}

std::string Arguments::label(size_t index) const {
  return index < inputs_ ? "input " + std::to_string(index)
                         : "output " + std::to_string(index - inputs_);
}

et::Error Arguments::check_count(size_t given) const {
  if (given == count()) return et::Error::Ok;
  ET_LOG(Error, "%s: it has %zu inputs and %zu outputs, and %zu values were given", title_, inputs_,
         count() - inputs_, given);
  return et::Error::InvalidArgument;
}

et::Error Arguments::check(size_t index, et::EValue& value) const {
  const Port& expected = ports_[index];
  if (!value.isTensor()) {
    log_error(title_, label(index) + " must be a tensor, " + expected.type_text());
    return et::Error::InvalidArgument;
  }
  const aten::Tensor& tensor = value.toTensor();
  const bool is_input = index < inputs_;
  if (!matches(expected, tensor, is_input)) {
    log_error(title_, label(index) + " must be " + expected.type_text() + ", contiguous, and " +
                          type_text(tensor.scalar_type(), tensor.sizes()) + " was given");
    return et::Error::InvalidArgument;
  }
  return is_input || !expected.is_static() ? et::Error::Ok : resize(index, tensor, *expected.sizes);
}

et::Error Arguments::resize(size_t index, const aten::Tensor& tensor,
                            std::span<const int64_t> sizes) const {
  const et::Error error =
      et::resize_tensor(tensor, aten::ArrayRef<int64_t>(sizes.data(), sizes.size()));
  if (error == et::Error::Ok) return error;
  log_error(title_, label(index) + " is " + type_text(tensor.scalar_type(), sizes) +
                        ", which does not fit its memory for " +
                        type_text(tensor.scalar_type(), tensor.sizes()));
  return error;
}

et::Error Arguments::find_memory(size_t index, const aten::Tensor& tensor, void** data) const {
  *data = nullptr;
  if (tensor.numel() == 0) return et::Error::Ok;
  *data = const_cast<void*>(tensor.const_data_ptr());
  if (*data != nullptr) return et::Error::Ok;
  ET_LOG(Error, "%s: %s has no memory", title_, label(index).c_str());
  return et::Error::InvalidArgument;
}

}  // namespace slipway::delegate
