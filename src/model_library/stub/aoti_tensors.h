// Tensors of PyTorch, read and made by its own functions, which are found in the process.
#ifndef SLIPWAY_MODEL_LIBRARY_STUB_AOTI_TENSORS_H
#define SLIPWAY_MODEL_LIBRARY_STUB_AOTI_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "model_library/stub/aoti.h"
#include "model_library/stub/runtime.h"

typedef struct tensor* tensor_handle;

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

#define FIELD(name, parameters) status(*name) parameters;
struct torch {
  FOR_EACH_TORCH_FUNCTION(FIELD)
};
#undef FIELD

slipway_model_error* find_torch(struct torch* torch);

// PyTorch's number of the type of what comes in and goes out; -1 for what it takes in no tensor.
// Numbers are tensors without dimensions, as in AOTInductor's own packages.
int32_t type_of(slipway_kind kind, const char* type_of_tensor);

// `position` is for messages. The value has the tensor's memory and is freed before it.
slipway_model_error* read_input(const struct torch* torch, size_t position, tensor_handle handle,
                                const slipway_value_info* info, slipway_value* value);
// A copy in PyTorch's memory: the module writes to its own again at the next call. NULL of None.
slipway_model_error* write_output(const struct torch* torch, const slipway_value* value,
                                  const slipway_value_info* info, tensor_handle* handle);

#endif  // SLIPWAY_MODEL_LIBRARY_STUB_AOTI_TENSORS_H
