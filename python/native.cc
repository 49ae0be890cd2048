// slipway._native: the C interface (slipway/slipway_c.h) for Python. What users see is in
// slipway/__init__.py.
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "slipway/slipway_c.h"

namespace nb = nanobind;

namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

struct Failure {
  slipway_error_code code;
  std::string message;
};

void check(slipway_error* error) {
  if (error == nullptr) return;
  Failure failure{slipway_error_code_of(error), slipway_error_message(error)};
  slipway_error_free(error);
  throw failure;
}

// The names and values stay where they are in `options`.
std::vector<slipway_option> to_c(const Options& options) {
  std::vector<slipway_option> result;
  result.reserve(options.size());
  for (const auto& [name, value] : options) result.push_back({name.c_str(), value.c_str()});
  return result;
}

// A Python function that is told of warnings; called by any thread.
void warn(void* context, const char* message) {
  const nb::gil_scoped_acquire gil;
  try {
    (*static_cast<nb::object*>(context))(message);
  } catch (nb::python_error& error) {
    error.discard_as_unraisable("a warning of slipway");
  }
}

// One thread at a time works with a module: the others wait, without Python's lock.
struct Shared {
  slipway_module* module = nullptr;
  nb::object on_warning;  // destroyed under Python's lock, as all that holds it is
  std::mutex mutex;

  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { slipway_module_free(module); }

  template <class Body>
  void alone(const Body& body) {
    const nb::gil_scoped_release no_gil;
    const std::lock_guard lock(mutex);
    check(body());
  }
};

// Dimensions as nanobind takes them.
std::vector<size_t> shape_of(const DLTensor& tensor) {
  return {tensor.shape, tensor.shape + tensor.ndim};
}

nb::dlpack::dtype dtype_of(const DLTensor& tensor) {
  return {tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes};
}

// An array of NumPy where it has the type; else an object that other libraries take over
// (`__dlpack__`).
nb::object to_array(void* data, const DLTensor& tensor, const nb::object& owner) {
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

size_t bytes_of(const DLTensor& tensor) {
  size_t count = 1;
  for (int32_t i = 0; i < tensor.ndim; ++i) count *= static_cast<size_t>(tensor.shape[i]);
  return count * tensor.dtype.bits * tensor.dtype.lanes / 8;
}

// Of memory of its own.
nb::object copy_of(const DLTensor& tensor) {
  constexpr std::align_val_t kAlignment{64};
  const size_t bytes = bytes_of(tensor);
  void* const data = ::operator new(bytes == 0 ? 1 : bytes, kAlignment);
  const nb::capsule owner(
      data, [](void* memory) noexcept { ::operator delete (memory, std::align_val_t{64}); });
  const auto* from = static_cast<const std::byte*>(tensor.data) + tensor.byte_offset;
  if (bytes > 0) std::memcpy(data, from, bytes);
  return to_array(data, tensor, owner);
}

bool is_contiguous(const nb::ndarray<nb::ro>& array) {
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
      to.as.integer = nb::cast<int64_t>(value);
    } else if (PyFloat_Check(object)) {
      to.kind = SLIPWAY_NUMBER;
      to.as.number = PyFloat_AsDouble(object);
    } else if (PyUnicode_Check(object)) {
      to.kind = SLIPWAY_TEXT;
      texts_.push_back(nb::cast<std::string>(value));
      to.as.text = texts_.back().c_str();
    } else {
      to.kind = SLIPWAY_TENSOR;
      add_tensor(info, value);
    }
  }

  void add_tensor(const slipway_value_info* info, nb::object value) {
    const bool is_written = info != nullptr && info->is_mutated;
    const char* const name = info == nullptr ? "" : info->name;
    // Which PyTorch refuses to hand over.
    if (nb::hasattr(value, "requires_grad") && nb::cast<bool>(value.attr("requires_grad"))) {
      value = value.attr("detach")();
    }
    nb::ndarray<nb::ro> array;
    if (!nb::try_cast(value, array, false)) {
      throw Failure{SLIPWAY_INVALID_ARGUMENT,
                    "input '" + std::string(name) + "' is a " +
                        nb::cast<std::string>(value.type().attr("__name__")) +
                        ": give an array of NumPy, a tensor of PyTorch, or another with DLPack"};
    }
    if (!is_contiguous(array) && !is_written) {
      value = nb::hasattr(value, "contiguous")
                  ? value.attr("contiguous")()
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

// Frees what a run gave.
struct Outputs {
  explicit Outputs(size_t count) : values(count) {}
  ~Outputs() { slipway_values_free(values.data(), values.size()); }
  Outputs(const Outputs&) = delete;
  Outputs& operator=(const Outputs&) = delete;
  std::vector<slipway_value> values;
};

nb::object to_python(const slipway_value& value) {
  switch (value.kind) {
    case SLIPWAY_TENSOR:
      return copy_of(value.as.tensor->dl_tensor);
    case SLIPWAY_INTEGER:
      return nb::int_(value.as.integer);
    case SLIPWAY_NUMBER:
      return nb::float_(value.as.number);
    case SLIPWAY_BOOLEAN:
      return nb::bool_(value.as.boolean);
    case SLIPWAY_TEXT:
      return nb::str(value.as.text);
    case SLIPWAY_NONE:
      break;
  }
  return nb::none();
}

nb::dict to_python(const slipway_value_info& info) {
  nb::dict result;
  result["name"] = info.name;
  result["text"] = info.text;
  result["dtype"] = info.type == nullptr ? nb::object(nb::none()) : nb::object(nb::str(info.type));
  nb::list sizes;
  for (int32_t i = 0; i < info.rank; ++i) {
    sizes.append(nb::make_tuple(info.min_sizes[i], info.max_sizes[i]));
  }
  result["sizes"] = nb::tuple(sizes);
  result["is_tensor"] = info.kind == SLIPWAY_TENSOR;
  result["is_mutated"] = info.is_mutated;
  return result;
}

class Method {
 public:
  Method(std::shared_ptr<Shared> shared, slipway_method* method)
      : shared_(std::move(shared)), method_(method, &slipway_method_free) {}

  std::string name() const { return slipway_method_name(method_.get()); }
  std::string input_tree() const { return slipway_method_input_tree(method_.get()); }
  std::string output_tree() const { return slipway_method_output_tree(method_.get()); }

  nb::list inputs() const {
    nb::list list;
    for (size_t i = 0; i < slipway_method_input_count(method_.get()); ++i) {
      list.append(to_python(*slipway_method_input(method_.get(), i)));
    }
    return list;
  }
  nb::list outputs() const {
    nb::list list;
    for (size_t i = 0; i < slipway_method_output_count(method_.get()); ++i) {
      list.append(to_python(*slipway_method_output(method_.get(), i)));
    }
    return list;
  }

  void prepare() {
    shared_->alone([&] { return slipway_method_prepare(method_.get()); });
  }

  nb::list run(const nb::sequence& values) {
    const Inputs inputs(method_.get(), values);
    Outputs outputs(slipway_method_output_count(method_.get()));
    nb::list result;
    std::unique_lock<std::mutex> lock;
    {
      const nb::gil_scoped_release no_gil;
      lock = std::unique_lock(shared_->mutex);
      check(slipway_method_run(method_.get(), inputs.data(), inputs.size(), outputs.values.data(),
                               outputs.values.size()));
    }
    // They lie in the module's memory until the next run.
    for (const slipway_value& value : outputs.values) result.append(to_python(value));
    return result;
  }

  nb::dict state() {
    size_t count = 0;
    shared_->alone([&] { return slipway_method_state_count(method_.get(), &count); });
    nb::dict result;
    for (size_t i = 0; i < count; ++i) {
      char* name = nullptr;
      DLManagedTensorVersioned* tensor = nullptr;
      shared_->alone([&] { return slipway_method_state(method_.get(), i, &name, &tensor); });
      struct Kept {
        std::shared_ptr<Shared> shared;
        DLManagedTensorVersioned* tensor;
      };
      const nb::capsule owner(new Kept{shared_, tensor}, [](void* kept) noexcept {
        slipway_tensor_free(static_cast<Kept*>(kept)->tensor);
        delete static_cast<Kept*>(kept);
      });
      auto* const data =
          static_cast<std::byte*>(tensor->dl_tensor.data) + tensor->dl_tensor.byte_offset;
      result[name] = to_array(data, tensor->dl_tensor, owner);
      slipway_text_free(name);
    }
    return result;
  }
  void reset_state() {
    shared_->alone([&] { return slipway_method_reset_state(method_.get()); });
  }

  uint64_t weight_streaming_budget() {
    uint64_t bytes = 0;
    shared_->alone([&] { return slipway_method_weight_streaming_budget(method_.get(), &bytes); });
    return bytes;
  }
  uint64_t set_weight_streaming_budget(uint64_t bytes) {
    uint64_t in_force = 0;
    shared_->alone([&] {
      return slipway_method_set_weight_streaming_budget(method_.get(), bytes, &in_force);
    });
    return in_force;
  }

 private:
  std::shared_ptr<Shared> shared_;
  std::unique_ptr<slipway_method, void (*)(slipway_method*)> method_;
};

class Module {
 public:
  Module(const nb::object& source, const Options& options, nb::object on_warning)
      : shared_(std::make_shared<Shared>()) {
    shared_->on_warning = std::move(on_warning);
    const std::vector<slipway_option> given = to_c(options);
    nb::bytes content;
    std::string path;
    const bool is_content = nb::try_cast(source, content, false);
    if (!is_content) path = nb::cast<std::string>(source);
    shared_->alone([&] {
      return is_content ? slipway_module_load_memory(content.data(), content.size(), "the program",
                                                     given.data(), given.size(), warn,
                                                     &shared_->on_warning, &shared_->module)
                        : slipway_module_load(path.c_str(), given.data(), given.size(), warn,
                                              &shared_->on_warning, &shared_->module);
    });
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < slipway_module_method_count(shared_->module); ++i) {
      names.emplace_back(slipway_module_method_name(shared_->module, i));
    }
    return names;
  }
  Method method(const std::optional<std::string>& name) {
    slipway_method* method = nullptr;
    shared_->alone([&] {
      return slipway_module_method(shared_->module, name ? name->c_str() : nullptr, &method);
    });
    return {shared_, method};
  }

 private:
  std::shared_ptr<Shared> shared_;
};

void compile(const std::string& archive, const std::string& output, const Options& options,
             nb::object on_warning) {
  const std::vector<slipway_option> given = to_c(options);
  const nb::gil_scoped_release no_gil;
  check(slipway_compile(archive.c_str(), output.c_str(), given.data(), given.size(), warn,
                        &on_warning));
}

std::string taken(char* text) {
  std::string copy = text;
  slipway_text_free(text);
  return copy;
}

nb::list to_python(const slipway_option_info* infos, size_t count) {
  nb::list list;
  for (size_t i = 0; i < count; ++i) {
    list.append(nb::make_tuple(infos[i].name, infos[i].value, infos[i].help, infos[i].is_repeated));
  }
  return list;
}

}  // namespace

NB_MODULE(_native, module) {
  if (slipway_abi_version() != SLIPWAY_ABI_VERSION) {
    throw nb::import_error("libslipway_c.so is of another version than slipway._native");
  }
  module.attr("version") = slipway_version();
  // The classes of slipway.errors by their codes, which __init__.py gives.
  module.attr("errors") = nb::dict();
  nb::register_exception_translator(
      [](const std::exception_ptr& pointer, void* context) {
        try {
          std::rethrow_exception(pointer);
        } catch (const Failure& failure) {
          const auto classes = nb::borrow<nb::dict>(static_cast<PyObject*>(context));
          const nb::object own = classes[nb::int_(static_cast<int>(failure.code))];
          PyErr_SetString(own.ptr(), failure.message.c_str());
        }
      },
      nb::object(module.attr("errors")).release().ptr());

  nb::class_<Method>(module, "Method")
      .def_prop_ro("name", &Method::name)
      .def_prop_ro("input_tree", &Method::input_tree)
      .def_prop_ro("output_tree", &Method::output_tree)
      .def("inputs", &Method::inputs)
      .def("outputs", &Method::outputs)
      .def("prepare", &Method::prepare)
      .def("run", &Method::run)
      .def("state", &Method::state)
      .def("reset_state", &Method::reset_state)
      .def("weight_streaming_budget", &Method::weight_streaming_budget)
      .def("set_weight_streaming_budget", &Method::set_weight_streaming_budget);
  nb::class_<Module>(module, "Module")
      .def(nb::init<const nb::object&, const Options&, nb::object>())
      .def("names", &Module::names)
      .def("method", &Module::method, nb::arg("name").none());
  module.def("compile", &compile);
  module.def("inspect_json", [](const std::string& path) {
    char* text = nullptr;
    check(slipway_inspect_json(path.c_str(), &text));
    return taken(text);
  });
  module.def("engine_names", [] {
    size_t count = 0;
    const char* const* const names = slipway_engine_names(&count);
    return std::vector<std::string>(names, names + count);
  });
  module.def("compile_options", [] {
    size_t count = 0;
    const auto* const infos = slipway_compile_options(&count);
    return to_python(infos, count);
  });
  module.def("load_options", [] {
    size_t count = 0;
    const auto* const infos = slipway_load_options(&count);
    return to_python(infos, count);
  });
  module.def("engine_options", [](const std::string& engine) {
    size_t count = 0;
    const auto* const infos = slipway_engine_options(engine.c_str(), &count);
    return to_python(infos, count);
  });
}
