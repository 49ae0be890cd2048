// The functions of slipway_model.h that call those of libslipway_c.so.

#include "model_library/stub/runtime.h"

slipway_model_error* slipway_model_load(const slipway_option* options, size_t option_count,
                                        slipway_warning warning, void* context,
                                        slipway_module** module) {
  slipway_model_error* error = NULL;
  const struct runtime* const opened = open_runtime(&error);
  if (opened == NULL) return error;
  return take_error(opened->slipway_module_load(path_of_model(), options, option_count, warning,
                                                context, module));
}

void slipway_model_free(slipway_module* module) {
  if (module != NULL) opened_runtime()->slipway_module_free(module);
}

size_t slipway_model_method_count(const slipway_module* module) {
  return module == NULL ? 0 : opened_runtime()->slipway_module_method_count(module);
}

const char* slipway_model_method_name(const slipway_module* module, size_t index) {
  return module == NULL ? NULL : opened_runtime()->slipway_module_method_name(module, index);
}

slipway_model_error* slipway_model_method(const slipway_module* module, const char* name,
                                          slipway_method** method) {
  if (module == NULL) return make_error(SLIPWAY_INVALID_ARGUMENT, "module is NULL");
  return take_error(opened_runtime()->slipway_module_method(module, name, method));
}

void slipway_model_method_free(slipway_method* method) {
  if (method != NULL) opened_runtime()->slipway_method_free(method);
}

size_t slipway_model_input_count(const slipway_method* method) {
  return method == NULL ? 0 : opened_runtime()->slipway_method_input_count(method);
}

size_t slipway_model_output_count(const slipway_method* method) {
  return method == NULL ? 0 : opened_runtime()->slipway_method_output_count(method);
}

const slipway_value_info* slipway_model_input(const slipway_method* method, size_t index) {
  return method == NULL ? NULL : opened_runtime()->slipway_method_input(method, index);
}

const slipway_value_info* slipway_model_output(const slipway_method* method, size_t index) {
  return method == NULL ? NULL : opened_runtime()->slipway_method_output(method, index);
}

slipway_model_error* slipway_model_run(const slipway_method* method, const slipway_value* inputs,
                                       size_t input_count, slipway_value* outputs,
                                       size_t output_count) {
  if (method == NULL) return make_error(SLIPWAY_INVALID_ARGUMENT, "method is NULL");
  return take_error(
      opened_runtime()->slipway_method_run(method, inputs, input_count, outputs, output_count));
}

slipway_model_error* slipway_model_tensor_borrow(const char* type, const int64_t* sizes,
                                                 int32_t rank, void* data,
                                                 DLManagedTensorVersioned** tensor) {
  slipway_model_error* error = NULL;
  const struct runtime* const opened = open_runtime(&error);
  if (opened == NULL) return error;
  return take_error(opened->slipway_tensor_borrow(type, sizes, rank, data, tensor));
}

void slipway_model_values_free(slipway_value* values, size_t count) {
  const struct runtime* const opened = opened_runtime();
  // Without it there are no tensors and texts.
  if (opened->library != NULL) opened->slipway_values_free(values, count);
}
