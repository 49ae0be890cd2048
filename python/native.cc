// slipway._native: the C interface (slipway/slipway_c.h) for Python. What users see is in
// slipway/__init__.py.
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "failure.h"
#include "lock.h"
#include "slipway/slipway_c.h"
#include "values.h"

namespace {

// Names and values.
class Options {
 public:
  explicit Options(const nb::list& options) {
    for (const nb::handle option : options) {
      const auto [name, value] = nb::cast<std::pair<std::string, nb::bytes>>(option);
      texts_.emplace_back(name, text_of(value));
    }
    for (const auto& [name, value] : texts_) options_.push_back({name.c_str(), value.c_str()});
  }
  const slipway_option* data() const { return options_.data(); }
  size_t size() const { return options_.size(); }

 private:
  std::vector<std::pair<std::string, std::string>> texts_;
  std::vector<slipway_option> options_;
};

// One thread at a time works with a module: the others wait, without Python's lock.
struct Shared {
  slipway_module* module = nullptr;
  Warnings warnings;
  nb::object on_warning;  // destroyed under Python's lock, as all that holds it is
  std::mutex mutex;

  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { slipway_module_free(module); }

  template <class Body>
  void alone(const Body& body) {
    {
      const WithoutLock no_lock;
      const std::lock_guard lock(mutex);
      check(body());
    }
    warnings.tell(on_warning);
    Log::get().tell();
  }
};

// Frees what a run gave.
struct Outputs {
  explicit Outputs(size_t count) : values(count) {}
  ~Outputs() { slipway_values_free(values.data(), values.size()); }
  Outputs(const Outputs&) = delete;
  Outputs& operator=(const Outputs&) = delete;
  std::vector<slipway_value> values;
};

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
    std::vector<Copy> copies;
    shared_->alone([&]() -> slipway_error* {
      Outputs outputs(slipway_method_output_count(method_.get()));
      slipway_error* const error = slipway_method_run(method_.get(), inputs.data(), inputs.size(),
                                                      outputs.values.data(), outputs.values.size());
      if (error != nullptr) return error;
      // They lie in the module's memory until the next run.
      for (const slipway_value& value : outputs.values) copies.emplace_back(value);
      return nullptr;
    });
    nb::list result;
    for (Copy& copy : copies) result.append(copy.to_python());
    return result;
  }

  // While another thread waits for a run, and no lock is free.
  void cancel() { slipway_method_cancel(method_.get()); }

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
  // Of a path, or of the content of a file.
  Module(const nb::bytes& source, bool is_content, const nb::list& options, nb::object on_warning)
      : shared_(std::make_shared<Shared>()) {
    shared_->on_warning = std::move(on_warning);
    const Options given(options);
    const std::string path = is_content ? "" : text_of(source);
    shared_->alone([&] {
      return is_content ? slipway_module_load_memory(source.data(), source.size(), "the program",
                                                     given.data(), given.size(), Warnings::add,
                                                     &shared_->warnings, &shared_->module)
                        : slipway_module_load(path.c_str(), given.data(), given.size(),
                                              Warnings::add, &shared_->warnings, &shared_->module);
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

void compile(const nb::bytes& archive, const nb::bytes& output, const nb::list& options,
             const nb::object& on_warning) {
  const std::string from = text_of(archive);
  const std::string to = text_of(output);
  const Options given(options);
  Warnings warnings;
  {
    const WithoutLock no_lock;
    check(slipway_compile(from.c_str(), to.c_str(), given.data(), given.size(), Warnings::add,
                          &warnings));
  }
  warnings.tell(on_warning);
  Log::get().tell();
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
      .def("cancel", &Method::cancel)
      .def("state", &Method::state)
      .def("reset_state", &Method::reset_state)
      .def("weight_streaming_budget", &Method::weight_streaming_budget)
      .def("set_weight_streaming_budget", &Method::set_weight_streaming_budget);
  nb::class_<Module>(module, "Module")
      .def(nb::init<const nb::bytes&, bool, const nb::list&, nb::object>())
      .def("names", &Module::names)
      .def("method", &Module::method, nb::arg("name").none());
  module.def("compile", &compile);
  module.def("inspect_json", [](const nb::bytes& path) {
    char* text = nullptr;
    check(slipway_inspect_json(text_of(path).c_str(), &text));
    return taken(text);
  });
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(&WithoutLock::close));
  module.def(
      "set_log", [](const nb::object& function, int least) { Log::get().set(function, least); },
      nb::arg("function").none(), nb::arg("least"));
  module.def("kernel_threads", [] { return slipway_kernel_threads(); });
  module.def("set_kernel_threads",
             [](uint32_t count) { check(slipway_set_kernel_threads(count)); });
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
