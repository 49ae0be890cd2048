#define _GNU_SOURCE
#include "model_library/stub/aoti_tensors.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

enum { kCpu = 0, kMostDimensions = 64 };

// Its numbers of element types (c10/core/ScalarType.h) by their names.
struct element_type {
  const char* name;
  int32_t number;
};
static const struct element_type kElementTypes[] = {
    {"uint8", 0},
    {"int8", 1},
    {"int16", 2},
    {"int32", 3},
    {"int64", 4},
    {"float16", 5},
    {"float32", 6},
    {"float64", 7},
    {"complex32", 8},
    {"complex64", 9},
    {"complex128", 10},
    {"bool", 11},
    {"bfloat16", 15},
    {"float8_e5m2", 23},
    {"float8_e4m3fn", 24},
    {"float8_e5m2fnuz", 25},
    {"float8_e4m3fnuz", 26},
    {"uint16", 27},
    {"uint32", 28},
    {"uint64", 29},
};
enum { kElementTypeCount = sizeof(kElementTypes) / sizeof(kElementTypes[0]) };

// -1 for what there is not.
static int32_t number_of(const char* name) {
  for (size_t i = 0; i < kElementTypeCount; ++i) {
    if (strcmp(kElementTypes[i].name, name) == 0) return kElementTypes[i].number;
  }
  return -1;
}

static const char* name_of(int32_t number) {
  for (size_t i = 0; i < kElementTypeCount; ++i) {
    if (kElementTypes[i].number == number) return kElementTypes[i].name;
  }
  return "another type";
}

slipway_model_error* find_torch(struct torch* torch) {
  void* const library = dlopen("libtorch_cpu.so", RTLD_NOW | RTLD_NOLOAD);
  void* const where = library != NULL ? library : RTLD_DEFAULT;
  const char* missing = NULL;
#define FIND(name, parameters)                 \
  *(void**)&torch->name = dlsym(where, #name); \
  if (torch->name == NULL) missing = #name;
  FOR_EACH_TORCH_FUNCTION(FIND)
#undef FIND
  // The process keeps it: it has called.
  if (library != NULL) dlclose(library);
  if (missing == NULL) return NULL;
  return make_error(SLIPWAY_UNAVAILABLE,
                    "%s: no PyTorch is found in this process that has %s, by which the model would "
                    "read its tensors: call slipway_model_load() in its place",
                    path_of_model(), missing);
}

int32_t type_of(slipway_kind kind, const char* type_of_tensor) {
  switch (kind) {
    case SLIPWAY_TENSOR:
      return number_of(type_of_tensor);
    case SLIPWAY_INTEGER:
      return number_of("int64");
    case SLIPWAY_NUMBER:
      return number_of("float64");
    case SLIPWAY_BOOLEAN:
      return number_of("bool");
    default:
      return -1;
  }
}

#define PYTORCH(call)                                                                         \
  do {                                                                                        \
    if ((call) != 0) return make_error(SLIPWAY_INTERNAL, "PyTorch's function fails: " #call); \
  } while (0)

// The strides of a tensor that lies contiguously; nothing else is said of sizes of 1, and of a
// tensor without elements.
static slipway_model_error* check_strides(size_t position, int64_t rank, const int64_t* sizes,
                                          const int64_t* strides) {
  for (int64_t i = 0; i < rank; ++i) {
    if (sizes[i] == 0) return NULL;
  }
  int64_t expected = 1;
  for (int64_t i = rank - 1; i >= 0; --i) {
    if (sizes[i] != 1 && strides[i] != expected) {
      return make_error(SLIPWAY_INVALID_ARGUMENT,
                        "input_handles[%zu]: unmatched stride value at %lld, expected: %lld, but "
                        "got: %lld (call contiguous() before)",
                        position, (long long)i, (long long)expected, (long long)strides[i]);
    }
    expected *= sizes[i];
  }
  return NULL;
}

slipway_model_error* read_input(const struct torch* torch, size_t position, tensor_handle handle,
                                const slipway_value_info* info, slipway_value* value) {
  if (handle == NULL) {
    return make_error(SLIPWAY_INVALID_ARGUMENT, "input_handles[%zu]: no tensor", position);
  }
  int32_t device = 0;
  int32_t type = 0;
  int64_t rank = 0;
  int64_t* sizes = NULL;
  int64_t* strides = NULL;
  void* data = NULL;
  PYTORCH(torch->aoti_torch_get_device_type(handle, &device));
  if (device != kCpu) {
    return make_error(SLIPWAY_INVALID_ARGUMENT,
                      "input_handles[%zu]: unmatched device type, expected: 0(cpu), but got: %d",
                      position, device);
  }
  PYTORCH(torch->aoti_torch_get_dtype(handle, &type));
  if (type != number_of(info->type)) {
    return make_error(SLIPWAY_INVALID_ARGUMENT,
                      "input_handles[%zu]: unmatched dtype, expected: %d(%s), but got: %d(%s)",
                      position, number_of(info->type), info->type, type, name_of(type));
  }
  PYTORCH(torch->aoti_torch_get_dim(handle, &rank));
  PYTORCH(torch->aoti_torch_get_sizes(handle, &sizes));
  PYTORCH(torch->aoti_torch_get_strides(handle, &strides));
  PYTORCH(torch->aoti_torch_get_data_ptr(handle, &data));
  slipway_model_error* error = check_strides(position, rank, sizes, strides);
  if (error != NULL) return error;
  error = slipway_model_tensor_borrow(info->type, sizes, (int32_t)rank, data, &value->as.tensor);
  if (error == NULL) value->kind = SLIPWAY_TENSOR;
  return error;
}

slipway_model_error* write_output(const struct torch* torch, const slipway_value* value,
                                  const slipway_value_info* info, tensor_handle* handle) {
  if (value->kind == SLIPWAY_NONE) return NULL;  // no tensor, which is None in Python
  const void* from = &value->as;
  size_t bytes = value->kind == SLIPWAY_BOOLEAN ? sizeof(bool) : sizeof(int64_t);
  int32_t rank = 0;
  const int64_t* sizes = NULL;
  int64_t strides[kMostDimensions];
  if (value->kind == SLIPWAY_TENSOR) {
    const DLTensor* const tensor = &value->as.tensor->dl_tensor;
    from = (const char*)tensor->data + tensor->byte_offset;
    rank = tensor->ndim;
    sizes = tensor->shape;
    if (rank > kMostDimensions) {
      return make_error(SLIPWAY_UNSUPPORTED, "output '%s' has %d dimensions", info->name, rank);
    }
    int64_t count = 1;
    for (int32_t i = rank - 1; i >= 0; --i) {
      strides[i] = count > 0 ? count : 1;
      count *= sizes[i];
    }
    bytes = (size_t)count * tensor->dtype.bits * tensor->dtype.lanes / 8;
  }
  void* data = NULL;
  PYTORCH(torch->aoti_torch_empty_strided(rank, sizes, strides, type_of(value->kind, info->type),
                                          kCpu, 0, handle));
  PYTORCH(torch->aoti_torch_get_data_ptr(*handle, &data));
  if (bytes > 0) memcpy(data, from, bytes);
  return NULL;
}
