// Values of Python as a method takes them, and those that it gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include "failure.h"
#include "slipway/slipway_c.h"

// Dimensions as nanobind takes them.
inline std::vector<size_t> shape_of(const DLTensor& tensor) {
  return {tensor.shape, tensor.shape + tensor.ndim};
}

inline nb::dlpack::dtype dtype_of(const DLTensor& tensor) {
  return {tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes};
}

// An array of NumPy where it has the type; else an object that other libraries take over
// (`__dlpack__`).
inline nb::object to_array(void* data, const DLTensor& tensor, const nb::object& owner) {
  const std::vector<size_t> shape = shape_of(tensor);
  const auto dtype = dtype_of(tensor);
  const bool numpy_has_it = dtype.code != kDLBfloat && dtype.code < kDLFloat8_e4m3fn &&
                            !(dtype.code == kDLComplex && dtype.bits < 64);
  if (numpy_has_it) {
    return nb::cast(
        nb::ndarray<nb::numpy>(data, shape.size(), shape.data(), owner, nullptr, dtype));
  }
  return nb::cast(
      nb::ndarray<nb::array_api>(data, shape.size(), shape.data(), owner, nullptr, dtype));
}

inline size_t bytes_of(const DLTensor& tensor) {
  size_t count = 1;
  for (int32_t i = 0; i < tensor.ndim; ++i) count *= static_cast<size_t>(tensor.shape[i]);
  return count * tensor.dtype.bits * tensor.dtype.lanes / 8;
}

// A value that a run gave, in memory of its own.
class Copy {
 public:
  explicit Copy(const slipway_value& value) : value_(value) {
    if (value.kind == SLIPWAY_TEXT) text_ = value.as.text;
    if (value.kind != SLIPWAY_TENSOR) return;
    tensor_ = value.as.tensor->dl_tensor;
    shape_.assign(tensor_.shape, tensor_.shape + tensor_.ndim);
    const size_t bytes = bytes_of(tensor_);
    data_.reset(::operator new(bytes == 0 ? 1 : bytes, kAlignment));
    const auto* from = static_cast<const std::byte*>(tensor_.data) + tensor_.byte_offset;
    if (bytes > 0) std::memcpy(data_.get(), from, bytes);
  }

  // Gives the memory away.
  nb::object to_python() {
    switch (value_.kind) {
      case SLIPWAY_TENSOR: {
        void* const data = data_.release();
        const nb::capsule owner(data, [](void* memory) noexcept { Free()(memory); });
        tensor_.shape = shape_.data();
        return to_array(data, tensor_, owner);
      }
      case SLIPWAY_INTEGER:
        return nb::int_(value_.as.integer);
      case SLIPWAY_NUMBER:
        return nb::float_(value_.as.number);
      case SLIPWAY_BOOLEAN:
        return nb::bool_(value_.as.boolean);
      case SLIPWAY_TEXT:
        return nb::str(text_.c_str());
      case SLIPWAY_NONE:
        break;
    }
    return nb::none();
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(void* memory) const { ::operator delete(memory, kAlignment); }
  };

  slipway_value value_;
  std::string text_;
  DLTensor tensor_ = {};
  std::vector<int64_t> shape_;
  std::unique_ptr<void, Free> data_;
};

inline bool is_contiguous(const nb::ndarray<nb::ro>& array) {
  int64_t expected = 1;
  for (size_t i = array.ndim(); i-- > 0;) {
    if (array.shape(i) != 1 && array.stride(i) != expected) return false;
    expected *= static_cast<int64_t>(array.shape(i));
  }
  return true;
}

// What a run is given, and what keeps it there.
class Inputs {
 public:
  Inputs(const slipway_method* method, const nb::sequence& values) {
    const size_t count = nb::len(values);
    values_.reserve(count);
    tensors_.reserve(count);
    texts_.reserve(count);
    shapes_.reserve(count);
    for (size_t i = 0; i < count; ++i) add(slipway_method_input(method, i), values[i]);
    for (size_t i = 0, next = 0; i < count; ++i) {
      if (values_[i].kind == SLIPWAY_TENSOR) values_[i].as.tensor = &tensors_[next++];
    }
  }

  const slipway_value* data() const { return values_.data(); }
  size_t size() const { return values_.size(); }

 private:
  void add(const slipway_value_info* info, const nb::object& value) {
    slipway_value& to = values_.emplace_back();
    to = {};
    PyObject* const object = value.ptr();
    if (value.is_none()) return;
    if (PyBool_Check(object)) {
      to.kind = SLIPWAY_BOOLEAN;
      to.as.boolean = object == Py_True;
    } else if (PyLong_Check(object)) {
      to.kind = SLIPWAY_INTEGER;
      int overflow = 0;
      to.as.integer = PyLong_AsLongLongAndOverflow(object, &overflow);
      if (overflow != 0) {
        throw Failure{SLIPWAY_INVALID_ARGUMENT,
                      name_of(info) + " is an integer of more than 64 bits"};
      }
    } else if (PyFloat_Check(object)) {
      to.kind = SLIPWAY_NUMBER;
      to.as.number = PyFloat_AsDouble(object);
    } else if (PyUnicode_Check(object)) {
      to.kind = SLIPWAY_TEXT;
      PyObject* const encoded = PyUnicode_AsUTF8String(object);
      if (encoded == nullptr) throw nb::python_error();
      texts_.push_back(text_of(nb::steal<nb::bytes>(encoded)));
      to.as.text = texts_.back().c_str();
    } else {
      to.kind = SLIPWAY_TENSOR;
      add_tensor(info, value);
    }
  }

  static std::string name_of(const slipway_value_info* info) {
    return info == nullptr ? "an input" : "input '" + std::string(info->name) + "'";
  }

  // Whether a method of PyTorch's says so.
  static bool says(const nb::object& value, const char* method) {
    return nb::hasattr(value, method) && PyCallable_Check(value.attr(method).ptr()) != 0 &&
           PyObject_IsTrue(value.attr(method)().ptr()) == 1;
  }

  void add_tensor(const slipway_value_info* info, nb::object value) {
    const bool is_written = info != nullptr && info->is_mutated;
    // Which PyTorch refuses to hand over.
    if (nb::hasattr(value, "requires_grad") &&
        PyObject_IsTrue(value.attr("requires_grad").ptr()) == 1) {
      value = value.attr("detach")();
    }
    // What is not in memory as it reads.
    for (const auto& [asks, resolves] :
         {std::pair("is_conj", "resolve_conj"), std::pair("is_neg", "resolve_neg")}) {
      if (!says(value, asks)) continue;
      if (is_written) {
        throw Failure{SLIPWAY_INVALID_ARGUMENT,
                      name_of(info) +
                          " is written to, and is a view that "
                          "conjugates or negates: give a tensor of its own"};
      }
      value = value.attr(resolves)();
    }
    nb::ndarray<nb::ro> array;
    if (!nb::try_cast(value, array, false)) {
      std::string type = nb::cast<std::string>(value.type().attr("__name__"));
      if (nb::hasattr(value, "dtype")) {
        type += " of " + std::string(nb::str(nb::object(value.attr("dtype"))).c_str());
      }
      throw Failure{SLIPWAY_INVALID_ARGUMENT,
                    name_of(info) + " is a " + type +
                        ": give an array of NumPy with numbers in this machine's byte order, a "
                        "tensor of PyTorch, or another with DLPack"};
    }
    if (!is_contiguous(array) && !is_written) {
      const bool can =
          nb::hasattr(value, "contiguous") && PyCallable_Check(value.attr("contiguous").ptr()) != 0;
      value = can ? value.attr("contiguous")()
                  : nb::module_::import_("numpy").attr("ascontiguousarray")(value);
      array = nb::cast<nb::ndarray<nb::ro>>(value, false);
    }
    nb::ndarray<> writable;
    const bool is_read_only = is_written && !nb::try_cast(value, writable, false);
    std::vector<int64_t>& shape = shapes_.emplace_back();
    for (size_t i = 0; i < array.ndim(); ++i) shape.push_back(static_cast<int64_t>(array.shape(i)));
    for (size_t i = 0; i < array.ndim(); ++i) shape.push_back(array.stride(i));
    DLManagedTensorVersioned& tensor = tensors_.emplace_back();
    tensor = {};
    tensor.version = {1, 0};
    tensor.flags = is_read_only ? DLPACK_FLAG_BITMASK_READ_ONLY : 0;
    const auto dtype = array.dtype();
    tensor.dl_tensor = {const_cast<void*>(array.data()),
                        {static_cast<DLDeviceType>(array.device_type()), array.device_id()},
                        static_cast<int32_t>(array.ndim()),
                        {dtype.code, dtype.bits, dtype.lanes},
                        shape.data(),
                        shape.data() + array.ndim(),
                        0};
    arrays_.push_back(std::move(array));
    objects_.push_back(std::move(value));
  }

  std::vector<slipway_value> values_;
  std::vector<DLManagedTensorVersioned> tensors_;
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<std::string> texts_;
  std::vector<nb::ndarray<nb::ro>> arrays_;
  std::vector<nb::object> objects_;
};
