// Tensors of PyTorch, read and made by its own functions, which are found in the process.
#ifndef SLIPWAY_MODEL_LIBRARY_STUB_AOTI_TENSORS_H
#define SLIPWAY_MODEL_LIBRARY_STUB_AOTI_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "model_library/stub/aoti.h"
#include "model_library/stub/runtime.h"

typedef struct tensor* tensor_handle;
typedef struct stream_guard* stream_guard;

// PyTorch's numbers of kinds of devices (c10/core/DeviceType.h).
enum { kCpu = 0, kCuda = 1 };
// In whose memory a tensor is.
struct place {
  int32_t type;
  int32_t index;
};

#define FOR_EACH_TORCH_FUNCTION(F)                                             \
  F(aoti_torch_delete_tensor_object, (tensor_handle tensor))                   \
  F(aoti_torch_get_data_ptr, (tensor_handle tensor, void** data))              \
  F(aoti_torch_get_dim, (tensor_handle tensor, int64_t * rank))                \
  F(aoti_torch_get_sizes, (tensor_handle tensor, int64_t * *sizes))            \
  F(aoti_torch_get_strides, (tensor_handle tensor, int64_t * *strides))        \
  F(aoti_torch_get_dtype, (tensor_handle tensor, int32_t * type))              \
  F(aoti_torch_get_device_type, (tensor_handle tensor, int32_t * type))        \
  F(aoti_torch_empty_strided,                                                  \
    (int64_t rank, const int64_t* sizes, const int64_t* strides, int32_t type, \
     int32_t device_type, int32_t device_index, tensor_handle* tensor))

// For tensors of a GPU.
#define FOR_EACH_CUDA_FUNCTION(F)                                                            \
  F(aoti_torch_get_device_index, (tensor_handle tensor, int32_t * index))                    \
  F(aoti_torch_get_current_device_index, (int32_t * index))                                  \
  F(aoti_torch_copy_, (tensor_handle to, tensor_handle from, int32_t non_blocking))          \
  F(aoti_torch_create_tensor_from_blob,                                                      \
    (void* data, int64_t rank, const int64_t* sizes, const int64_t* strides, int64_t offset, \
     int32_t type, int32_t device_type, int32_t device_index, tensor_handle* tensor))        \
  F(aoti_torch_create_cuda_stream_guard,                                                     \
    (void* stream, int32_t device_index, stream_guard* guard))                               \
  F(aoti_torch_delete_cuda_stream_guard, (stream_guard guard))

#define FIELD(name, parameters) status(*name) parameters;
struct torch {
  FOR_EACH_TORCH_FUNCTION(FIELD)
  FOR_EACH_CUDA_FUNCTION(FIELD)  // NULL where they are not asked for
};
#undef FIELD

slipway_model_error* find_torch(int with_cuda, struct torch* torch);

// PyTorch's number of the type of what comes in and goes out; -1 for what it takes in no tensor.
// Numbers are tensors without dimensions, as in AOTInductor's own packages.
int32_t type_of(slipway_kind kind, const char* type_of_tensor);

// The tensor is in `place`, and the model takes it in `taken`: where that is another one, *copy is
// a tensor there, and the value is that one's. Otherwise the value has the tensor's memory, and is
// freed before it. `position` is for messages.
slipway_model_error* read_input(const struct torch* torch, size_t position, tensor_handle handle,
                                const slipway_value_info* info, struct place place,
                                struct place taken, slipway_value* value, tensor_handle* copy);
// A tensor with room for the output's largest sizes, and a value that has its memory.
slipway_model_error* make_room(const struct torch* torch, const slipway_value_info* info,
                               struct place place, slipway_value* value, tensor_handle* room);
// The value in `room`, where it fills that, which is NULL then; or a copy in PyTorch's memory: the
// module writes to its own again at the next call. NULL of None. Numbers are in the host's memory.
slipway_model_error* write_output(const struct torch* torch, const slipway_value* value,
                                  const slipway_value_info* info, struct place place,
                                  tensor_handle* room, tensor_handle* handle);

#endif  // SLIPWAY_MODEL_LIBRARY_STUB_AOTI_TENSORS_H
