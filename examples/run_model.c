// Runs a compiled model on numbers that it makes up, of the smallest sizes, from C:
// run_model_c MODEL.pte
//
// Links libslipway_c alone.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <slipway/slipway_c.h>

static int report(slipway_error* error) {
  fprintf(stderr, "run_model_c: %s\n", slipway_error_message(error));
  slipway_error_free(error);
  return 1;
}

// Memory for an input, of zeros; the tensor is around it.
static void* make_input(const slipway_value_info* info, slipway_value* value) {
  void* data = NULL;
  slipway_error* error = NULL;
  if (info->kind != SLIPWAY_TENSOR) return NULL;  // a literal may be left out
  size_t count = 16;                              // the largest element, in bytes
  for (int32_t i = 0; i < info->rank; ++i) count *= (size_t)info->min_sizes[i];
  data = calloc(count > 0 ? count : 1, 1);
  error = slipway_tensor_borrow(info->type, info->min_sizes, info->rank, data, &value->as.tensor);
  if (error != NULL) exit(report(error));
  value->kind = SLIPWAY_TENSOR;
  return data;
}

static void print_output(size_t index, const slipway_value_info* info, const slipway_value* value) {
  printf("output %zu: %s", index, info->text);
  if (value->kind == SLIPWAY_TENSOR && value->as.tensor->dl_tensor.dtype.code == kDLFloat &&
      value->as.tensor->dl_tensor.dtype.bits == 32) {
    const DLTensor* tensor = &value->as.tensor->dl_tensor;
    int64_t count = 1;
    for (int32_t i = 0; i < tensor->ndim; ++i) count *= tensor->shape[i];
    for (int64_t i = 0; i < count && i < 8; ++i) printf(" %g", ((const float*)tensor->data)[i]);
  }
  printf("\n");
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: run_model_c MODEL.pte\n");
    return 2;
  }
  if (slipway_abi_version() != SLIPWAY_ABI_VERSION) {
    fprintf(stderr, "run_model_c: built for another version of libslipway_c\n");
    return 1;
  }
  slipway_module* module = NULL;
  slipway_method* method = NULL;
  slipway_error* error = slipway_module_load(argv[1], NULL, 0, NULL, NULL, &module);
  if (error == NULL) error = slipway_module_method(module, NULL, &method);
  if (error != NULL) return report(error);

  const size_t input_count = slipway_method_input_count(method);
  const size_t output_count = slipway_method_output_count(method);
  slipway_value* inputs = calloc(input_count + 1, sizeof(slipway_value));
  slipway_value* outputs = calloc(output_count + 1, sizeof(slipway_value));
  void** data = calloc(input_count + 1, sizeof(void*));
  for (size_t i = 0; i < input_count; ++i) {
    data[i] = make_input(slipway_method_input(method, i), &inputs[i]);
  }
  error = slipway_method_run(method, inputs, input_count, outputs, output_count);
  if (error != NULL) return report(error);
  for (size_t i = 0; i < output_count; ++i) {
    print_output(i, slipway_method_output(method, i), &outputs[i]);
  }

  slipway_values_free(outputs, output_count);
  slipway_values_free(inputs, input_count);
  for (size_t i = 0; i < input_count; ++i) free(data[i]);
  free(data);
  free(inputs);
  free(outputs);
  slipway_method_free(method);
  slipway_module_free(module);
  return 0;
}
