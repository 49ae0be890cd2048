// What a model that is a shared library has of libslipway_c.so, and its errors.
#ifndef SLIPWAY_MODEL_LIBRARY_STUB_RUNTIME_H
#define SLIPWAY_MODEL_LIBRARY_STUB_RUNTIME_H

#include <slipway/slipway_model.h>

// The functions that are called by name here.
#define FOR_EACH_FUNCTION(F)      \
  F(slipway_error_code_of)        \
  F(slipway_error_message)        \
  F(slipway_error_free)           \
  F(slipway_tensor_borrow)        \
  F(slipway_values_free)          \
  F(slipway_module_load)          \
  F(slipway_module_free)          \
  F(slipway_module_method_count)  \
  F(slipway_module_method_name)   \
  F(slipway_module_method)        \
  F(slipway_method_free)          \
  F(slipway_method_input_count)   \
  F(slipway_method_output_count)  \
  F(slipway_method_input)         \
  F(slipway_method_output)        \
  F(slipway_method_run)           \
  F(slipway_method_prepare)       \
  F(slipway_method_state_count)   \
  F(slipway_method_input_spec)    \
  F(slipway_method_output_spec)   \
  F(slipway_method_input_device)  \
  F(slipway_method_output_device) \
  F(slipway_method_set_output)    \
  F(slipway_method_run_on_stream)

#define FIELD(name) __typeof__(name)* name;
struct runtime {
  void* library;
  FOR_EACH_FUNCTION(FIELD)
};
#undef FIELD

// Opens it at the first call that finds it; any thread may call this. NULL with an error.
const struct runtime* open_runtime(slipway_model_error** error);
// What was opened; of functions that are given something of a model, which there is only then.
const struct runtime* opened_runtime(void);

// printf's; never NULL.
__attribute__((format(printf, 2, 3))) slipway_model_error* make_error(slipway_error_code code,
                                                                      const char* format, ...);
// The library's, which is freed; NULL of NULL.
slipway_model_error* take_error(slipway_error* error);

// The file that this is; "" where the system does not tell.
const char* path_of_model(void);

#endif  // SLIPWAY_MODEL_LIBRARY_STUB_RUNTIME_H
