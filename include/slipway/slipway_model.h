// A model that is a shared library, as `slipway compile model.pt2 -o model.so` writes it: for
// programs that link it, or open it with dlopen().
//
//   slipway_module* module = NULL;
//   slipway_method* method = NULL;
//   slipway_model_error* error = slipway_model_load(NULL, 0, NULL, NULL, &module);
//   if (error == NULL) error = slipway_model_method(module, NULL, &method);
//   if (error == NULL) error = slipway_model_run(method, inputs, 1, outputs, 1);
//   if (error != NULL) {
//     fprintf(stderr, "%s\n", slipway_model_error_message(error));
//     slipway_model_error_free(error);
//   }
//
// Types, and what holds of errors, texts and threads, are those of slipway_c.h, whose library runs
// the model: libslipway_c.so is opened by the first call that needs it, from what the environment
// variable SLIPWAY_C_LIBRARY names (the file or its folder), else from beside the model, from lib/
// there or from ../lib, or where the system finds it. A program need not be linked with it.
//
// Every such library has functions of these names: a program with several opens them with dlopen()
// and RTLD_LOCAL, and finds the functions of each with dlsym().
#ifndef SLIPWAY_SLIPWAY_MODEL_H
#define SLIPWAY_SLIPWAY_MODEL_H

#include "slipway/slipway_c.h"

#ifdef __cplusplus
extern "C" {
#endif

// Errors of these functions, those of slipway_c.h among them.
typedef struct slipway_model_error slipway_model_error;
SLIPWAY_API slipway_error_code slipway_model_error_code_of(const slipway_model_error* error);
SLIPWAY_API const char* slipway_model_error_message(const slipway_model_error* error);
SLIPWAY_API void slipway_model_error_free(slipway_model_error* error);

// As slipway_module_load(), of the program in this library: it is mapped, and no weight is read.
// SLIPWAY_UNAVAILABLE where libslipway_c.so is missing or too old.
SLIPWAY_API slipway_model_error* slipway_model_load(const slipway_option* options,
                                                    size_t option_count, slipway_warning warning,
                                                    void* context, slipway_module** module);
SLIPWAY_API void slipway_model_free(slipway_module* module);
SLIPWAY_API size_t slipway_model_method_count(const slipway_module* module);
SLIPWAY_API const char* slipway_model_method_name(const slipway_module* module, size_t index);
SLIPWAY_API slipway_model_error* slipway_model_method(const slipway_module* module,
                                                      const char* name, slipway_method** method);
SLIPWAY_API void slipway_model_method_free(slipway_method* method);

SLIPWAY_API size_t slipway_model_input_count(const slipway_method* method);
SLIPWAY_API size_t slipway_model_output_count(const slipway_method* method);
SLIPWAY_API const slipway_value_info* slipway_model_input(const slipway_method* method,
                                                          size_t index);
SLIPWAY_API const slipway_value_info* slipway_model_output(const slipway_method* method,
                                                           size_t index);
SLIPWAY_API slipway_model_error* slipway_model_run(const slipway_method* method,
                                                   const slipway_value* inputs, size_t input_count,
                                                   slipway_value* outputs, size_t output_count);

SLIPWAY_API slipway_model_error* slipway_model_tensor_borrow(const char* type, const int64_t* sizes,
                                                             int32_t rank, void* data,
                                                             DLManagedTensorVersioned** tensor);
SLIPWAY_API void slipway_model_values_free(slipway_value* values, size_t count);

// Any other function of slipway_c.h, by name, such as "slipway_method_set_output"; NULL where
// libslipway_c.so has no such function, or does not open.
SLIPWAY_API void* slipway_model_function(const char* name);

#ifdef __cplusplus
}
#endif

#endif  // SLIPWAY_SLIPWAY_MODEL_H
