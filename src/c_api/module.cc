#include "slipway/module.h"

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "c_api/error.h"
#include "c_api/options.h"
#include "c_api/tensors.h"
#include "engine/tree_json.h"
#include "pt2/tree_writer.h"
#include "slipway/cuda.h"
#include "slipway/log.h"

using namespace slipway;  // NOLINT(google-build-using-namespace)

struct slipway_module {
  Module module;
  std::vector<std::string> names;
};

namespace {

// The texts and sizes that slipway_value_info points to.
struct Described {
  std::string text;
  std::vector<int64_t> min_sizes;
  std::vector<int64_t> max_sizes;
  slipway_value_info info;
};

// The elements of a deque stay where they are.
std::deque<Described> describe(const std::vector<ValueInfo>& values) {
  std::deque<Described> result;
  for (const ValueInfo& value : values) {
    Described& described = result.emplace_back();
    described.text = value.type_text();
    slipway_value_info& info = described.info;
    info = {value.name.c_str(),
            described.text.c_str(),
            SLIPWAY_INTEGER,
            nullptr,
            0,
            nullptr,
            nullptr,
            false};
    if (const TensorInfo* tensor = value.tensor()) {
      for (const SizeInfo& size : tensor->sizes) {
        described.min_sizes.push_back(size.min);
        described.max_sizes.push_back(size.max);
      }
      info.kind = SLIPWAY_TENSOR;
      info.type = dtype_name(tensor->dtype).data();
      info.rank = static_cast<int32_t>(tensor->sizes.size());
      info.min_sizes = described.min_sizes.data();
      info.max_sizes = described.max_sizes.data();
      info.is_mutated = tensor->mutated;
    } else if (const auto* literal = std::get_if<LiteralInfo>(&value.type)) {
      info.kind = c_api::kind_of(literal->value);
    }
  }
  return result;
}

}  // namespace

struct slipway_method {
  explicit slipway_method(const Method& of)
      : method(of),
        inputs(describe(method.inputs())),
        outputs(describe(method.outputs())),
        input_tree(engine::dump_json(engine::tree_to_json(method.input_tree()))),
        output_tree(engine::dump_json(engine::tree_to_json(method.output_tree()))),
        input_spec(pt2::write_tree(method.input_tree())),
        output_spec(pt2::write_tree(method.output_tree())) {}
  Method method;
  std::deque<Described> inputs;
  std::deque<Described> outputs;
  std::string input_tree;
  std::string output_tree;
  Result<std::string> input_spec;
  Result<std::string> output_spec;
};

struct slipway_run {
  std::shared_ptr<const Method> method;
  size_t output_count;
  PendingRun run;
};

namespace {

const slipway_value_info* at(const std::deque<Described>& list, size_t index) {
  return index < list.size() ? &list[index].info : nullptr;
}

Result<LoadOptions> load_options(const slipway_option* options, size_t count,
                                 slipway_warning warning, void* context) {
  if (count > 0) SLIPWAY_RETURN_IF_ERROR(c_api::check_given(options, "options"));
  SLIPWAY_ASSIGN_OR_RETURN(LoadOptions result, c_api::to_load_options({options, count}));
  if (warning != nullptr) {
    result.on_warning = [=](const std::string& text) { warning(context, text.c_str()); };
  }
  return result;
}

slipway_module* to_c(Module module) {
  std::vector<std::string> names = module.method_names();
  return new slipway_module{std::move(module), std::move(names)};
}

Status check_outputs(const slipway_value* outputs, size_t given, size_t count) {
  if (given != count) {
    return invalid_argument("the method has {} outputs, and room is given for {}", count, given);
  }
  return count == 0 ? Status() : c_api::check_given(outputs, "outputs");
}

Result<std::vector<Value>> read_inputs(const Method& method, const slipway_value* inputs,
                                       size_t count) {
  if (count > 0) SLIPWAY_RETURN_IF_ERROR(c_api::check_given(inputs, "inputs"));
  auto values = c_api::from_c({inputs, count});
  if (!values.ok()) return values.error().with_context("inputs");
  const auto& infos = method.inputs();
  for (size_t i = 0; i < count && i < infos.size(); ++i) {
    const TensorInfo* tensor = infos[i].tensor();
    const bool is_read_only = inputs[i].kind == SLIPWAY_TENSOR &&
                              (inputs[i].as.tensor->flags & DLPACK_FLAG_BITMASK_READ_ONLY) != 0;
    if (tensor != nullptr && tensor->mutated && is_read_only) {
      return invalid_argument("input {} is read-only, and the method writes to it", i);
    }
  }
  return values;
}

// Of a method that is not null.
template <class Body>
slipway_error* with(const slipway_method* method, const Body& body) {
  return c_api::guard([&]() -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(method, "method"));
    return body(method->method);
  });
}

slipway_error* tell_device(const slipway_method* method,
                           Result<Device> (Method::*device_of)(size_t index) const, size_t index,
                           DLDevice* device) {
  return with(method, [&](const Method& of) -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(device, "device"));
    SLIPWAY_ASSIGN_OR_RETURN(const Device found, (of.*device_of)(index));
    *device = c_api::to_dlpack(found);
    return {};
  });
}

}  // namespace

slipway_error* slipway_module_load(const char* path, const slipway_option* options,
                                   size_t option_count, slipway_warning warning, void* context,
                                   slipway_module** module) {
  return c_api::guard([&]() -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(path, "path"));
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(module, "module"));
    SLIPWAY_ASSIGN_OR_RETURN(const auto given,
                             load_options(options, option_count, warning, context));
    SLIPWAY_ASSIGN_OR_RETURN(Module loaded, Module::load(path, given));
    *module = to_c(std::move(loaded));
    return {};
  });
}

slipway_error* slipway_module_load_memory(const void* data, size_t size, const char* name,
                                          const slipway_option* options, size_t option_count,
                                          slipway_warning warning, void* context,
                                          slipway_module** module) {
  return c_api::guard([&]() -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(data, "data"));
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(name, "name"));
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(module, "module"));
    SLIPWAY_ASSIGN_OR_RETURN(const auto given,
                             load_options(options, option_count, warning, context));
    const auto* const bytes = static_cast<const std::byte*>(data);
    SLIPWAY_ASSIGN_OR_RETURN(
        Module loaded, Module::load(std::vector<std::byte>(bytes, bytes + size), name, given));
    *module = to_c(std::move(loaded));
    return {};
  });
}

void slipway_module_free(slipway_module* module) { delete module; }

size_t slipway_module_method_count(const slipway_module* module) {
  return module == nullptr ? 0 : module->names.size();
}

const char* slipway_module_method_name(const slipway_module* module, size_t index) {
  return index < slipway_module_method_count(module) ? module->names[index].c_str() : nullptr;
}

slipway_error* slipway_module_method(const slipway_module* module, const char* name,
                                     slipway_method** method) {
  return c_api::guard([&]() -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(module, "module"));
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(method, "method"));
    SLIPWAY_ASSIGN_OR_RETURN(const Method found, name == nullptr ? module->module.method()
                                                                 : module->module.method(name));
    *method = new slipway_method(found);
    return {};
  });
}

void slipway_method_free(slipway_method* method) { delete method; }

const char* slipway_method_name(const slipway_method* method) {
  return method == nullptr ? nullptr : method->method.name().c_str();
}

size_t slipway_method_input_count(const slipway_method* method) {
  return method == nullptr ? 0 : method->inputs.size();
}

size_t slipway_method_output_count(const slipway_method* method) {
  return method == nullptr ? 0 : method->outputs.size();
}

const slipway_value_info* slipway_method_input(const slipway_method* method, size_t index) {
  return method == nullptr ? nullptr : at(method->inputs, index);
}

const slipway_value_info* slipway_method_output(const slipway_method* method, size_t index) {
  return method == nullptr ? nullptr : at(method->outputs, index);
}

const char* slipway_method_input_tree(const slipway_method* method) {
  return method == nullptr ? nullptr : method->input_tree.c_str();
}

const char* slipway_method_output_tree(const slipway_method* method) {
  return method == nullptr ? nullptr : method->output_tree.c_str();
}

const char* slipway_method_input_spec(const slipway_method* method) {
  return method == nullptr || !method->input_spec.ok() ? nullptr : method->input_spec->c_str();
}

const char* slipway_method_output_spec(const slipway_method* method) {
  return method == nullptr || !method->output_spec.ok() ? nullptr : method->output_spec->c_str();
}

slipway_error* slipway_method_prepare(const slipway_method* method) {
  return with(method, [](const Method& of) { return of.prepare(); });
}

slipway_error* slipway_method_run(const slipway_method* method, const slipway_value* inputs,
                                  size_t input_count, slipway_value* outputs, size_t output_count) {
  return with(method, [&](const Method& of) -> Status {
    SLIPWAY_RETURN_IF_ERROR(check_outputs(outputs, output_count, of.outputs().size()));
    SLIPWAY_ASSIGN_OR_RETURN(const auto values, read_inputs(of, inputs, input_count));
    SLIPWAY_ASSIGN_OR_RETURN(const auto results, of.run(values));
    c_api::to_c(results, std::make_shared<const Method>(of), outputs);
    return {};
  });
}

slipway_error* slipway_method_run_on_stream(const slipway_method* method, void* stream,
                                            const slipway_value* inputs, size_t input_count,
                                            slipway_value* outputs, size_t output_count) {
  const cuda::StreamGuard guard(stream);
  return slipway_method_run(method, inputs, input_count, outputs, output_count);
}

slipway_error* slipway_method_input_device(const slipway_method* method, size_t index,
                                           DLDevice* device) {
  return tell_device(method, &Method::input_device, index, device);
}

slipway_error* slipway_method_output_device(const slipway_method* method, size_t index,
                                            DLDevice* device) {
  return tell_device(method, &Method::output_device, index, device);
}

slipway_error* slipway_method_run_async(const slipway_method* method, const slipway_value* inputs,
                                        size_t input_count, slipway_run** run) {
  return with(method, [&](const Method& of) -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(run, "run"));
    SLIPWAY_ASSIGN_OR_RETURN(const auto values, read_inputs(of, inputs, input_count));
    auto kept = std::make_shared<const Method>(of);
    SLIPWAY_ASSIGN_OR_RETURN(PendingRun pending, of.run_async(values));
    *run = new slipway_run{std::move(kept), of.outputs().size(), std::move(pending)};
    return {};
  });
}

bool slipway_run_is_done(const slipway_run* run) { return run == nullptr || run->run.is_done(); }

slipway_error* slipway_run_wait(slipway_run* run, slipway_value* outputs, size_t output_count) {
  return c_api::guard([&]() -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(run, "run"));
    SLIPWAY_RETURN_IF_ERROR(check_outputs(outputs, output_count, run->output_count));
    SLIPWAY_ASSIGN_OR_RETURN(const auto results, run->run.wait());
    c_api::to_c(results, run->method, outputs);
    return {};
  });
}

void slipway_method_cancel(const slipway_method* method) {
  if (method != nullptr) method->method.cancel();
}

uint32_t slipway_kernel_threads() { return kernel_threads(); }

slipway_error* slipway_set_kernel_threads(uint32_t count) {
  return c_api::guard([&] { return set_kernel_threads(count); });
}

void slipway_set_log(slipway_log log, void* context, slipway_log_level least) {
  if (log == nullptr) return set_log_callback(nullptr);
  set_log_callback(
      [=](LogLevel level, const std::string& message) {
        log(context, static_cast<slipway_log_level>(level), message.c_str());
      },
      static_cast<LogLevel>(least));
}

void slipway_run_free(slipway_run* run) { delete run; }

slipway_error* slipway_method_set_output(const slipway_method* method, size_t index,
                                         const DLManagedTensorVersioned* memory) {
  return with(method, [&](const Method& of) -> Status {
    if (memory == nullptr) return of.set_output(index, std::nullopt);
    SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor, c_api::from_dlpack(*memory));
    return of.set_output(index, std::move(tensor));
  });
}

slipway_error* slipway_method_state_count(const slipway_method* method, size_t* count) {
  return with(method, [&](const Method& of) -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(count, "count"));
    SLIPWAY_ASSIGN_OR_RETURN(const auto state, of.state());
    *count = state.size();
    return {};
  });
}

slipway_error* slipway_method_state(const slipway_method* method, size_t index, char** name,
                                    DLManagedTensorVersioned** tensor) {
  return with(method, [&](const Method& of) -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(name, "name"));
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(tensor, "tensor"));
    SLIPWAY_ASSIGN_OR_RETURN(const auto state, of.state());
    if (index >= state.size()) {
      return invalid_argument("there is no buffer {}: the method has {}", index, state.size());
    }
    auto owner = std::make_shared<const Method>(of);
    std::unique_ptr<char, void (*)(char*)> text(c_api::copy_text(state[index].first),
                                                slipway_text_free);
    *tensor = c_api::to_dlpack(state[index].second, std::move(owner));
    *name = text.release();
    return {};
  });
}

slipway_error* slipway_method_reset_state(const slipway_method* method) {
  return with(method, [](const Method& of) { return of.reset_state(); });
}

slipway_error* slipway_method_weight_streaming_budget(const slipway_method* method,
                                                      uint64_t* bytes) {
  return with(method, [&](const Method& of) -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(bytes, "bytes"));
    SLIPWAY_ASSIGN_OR_RETURN(*bytes, of.weight_streaming_budget());
    return {};
  });
}

slipway_error* slipway_method_set_weight_streaming_budget(const slipway_method* method,
                                                          uint64_t bytes, uint64_t* in_force) {
  return with(method, [&](const Method& of) -> Status {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t set, of.set_weight_streaming_budget(bytes));
    if (in_force != nullptr) *in_force = set;
    return {};
  });
}

slipway_error* slipway_method_set_weight_streaming_total(const slipway_method* method,
                                                         uint64_t bytes, uint64_t* in_force) {
  return with(method, [&](const Method& of) -> Status {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t set, of.set_weight_streaming_total(bytes));
    if (in_force != nullptr) *in_force = set;
    return {};
  });
}
