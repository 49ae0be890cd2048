// The C interface from C, as a program that opens the library by itself uses it.
// usage: c_api_dlopen_test libslipway_c.so MODEL.pt2 OUTPUT.pte

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <slipway/slipway_c.h>

#include "../check.h"

// Function pointers come out of dlsym() as pointers to objects.
#define FUNCTION(name)           \
  __typeof__(name)* name##_ = 0; \
  *(void**)&name##_ = find(library, #name)
static void* find(void* library, const char* name) {
  void* const symbol = dlsym(library, name);
  if (symbol == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(symbol != NULL);
  return symbol;
}

int main(int argc, char** argv) {
  CHECK(argc == 4);
  void* const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  FUNCTION(slipway_abi_version);
  FUNCTION(slipway_error_message);
  FUNCTION(slipway_error_code_of);
  FUNCTION(slipway_error_free);
  FUNCTION(slipway_compile);
  FUNCTION(slipway_module_load);
  FUNCTION(slipway_module_method);
  FUNCTION(slipway_module_free);
  FUNCTION(slipway_method_input);
  FUNCTION(slipway_method_run);
  FUNCTION(slipway_method_free);
  FUNCTION(slipway_tensor_borrow);
  FUNCTION(slipway_values_free);
  CHECK(slipway_abi_version_() == SLIPWAY_ABI_VERSION);

  const slipway_option none = {"engines", "none"};
  CHECK(slipway_compile_(argv[2], argv[3], &none, 1, NULL, NULL) == NULL);
  slipway_module* module = NULL;
  slipway_error* error = slipway_module_load_("/no/such.pte", NULL, 0, NULL, NULL, &module);
  CHECK(error != NULL && module == NULL);
  CHECK(slipway_error_code_of_(error) == SLIPWAY_NOT_FOUND);
  CHECK(strstr(slipway_error_message_(error), "/no/such.pte") != NULL);
  slipway_error_free_(error);

  CHECK(slipway_module_load_(argv[3], NULL, 0, NULL, NULL, &module) == NULL);
  slipway_method* method = NULL;
  CHECK(slipway_module_method_(module, "forward", &method) == NULL);
  slipway_module_free_(module);  // the method keeps what it needs
  const slipway_value_info* const info = slipway_method_input_(method, 0);
  CHECK(info->kind == SLIPWAY_TENSOR && strcmp(info->type, "float32") == 0 && info->rank == 2);
  int64_t count = 1;
  for (int32_t i = 0; i < info->rank; ++i) count *= info->min_sizes[i];
  float* const data = calloc((size_t)count, sizeof(float));
  slipway_value input = {SLIPWAY_NONE, {NULL}};
  slipway_value output = {SLIPWAY_NONE, {NULL}};
  CHECK(slipway_tensor_borrow_("float32", info->min_sizes, info->rank, data, &input.as.tensor) ==
        NULL);
  input.kind = SLIPWAY_TENSOR;
  CHECK(slipway_method_run_(method, &input, 1, &output, 1) == NULL);
  CHECK(output.kind == SLIPWAY_TENSOR);
  CHECK(isfinite(((const float*)output.as.tensor->dl_tensor.data)[0]));
  slipway_values_free_(&output, 1);
  slipway_values_free_(&input, 1);
  slipway_method_free_(method);
  free(data);
  return 0;
}
