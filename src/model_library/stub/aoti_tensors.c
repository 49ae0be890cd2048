#define _GNU_SOURCE
#include "model_library/stub/aoti_tensors.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

enum { kMostDimensions = 64 };
static const struct place kHost = {kCpu, 0};

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

static void* find_function(const char* name) {
  static const char* const kLibraries[] = {"libtorch_cpu.so", "libtorch_cuda.so"};
  for (size_t i = 0; i < sizeof(kLibraries) / sizeof(kLibraries[0]); ++i) {
    void* const library = dlopen(kLibraries[i], RTLD_NOW | RTLD_NOLOAD);
    if (library == NULL) continue;
    void* const found = dlsym(library, name);
    dlclose(library);  // the process keeps it: it has called
    if (found != NULL) return found;
  }
  return dlsym(RTLD_DEFAULT, name);
}

slipway_model_error* find_torch(int with_cuda, struct torch* torch) {
  const char* missing = NULL;
#define FIND(name, parameters)                  \
  *(void**)&torch->name = find_function(#name); \
  if (torch->name == NULL) missing = #name;
  FOR_EACH_TORCH_FUNCTION(FIND)
  if (with_cuda) {
    FOR_EACH_CUDA_FUNCTION(FIND)
  }
#undef FIND
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

static const char* name_of_place(int32_t type) { return type == kCuda ? "cuda" : "cpu"; }

static slipway_model_error* check_place(const struct torch* torch, size_t position,
                                        tensor_handle handle, struct place place) {
  struct place found = {0, place.index};
  PYTORCH(torch->aoti_torch_get_device_type(handle, &found.type));
  if (found.type != place.type) {
    return make_error(SLIPWAY_INVALID_ARGUMENT,
                      "input_handles[%zu]: unmatched device type, expected: %d(%s), but got: %d",
                      position, place.type, name_of_place(place.type), found.type);
  }
  if (place.type == kCuda) PYTORCH(torch->aoti_torch_get_device_index(handle, &found.index));
  if (found.index == place.index) return NULL;
  return make_error(SLIPWAY_INVALID_ARGUMENT,
                    "input_handles[%zu]: it is on cuda:%d, and the model was loaded for cuda:%d",
                    position, found.index, place.index);
}

// One that lies contiguously.
static slipway_model_error* make_tensor(const struct torch* torch, int64_t rank,
                                        const int64_t* sizes, int32_t type, struct place place,
                                        tensor_handle* handle) {
  int64_t strides[kMostDimensions];
  if (rank > kMostDimensions) {
    return make_error(SLIPWAY_UNSUPPORTED, "a tensor has %lld dimensions", (long long)rank);
  }
  int64_t stride = 1;
  for (int64_t i = rank - 1; i >= 0; --i) {
    strides[i] = stride;
    if (sizes[i] > 0) stride *= sizes[i];
  }
  PYTORCH(
      torch->aoti_torch_empty_strided(rank, sizes, strides, type, place.type, place.index, handle));
  return NULL;
}

static slipway_model_error* borrow(const char* type, const int64_t* sizes, int64_t rank, void* data,
                                   struct place place, slipway_value* value) {
  slipway_model_error* const error =
      slipway_model_tensor_borrow(type, sizes, (int32_t)rank, data, &value->as.tensor);
  if (error != NULL) return error;
  value->kind = SLIPWAY_TENSOR;
  if (place.type == kCuda) {
    value->as.tensor->dl_tensor.device.device_type = kDLCUDA;
    value->as.tensor->dl_tensor.device.device_id = place.index;
  }
  return NULL;
}

slipway_model_error* read_input(const struct torch* torch, size_t position, tensor_handle handle,
                                const slipway_value_info* info, struct place place,
                                struct place taken, slipway_value* value, tensor_handle* copy) {
  if (handle == NULL) {
    return make_error(SLIPWAY_INVALID_ARGUMENT, "input_handles[%zu]: no tensor", position);
  }
  int32_t type = 0;
  int64_t rank = 0;
  int64_t* sizes = NULL;
  int64_t* strides = NULL;
  void* data = NULL;
  slipway_model_error* error = check_place(torch, position, handle, place);
  if (error != NULL) return error;
  PYTORCH(torch->aoti_torch_get_dtype(handle, &type));
  if (type != number_of(info->type)) {
    return make_error(SLIPWAY_INVALID_ARGUMENT,
                      "input_handles[%zu]: unmatched dtype, expected: %d(%s), but got: %d(%s)",
                      position, number_of(info->type), info->type, type, name_of(type));
  }
  PYTORCH(torch->aoti_torch_get_dim(handle, &rank));
  PYTORCH(torch->aoti_torch_get_sizes(handle, &sizes));
  PYTORCH(torch->aoti_torch_get_strides(handle, &strides));
  error = check_strides(position, rank, sizes, strides);
  if (error != NULL) return error;
  if (taken.type != place.type) {
    error = make_tensor(torch, rank, sizes, type, taken, copy);
    if (error != NULL) return error;
    PYTORCH(torch->aoti_torch_copy_(*copy, handle, 0));
    handle = *copy;
  }
  PYTORCH(torch->aoti_torch_get_data_ptr(handle, &data));
  return borrow(info->type, sizes, rank, data, taken, value);
}

slipway_model_error* make_room(const struct torch* torch, const slipway_value_info* info,
                               struct place place, slipway_value* value, tensor_handle* room) {
  void* data = NULL;
  slipway_model_error* const error =
      make_tensor(torch, info->rank, info->max_sizes, number_of(info->type), place, room);
  if (error != NULL) return error;
  PYTORCH(torch->aoti_torch_get_data_ptr(*room, &data));
  return borrow(info->type, info->max_sizes, info->rank, data, place, value);
}

// To PyTorch's memory, which may be that of a GPU, from a tensor of the module's.
static slipway_model_error* copy_out(const struct torch* torch, const DLTensor* from, int32_t type,
                                     struct place place, tensor_handle to) {
  const struct place source = from->device.device_type == kDLCUDA ? place : kHost;
  int64_t* strides = NULL;
  tensor_handle view = NULL;
  PYTORCH(torch->aoti_torch_get_strides(to, &strides));
  PYTORCH(torch->aoti_torch_create_tensor_from_blob((char*)from->data + from->byte_offset,
                                                    from->ndim, from->shape, strides, 0, type,
                                                    source.type, source.index, &view));
  const status copied = torch->aoti_torch_copy_(to, view, 0);
  torch->aoti_torch_delete_tensor_object(view);
  PYTORCH(copied);
  return NULL;
}

static int is_full(const DLTensor* tensor, const slipway_value_info* info) {
  for (int32_t i = 0; i < tensor->ndim; ++i) {
    if (tensor->shape[i] != info->max_sizes[i]) return 0;
  }
  return 1;
}

slipway_model_error* write_output(const struct torch* torch, const slipway_value* value,
                                  const slipway_value_info* info, struct place place,
                                  tensor_handle* room, tensor_handle* handle) {
  if (value->kind == SLIPWAY_NONE) return NULL;  // no tensor, which is None in Python
  const int32_t type = type_of(value->kind, info->type);
  void* data = NULL;
  if (value->kind != SLIPWAY_TENSOR) {
    PYTORCH(torch->aoti_torch_empty_strided(0, NULL, NULL, type, kCpu, 0, handle));
    PYTORCH(torch->aoti_torch_get_data_ptr(*handle, &data));
    memcpy(data, &value->as, value->kind == SLIPWAY_BOOLEAN ? sizeof(bool) : sizeof(int64_t));
    return NULL;
  }
  const DLTensor* const tensor = &value->as.tensor->dl_tensor;
  if (*room != NULL && is_full(tensor, info)) {
    *handle = *room;
    *room = NULL;
    return NULL;
  }
  slipway_model_error* const error =
      make_tensor(torch, tensor->ndim, tensor->shape, type, place, handle);
  if (error != NULL) return error;
  int64_t bytes = tensor->dtype.bits / 8;
  for (int32_t i = 0; i < tensor->ndim; ++i) bytes *= tensor->shape[i];
  if (bytes == 0) return NULL;
  if (place.type != kCpu) return copy_out(torch, tensor, type, place, *handle);
  PYTORCH(torch->aoti_torch_get_data_ptr(*handle, &data));
  memcpy(data, (const char*)tensor->data + tensor->byte_offset, (size_t)bytes);
  return NULL;
}
